//! The fields of the projected types: one row for each.
//!
//! A row of `User` is in `types/user.rs`. It says its name, what has to be loaded for it, and its
//! value. The plan, the loading, the writing and the resolver of the field derive from it.
//! Connections, edges and `PageInfo` have a row for each field here: what it stands for, and what
//! has to be loaded.

use async_graphql::{Context, ID, Lookahead};

use super::json::ToJson;
use crate::{
    domain::{Ends, Relation, SeenLists, Tie, User},
    graphql::{
        context::RequestContext,
        error::Failure,
        loaders::RelationKey,
        types::{
            denial::FollowDenialReason,
            scalar::{DateTime, Uri},
        },
    },
    service::{FollowDenials, SeenBy},
};

/// What has to be loaded for a selection, besides the rows of its users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs(u16);

impl Needs {
    /// Nothing but the row.
    pub(crate) const ROW: Self = Self(0);
    /// The viewer's follow of the user.
    pub(crate) const FOLLOWED: Self = Self(1);
    /// The user's follow of the viewer.
    pub(crate) const FOLLOWING_BACK: Self = Self(1 << 1);
    /// The length of the list, or of both lists of the user.
    pub(crate) const COUNT: Self = Self(1 << 2);
    /// The page.
    pub(crate) const PAGE: Self = Self(1 << 3);
    /// Whether the list goes on after the page.
    pub(crate) const NEXT: Self = Self(1 << 4);
    /// Whether the list goes on before the page.
    pub(crate) const PREVIOUS: Self = Self(1 << 5);
    /// Why the viewer cannot follow the user.
    pub(crate) const DENIALS: Self = Self(1 << 6);
    /// Whether lists are hidden.
    pub(crate) const HIDDEN: Self = Self(1 << 7);
    /// What is between the viewer and the user besides follows.
    pub(crate) const TIE: Self = Self(1 << 8);

    /// The needs of two selections together.
    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether any of the other needs is among these.
    pub(crate) const fn include(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// At which ends of the page it has to be known whether the list goes on.
    pub(crate) const fn ends(self) -> Ends {
        Ends { next: self.include(Self::NEXT), previous: self.include(Self::PREVIOUS) }
    }

    /// What the selection on a connection needs.
    pub(crate) fn of_connection(selected: &Lookahead<'_>) -> Self {
        let page_info = selected.field("pageInfo");
        let fields = CONNECTION.iter().filter(|row| selected.field(row.name).exists());
        let ends = PAGE_INFO.iter().filter(|row| page_info.field(row.name).exists());
        let needs = fields.map(|row| row.needs).chain(ends.map(|row| row.needs));
        needs.fold(Self::ROW, Self::and)
    }
}

/// What the value of a field is computed from.
pub(crate) struct Facts<'a, 'v> {
    pub(crate) user: &'a User,
    pub(crate) service: &'v SeenBy,
    /// The path of the drawn pictures.
    pub(crate) avatars: &'v str,
    /// The user's lists, if needed.
    pub(crate) lists: SeenLists,
    /// How the viewer and the user stand to each other, as far as the needs say.
    pub(crate) relation: Relation,
    /// Why the viewer cannot follow the user, if the needs say so.
    pub(crate) denials: FollowDenials,
    /// What else is between the viewer and the user, if the needs say so.
    pub(crate) tie: Tie,
}

impl<'a> Facts<'a, '_> {
    /// Whether the viewer is the user.
    pub(crate) fn is_viewer(&self) -> bool {
        self.service.viewer().is_some_and(|viewer| viewer.id() == self.user.id)
    }

    /// The user's id at the host, if the viewer may know it.
    pub(crate) fn external_id(&self) -> Option<&'a str> {
        let id = self.user.external_id.as_deref();
        id.filter(|_| self.service.sees_external_id_of(self.user.id))
    }
}

/// The type of a field, with the type of its values and of the answer of its resolver. A failure of
/// a field that can be null makes only that field null.
pub(crate) trait Plain: 'static {
    type Value<'a>: ToJson;
    type Answer<'a>;
    fn answer(value: Result<Self::Value<'_>, Failure>) -> Self::Answer<'_>;
}

