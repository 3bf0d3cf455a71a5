//! The signed-in caller, their role and permissions.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, SimpleObject};

use super::{
    connection::{BlockedUserConnection, FollowRequestConnection, Listed, MutedUserConnection},
    event::FollowEventConnection,
    page::PageArguments,
    privacy::PrivacySettings,
    quota::FollowQuota,
    user::{IdAnswer, User},
};
use crate::{
    domain::{self, OrderDirection},
    graphql::{
        context::RequestContext,
        cursor,
        error::Failure,
        global_id::{self, GlobalId},
        lists::{BLOCKED_USERS, FOLLOW_REQUESTS, MUTED_USERS, OrderField, SENT_FOLLOW_REQUESTS},
        permission::Permission,
        projection::Projected,
    },
    service::{self, SeenBy, Service},
};

fn listed(permissions: domain::Permissions) -> Vec<Permission> {
    permissions.iter().map(Permission::from).collect()
}

/// The signed-in caller.
#[derive(Clone)]
pub(crate) struct Viewer(pub Arc<service::Viewer>);

/// The service as the viewer sees it: one who has just signed in is not the caller of the request.
fn service_of(viewer: &Viewer, ctx: &Context<'_>) -> SeenBy {
    ctx.data_unchecked::<Arc<Service>>().seen_by(Some(Arc::clone(&viewer.0)))
}

/// Defines the viewer with the lists that only the viewer reads. Comments are descriptions.
macro_rules! viewer {
    (
        lists { $(
            $(#[$($of_list:tt)*])*
            $field:ident: $list:ident -> $connection:ident;
        )+ }
        fields { $($fields:tt)* }
    ) => {
        #[Object]
        /// The signed-in caller.
        impl Viewer {
            $(
            $(#[$($of_list)*])*
            async fn $field(
                &self,
                ctx: &Context<'_>,
                #[graphql(desc = "Only edges after this cursor.")] after: Option<String>,
                #[graphql(desc = "Only edges before this cursor.")] before: Option<String>,
                #[graphql(
                    desc = "The first n edges, at most the server's page size. Without `first` and \
                    `last`, a page of the default size."
                )]
                first: Option<i32>,
                #[graphql(desc = "The last n edges, at most the server's page size.")]
                last: Option<i32>,
            ) -> Result<Projected<$connection>, Failure> {
                let order = None::<(OrderField, OrderDirection)>;
                let arguments = PageArguments::new(first, last, after, before, order);
                let listed = Listed::own(ctx, &$list, service_of(self, ctx), &arguments);
                listed.map($connection).map(Projected)
            }
            )+

            $($fields)*
        }
    };
}

viewer! {
    lists {
    /// The users whom the viewer blocks, newest block first.
    blocked_users: BLOCKED_USERS -> BlockedUserConnection;
    /// The requests to follow the viewer, newest first.
    follow_requests: FOLLOW_REQUESTS -> FollowRequestConnection;
    /// The users whom the viewer has muted, newest mute first.
    muted_users: MUTED_USERS -> MutedUserConnection;
    /// The viewer's requests to follow others, newest first. `unfollow` withdraws one.
    sent_follow_requests: SENT_FOLLOW_REQUESTS -> FollowRequestConnection;
    }
    fields {
    /// What happened to the viewer's follows and follow requests, newest first, as long as the server
    /// keeps it. Page with `before` to read on from a cursor; `EVENTS_EXPIRED` if events after it are
    /// no longer kept. This log is exact, while a list that is read by time may skip what is added
    /// meanwhile.
    async fn follow_events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only events after this cursor, which are older.")] after: Option<String>,
        #[graphql(desc = "Only events before this cursor, which are newer.")]
        before: Option<String>,
        #[graphql(
            desc = "The first n events, at most the server's page size. Without `first` and `last`, \
            a page of the default size."
        )]
        first: Option<i32>,
        #[graphql(desc = "The last n events, at most the server's page size.")] last: Option<i32>,
    ) -> Result<FollowEventConnection, Failure> {
        let order = None::<(OrderField, OrderDirection)>;
        let arguments = PageArguments::new(first, last, after, before, order);
        FollowEventConnection::load(ctx, &service_of(self, ctx), &arguments).await
    }

    /// How many users the viewer may still follow; null if the server has no rate limits.
    async fn follow_quota(&self, ctx: &Context<'_>) -> Option<Result<FollowQuota, Failure>> {
        let quota = service_of(self, ctx).follow_quota().await;
        quota.map(|quota| quota.map(FollowQuota::from)).map_err(Failure::from).transpose()
    }

    /// The opaque global ID of the viewer, which is not the one of their user.
    pub(crate) async fn id(&self) -> IdAnswer {
        Ok(GlobalId::Viewer(self.0.id()).into())
    }

    /// Where the viewer's log ends: subscribe with it as `after` to miss nothing that happens after
    /// this answer.
    async fn latest_event_cursor(&self) -> String {
        cursor::encode_event(self.0.id(), self.0.account.last_event)
    }

    /// The permissions of the role, narrowed by the scope of the token.
    async fn permissions(&self) -> Vec<Permission> {
        listed(self.0.permissions)
    }

    /// The viewer's privacy settings.
    async fn privacy(&self, ctx: &Context<'_>) -> Result<PrivacySettings, Failure> {
        Ok(service_of(self, ctx).privacy().await?.into())
    }

    /// The viewer's role.
    async fn role(&self) -> Role {
        let role = &self.0.account.role;
        Role {
            id: global_id::of_role(&role.name),
            name: role.name.clone(),
            permissions: listed(role.permissions),
        }
    }

    /// The viewer as a user.
    async fn user(&self, ctx: &Context<'_>) -> Result<Projected<User>, Failure> {
        if self.0.is_service() {
            return Ok(Projected(User(Arc::clone(&self.0.account.user))));
        }
        let user = RequestContext::of(ctx).loaders.users.one(self.0.id()).await?;
        let user = user.ok_or(service::Error::Unauthenticated)?;
        Ok(Projected(User(user)))
    }
    }
}

/// A named set of permissions.
#[derive(SimpleObject)]
pub(crate) struct Role {
    /// The opaque ID of the role, unique among all objects.
    id: ID,
    /// The unique name of the role, such as `moderator`.
    name: String,
    /// The permissions of the role.
    permissions: Vec<Permission>,
}
