//! The signed-in caller, their role and permissions.

use std::sync::Arc;

use async_graphql::{Context, Object, SimpleObject};

use super::{quota::FollowQuota, user::User};
use crate::{
    domain,
    graphql::{
        context::RequestContext, error::Failure, permission::Permission, projection::Projected,
    },
    service,
};

fn listed(permissions: domain::Permissions) -> Vec<Permission> {
    permissions.iter().map(Permission::from).collect()
}

/// The signed-in caller.
pub(crate) struct Viewer(pub Arc<service::Viewer>);

#[Object]
/// The signed-in caller.
impl Viewer {
    /// How many users the viewer may still follow; null if the server has no rate limits.
    async fn follow_quota(&self, ctx: &Context<'_>) -> Option<Result<FollowQuota, Failure>> {
        let quota = RequestContext::of(ctx).service.follow_quota().await;
        quota.map(|quota| quota.map(FollowQuota::from)).map_err(Failure::from).transpose()
    }

    /// The permissions of the role, narrowed by the scope of the token.
    async fn permissions(&self) -> Vec<Permission> {
        listed(self.0.permissions)
    }

    /// The viewer's role.
    async fn role(&self) -> Role {
        let role = &self.0.account.role;
        Role { name: role.name.clone(), permissions: listed(role.permissions) }
    }

    /// The viewer's account.
    async fn user(&self) -> Projected<User> {
        Projected(User(self.0.account.user.clone()))
    }
}

/// A named set of permissions.
#[derive(SimpleObject)]
pub(crate) struct Role {
    /// The unique name of the role, such as `moderator`.
    name: String,
    /// The permissions of the role.
    permissions: Vec<Permission>,
}