impl<T: Plain> Plain for Option<T> {
    type Value<'a> = Option<T::Value<'a>>;
    type Answer<'a> = Option<Result<T::Value<'a>, Failure>>;
    fn answer(value: Result<Self::Value<'_>, Failure>) -> Self::Answer<'_> {
        value.transpose()
    }
}

/// Types that are never null, with their values.
macro_rules! never_null {
    ($($ty:ty: $value:ty),+) => {
        $(impl Plain for $ty {
            type Value<'a> = $value;
            type Answer<'a> = Result<$value, Failure>;
            fn answer(value: Result<Self::Value<'_>, Failure>) -> Self::Answer<'_> {
                value
            }
        })+
    };
}
never_null!(bool: Self, DateTime: Self, i32: Self, ID: Self, String: &'a str, Uri: Self);
never_null!(Vec<FollowDenialReason>: Self);

/// A field of `User` whose value is plain data.
pub(crate) struct UserField<T: Plain> {
    pub(crate) row: UserRow,
    /// The value, computed from the facts.
    pub(crate) value: for<'a> fn(&Facts<'a, '_>) -> T::Value<'a>,
}

/// What all fields of `User` have in common.
pub(crate) struct UserRow {
    pub(crate) name: &'static str,
    pub(crate) needs: Needs,
}

/// A [`UserField`] of any type.
pub(crate) trait AnyUserField: Sync {
    fn row(&self) -> &UserRow;
    fn write(&self, facts: &Facts<'_, '_>, json: &mut Vec<u8>);
}

impl<T: Plain> AnyUserField for UserField<T> {
    fn row(&self) -> &UserRow {
        &self.row
    }

    fn write(&self, facts: &Facts<'_, '_>, json: &mut Vec<u8>) {
        (self.value)(facts).write(json);
    }
}

impl<T: Plain> UserField<T> {
    /// The answer of the resolver.
    pub(crate) async fn resolve<'a>(&self, user: &'a User, ctx: &Context<'_>) -> T::Answer<'a> {
        T::answer(self.facts(user, ctx).await.map(|facts| (self.value)(&facts)))
    }

    async fn facts<'a, 'v>(
        &self,
        user: &'a User,
        ctx: &Context<'v>,
    ) -> Result<Facts<'a, 'v>, Failure> {
        let request = RequestContext::of(ctx);
        let (mut lists, mut relation) = (SeenLists::EMPTY, Relation::default());
        if self.row.needs.include(Needs::COUNT.and(Needs::HIDDEN)) {
            lists = request.loaders.lists.one(user.id).await?;
        }
        if self.row.needs.include(Needs::FOLLOWED) {
            let key = RelationKey::Followed(user.id);
            relation.followed_at = request.loaders.relations.one(key).await?;
        }
        if self.row.needs.include(Needs::FOLLOWING_BACK) {
            let key = RelationKey::FollowingBack(user.id);
            relation.followed_back_at = request.loaders.relations.one(key).await?;
        }
        let mut denials = FollowDenials::default();
        if self.row.needs.include(Needs::DENIALS) {
            denials = request.loaders.denials.one(user.id).await?;
        }
        let mut tie = Tie::default();
        if self.row.needs.include(Needs::TIE) {
            tie = request.loaders.ties.one(user.id).await?;
        }
        let (service, avatars) = (&request.service, &*request.avatars);
        Ok(Facts { user, service, avatars, lists, relation, denials, tie })
    }
}

/// A field of a type that holds pages together.
pub(crate) struct Row<M: 'static> {
    pub(super) name: &'static str,
    pub(super) meaning: M,
    pub(super) needs: Needs,
}

const fn row<M: Copy>(name: &'static str, meaning: M, needs: Needs) -> Row<M> {
    Row { name, meaning, needs }
}

#[derive(Clone, Copy, Debug)]
pub(super) enum ConnectionField {
    Edges,
    IsHidden,
    Nodes,
    PageInfo,
    TotalCount,
}

/// The fields of connections; only those of follows have `isHidden`.
pub(super) static CONNECTION: [Row<ConnectionField>; 5] = [
    row("edges", ConnectionField::Edges, Needs::PAGE),
    row("isHidden", ConnectionField::IsHidden, Needs::HIDDEN),
    row("nodes", ConnectionField::Nodes, Needs::PAGE),
    row("pageInfo", ConnectionField::PageInfo, Needs::PAGE),
    row("totalCount", ConnectionField::TotalCount, Needs::COUNT),
];

/// Whether a field of a connection reads the page. One without a row would.
pub(crate) fn reads_page(name: &str) -> bool {
    find(&CONNECTION, name).is_none_or(|row| row.needs.include(Needs::PAGE))
}

#[derive(Clone, Copy, Debug)]
pub(super) enum EdgeField {
    Cursor,
    Node,
    /// When the entry was made.
    Since,
    /// When the entry ends.
    Until,
}

/// The fields of edges. A list has some of those that are times.
pub(super) static EDGE: [Row<EdgeField>; 7] = [
    row("blockedAt", EdgeField::Since, Needs::PAGE),
    row("cursor", EdgeField::Cursor, Needs::PAGE),
    row("followedAt", EdgeField::Since, Needs::PAGE),
    row("mutedAt", EdgeField::Since, Needs::PAGE),
    row("mutedUntil", EdgeField::Until, Needs::PAGE),
    row("node", EdgeField::Node, Needs::PAGE),
    row("requestedAt", EdgeField::Since, Needs::PAGE),
];

#[derive(Clone, Copy, Debug)]
pub(super) enum PageInfoField {
    EndCursor,
    HasNextPage,
    HasPreviousPage,
    StartCursor,
}

/// The fields of `PageInfo`.
pub(super) static PAGE_INFO: [Row<PageInfoField>; 4] = [
    row("endCursor", PageInfoField::EndCursor, Needs::PAGE),
    row("hasNextPage", PageInfoField::HasNextPage, Needs::NEXT),
    row("hasPreviousPage", PageInfoField::HasPreviousPage, Needs::PREVIOUS),
    row("startCursor", PageInfoField::StartCursor, Needs::PAGE),
];

/// The row of a field; `None` for a field that the projection does not know.
pub(super) fn find<M>(rows: &'static [Row<M>], name: &str) -> Option<&'static Row<M>> {
    rows.iter().find(|row| row.name == name)
}
