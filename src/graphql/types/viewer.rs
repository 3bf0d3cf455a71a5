//! The signed-in caller, their role and permissions.

use std::sync::Arc;

use async_graphql::{Context, Object};

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
        quota.map_err(Failure::from).transpose().map(|quota| quota.map(FollowQuota))
    }

    /// The permissions of the role, narrowed by the scope of the token.
    async fn permissions(&self) -> Vec<Permission> {
        listed(self.0.permissions)
    }

    /// The viewer's role.
    async fn role(&self) -> Role {
        Role(self.0.account.role.clone())
    }

    /// The viewer's account.
    async fn user(&self) -> Projected<User> {
        Projected(User(self.0.account.user.clone()))
    }
}

/// A named set of permissions.
pub(crate) struct Role(domain::Role);

#[Object]
/// A named set of permissions.
impl Role {
    /// The unique name of the role, such as `moderator`.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The permissions of the role.
    async fn permissions(&self) -> Vec<Permission> {
        listed(self.0.permissions)
    }
}
