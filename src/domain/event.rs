//! Events: what happened to the follows and follow requests of a user.
//!
//! Each user has a log. A change is written to the log of the user who may know of it, so a reader
//! of a log needs no filter.

use chrono::{DateTime, Utc};

use super::{Page, UserId};

/// What happened, as seen by the owner of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventKind {
    /// The other user follows the owner.
    Followed,
    /// The other user no longer follows the owner.
    FollowerLost,
    /// The owner no longer follows the other user.
    FollowEnded,
    /// The other user asks to follow the owner.
    Requested,
    /// The other user has accepted the owner's request.
    RequestAccepted,
    /// The other user no longer asks to follow the owner.
    RequestWithdrawn,
}

impl EventKind {
    /// Every kind. A kind is stored as its place here.
    pub const ALL: [Self; 6] = [
        Self::Followed,
        Self::FollowerLost,
        Self::FollowEnded,
        Self::Requested,
        Self::RequestAccepted,
        Self::RequestWithdrawn,
    ];

    /// The name, as in the schema.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Followed => "FOLLOWED",
            Self::FollowerLost => "FOLLOWER_LOST",
            Self::FollowEnded => "FOLLOW_ENDED",
            Self::Requested => "REQUESTED",
            Self::RequestAccepted => "REQUEST_ACCEPTED",
            Self::RequestWithdrawn => "REQUEST_WITHDRAWN",
        }
    }
}

/// Why it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventCause {
    /// A user followed, unfollowed, asked, or withdrew a request.
    User,
    /// A request was accepted.
    RequestAccepted,
    /// A private account became public.
    PrivacyChanged,
    /// The owner removed a follower.
    FollowerRemoved,
    /// The owner blocked the other user.
    Block,
    /// The other user's account was deleted.
    AccountDeleted,
    /// A graph was imported.
    Import,
    /// An administrator changed it.
    Administrator,
}

impl EventCause {
    /// Every cause. A cause is stored as its place here.
    pub const ALL: [Self; 8] = [
        Self::User,
        Self::RequestAccepted,
        Self::PrivacyChanged,
        Self::FollowerRemoved,
        Self::Block,
        Self::AccountDeleted,
        Self::Import,
        Self::Administrator,
    ];

    /// The name, as in the schema.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "USER",
            Self::RequestAccepted => "REQUEST_ACCEPTED",
            Self::PrivacyChanged => "PRIVACY_CHANGED",
            Self::FollowerRemoved => "FOLLOWER_REMOVED",
            Self::Block => "BLOCK",
            Self::AccountDeleted => "ACCOUNT_DELETED",
            Self::Import => "IMPORT",
            Self::Administrator => "ADMINISTRATOR",
        }
    }
}

/// An entry of the log of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FollowEvent {
    /// Its number in the log. The first is 1, and none is left out.
    pub sequence: i64,
    /// What happened.
    pub kind: EventKind,
    /// Why.
    pub cause: EventCause,
    /// The other user, who may not exist any more.
    pub other: UserId,
    /// When it was requested. Times of a log are not in order where clocks of servers disagree.
    pub at: DateTime<Utc>,
    /// Whether the other user had unfollowed the owner, or withdrawn a request to them, earlier on the
    /// same day (UTC). Only [`Followed`](EventKind::Followed) and [`Requested`](EventKind::Requested)
    /// with the cause [`User`](EventCause::User) can be repeats, and only while the limits over time
    /// are on.
    pub is_repeat: bool,
}

/// What a log holds after a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventLog {
    /// The number of the last event that the user has had; 0 without any.
    pub last: i64,
    /// The next events, oldest first, up to a bound. If the first of them is not the next number, or there are none although `last` is higher, those in between were deleted.
    pub events: Vec<FollowEvent>,
}

/// A page of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventPage {
    /// The number of the last event that the user has had; 0 without any.
    pub last: i64,
    /// The number of the oldest event that is kept; `None` if the log is empty.
    pub oldest: Option<i64>,
    /// The page.
    pub page: Page<FollowEvent>,
}

/// The number after which a reader can go on who has read up to `after` and finds the next event missing:
/// that before the oldest event that is kept; or `last`, that of the last event, if events are missing
/// within what is kept. They are while the log is off, since numbers go on then.
#[must_use]
pub const fn readable_after(kept_after: i64, after: i64, last: i64) -> i64 {
    if kept_after <= after && after < last { last } else { kept_after }
}

impl EventPage {
    /// The number after which all events are kept.
    #[must_use]
    pub fn kept_after(&self) -> i64 {
        self.oldest.map_or(self.last, |oldest| oldest - 1)
    }
}
