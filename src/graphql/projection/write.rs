//! Answers as JSON, written straight from what was loaded.

use std::sync::Arc;

use async_graphql::{ScalarType, Value, resolver_utils::enum_value};
use serde::Serialize;

use super::{
    load::{Batch, Below},
    plan::{
        ConnectionField, ConnectionPlan, EdgeField, Fields, FollowsPlan, PageInfoField, UserField,
        UserPlan,
    },
};
use crate::service::ListedUser;
use crate::{
    domain::{FollowList, Relation, User, UserOrderField},
    graphql::{
        context::RequestContext,
        cursor::{self, List, Position},
        global_id,
        types::{
            avatar,
            page::position_of,
            scalar::{DateTime, clamped},
            user::FollowDenialReason,
        },
    },
    service::follow_denials,
};

/// Writes one answer.
pub(super) struct Writer<'a> {
    request: &'a RequestContext,
    batches: &'a [Batch<'a>],
    json: Vec<u8>,
}

/// A user, with the batch and the index in it where more is known of them than their row.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) user: &'a User,
    pub(super) at: Option<(&'a Batch<'a>, usize)>,
}

/// An entry of a list.
#[derive(Clone, Copy)]
pub(super) enum Entry<'a> {
    Follow(&'a ListedUser),
    User(&'a User),
}

impl<'a> Entry<'a> {
    fn user(self) -> &'a User {
        match self {
            Self::Follow(item) => &item.user,
            Self::User(user) => user,
        }
    }

    fn cursor(self, list: List) -> String {
        let position = match (self, list) {
            (Self::User(user), List::Users(order, _)) => position_of(order, user),
            (Self::User(user), List::Follows(..)) => position_of(UserOrderField::CreatedAt, user),
            (Self::Follow(item), _) => Position::Time(cursor::position_of(item)),
        };
        cursor::encode(list, &position)
    }
}

/// The entries of a page.
#[derive(Clone, Copy)]
pub(super) enum Entries<'a> {
    Follows(&'a [ListedUser]),
    Users(&'a [Arc<User>]),
}

impl<'a> Entries<'a> {
    fn len(self) -> usize {
        match self {
            Self::Follows(items) => items.len(),
            Self::Users(users) => users.len(),
        }
    }

    fn get(self, n: usize) -> Option<Entry<'a>> {
        match self {
            Self::Follows(items) => items.get(n).map(Entry::Follow),
            Self::Users(users) => users.get(n).map(|user| Entry::User(user)),
        }
    }

    fn iter(self) -> impl Iterator<Item = Entry<'a>> {
        (0..self.len()).filter_map(move |n| self.get(n))
    }

    fn last(self) -> Option<Entry<'a>> {
        self.get(self.len().checked_sub(1)?)
    }
}

/// A page of a list, with the length of the whole list.
pub(super) struct PageOf<'a> {
    pub(super) entries: Entries<'a>,
    pub(super) has_next: bool,
    pub(super) has_previous: bool,
    pub(super) total_count: i64,
}

impl<'a> Writer<'a> {
    pub(super) const fn new(request: &'a RequestContext, batches: &'a [Batch<'a>]) -> Self {
        Self { request, batches, json: Vec::new() }
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.json
    }

    /// A user of the first batch.
    pub(super) fn root(&mut self, index: usize) {
        let batch = &self.batches[0];
        let known = Known { user: &batch.users[index], at: Some((batch, index)) };
        self.user(batch.plan, known);
    }

    pub(super) fn user(&mut self, plan: &'a UserPlan<'a>, known: Known<'a>) {
        let Known { user, at } = known;
        let relation = at.and_then(|(batch, index)| batch.relations.get(index).copied());
        let relation: Relation = relation.unwrap_or_default();
        self.object(&plan.fields, |writer, field| match field {
            UserField::Typename => writer.value("User"),
            UserField::AvatarUrl { size } => writer.value(avatar::uri(user, *size)),
            UserField::Bio => writer.value(&user.bio),
            UserField::CreatedAt => writer.time(user.created_at),
            UserField::Follows(list) => {
                if let Some((batch, index)) = at {
                    writer.follows(batch, index, *list);
                }
            }
            UserField::Id => writer.value(&*global_id::of_user(user.id)),
            UserField::IsFollowingViewer => writer.value(relation.followed_back_at.is_some()),
            UserField::IsViewer => {
                let viewer = writer.request.viewer();
                writer.value(viewer.is_some_and(|viewer| viewer.id() == user.id));
            }
            UserField::Name => writer.value(user.name.as_deref()),
            UserField::Username => writer.value(user.username.as_str()),
            UserField::ViewerCanFollow => {
                let denials = follow_denials(writer.request.viewer(), user.id);
                writer.value(denials.is_empty());
            }
            UserField::ViewerCannotFollowReasons => {
                let denials = follow_denials(writer.request.viewer(), user.id);
                writer.list(denials.into_iter(), |writer, denial| {
                    writer.value(enum_value(FollowDenialReason::from(denial)));
                });
            }
            UserField::ViewerFollowedAt => match relation.followed_at {
                Some(followed_at) => writer.time(followed_at),
                None => writer.value(Value::Null),
            },
            UserField::ViewerIsFollowing => writer.value(relation.followed_at.is_some()),
        });
    }

    /// A list of a user in a batch.
    fn follows(&mut self, batch: &'a Batch<'a>, index: usize, list: usize) {
        let FollowsPlan { direction, connection, .. } = &batch.plan.lists[list];
        let lists = &batch.lists[list];
        let page = lists.pages.get(index);
        let counts = page.map(|page| page.counts).or_else(|| batch.counts.get(index).copied());
        let total_count = counts.map_or(0, |counts| counts.of(*direction));
        let page = page.map(|page| &page.page);
        let page = PageOf {
            entries: Entries::Follows(page.map_or(&[], |page| &page.items)),
            has_next: page.is_some_and(|page| page.has_next),
            has_previous: page.is_some_and(|page| page.has_previous),
            total_count,
        };
        let batches = self.batches;
        self.connection(connection, &page, |plan, entry| match &lists.below[plan] {
            Below::Rows => None,
            Below::Batch { index: of, starts } => Some((&batches[*of], starts[index] + entry)),
        });
    }

    /// A connection. `at` tells where more is known of the user of an entry, for each plan of
    /// them.
    pub(super) fn connection(
        &mut self,
        plan: &'a ConnectionPlan<'a>,
        page: &PageOf<'a>,
        at: impl Fn(usize, usize) -> Option<(&'a Batch<'a>, usize)>,
    ) {
        let [connection, _] = type_names(plan.list);
        let entries = || page.entries.iter().enumerate();
        let known = |of: usize, n: usize, entry: Entry<'a>| {
            (&plan.users[of], Known { user: entry.user(), at: at(of, n) })
        };
        self.object(&plan.fields, |writer, field| match field {
            ConnectionField::Typename => writer.value(connection),
            ConnectionField::Edges(fields) => writer.list(entries(), |writer, (n, entry)| {
                writer.edge(plan.list, fields, entry, |of| known(of, n, entry));
            }),
            ConnectionField::Nodes(of) => writer.list(entries(), |writer, (n, entry)| {
                let (plan, known) = known(*of, n, entry);
                writer.user(plan, known);
            }),
            ConnectionField::PageInfo(fields) => writer.page_info(plan.list, fields, page),
            ConnectionField::TotalCount => writer.value(clamped(page.total_count)),
        });
    }

