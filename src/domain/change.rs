//! Changes of edges: what is asked for, and what became of it.

use chrono::{DateTime, Utc};

use super::{FollowCounts, FollowLimits, FollowOutcome, UnfollowOutcome, UserId};

/// A change of the edge `follower -> followee` that somebody asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FollowChange {
    /// Who follows.
    pub follower: UserId,
    /// Who is followed. Not the follower.
    pub followee: UserId,
    /// When it was asked for.
    pub at: DateTime<Utc>,
    /// What is asked for.
    pub action: FollowAction,
}

/// Which of the two changes of an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FollowAction {
    /// The edge shall be there. The limits are those of the follower.
    Follow(FollowLimits),
    /// The edge shall not be there.
    Unfollow {
        /// Whether the change counts towards limits on changes of the pair.
        is_counted: bool,
    },
}

/// What became of a [`FollowChange`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FollowChanged {
    /// Of a [`FollowAction::Follow`].
    Follow(FollowOutcome),
    /// Of a [`FollowAction::Unfollow`].
    Unfollow(UnfollowOutcome),
}

/// What became of a change, and what there is after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed<O> {
    /// What became of it.
    pub outcome: O,
    /// The lengths of both lists of the follower, if the change has told them.
    pub follower: Option<FollowCounts>,
    /// The lengths of both lists of the followee, if the change has told them.
    pub followee: Option<FollowCounts>,
}
