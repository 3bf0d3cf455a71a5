//! The orders of lists.

use async_graphql::{Enum, InputObject, resolver_utils::EnumType};

use crate::{
    domain,
    graphql::lists::{FOLLOWERS, OrderField, USERS},
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
        let item = Self::items().iter().find(|item| item.name == name)?;
        Some(item.value.into())
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
    #[graphql(default_with = "FollowOrder::default().direction")]
    pub direction: OrderDirection,
    /// The field.
    #[graphql(default_with = "FollowOrder::default().field")]
    pub field: FollowOrderField,
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
    #[graphql(default_with = "UserOrder::default().direction")]
    pub direction: OrderDirection,
    /// The field.
    #[graphql(default_with = "UserOrder::default().field")]
    pub field: UserOrderField,
}

/// Connects an input with the orders of a list: its defaults, and what a client gave.
macro_rules! order_of_list {
    ($order:ident, $list:ident, $field:ident { $($variant:ident),+ }) => {
        impl Default for $order {
            fn default() -> Self {
                let list = $list.ordered(None, None);
                let field = [$($field::$variant),+].into_iter();
                let mut field = field.filter(|field| OrderField::from(*field) == list.order.field);
                let field = field.next().expect("the input has the order of its list");
                Self { direction: list.direction.into(), field }
            }
        }

        impl From<$field> for OrderField {
            fn from(field: $field) -> Self {
                match field {
                    $($field::$variant => Self::$variant,)+
                }
            }
        }

        impl From<$order> for (OrderField, domain::OrderDirection) {
            fn from(order: $order) -> Self {
                (order.field.into(), order.direction.into())
            }
        }
    };
}
order_of_list!(FollowOrder, FOLLOWERS, FollowOrderField { FollowedAt });
order_of_list!(UserOrder, USERS, UserOrderField { CreatedAt, Username });
