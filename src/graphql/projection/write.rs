//! Answers as JSON, written straight from what was loaded.

use serde::Serialize;

use super::{
    fields::{Facts, PageInfoField},
    json::{ToJson, separate, write_value},
    load::{Batch, Below},
    plan::{
        ConnectionItem, ConnectionPlan, EdgeItem, Fields, FollowsPlan, Selected, UserItem, UserPlan,
    },
};
use crate::{
    domain::{Page, Relation, SeenLists, User},
    graphql::{
        context::RequestContext,
        cursor,
        lists::OrderedList,
        types::scalar::{DateTime, clamped},
    },
    service::{ListPage, ListedUser},
};

/// Writes one answer.
pub(super) struct Writer<'a> {
    request: &'a RequestContext,
    batches: &'a [Batch<'a>],
    pub(super) json: Vec<u8>,
}

/// The index of a user in a batch.
pub(super) type Place<'a> = (&'a Batch<'a>, usize);

/// A user to write, with their place if more than their row was loaded.
#[derive(Clone, Copy)]
pub(super) struct Loaded<'a> {
    pub(super) user: &'a User,
    pub(super) place: Option<Place<'a>>,
}

/// What is known of a list besides its page.
#[derive(Clone, Copy)]
pub(super) struct Length {
    pub(super) total: i64,
    pub(super) is_hidden: bool,
}

/// The page of a list of which no page was loaded.
static NO_PAGE: ListPage = ListPage::empty();

impl<'a> Writer<'a> {
    pub(super) const fn new(request: &'a RequestContext, batches: &'a [Batch<'a>]) -> Self {
        Self { request, batches, json: Vec::new() }
    }

    /// A user of the first batch.
    pub(super) fn root(&mut self, index: usize) {
        let batch = &self.batches[0];
        let user = Loaded { user: &batch.users[index], place: Some((batch, index)) };
        self.user(batch.plan, user);
    }

    fn user(&mut self, plan: &'a UserPlan<'a>, Loaded { user, place }: Loaded<'a>) {
        let relation = place.map_or_else(Relation::default, |(batch, index)| Relation {
            followed_at: batch.followed.get(index).copied().flatten(),
            followed_back_at: batch.following_back.get(index).copied().flatten(),
        });
        let lists = place.and_then(|(batch, index)| batch.seen.get(index).copied());
        let lists = lists.unwrap_or(SeenLists::EMPTY);
        let tie = place.and_then(|(batch, index)| batch.ties.get(index).copied());
        let tie = tie.unwrap_or_default();
        let denials = place.and_then(|(batch, index)| batch.denials.get(index).copied());
        let denials = denials.unwrap_or_default();
        let (service, avatars) = (&self.request.service, &*self.request.avatars);
        let facts = Facts { user, service, avatars, lists, relation, denials, tie };
        self.object("User", &plan.fields, |writer, field| match field {
            UserItem::Plain(row) => row.write(&facts, &mut writer.json),
            UserItem::List(list) => {
                if let Some((batch, index)) = place {
                    writer.follows(batch, index, *list);
                }
            }
        });
    }

    /// A list of a user in a batch.
    fn follows(&mut self, batch: &'a Batch<'a>, index: usize, list: usize) {
        let FollowsPlan { source, connection, .. } = &batch.plan.lists[list];
        let lists = &batch.lists[list];
        let page = lists.pages.get(index).map_or(&NO_PAGE, |page| page);
        let seen = batch.seen.get(index).copied().unwrap_or(SeenLists::EMPTY);
        let length = Length { total: seen.total(*source), is_hidden: seen.is_hidden(*source) };
        let batches = self.batches;
        self.connection(connection, &page.page, length, |plan, entry| match &lists.below[plan] {
            Below::Rows => None,
            Below::Batch { index: batch, starts } => {
                Some((&batches[*batch], starts[index] + entry))
            }
        });
    }

    /// A connection. `place` returns the place of the user of an entry, for each plan of users.
    pub(super) fn connection(
        &mut self,
        plan: &'a ConnectionPlan<'a>,
        page: &'a Page<ListedUser>,
        length: Length,
        place: impl Fn(usize, usize) -> Option<Place<'a>>,
    ) {
        let list = &plan.list;
        let entries = || page.items.iter().enumerate();
        let cursor = |item: Option<&ListedUser>| item.map(|item| cursor::encode(list, item));
        let loaded = |users: usize, n: usize, entry: &'a ListedUser| {
            (&plan.users[users], Loaded { user: &entry.user, place: place(users, n) })
        };
        self.object(list.list.connection, &plan.fields, |writer, field| match field {
            ConnectionItem::Edges(fields) => writer.list(entries(), |writer, (n, entry)| {
                writer.edge(list, fields, entry, |users| loaded(users, n, entry));
            }),
            ConnectionItem::Nodes(users) => writer.list(entries(), |writer, (n, entry)| {
                let (plan, user) = loaded(*users, n, entry);
                writer.user(plan, user);
            }),
            ConnectionItem::PageInfo(fields) => {
                writer.object("PageInfo", fields, |writer, field| match field {
                    PageInfoField::EndCursor => writer.value(cursor(page.items.last())),
                    PageInfoField::HasNextPage => writer.value(page.has_next),
                    PageInfoField::HasPreviousPage => writer.value(page.has_previous),
                    PageInfoField::StartCursor => writer.value(cursor(page.items.first())),
                });
            }
            ConnectionItem::TotalCount => writer.value(clamped(length.total)),
            ConnectionItem::IsHidden => writer.value(length.is_hidden),
        });
    }

    /// An edge. `user` returns its user and their plan.
    pub(super) fn edge(
        &mut self,
        list: &OrderedList,
        fields: &Fields<'_, EdgeItem>,
        entry: &'a ListedUser,
        user: impl Fn(usize) -> (&'a UserPlan<'a>, Loaded<'a>),
    ) {
        self.object(list.list.edge, fields, |writer, field| match field {
            EdgeItem::Cursor => writer.value(cursor::encode(list, entry)),
            EdgeItem::Since => DateTime(entry.followed_at).write(&mut writer.json),
            EdgeItem::Until => entry.until.map(DateTime).write(&mut writer.json),
            EdgeItem::Node(users) => {
                let (plan, user) = user(*users);
                writer.user(plan, user);
            }
        });
    }

    /// An object of a type. Response keys are GraphQL names, so they need no escapes.
    fn object<F>(
        &mut self,
        ty: &str,
        fields: &Fields<'_, F>,
        mut write: impl FnMut(&mut Self, &F),
    ) {
        self.json.push(b'{');
        for (key, field) in fields {
            separate(&mut self.json);
            self.json.push(b'"');
            self.json.extend_from_slice(key.as_bytes());
            self.json.extend_from_slice(b"\":");
            match field {
                Selected::Typename => self.value(ty),
                Selected::Field(field) => write(self, field),
            }
        }
        self.json.push(b'}');
    }

    pub(super) fn list<T>(
        &mut self,
        items: impl Iterator<Item = T>,
        mut write: impl FnMut(&mut Self, T),
    ) {
        self.json.push(b'[');
        for item in items {
            separate(&mut self.json);
            write(self, item);
        }
        self.json.push(b']');
    }

    pub(super) fn value(&mut self, value: impl Serialize) {
        write_value(&mut self.json, value);
    }
}
