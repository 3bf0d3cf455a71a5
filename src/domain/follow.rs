//! Follows: the edges of the graph and the lists that they make.
//!
//! An edge always runs `follower -> followee`: who follows, and who is followed.

use std::hash::{Hash, Hasher};

use chrono::{DateTime, Days, Utc};

use super::{Page, PageRequest, UserId};

/// An edge of the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Follow {
    /// The user who follows.
    pub follower: UserId,
    /// The user who is followed.
    pub followee: UserId,
    /// When the follow began.
    pub followed_at: DateTime<Utc>,
}

/// Which of the two lists of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FollowList {
    /// The users who follow the user.
    Followers,
    /// The users that the user follows.
    Following,
}

/// The lengths of the two lists of a user. Never negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FollowCounts {
    /// The number of users who follow the user.
    pub followers: i64,
    /// The number of users that the user follows.
    pub following: i64,
}

impl FollowCounts {
    /// The length of one of the two lists.
    #[must_use]
    pub const fn of(self, list: FollowList) -> i64 {
        match list {
            FollowList::Followers => self.followers,
            FollowList::Following => self.following,
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

/// Which page of which list of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FollowPageKey {
    /// The owner of the list.
    pub user: UserId,
    /// Which of the owner's lists.
    pub list: FollowList,
    /// Which page of it.
    pub request: PageRequest<FollowPosition>,
}

/// User and list distinguish most keys of a batch, so hashing the request as well is not worth the
/// time.
impl Hash for FollowPageKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.user.hash(state);
        self.list.hash(state);
    }
}

/// An entry of a list of follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FollowItem {
    /// The user at the other end.
    pub user: UserId,
    /// When the follow began.
    pub followed_at: DateTime<Utc>,
}

impl FollowItem {
    /// Where the entry stands in its list.
    #[must_use]
    pub const fn position(&self) -> FollowPosition {
        FollowPosition { followed_at: self.followed_at, user: self.user }
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

/// The edges between two users, seen from the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Relation {
    /// When the first began to follow the second; `None` if they do not.
    pub followed_at: Option<DateTime<Utc>>,
    /// When the second began to follow the first; `None` if they do not.
    pub followed_back_at: Option<DateTime<Utc>>,
}

/// A day of UTC, by its number since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(pub i64);

impl Day {
    /// The day of a moment.
    #[must_use]
    pub fn of(moment: DateTime<Utc>) -> Self {
        Self(moment.timestamp().div_euclid(24 * 60 * 60))
    }

    /// When the next day begins.
    #[must_use]
    pub fn end(self) -> DateTime<Utc> {
        let days = u64::try_from(self.0).unwrap_or_default();
        DateTime::UNIX_EPOCH + Days::new(days + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_where_the_next_begins() {
        let noon: DateTime<Utc> = "2026-01-31T12:00:00Z".parse().expect("a time");
        let end = Day::of(noon).end();
        assert_eq!(end.to_rfc3339(), "2026-02-01T00:00:00+00:00");
        assert_eq!(Day::of(end).0, Day::of(noon).0 + 1);
    }
}
