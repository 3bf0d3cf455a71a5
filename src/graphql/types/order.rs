//! The orders of lists.

use async_graphql::{Enum, InputObject};

use crate::{
    domain,
    graphql::lists::{self, List, OrderField},
};

/// The direction of an order.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::OrderDirection")]
pub(crate) enum OrderDirection {
    /// From the lowest or oldest up.
    Asc,
    /// From the highest or newest down.
    Desc,
}

impl OrderDirection {
    /// The direction with this name in the schema.
    pub(crate) fn parse(name: &str) -> Option<domain::OrderDirection> {
        match name {
            "ASC" => Some(domain::OrderDirection::Asc),
            "DESC" => Some(domain::OrderDirection::Desc),
            _ => None,
        }
    }

    fn default_of(list: &List) -> Self {
        list.direction.into()
    }
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
    #[graphql(default_with = "OrderDirection::default_of(&lists::FOLLOWERS)")]
    pub direction: OrderDirection,
    /// The field.
    #[graphql(default_with = "FollowOrderField::FollowedAt")]
    pub field: FollowOrderField,
}

impl Default for FollowOrder {
    fn default() -> Self {
        let direction = OrderDirection::default_of(&lists::FOLLOWERS);
        Self { direction, field: FollowOrderField::FollowedAt }
    }
}

impl From<FollowOrder> for (OrderField, domain::OrderDirection) {
    fn from(order: FollowOrder) -> Self {
        let field = match order.field {
            FollowOrderField::FollowedAt => OrderField::FollowedAt,
        };
        (field, order.direction.into())
    }
}

/// What users can be ordered by.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum UserOrderField {
    /// When the account was created.
    CreatedAt,
    /// The username, regardless of case.
    Username,
}

/// How to order users.
#[derive(Clone, Copy, InputObject)]
pub(crate) struct UserOrder {
    /// The direction.
    #[graphql(default_with = "OrderDirection::default_of(&lists::USERS)")]
    pub direction: OrderDirection,
    /// The field.
    #[graphql(default_with = "UserOrderField::Username")]
    pub field: UserOrderField,
}

impl Default for UserOrder {
    fn default() -> Self {
        let direction = OrderDirection::default_of(&lists::USERS);
        Self { direction, field: UserOrderField::Username }
    }
}

impl From<UserOrder> for (OrderField, domain::OrderDirection) {
    fn from(order: UserOrder) -> Self {
        let field = match order.field {
            UserOrderField::CreatedAt => OrderField::CreatedAt,
            UserOrderField::Username => OrderField::Username,
        };
        (field, order.direction.into())
    }
}
