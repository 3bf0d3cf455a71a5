//! What a selection asks of the graph, with its arguments read.
//!
//! A plan is made of translated fields, so each response key is there once and no fragment is
//! left. There is a plan for whatever the guard lets pass; for anything else there is none.

use async_graphql::{
    Positioned, Value,
    parser::types::{self, Field, SelectionSet},
};

use crate::{
    domain::{
        Ends, FollowList, FollowPageKey, FollowPosition, OrderDirection, PageRequest, UserId,
    },
    graphql::{cursor::List, types::page::PageArguments},
};

/// The fields of an object, by response key.
pub(super) type Fields<'a, F> = Vec<(&'a str, F)>;

/// What is asked of users.
#[derive(Debug)]
pub(super) struct UserPlan<'a> {
    pub(super) fields: Fields<'a, UserField>,
    /// The lists that [`UserField::Follows`] speaks of.
    pub(super) lists: Vec<FollowsPlan<'a>>,
}

#[derive(Debug)]
pub(super) enum UserField {
    Typename,
    AvatarUrl {
        size: i32,
    },
    Bio,
    CreatedAt,
    /// The list with this index.
    Follows(usize),
    Id,
    IsFollowingViewer,
    IsViewer,
    Name,
    Username,
    ViewerCanFollow,
    ViewerCannotFollowReasons,
    ViewerFollowedAt,
    ViewerIsFollowing,
}

/// What is asked of one of the two lists of users.
#[derive(Debug)]
pub(super) struct FollowsPlan<'a> {
    pub(super) direction: FollowList,
    pub(super) request: PageRequest<FollowPosition>,
    pub(super) connection: ConnectionPlan<'a>,
}

/// What is asked of a page of any list.
#[derive(Debug)]
pub(super) struct ConnectionPlan<'a> {
    pub(super) list: List,
    pub(super) fields: Fields<'a, ConnectionField<'a>>,
    /// What is asked of the users of the page, by `nodes` and by the `node` of its edges.
    pub(super) users: Vec<UserPlan<'a>>,
}

#[derive(Debug)]
pub(super) enum ConnectionField<'a> {
    Typename,
    Edges(Fields<'a, EdgeField>),
    /// The users, as the plan with this index asks.
    Nodes(usize),
    PageInfo(Fields<'a, PageInfoField>),
    TotalCount,
}

#[derive(Debug)]
pub(super) enum EdgeField {
    Typename,
    Cursor,
    FollowedAt,
    /// The user, as the plan with this index asks.
    Node(usize),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum PageInfoField {
    Typename,
    EndCursor,
    HasNextPage,
    HasPreviousPage,
    StartCursor,
}

impl<'a> UserPlan<'a> {
    pub(super) fn new(selection: &'a SelectionSet, page_size_max: u32) -> Option<Self> {
        let mut lists = Vec::new();
        let fields = fields(selection, |field, name| {
            Some(match name {
                "__typename" => UserField::Typename,
                "avatarUrl" => UserField::AvatarUrl {
                    size: i32::try_from(number(field, "size").unwrap_or(96)).ok()?,
                },
                "bio" => UserField::Bio,
                "createdAt" => UserField::CreatedAt,
                "followers" | "following" => {
                    let direction = match name {
                        "followers" => FollowList::Followers,
                        _ => FollowList::Following,
                    };
                    lists.push(FollowsPlan::new(field, direction, page_size_max)?);
                    UserField::Follows(lists.len() - 1)
                }
                "id" => UserField::Id,
                "isFollowingViewer" => UserField::IsFollowingViewer,
                "isViewer" => UserField::IsViewer,
                "name" => UserField::Name,
                "username" => UserField::Username,
                "viewerCanFollow" => UserField::ViewerCanFollow,
                "viewerCannotFollowReasons" => UserField::ViewerCannotFollowReasons,
                "viewerFollowedAt" => UserField::ViewerFollowedAt,
                "viewerIsFollowing" => UserField::ViewerIsFollowing,
                _ => return None,
            })
        })?;
        Some(Self { fields, lists })
    }

    /// Whether the viewer's follow of the users is asked for.
    pub(super) fn asks_whether_followed(&self) -> bool {
        let asks = |field: &UserField| {
            matches!(field, UserField::ViewerFollowedAt | UserField::ViewerIsFollowing)
        };
        self.fields.iter().any(|(_, field)| asks(field))
    }

    /// Whether the users' follow of the viewer is asked for.
    pub(super) fn asks_whether_following_back(&self) -> bool {
        self.fields.iter().any(|(_, field)| matches!(field, UserField::IsFollowingViewer))
    }

    /// Whether it is asked how the users stand to the viewer.
    pub(super) fn asks_for_relations(&self) -> bool {
        self.asks_whether_followed() || self.asks_whether_following_back()
    }

    /// Whether the length of a list is asked for, and no page that brings it along: a page has the
    /// lengths of both lists.
    pub(super) fn asks_for_counts_alone(&self) -> bool {
        let mut connections = self.lists.iter().map(|list| &list.connection);
        connections.clone().any(ConnectionPlan::asks_for_count)
            && !connections.any(ConnectionPlan::asks_for_page)
    }

    /// Whether the rows of the users answer it.
    pub(super) fn asks_for_rows_only(&self) -> bool {
        self.lists.is_empty() && !self.asks_for_relations()
    }
}

impl<'a> FollowsPlan<'a> {
    fn new(field: &'a Field, direction: FollowList, page_size_max: u32) -> Option<Self> {
        let order = order(field);
        let list = List::Follows(direction, order);
        let connection = ConnectionPlan::new(list, &field.selection_set.node, page_size_max)?;
        let arguments = PageArguments {
            first: number(field, "first"),
            last: number(field, "last"),
            after: text(field, "after"),
            before: text(field, "before"),
        };
        let mut request = arguments.follows(direction, order, page_size_max).ok()?;
        request.ends = connection.asks_for_ends();
        Some(Self { direction, request, connection })
    }
}

impl FollowsPlan<'_> {
    /// Which page of the list of a user.
    pub(super) const fn key(&self, user: UserId) -> FollowPageKey {
        FollowPageKey { user, list: self.direction, request: self.request }
    }
}

impl<'a> ConnectionPlan<'a> {
    pub(super) fn new(list: List, selection: &'a SelectionSet, page_size_max: u32) -> Option<Self> {
        let mut users = Vec::new();
        let mut user = |field: &'a Field| {
            users.push(UserPlan::new(&field.selection_set.node, page_size_max)?);
            Some(users.len() - 1)
        };
        let fields = fields(selection, |field, name| {
            let below = &field.selection_set.node;
            Some(match name {
                "__typename" => ConnectionField::Typename,
                "edges" => ConnectionField::Edges(edge(below, &mut user)?),
                "nodes" => ConnectionField::Nodes(user(field)?),
                "pageInfo" => ConnectionField::PageInfo(page_info(below)?),
                "totalCount" => ConnectionField::TotalCount,
                _ => return None,
            })
        })?;
        Some(Self { list, fields, users })
    }

    /// Whether anything but the length of the list is asked for.
    pub(super) fn asks_for_page(&self) -> bool {
        self.fields.iter().any(|(_, field)| match field {
            ConnectionField::Typename | ConnectionField::TotalCount => false,
            ConnectionField::Edges(_)
            | ConnectionField::Nodes(_)
            | ConnectionField::PageInfo(_) => true,
        })
    }

    /// Whether `totalCount` is asked for.
    pub(super) fn asks_for_count(&self) -> bool {
        self.fields.iter().any(|(_, field)| matches!(field, ConnectionField::TotalCount))
    }

    /// At which ends of the page it has to be known whether there is more.
    fn asks_for_ends(&self) -> Ends {
        let mut ends = Ends::NONE;
        for (_, field) in &self.fields {
            let ConnectionField::PageInfo(fields) = field else { continue };
            for (_, field) in fields {
                ends.next |= matches!(field, PageInfoField::HasNextPage);
                ends.previous |= matches!(field, PageInfoField::HasPreviousPage);
            }
        }
        ends
    }
}

