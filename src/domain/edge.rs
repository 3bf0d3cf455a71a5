//! The edges of the graph by kind, and the lengths of the lists that they make.

use std::ops::{Index, IndexMut};

use chrono::{DateTime, Utc};

use super::{Follow, UserId};

/// A kind of edge between two users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EdgeKind {
    /// The first follows the second.
    Follow,
    /// The first asks to follow the second.
    Request,
    /// The first blocks the second.
    Block,
}

impl EdgeKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Follow, Self::Request, Self::Block];

    /// The length that an edge adds to at its first user, and that at its second.
    #[must_use]
    pub const fn lengths(self) -> (Length, Length) {
        match self {
            Self::Follow => (Length::Following, Length::Followers),
            Self::Request => (Length::RequestsSent, Length::RequestsReceived),
            Self::Block => (Length::Blocking, Length::BlockedBy),
        }
    }
}

/// An edge of any kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Edge {
    /// Its kind.
    pub kind: EdgeKind,
    /// The user at its beginning: who follows, asks or blocks.
    pub from: UserId,
    /// The user at its end: who is followed, asked or blocked.
    pub to: UserId,
    /// When it was added.
    pub since: DateTime<Utc>,
}

impl From<Follow> for Edge {
    fn from(Follow { follower, followee, followed_at }: Follow) -> Self {
        Self { kind: EdgeKind::Follow, from: follower, to: followee, since: followed_at }
    }
}

/// A value for each kind of edge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OfEdges<T>([T; 3]);

impl<T> OfEdges<T> {
    /// The values, with their kinds.
    pub fn iter(&self) -> impl Iterator<Item = (EdgeKind, &T)> {
        EdgeKind::ALL.into_iter().zip(&self.0)
    }
}

impl<T> Index<EdgeKind> for OfEdges<T> {
    type Output = T;
    fn index(&self, kind: EdgeKind) -> &T {
        &self.0[kind as usize]
    }
}

impl<T> IndexMut<EdgeKind> for OfEdges<T> {
    fn index_mut(&mut self, kind: EdgeKind) -> &mut T {
        &mut self.0[kind as usize]
    }
}

/// A list of a user whose length is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// The users who follow the user.
    Followers,
    /// The users that the user follows.
    Following,
    /// The users whom the user asks to follow.
    RequestsSent,
    /// The users who ask to follow the user.
    RequestsReceived,
    /// The users whom the user blocks.
    Blocking,
    /// The users who block the user.
    BlockedBy,
    /// The users whom the user has muted, lapsed mutes included.
    Muting,
}

impl Length {
    /// Every length, in the order of the columns of statements.
    pub const ALL: [Self; 7] = [
        Self::Followers,
        Self::Following,
        Self::RequestsSent,
        Self::RequestsReceived,
        Self::Blocking,
        Self::BlockedBy,
        Self::Muting,
    ];
}

/// All stored lengths of a user, or changes of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lengths(pub [i64; 7]);

impl Index<Length> for Lengths {
    type Output = i64;
    fn index(&self, length: Length) -> &i64 {
        &self.0[length as usize]
    }
}

impl IndexMut<Length> for Lengths {
    fn index_mut(&mut self, length: Length) -> &mut i64 {
        &mut self.0[length as usize]
    }
}

impl Lengths {
    /// The lengths after a change.
    #[must_use]
    pub fn plus(mut self, change: &Self) -> Self {
        for (length, change) in self.0.iter_mut().zip(change.0) {
            *length += change;
        }
        self
    }

    /// The lengths before a change that led to these.
    #[must_use]
    pub fn minus(self, change: &Self) -> Self {
        self.plus(&Self(change.0.map(|length| -length)))
    }
}
