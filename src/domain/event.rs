//! Events: what happened to the follows and follow requests of a user.
//!
//! Each user has a log. A change is written to the log of the user who may know of it, so a reader
//! of a log needs no filter.

use chrono::{DateTime, Utc};

use super::UserId;

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
    /// Whether the same pair of users was followed and unfollowed earlier on the same day.
    pub is_repeat: bool,
}
