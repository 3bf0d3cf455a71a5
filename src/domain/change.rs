//! Changes of edges: what is requested, and the outcome.

use chrono::{DateTime, Utc};

use super::{FollowCounts, FollowLimits, FollowOutcome, FollowRefusal, UserId};

/// A requested change of the edge `follower -> followee`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FollowChange {
    /// The user who follows.
    pub follower: UserId,
    /// The user who is followed.
    pub followee: UserId,
    /// When it was requested.
    pub at: DateTime<Utc>,
    /// What is requested.
    pub action: FollowAction,
}

/// Which of the two changes of an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FollowAction {
    /// Add the edge. The limits are those of the follower.
    Follow(FollowLimits),
    /// Remove the edge.
    Unfollow {
        /// Whether the change counts towards limits on changes of the pair.
        is_counted: bool,
    },
}

/// The outcome of a [`FollowChange`], of the same action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FollowChanged {
    /// Of a [`FollowAction::Follow`].
    Follow(Result<FollowOutcome, FollowRefusal>),
    /// Of a [`FollowAction::Unfollow`].
    Unfollow(UnfollowOutcome),
}

/// The outcome of an unfollow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnfollowOutcome {
    /// The edge was removed and both counts were lowered.
    Unfollowed,
    /// There was no such edge; nothing changed.
    NotFollowing,
}

/// The outcome of a change, and the counts after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed<O> {
    /// The outcome.
    pub outcome: O,
    /// The lengths of both lists of the follower, if the write returned them.
    pub follower: Option<FollowCounts>,
    /// The lengths of both lists of the followee, if the write returned them.
    pub followee: Option<FollowCounts>,
}
