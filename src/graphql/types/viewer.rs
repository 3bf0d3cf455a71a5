//! The signed-in caller, with their role and permissions.

use std::sync::Arc;

use async_graphql::{Context, Enum, Object};

use super::{quota::FollowQuota, user::User};
use crate::{
    domain,
    graphql::{context::RequestContext, error::Failure, projection::Projected},
    service,
};

/// What an operation may need.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::Permission")]
pub(crate) enum Permission {
    /// Follow and unfollow users.
    Follow,
    /// Suspend users.
    Moderate,
    /// Change roles and delete accounts.
    Admin,
}

/// The name of a permission in the schema.
pub(crate) const fn name(permission: domain::Permission) -> &'static str {
    match permission {
        domain::Permission::Follow => "FOLLOW",
        domain::Permission::Moderate => "MODERATE",
        domain::Permission::Admin => "ADMIN",
    }
}

/// The permission of a name in the schema.
pub(crate) fn permission(name_in_schema: &str) -> Option<domain::Permission> {
    domain::Permission::ALL.into_iter().find(|p| name(*p) == name_in_schema)
}

fn listed(permissions: domain::Permissions) -> Vec<Permission> {
    permissions.iter().map(Permission::from).collect()
}

/// The signed-in caller.
pub(crate) struct Viewer(pub Arc<service::Viewer>);

#[Object]
/// The signed-in caller.
impl Viewer {
    /// Whom the viewer may still follow; null when the server has no such limits.
    async fn follow_quota(&self, ctx: &Context<'_>) -> Option<Result<FollowQuota, Failure>> {
        let quota = RequestContext::of(ctx).service.follow_quota().await;
        quota.map_err(Failure::from).transpose().map(|quota| quota.map(FollowQuota))
    }

    /// What the viewer may do: what the role gives, narrowed by the scope of the token.
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

    /// The permissions that the role gives.
    async fn permissions(&self) -> Vec<Permission> {
        listed(self.0.permissions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_names_every_permission_as_the_domain_does() {
        for each in domain::Permission::ALL {
            let in_schema = async_graphql::resolver_utils::enum_value(Permission::from(each));
            assert_eq!(in_schema.to_string(), name(each));
            assert_eq!(permission(name(each)), Some(each));
        }
    }
}
