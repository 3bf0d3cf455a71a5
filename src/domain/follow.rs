//! Follows: the edges of the graph, the lists that they make, and what became of a change.
//!
//! An edge always runs `follower -> followee`: who follows, and who is followed.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{Page, PageRequest, User, UserId};

/// An edge of the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Follow {
    /// Who follows.
    pub follower: UserId,
    /// Who is followed.
    pub followee: UserId,
    /// Since when.
    pub followed_at: DateTime<Utc>,
}

/// Which of the two lists of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Those who follow the user.
    Followers,
    /// Those whom the user follows.
    Following,
}

/// The lengths of the two lists of a user. Never negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FollowCounts {
    /// How many follow the user.
    pub followers: i64,
    /// How many the user follows.
    pub following: i64,
}

impl FollowCounts {
    /// The length of one of the two lists.
    #[must_use]
    pub const fn of(self, direction: Direction) -> i64 {
        match direction {
            Direction::Followers => self.followers,
            Direction::Following => self.following,
        }
    }
}

/// A position in a list of follows: by time, then by the id of the user at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FollowPosition {
    /// When the follow began.
    pub followed_at: DateTime<Utc>,
    /// The user at the other end.
    pub user: UserId,
}

/// A page of one of a user's two lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FollowPageKey {
    /// Whose list.
    pub user: UserId,
    /// Which page of it.
    pub request: PageRequest<FollowPosition>,
}

/// One entry of a list of follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowItem {
    /// The user at the other end.
    pub user: Arc<User>,
    /// When the follow began.
    pub followed_at: DateTime<Utc>,
}

impl FollowItem {
    /// Where the entry stands in its list.
    #[must_use]
    pub fn position(&self) -> FollowPosition {
        FollowPosition { followed_at: self.followed_at, user: self.user.id }
    }
}

/// A page of follows, with the lengths of both lists of their owner at the same moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowPage {
    /// The lengths of both lists.
    pub counts: FollowCounts,
    /// The page.
    pub page: Page<FollowItem>,
}

impl FollowPage {
    /// The page of a user who is not there.
    #[must_use]
    pub const fn empty() -> Self {
        let page = Page { items: Vec::new(), has_next: false, has_previous: false };
        Self { counts: FollowCounts { followers: 0, following: 0 }, page }
    }
}

/// How two users stand to each other, seen from the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Relation {
    /// Since when the first follows the second.
    pub followed_at: Option<DateTime<Utc>>,
    /// Since when the second follows the first.
    pub followed_back_at: Option<DateTime<Utc>>,
}

/// What became of a follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FollowOutcome {
    /// There was no such edge; there is one now, with both counts raised.
    Followed,
    /// The edge was there; nothing changed, its time neither.
    AlreadyFollowing,
    /// One of the two users is not there; nothing changed.
    NoSuchUser,
}

/// What became of an unfollow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnfollowOutcome {
    /// The edge is gone, with both counts lowered.
    Unfollowed,
    /// There was no such edge; nothing changed.
    NotFollowing,
}
