//! Follows: the edges of the graph, the lists that they make, and what became of a change.
//!
//! An edge always runs `follower -> followee`: who follows, and who is followed.

use std::hash::{Hash, Hasher};

use chrono::{DateTime, Days, Utc};

use super::{Page, PageRequest, UserId};

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
pub enum FollowList {
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
    /// Whose list.
    pub user: UserId,
    /// Which list.
    pub list: FollowList,
    /// Which page of it.
    pub request: PageRequest<FollowPosition>,
}

/// The user and the list tell most keys of a batch apart, so hashing the request as well is not
/// worth its time.
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
    /// The follower has reached a limit; nothing changed.
    LimitReached(FollowLimit),
}

/// A limit on what one user can change over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FollowLimit {
    /// On new follows a day.
    Day,
    /// On users who are followed at once.
    Total,
    /// On changes of one pair a day.
    Pair,
}

/// What one user can change over time. Days are those of UTC.
///
/// Only what changed counts: neither a repetition nor a refusal does. An unfollow counts as a
/// change of its pair, and is itself never refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FollowLimits {
    /// The most new follows a day.
    pub per_day: i64,
    /// The most users who are followed at once. Whoever has many followers may follow a tenth
    /// more than those, if that is more.
    pub total: i64,
    /// The most changes of one pair a day.
    pub pair_changes_per_day: i64,
}

impl FollowLimits {
    /// No limit at all.
    pub const NONE: Self =
        Self { per_day: i64::MAX, total: i64::MAX, pair_changes_per_day: i64::MAX };

    /// Whether it has to be known how often a pair was changed.
    #[must_use]
    pub const fn limit_pair_changes(&self) -> bool {
        self.pair_changes_per_day < i64::MAX
    }

    /// The most users whom somebody with so many followers may follow.
    #[must_use]
    pub fn total_with(&self, followers: i64) -> i64 {
        self.total.max(followers.saturating_add(followers / 10))
    }

    /// The limit that a change of a pair has reached which was changed so often today.
    #[must_use]
    pub fn of_pair(&self, changes: i64) -> Option<FollowLimit> {
        (changes >= self.pair_changes_per_day).then_some(FollowLimit::Pair)
    }

    /// The limit that a user is past, if any.
    #[must_use]
    pub fn of_user(&self, usage: FollowUsage) -> Option<FollowLimit> {
        let FollowUsage { counts, today } = usage;
        if today > self.per_day {
            Some(FollowLimit::Day)
        } else if counts.following > self.total_with(counts.followers) {
            Some(FollowLimit::Total)
        } else {
            None
        }
    }
}

/// What counts towards the limits of a user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FollowUsage {
    /// The lengths of both lists.
    pub counts: FollowCounts,
    /// New follows today.
    pub today: i64,
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

/// What became of an unfollow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnfollowOutcome {
    /// The edge is gone, with both counts lowered.
    Unfollowed,
    /// There was no such edge; nothing changed.
    NotFollowing,
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: FollowLimits = FollowLimits { per_day: 3, total: 10, pair_changes_per_day: 4 };

    #[test]
    fn a_day_ends_where_the_next_begins() {
        let noon: DateTime<Utc> = "2026-01-31T12:00:00Z".parse().expect("a time");
        let end = Day::of(noon).end();
        assert_eq!(end.to_rfc3339(), "2026-02-01T00:00:00+00:00");
        assert_eq!(Day::of(end).0, Day::of(noon).0 + 1);
    }

    #[test]
    fn whoever_has_many_followers_may_follow_a_tenth_more_than_those() {
        assert_eq!([0, 9, 10, 20, 999].map(|n| LIMITS.total_with(n)), [10, 10, 11, 22, 1_098]);
        assert_eq!(FollowLimits::NONE.total_with(i64::MAX), i64::MAX);
    }

    #[test]
    fn a_limit_is_past_when_there_is_more_than_it_allows() {
        let past = |following, followers, today| {
            LIMITS.of_user(FollowUsage { counts: FollowCounts { followers, following }, today })
        };
        assert_eq!(past(10, 0, 3), None);
        assert_eq!(past(10, 0, 4), Some(FollowLimit::Day));
        assert_eq!(past(11, 0, 3), Some(FollowLimit::Total));
        assert_eq!(past(11, 10, 3), None);
        assert_eq!((LIMITS.of_pair(3), LIMITS.of_pair(4)), (None, Some(FollowLimit::Pair)));
    }
}
