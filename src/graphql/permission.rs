//! Permissions under their names in the schema.

use async_graphql::Enum;

use crate::domain;

/// A permission that an operation may need.
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

/// The permission with this name in the schema.
pub(crate) fn parse(name_in_schema: &str) -> Option<domain::Permission> {
    domain::Permission::ALL.into_iter().find(|permission| name(*permission) == name_in_schema)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_permission_has_its_name_of_the_schema() {
        for permission in domain::Permission::ALL {
            let in_schema = async_graphql::resolver_utils::enum_value(Permission::from(permission));
            assert_eq!(in_schema.to_string(), name(permission));
            assert_eq!(parse(name(permission)), Some(permission));
        }
    }
}
