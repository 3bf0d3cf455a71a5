//! What a selection asks for, with its arguments read.
//!
//! A plan is built from translated fields, so each response key occurs once and no fragments are
//! left. Every selection that the guard accepts has a plan; `None` makes the resolvers answer.

use async_graphql::{
    Positioned,
    parser::types::{self, Field, SelectionSet},
};

use super::fields::{
    self, AnyUserField, ConnectionField, EdgeField, Needs, PageInfoField, Row, find,
};
use crate::{
    domain::{FollowList, FollowPageKey, FollowPosition, ListReader, PageRequest, UserId},
    graphql::{
        lists::{LISTS, List, OrderedList, Source},
        types::{page::PageArguments, user::FIELDS},
    },
};

/// The fields of an object, by response key.
pub(super) type Fields<'a, F> = Vec<(&'a str, Selected<F>)>;

/// A field of an object of any type.
pub(super) enum Selected<F> {
    Typename,
    Field(F),
}

/// What is selected of users.
pub(super) struct UserPlan<'a> {
    pub(super) fields: Fields<'a, UserItem>,
    pub(super) lists: Vec<FollowsPlan<'a>>,
    /// The needs of the plain fields.
    pub(super) needs: Needs,
}

pub(super) enum UserItem {
    Plain(&'static dyn AnyUserField),
    /// The list of the plan with this index.
    List(usize),
}

/// What is selected of a list of follows.
pub(super) struct FollowsPlan<'a> {
    pub(super) source: FollowList,
    request: PageRequest<FollowPosition>,
    pub(super) connection: ConnectionPlan<'a>,
}

/// What is selected of a page of any list.
pub(super) struct ConnectionPlan<'a> {
    pub(super) list: OrderedList,
    pub(super) fields: Fields<'a, ConnectionItem<'a>>,
    /// What is selected of the users of the page, by `nodes` and by the `node` of its edges.
    pub(super) users: Vec<UserPlan<'a>>,
    pub(super) needs: Needs,
}

pub(super) enum ConnectionItem<'a> {
    Edges(Fields<'a, EdgeItem>),
    /// The users, with the index of their plan.
    Nodes(usize),
    PageInfo(Fields<'a, PageInfoField>),
    IsHidden,
    TotalCount,
}

pub(super) enum EdgeItem {
    Cursor,
    Since,
    Until,
    /// The user, with the index of their plan.
    Node(usize),
}

impl<'a> UserPlan<'a> {
    pub(super) fn new(selection: &'a SelectionSet, page_size_max: u32) -> Option<Self> {
        let (mut lists, mut needs) = (Vec::new(), Needs::ROW);
        let fields = selected(selection, |field, name| {
            if let Some(&row) = FIELDS.iter().find(|field| field.row().name == name) {
                needs = needs.and(row.row().needs);
                return Some(UserItem::Plain(row));
            }
            lists.push(FollowsPlan::new(field, List::find("User", name)?, page_size_max)?);
            Some(UserItem::List(lists.len() - 1))
        })?;
        Some(Self { fields, lists, needs })
    }

    /// Whether lengths of lists, or whether they are hidden, are selected, and no page brings them:
    /// a page always says whether lists are hidden, and `pages_have_counts` says whether it brings
    /// the lengths.
    pub(super) fn needs_lists_alone(&self, pages_have_counts: bool) -> bool {
        let needs = self.lists.iter().map(|list| list.connection.needs);
        let needs = needs.fold(self.needs, Needs::and);
        if needs.include(Needs::PAGE) {
            needs.include(Needs::COUNT) && !pages_have_counts
        } else {
            needs.include(Needs::COUNT.and(Needs::HIDDEN))
        }
    }

    /// Whether nothing has to be loaded but the rows of the users.
    pub(super) fn needs_rows_only(&self) -> bool {
        self.lists.is_empty() && self.needs == Needs::ROW
    }
}

impl<'a> FollowsPlan<'a> {
    fn new(field: &'a Field, list: &'static List, page_size_max: u32) -> Option<Self> {
        let Source::Follows(source) = list.source else { return None };
        let argument = |name: &str| Some(field.get_argument(name)?.node.clone());
        let arguments = PageArguments::of_field(argument);
        let page = arguments.read(list, page_size_max).ok()?;
        let selection = &field.selection_set.node;
        let connection = ConnectionPlan::new(page.list, selection, page_size_max)?;
        let request = page.page_by_time(connection.needs.ends());
        Some(Self { source, request, connection })
    }

    /// The page of the list of a user, for a reader.
    pub(super) const fn key(&self, user: UserId, reader: ListReader) -> FollowPageKey {
        FollowPageKey { user, list: self.source, reader, request: self.request }
    }
}

impl<'a> ConnectionPlan<'a> {
    pub(super) fn new(
        list: OrderedList,
        selection: &'a SelectionSet,
        page_size_max: u32,
    ) -> Option<Self> {
        let (mut users, mut needs) = (Vec::new(), Needs::ROW);
        let fields = selected(selection, |field, name| {
            let row = find(&fields::CONNECTION, name)?;
            needs = needs.and(row.needs);
            let below = &field.selection_set.node;
            Some(match row.meaning {
                ConnectionField::Edges => {
                    ConnectionItem::Edges(edge(below, page_size_max, &mut users)?)
                }
                ConnectionField::Nodes => {
                    ConnectionItem::Nodes(user(field, page_size_max, &mut users)?)
                }
                ConnectionField::PageInfo => {
                    ConnectionItem::PageInfo(selected(below, |_, name| {
                        let row = find(&fields::PAGE_INFO, name)?;
                        needs = needs.and(row.needs);
                        Some(row.meaning)
                    })?)
                }
                ConnectionField::IsHidden => ConnectionItem::IsHidden,
                ConnectionField::TotalCount => ConnectionItem::TotalCount,
            })
        })?;
        Some(Self { list, fields, users, needs })
    }
}

/// What is selected of an edge. Adds the plan of its user to `users`.
pub(super) fn edge<'a>(
    selection: &'a SelectionSet,
    page_size_max: u32,
    users: &mut Vec<UserPlan<'a>>,
) -> Option<Fields<'a, EdgeItem>> {
    selected(selection, |field, name| {
        Some(match find(&fields::EDGE, name)?.meaning {
            EdgeField::Cursor => EdgeItem::Cursor,
            EdgeField::Since => EdgeItem::Since,
            EdgeField::Until => EdgeItem::Until,
            EdgeField::Node => EdgeItem::Node(user(field, page_size_max, users)?),
        })
    })
}