    /// An edge. `user` tells how its user is written.
    pub(super) fn edge(
        &mut self,
        list: List,
        fields: &Fields<'_, EdgeField>,
        entry: Entry<'a>,
        user: impl Fn(usize) -> (&'a UserPlan<'a>, Known<'a>),
    ) {
        self.object(fields, |writer, field| match field {
            EdgeField::Typename => writer.value(type_names(list)[1]),
            EdgeField::Cursor => writer.value(entry.cursor(list)),
            EdgeField::FollowedAt => match entry {
                Entry::Follow(item) => writer.time(cursor::position_of(item).followed_at),
                Entry::User(_) => writer.value(Value::Null),
            },
            EdgeField::Node(of) => {
                let (plan, known) = user(*of);
                writer.user(plan, known);
            }
        });
    }

    fn page_info(&mut self, list: List, fields: &Fields<'_, PageInfoField>, page: &PageOf<'a>) {
        let cursor = |entry: Option<Entry<'a>>| entry.map(|entry| entry.cursor(list));
        self.object(fields, |writer, field| match field {
            PageInfoField::Typename => writer.value("PageInfo"),
            PageInfoField::EndCursor => writer.value(cursor(page.entries.last())),
            PageInfoField::HasNextPage => writer.value(page.has_next),
            PageInfoField::HasPreviousPage => writer.value(page.has_previous),
            PageInfoField::StartCursor => writer.value(cursor(page.entries.get(0))),
        });
    }

    /// An object. Response keys are names of GraphQL, so nothing in them has to be escaped.
    fn object<F>(&mut self, fields: &Fields<'_, F>, mut write: impl FnMut(&mut Self, &F)) {
        self.json.push(b'{');
        for (n, (key, field)) in fields.iter().enumerate() {
            self.json.extend_from_slice(if n == 0 { b"\"" } else { b",\"" });
            self.json.extend_from_slice(key.as_bytes());
            self.json.extend_from_slice(b"\":");
            write(self, field);
        }
        self.json.push(b'}');
    }

    pub(super) fn list<T>(
        &mut self,
        items: impl Iterator<Item = T>,
        mut write: impl FnMut(&mut Self, T),
    ) {
        self.json.push(b'[');
        for (n, item) in items.enumerate() {
            if n > 0 {
                self.json.push(b',');
            }
            write(self, item);
        }
        self.json.push(b']');
    }

    fn time(&mut self, at: chrono::DateTime<chrono::Utc>) {
        self.value(DateTime(at).to_value());
    }

    pub(super) fn value(&mut self, value: impl Serialize) {
        serde_json::to_writer(&mut self.json, &value).expect("it is a text, a number or a flag");
    }
}

/// The names of the types of a list: its connection, and its edges.
const fn type_names(list: List) -> [&'static str; 2] {
    match list {
        List::Follows(FollowList::Followers, _) => ["FollowerConnection", "FollowerEdge"],
        List::Follows(FollowList::Following, _) => ["FollowingConnection", "FollowingEdge"],
        List::Users(..) => ["UserConnection", "UserEdge"],
    }
}
