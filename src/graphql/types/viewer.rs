//! The signed-in caller, their role and permissions.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, SimpleObject};

use super::{
    quota::FollowQuota,
    user::{IdAnswer, User},
};
use crate::{
    domain,
    graphql::{
        context::RequestContext,
        error::Failure,
        global_id::{self, GlobalId},
        permission::Permission,
        projection::Projected,
    },
    service::{self, Service},
};

fn listed(permissions: domain::Permissions) -> Vec<Permission> {
    permissions.iter().map(Permission::from).collect()
}

/// The signed-in caller.
#[derive(Clone)]
pub(crate) struct Viewer(pub Arc<service::Viewer>);

#[Object]
/// The signed-in caller.
impl Viewer {
    /// How many users the viewer may still follow; null if the server has no rate limits.
    async fn follow_quota(&self, ctx: &Context<'_>) -> Option<Result<FollowQuota, Failure>> {
        // A viewer who has just signed in is not the caller of the request.
        let service = ctx.data_unchecked::<Arc<Service>>().seen_by(Some(Arc::clone(&self.0)));
        let quota = service.follow_quota().await;
        quota.map(|quota| quota.map(FollowQuota::from)).map_err(Failure::from).transpose()
    }

    /// The opaque global ID of the viewer, which is not the one of their user.
    pub(crate) async fn id(&self) -> IdAnswer {
        Ok(GlobalId::Viewer(self.0.id()).into())
    }

    /// The permissions of the role, narrowed by the scope of the token.
    async fn permissions(&self) -> Vec<Permission> {
        listed(self.0.permissions)
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
        let user = RequestContext::of(ctx).loaders.users.one(self.0.id()).await?;
        let user = user.ok_or(service::Error::Unauthenticated)?;
        Ok(Projected(User(user)))
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
