//! Permissions under their names in the schema.

use async_graphql::{Enum, resolver_utils::EnumType};

use crate::domain;

/// A permission that an operation may need.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::Permission")]
pub(crate) enum Permission {
    /// Follow and unfollow users.
    Follow,
    /// See what other users hide: their lists, and those who block them. Suspend users.
    Moderate,
    /// Create, change and delete users. Read the schema by introspection where the server runs
    /// trusted documents only.
    Admin,
}

/// The permission with this name in the schema.
pub(crate) fn parse(name: &str) -> Option<domain::Permission> {
    let item = Permission::items().iter().find(|item| item.name == name)?;
    Some(item.value.into())
}
