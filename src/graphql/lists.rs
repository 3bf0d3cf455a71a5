//! The lists of the graph: one row for each field that returns a connection.
//!
//! The guard (cost, page size, cursors), the cursors, the resolvers, the projection and the tests
//! look lists up here. The guard refuses a connection without a row.

use crate::domain::{FollowList, OrderDirection, OwnList};

/// The page size of a list without `first` and `last`, unless the server's maximum is smaller.
pub const PAGE_SIZE_DEFAULT: u32 = 20;

/// A field that returns a connection.
#[derive(Debug, PartialEq, Eq)]
pub struct List {
    /// The type that has the field.
    pub parent: &'static str,
    /// The field.
    pub field: &'static str,
    /// The type of the connection.
    pub connection: &'static str,
    /// The type of its edges.
    pub edge: &'static str,
    /// The fields of its edges that are times.
    pub edge_times: &'static [&'static str],
    /// What the list reads.
    pub source: Source,
    /// The orders of the list; the first is the default.
    pub orders: &'static [Order],
    /// The default direction of any order.
    pub direction: OrderDirection,
}

/// What a list reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Follows of one user.
    Follows(FollowList),
    /// All users.
    Users,
    /// A list that only the viewer reads.
    Own(OwnList),
    /// The log of the viewer.
    Events,
    /// The log of administrators.
    Audit,
}

/// An order of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// What the list is ordered by.
    pub field: OrderField,
    /// The byte that stands for the list and the order in every cursor. Clients keep cursors:
    /// never change a tag, and never reuse one.
    pub tag: u8,
}

/// What lists can be ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderField {
    /// When the follow began.
    FollowedAt,
    /// When the request, block or mute was made.
    MadeAt,
    /// When the account was created.
    CreatedAt,
    /// The username, regardless of case.
    Username,
    /// The number in a log.
    Sequence,
}

impl OrderField {
    /// The name in the schema.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FollowedAt => "FOLLOWED_AT",
            Self::MadeAt => "MADE_AT",
            Self::CreatedAt => "CREATED_AT",
            Self::Username => "USERNAME",
            Self::Sequence => "SEQUENCE",
        }
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        [Self::FollowedAt, Self::CreatedAt, Self::Username].into_iter().find(|f| f.name() == name)
    }
}

/// `User.followers`.
pub static FOLLOWERS: List = List {
    parent: "User",
    field: "followers",
    connection: "FollowerConnection",
    edge: "FollowerEdge",
    edge_times: &["followedAt"],
    source: Source::Follows(FollowList::Followers),
    orders: &[Order { field: OrderField::FollowedAt, tag: b'f' }],
    direction: OrderDirection::Desc,
};

/// `User.following`.
pub static FOLLOWING: List = List {
    parent: "User",
    field: "following",
    connection: "FollowingConnection",
    edge: "FollowingEdge",
    edge_times: &["followedAt"],
    source: Source::Follows(FollowList::Following),
    orders: &[Order { field: OrderField::FollowedAt, tag: b'g' }],
    direction: OrderDirection::Desc,
};

/// `Query.users`.
pub static USERS: List = List {
    parent: "Query",
    field: "users",
    connection: "UserConnection",
    edge: "UserEdge",
    edge_times: &[],
    source: Source::Users,
    orders: &[
        Order { field: OrderField::Username, tag: b'u' },
        Order { field: OrderField::CreatedAt, tag: b'c' },
    ],
    direction: OrderDirection::Asc,
};

/// Lists that only the viewer reads have one order, newest first.
macro_rules! own_list {
    (
        $field:literal, $connection:literal, $edge:literal, [$($time:literal),+],
        $list:ident, $tag:literal
    ) => {
        List {
            parent: "Viewer",
            field: $field,
            connection: $connection,
            edge: $edge,
            edge_times: &[$($time),+],
            source: Source::Own(OwnList::$list),
            orders: &[Order { field: OrderField::MadeAt, tag: $tag }],
            direction: OrderDirection::Desc,
        }
    };
}

/// `Viewer.followRequests`.
pub static FOLLOW_REQUESTS: List = own_list!(
    "followRequests",
    "FollowRequestConnection",
    "FollowRequestEdge",
    ["requestedAt"],
    RequestsReceived,
    b'r'
);

/// `Viewer.sentFollowRequests`.
pub static SENT_FOLLOW_REQUESTS: List = own_list!(
    "sentFollowRequests",
    "FollowRequestConnection",
    "FollowRequestEdge",
    ["requestedAt"],
    RequestsSent,
    b's'
);

/// `Viewer.blockedUsers`.
pub static BLOCKED_USERS: List = own_list!(
    "blockedUsers",
    "BlockedUserConnection",
    "BlockedUserEdge",
    ["blockedAt"],
    Blocked,
    b'b'
);

/// `Viewer.mutedUsers`.
pub static MUTED_USERS: List = own_list!(
    "mutedUsers",
    "MutedUserConnection",
    "MutedUserEdge",
    ["mutedAt", "mutedUntil"],
    Muted,
    b'm'
);

/// `Viewer.followEvents`. Its cursors are also those of `Subscription.followEvents`.
pub static FOLLOW_EVENTS: List = List {
    parent: "Viewer",
    field: "followEvents",
    connection: "FollowEventConnection",
    edge: "FollowEventEdge",
    edge_times: &[],
    source: Source::Events,
    orders: &[Order { field: OrderField::Sequence, tag: b'e' }],
    direction: OrderDirection::Desc,
};

/// `Query.auditLog`.
pub static AUDIT_LOG: List = List {
    parent: "Query",
    field: "auditLog",
    connection: "AuditConnection",
    edge: "AuditEdge",
    edge_times: &[],
    source: Source::Audit,
    orders: &[Order { field: OrderField::Sequence, tag: b'a' }],
    direction: OrderDirection::Desc,
};

/// Every list.
pub static LISTS: [&List; 9] = [
    &FOLLOWERS,
    &FOLLOWING,
    &USERS,
    &FOLLOW_REQUESTS,
    &SENT_FOLLOW_REQUESTS,
    &BLOCKED_USERS,
    &MUTED_USERS,
    &FOLLOW_EVENTS,
    &AUDIT_LOG,
];

impl List {
    /// The list of a field.
    pub(super) fn find(parent: &str, field: &str) -> Option<&'static Self> {
        LISTS.into_iter().find(|list| list.field == field && list.parent == parent)
    }

    /// The list in an order, with defaults for what is not given.
    pub(super) fn ordered(
        &'static self,
        field: Option<OrderField>,
        direction: Option<OrderDirection>,
    ) -> OrderedList {
        let order = self.orders.iter().find(|order| Some(order.field) == field);
        OrderedList {
            list: self,
            order: order.copied().unwrap_or(self.orders[0]),
            direction: direction.unwrap_or(self.direction),
        }
    }
}

/// A list in one of its orders: what a cursor belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OrderedList {
    pub list: &'static List,
    pub order: Order,
    pub direction: OrderDirection,
}
