//! Why a follow would be refused.

use async_graphql::Enum;

use crate::service;

/// Why the viewer cannot follow a user.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "service::FollowDenial")]
pub(crate) enum FollowDenialReason {
    /// The role or the token lacks the FOLLOW permission.
    MissingPermission,
    /// The caller is signed out.
    Unauthenticated,
    /// Users cannot follow themselves.
    Yourself,
}