/// Adds the plan of the users of a page, and returns its index.
fn user<'a>(field: &'a Field, page_size_max: u32, users: &mut Vec<UserPlan<'a>>) -> Option<usize> {
    users.push(UserPlan::new(&field.selection_set.node, page_size_max)?);
    Some(users.len() - 1)
}

/// The selection of an object of a type, within one that is translated for each type of an
/// interface or a union.
pub(super) fn of_type<'a>(selection: &'a SelectionSet, ty: &str) -> Option<&'a SelectionSet> {
    selection.items.iter().find_map(|Positioned { node, .. }| {
        let types::Selection::InlineFragment(Positioned { node: fragment, .. }) = node else {
            return None;
        };
        let condition = &fragment.type_condition.as_ref()?.node.on.node;
        (condition == ty).then_some(&fragment.selection_set.node)
    })
}

/// Reads each field of a selection but `__typename`; `None` if one cannot be read.
fn selected<'a, F>(
    selection: &'a SelectionSet,
    mut read: impl FnMut(&'a Field, &'a str) -> Option<F>,
) -> Option<Fields<'a, F>> {
    let fields = selection.items.iter().map(|Positioned { node, .. }| {
        let types::Selection::Field(Positioned { node: field, .. }) = node else { return None };
        let key = field.response_key().node.as_str();
        Some(match field.name.node.as_str() {
            "__typename" => (key, Selected::Typename),
            name => (key, Selected::Field(read(field, name)?)),
        })
    });
    fields.collect()
}

/// Every field of every projected type, as `(type, field)`.
pub fn projected_fields() -> impl Iterator<Item = (&'static str, &'static str)> {
    let lists = LISTS.into_iter().filter(|list| list.parent == "User");
    let user = FIELDS.iter().map(|field| field.row().name).chain(lists.map(|list| list.field));
    let of_users =
        LISTS.into_iter().filter(|list| !matches!(list.source, Source::Events | Source::Audit));
    let of_lists = of_users.flat_map(|list| {
        let is_of_follows = matches!(list.source, Source::Follows(_));
        let connection = fields::CONNECTION
            .iter()
            .filter(move |row| is_of_follows || !matches!(row.meaning, ConnectionField::IsHidden))
            .map(|row| (list.connection, row.name));
        let is_time = |row: &Row<_>| matches!(row.meaning, EdgeField::Since | EdgeField::Until);
        let edge = fields::EDGE
            .iter()
            .filter(move |row| !is_time(row) || list.edge_times.contains(&row.name));
        connection.chain(edge.map(|row| (list.edge, row.name)))
    });
    let page_info = fields::PAGE_INFO.iter().map(|row| ("PageInfo", row.name));
    user.map(|field| ("User", field)).chain(of_lists).chain(page_info)
}