/// An edge on its own, in a payload, and what is asked of its user.
pub(super) struct EdgePlan<'a> {
    pub(super) fields: Fields<'a, EdgeField>,
    pub(super) users: Vec<UserPlan<'a>>,
}

impl<'a> EdgePlan<'a> {
    pub(super) fn new(selection: &'a SelectionSet, page_size_max: u32) -> Option<Self> {
        let mut users = Vec::new();
        let mut user = |field: &'a Field| {
            users.push(UserPlan::new(&field.selection_set.node, page_size_max)?);
            Some(users.len() - 1)
        };
        let fields = edge(selection, &mut user)?;
        Some(Self { fields, users })
    }
}

fn edge<'a>(
    selection: &'a SelectionSet,
    user: &mut impl FnMut(&'a Field) -> Option<usize>,
) -> Option<Fields<'a, EdgeField>> {
    fields(selection, |field, name| {
        Some(match name {
            "__typename" => EdgeField::Typename,
            "cursor" => EdgeField::Cursor,
            "followedAt" => EdgeField::FollowedAt,
            "node" => EdgeField::Node(user(field)?),
            _ => return None,
        })
    })
}

fn page_info(selection: &SelectionSet) -> Option<Fields<'_, PageInfoField>> {
    fields(selection, |_, name| {
        Some(match name {
            "__typename" => PageInfoField::Typename,
            "endCursor" => PageInfoField::EndCursor,
            "hasNextPage" => PageInfoField::HasNextPage,
            "hasPreviousPage" => PageInfoField::HasPreviousPage,
            "startCursor" => PageInfoField::StartCursor,
            _ => return None,
        })
    })
}

/// Reads each field of a selection; `None` when one cannot be read.
fn fields<'a, F>(
    selection: &'a SelectionSet,
    mut read: impl FnMut(&'a Field, &'a str) -> Option<F>,
) -> Option<Fields<'a, F>> {
    let each = selection.items.iter().map(|Positioned { node: selection, .. }| match selection {
        types::Selection::Field(Positioned { node: field, .. }) => {
            let key = field.response_key().node.as_str();
            Some((key, read(field, field.name.node.as_str())?))
        }
        types::Selection::FragmentSpread(_) | types::Selection::InlineFragment(_) => None,
    });
    each.collect()
}

/// An argument, if it is given and not null. No variable is left in it.
fn argument(field: &Field, name: &str) -> Option<Value> {
    let value = field.get_argument(name)?.node.clone().into_const()?;
    (value != Value::Null).then_some(value)
}

fn number(field: &Field, name: &str) -> Option<i64> {
    match argument(field, name)? {
        Value::Number(number) => number.as_i64(),
        _ => None,
    }
}

fn text(field: &Field, name: &str) -> Option<String> {
    match argument(field, name)? {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// The direction of `orderBy`; follows can be ordered by their time only.
fn order(field: &Field) -> OrderDirection {
    let direction = match argument(field, "orderBy") {
        Some(Value::Object(order)) => order.get("direction").cloned(),
        _ => None,
    };
    match direction {
        Some(direction) if direction.to_string().trim_matches('"') == "ASC" => OrderDirection::Asc,
        _ => OrderDirection::Desc,
    }
}
