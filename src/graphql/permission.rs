//! Permissions under their names in the schema.

use async_graphql::{Enum, resolver_utils::EnumType};

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

/// The permission with this name in the schema.
pub(crate) fn parse(name: &str) -> Option<domain::Permission> {
    let item = Permission::items().iter().find(|item| item.name == name)?;
    Some(item.value.into())
}
