//! Changes of edges: what is requested, and the outcome.

use chrono::{DateTime, Utc};

use super::{FollowCounts, FollowLimits, FollowOutcome, FollowRefusal, Privacy, UserId};

/// A requested change of the edges between two users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FollowChange {
    /// The user at the beginning of the edge: who follows, asks or blocks.
    pub follower: UserId,
    /// The user at its end: who is followed, asked or blocked.
    pub followee: UserId,
    /// When it was requested.
    pub at: DateTime<Utc>,
    /// What is requested.
    pub action: FollowAction,
}

/// What is requested of the edges between two users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FollowAction {
    /// The first follows the second, or asks to. The limits are those of the first.
    Follow(FollowLimits),
    /// The first follows the second, as a file says that is imported: without consent or limits.
    Import {
        /// When an event tells the second of it; `None` for no event.
        logged_at: Option<DateTime<Utc>>,
    },
    /// The first no longer follows the second, or no longer asks to.
    Unfollow {
        /// Whether the change counts towards limits on changes of the pair.
        is_counted: bool,
    },
    /// The second accepts the request of the first.
    Accept,
    /// The same, because the second has become public. If that is no longer so, nothing changes.
    AcceptIfPublic,
    /// The second rejects the request of the first.
    Reject,
    /// The second removes the first from their followers.
    Remove,
    /// The first blocks the second. All follows and requests between them go.
    Block {
        /// The most users that the first may block.
        limit: i64,
    },
    /// The first no longer blocks the second.
    Unblock,
}

/// The outcome of a [`FollowChange`], of the same action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FollowChanged {
    /// Of a [`FollowAction::Follow`].
    Follow(Result<FollowOutcome, FollowRefusal>),
    /// Of a [`FollowAction::Import`].
    Import(Result<FollowImport, FollowRefusal>),
    /// Of a [`FollowAction::Unfollow`].
    Unfollow(UnfollowOutcome),
    /// Of a [`FollowAction::Accept`] or [`FollowAction::AcceptIfPublic`].
    Accept(AcceptOutcome),
    /// Of a [`FollowAction::Reject`].
    Reject(RejectOutcome),
    /// Of a [`FollowAction::Remove`].
    Remove(RemoveOutcome),
    /// Of a [`FollowAction::Block`].
    Block(Result<BlockOutcome, BlockRefusal>),
    /// Of a [`FollowAction::Unblock`].
    Unblock(UnblockOutcome),
}

/// The outcome of an imported follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FollowImport {
    /// The edge was added and both counts were raised. A request that was waiting is gone.
    Followed,
    /// The same edge existed; nothing changed.
    Present,
    /// The edge existed since another time; nothing changed.
    Differs,
}

/// The outcome of an unfollow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnfollowOutcome {
    /// There was no such edge and no request; nothing changed.
    NotFollowing,
    /// The request was withdrawn.
    RequestWithdrawn,
    /// The edge was removed and both counts were lowered.
    Unfollowed,
}

/// The outcome of accepting a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcceptOutcome {
    /// The request became an edge.
    Accepted,
    /// The user is a follower already; nothing changed.
    AlreadyFollower,
    /// There was no such request; nothing changed.
    NoRequest,
}

/// The outcome of rejecting a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectOutcome {
    /// There was no such request; nothing changed.
    NoRequest,
    /// The request was removed.
    Rejected,
}

/// The outcome of removing a follower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemoveOutcome {
    /// The user was no follower; nothing changed.
    NotAFollower,
    /// The edge was removed.
    Removed,
}

/// The outcome of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockOutcome {
    /// The user was blocked already; nothing changed.
    AlreadyBlocked,
    /// The user is blocked, and all follows and requests between the two are gone.
    Blocked,
}

/// Why a block is refused; nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockRefusal {
    /// The user blocks as many users as they may.
    LimitReached,
    /// One of the two users does not exist.
    NotFound,
}

/// The outcome of lifting a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnblockOutcome {
    /// The user was not blocked; nothing changed.
    NotBlocked,
    /// The block was lifted.
    Unblocked,
}

/// The outcome of a mute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MuteOutcome {
    /// The user is muted until the requested time.
    Muted,
    /// The muter has muted as many users as they may; nothing changed.
    LimitReached,
    /// One of the two users does not exist; nothing changed.
    NotFound,
}

/// The outcome of a change, and what lists show after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed<O> {
    /// The outcome.
    pub outcome: O,
    /// The lists of the first user, if the write returned them.
    pub follower: Option<ListsRow>,
    /// The lists of the second user, if the write returned them.
    pub followee: Option<ListsRow>,
}

impl<O> Changed<O> {
    /// The same change with the outcome that is read from this one.
    pub fn map<P>(self, outcome: impl FnOnce(O) -> P) -> Changed<P> {
        let Self { outcome: from, follower, followee } = self;
        Changed { outcome: outcome(from), follower, followee }
    }
}

/// What is stored about the lists of a user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListsRow {
    /// The lengths of both lists.
    pub counts: FollowCounts,
    /// The settings.
    pub privacy: Privacy,
}
