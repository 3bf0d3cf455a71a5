//! Follows: the edges of the graph and the lists that they make.
//!
//! An edge always runs `follower -> followee`: who follows, and who is followed.

use std::hash::{Hash, Hasher};

use chrono::{DateTime, Days, Utc};

use super::{ListReader, Mute, Page, PageRequest, Privacy, UserId};

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
    /// Who reads it.
    pub reader: ListReader,
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

/// The lists of a user as one reader sees them. A list can be hidden, its length cannot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SeenLists {
    /// The lengths of both lists, without the users who block the reader.
    pub counts: FollowCounts,
    /// Whether a follow of the user needs their consent.
    pub is_private: bool,
    followers_hidden: bool,
    following_hidden: bool,
}

impl SeenLists {
    /// The empty lists of a public account.
    pub const EMPTY: Self = Self::new(
        FollowCounts { followers: 0, following: 0 },
        Privacy::PUBLIC,
        ListReader::Everything,
        false,
    );

    /// What a reader sees of the lists of a user. `follows` says whether the reader follows them.
    #[must_use]
    pub const fn new(
        counts: FollowCounts,
        privacy: Privacy,
        reader: ListReader,
        follows: bool,
    ) -> Self {
        Self {
            counts,
            is_private: privacy.is_private(),
            followers_hidden: !reader.sees(privacy, FollowList::Followers, follows),
            following_hidden: !reader.sees(privacy, FollowList::Following, follows),
        }
    }

    /// Whether a list is hidden: then it reads as an empty one.
    #[must_use]
    pub const fn is_hidden(self, list: FollowList) -> bool {
        match list {
            FollowList::Followers => self.followers_hidden,
            FollowList::Following => self.following_hidden,
        }
    }

    /// The number of users that paging through a list reaches.
    #[must_use]
    pub const fn total(self, list: FollowList) -> i64 {
        if self.is_hidden(list) { 0 } else { self.counts.of(list) }
    }
}

/// A list that only its owner reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OwnList {
    /// The users who ask to follow the owner.
    RequestsReceived,
    /// The users whom the owner asks to follow.
    RequestsSent,
    /// The users whom the owner blocks.
    Blocked,
    /// The users whom the owner has muted.
    Muted,
}

/// An entry of such a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnItem {
    /// The user at the other end.
    pub user: UserId,
    /// When the request, block or mute was made.
    pub since: DateTime<Utc>,
    /// When a mute ends; `None` for other entries, and if only the owner ends it.
    pub until: Option<DateTime<Utc>>,
}

impl OwnItem {
    /// Where it stands in its list.
    #[must_use]
    pub const fn position(&self) -> FollowPosition {
        FollowPosition { followed_at: self.since, user: self.user }
    }
}

/// The lengths of the lists that only their owner reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnLengths {
    /// Of [`OwnList::RequestsReceived`].
    pub requests_received: i64,
    /// Of [`OwnList::RequestsSent`].
    pub requests_sent: i64,
    /// Of [`OwnList::Blocked`].
    pub blocked: i64,
    /// Of [`OwnList::Muted`].
    pub muted: i64,
}

impl OwnLengths {
    /// The length of one of the lists.
    #[must_use]
    pub const fn of(self, list: OwnList) -> i64 {
        match list {
            OwnList::RequestsReceived => self.requests_received,
            OwnList::RequestsSent => self.requests_sent,
            OwnList::Blocked => self.blocked,
            OwnList::Muted => self.muted,
        }
    }
}

/// A page of follows, with the lists of their owner at the same moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowPage {
    /// Both lists.
    pub lists: SeenLists,
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

/// What is between a viewer and another user besides follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tie {
    /// When the viewer asked to follow the user; `None` if no request is waiting.
    pub requested_at: Option<DateTime<Utc>>,
    /// Whether a request of the user to follow the viewer is waiting.
    pub has_requested_viewer: bool,
    /// Whether the viewer blocks the user.
    pub is_blocking: bool,
    /// The viewer's mute of the user, which may have lapsed.
    pub mute: Option<Mute>,
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
