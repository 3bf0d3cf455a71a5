//! What lists can be ordered by.

use async_graphql::{Enum, InputObject};

use crate::domain;

/// The direction of an order.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::OrderDirection")]
pub(crate) enum OrderDirection {
    /// From the lowest or oldest up.
    Asc,
    /// From the highest or newest down.
    Desc,
}

/// What follows can be ordered by.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum FollowOrderField {
    /// When the follow began.
    FollowedAt,
}

/// How to order follows. Follows of the same moment are ordered by the user at the other end, in
/// the same direction.
#[derive(Clone, Copy, InputObject)]
pub(crate) struct FollowOrder {
    /// The direction.
    #[graphql(default_with = "OrderDirection::Desc")]
    pub direction: OrderDirection,
    /// The field.
    #[graphql(default_with = "FollowOrderField::FollowedAt")]
    pub field: FollowOrderField,
}

impl FollowOrder {
    /// The newest follow first.
    pub(crate) const DEFAULT: Self =
        Self { direction: OrderDirection::Desc, field: FollowOrderField::FollowedAt };
}

/// What users can be ordered by.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::UserOrderField")]
pub(crate) enum UserOrderField {
    /// When the account was made.
    CreatedAt,
    /// The username, without regard to case.
    Username,
}

/// How to order users.
#[derive(Clone, Copy, InputObject)]
pub(crate) struct UserOrder {
    /// The direction.
    #[graphql(default_with = "OrderDirection::Asc")]
    pub direction: OrderDirection,
    /// The field.
    #[graphql(default_with = "UserOrderField::Username")]
    pub field: UserOrderField,
}

impl UserOrder {
    /// By username, from a to z.
    pub(crate) const DEFAULT: Self =
        Self { direction: OrderDirection::Asc, field: UserOrderField::Username };
}
