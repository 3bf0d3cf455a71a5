//! Follow requests, followers to remove, blocks and mutes: their inputs and payloads.

use std::sync::Arc;

use async_graphql::{Context, Enum, InputObject, Object, SimpleObject};

use super::{
    connection::{Edge, FollowerEdge},
    follow::{UserRef, mutation},
    query::Query,
    scalar::DateTime,
    user::User,
    viewer::Viewer,
};
use crate::{
    domain,
    graphql::{
        context::RequestContext, error::Failure, lists::FOLLOWERS, loaders::RelationKey,
        projection::Projected,
    },
    service::{self, ListedUser, Refusal},
};

/// Why a change between the viewer and a user was refused.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum SafetyErrorCode {
    /// The viewer blocks as many users as they may.
    BlocksLimitReached,
    /// The viewer has muted as many users as they may.
    MutesLimitReached,
    /// There is no such user.
    NotFound,
    /// It is the viewer.
    Yourself,
}

/// An expected failure of a change between the viewer and a user, to be shown to the viewer.
#[derive(Clone, SimpleObject)]
pub(crate) struct SafetyError {
    /// What went wrong, for programs.
    code: SafetyErrorCode,
    /// The path of the input field at fault; null if none is.
    field: Option<Vec<String>>,
    /// What went wrong, for people.
    message: &'static str,
}

impl SafetyError {
    fn new(refusal: Refusal, user: &UserRef, yourself: &'static str) -> Result<Self, Failure> {
        let (code, field, message) = match refusal {
            Refusal::BlocksLimitReached => {
                (SafetyErrorCode::BlocksLimitReached, None, "You block as many users as you can.")
            }
            Refusal::MutesLimitReached => {
                (SafetyErrorCode::MutesLimitReached, None, "You mute as many users as you can.")
            }
            Refusal::NotFound => {
                (SafetyErrorCode::NotFound, Some(user.path()), "There is no such user.")
            }
            Refusal::Yourself => (SafetyErrorCode::Yourself, Some(user.path()), yourself),
            Refusal::Past => {
                return Err(Failure::bad_input("input.until", "must be in the future"));
            }
        };
        Ok(Self { code, field, message })
    }
}

/// The outcome of accepting a follow request.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::AcceptOutcome")]
pub(crate) enum AcceptFollowRequestOutcome {
    /// The user now follows the viewer.
    Accepted,
    /// The user already followed the viewer; nothing changed.
    AlreadyFollower,
    /// No request of the user was waiting; nothing changed.
    NoRequest,
}

mutation! {
    accept_follow_request, yourself: "You cannot ask to follow yourself.", errors: SafetyError;
    AcceptFollowRequestInput: "The input of `acceptFollowRequest`.", user: "The user who asks.";
    AcceptFollowRequestPayload(AcceptFollowRequestOutcome):
        "The result of `acceptFollowRequest`.", user: "The user after the change.";

    /// The follow as an edge of the viewer's followers; null if the user does not follow the viewer.
    async fn follower_edge(
        &self,
        ctx: &Context<'_>,
    ) -> Option<Result<Projected<FollowerEdge>, Failure>> {
        let (user, _) = self.result.as_ref().ok()?;
        let key = RelationKey::FollowingBack(user.id);
        let followed_at = RequestContext::of(ctx).loaders.relations.one(key).await.transpose()?;
        Some(followed_at.map(|followed_at| {
            let item = ListedUser { user: Arc::clone(user), followed_at, until: None };
            Projected(FollowerEdge(Edge { list: FOLLOWERS.ordered(None, None), item }))
        }))
    }
}

/// The outcome of rejecting a follow request.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::RejectOutcome")]
pub(crate) enum RejectFollowRequestOutcome {
    /// No request of the user was waiting; nothing changed.
    NoRequest,
    /// The request is gone. The user is not notified, and may ask again.
    Rejected,
}

mutation! {
    reject_follow_request, yourself: "You cannot ask to follow yourself.", errors: SafetyError;
    RejectFollowRequestInput: "The input of `rejectFollowRequest`.", user: "The user who asks.";
    RejectFollowRequestPayload(RejectFollowRequestOutcome):
        "The result of `rejectFollowRequest`.", user: "The user after the change.";
}

/// The outcome of removing a follower.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::RemoveOutcome")]
pub(crate) enum RemoveFollowerOutcome {
    /// The user did not follow the viewer; nothing changed.
    NotAFollower,
    /// The user no longer follows the viewer, and may follow again.
    Removed,
}

mutation! {
    remove_follower, yourself: "You do not follow yourself.", errors: SafetyError;
    RemoveFollowerInput: "The input of `removeFollower`.", user: "The follower to remove.";
    RemoveFollowerPayload(RemoveFollowerOutcome): "The result of `removeFollower`.",
        user: "The removed follower after the change.";
}

/// The outcome of a block.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::BlockOutcome")]
pub(crate) enum BlockOutcome {
    /// The viewer already blocked the user; nothing changed.
    AlreadyBlocked,
    /// The viewer now blocks the user, and all follows and requests between the two are gone.
    Blocked,
}

mutation! {
    block, yourself: "You cannot block yourself.", errors: SafetyError;
    BlockInput: "The input of `block`.", user: "The user to block.";
    BlockPayload(BlockOutcome): "The result of `block`.", user: "The blocked user after the change.";
}

/// The outcome of lifting a block.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::UnblockOutcome")]
pub(crate) enum UnblockOutcome {
    /// The viewer did not block the user; nothing changed.
    NotBlocked,
    /// The viewer no longer blocks the user. Follows that the block removed stay removed.
    Unblocked,
}

mutation! {
    unblock, yourself: "You cannot block yourself.", errors: SafetyError;
    UnblockInput: "The input of `unblock`.", user: "The user to unblock.";
    UnblockPayload(UnblockOutcome): "The result of `unblock`.", user: "The user after the change.";
}

/// The outcome of a mute.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum MuteOutcome {
    /// The viewer has muted the user until the requested time.
    Muted,
}

impl From<domain::MuteOutcome> for MuteOutcome {
    fn from(_: domain::MuteOutcome) -> Self {
        Self::Muted
    }
}

mutation! {
    mute, yourself: "You cannot mute yourself.", errors: SafetyError;
    MuteInput: "The input of `mute`.", user: "The user to mute.",
        until: "When the mute ends, in the future; without it, when the viewer ends it."
            as Option<DateTime> => |until: Option<DateTime>| until.map(|until| until.0);
    MutePayload(MuteOutcome): "The result of `mute`.", user: "The muted user after the change.";
}

/// The outcome of ending a mute.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "service::UnmuteOutcome")]
pub(crate) enum UnmuteOutcome {
    /// The viewer had not muted the user; nothing changed.
    NotMuted,
    /// The mute has ended.
    Unmuted,
}

mutation! {
    unmute, yourself: "You cannot mute yourself.", errors: SafetyError;
    UnmuteInput: "The input of `unmute`.", user: "The user to hear of again.";
    UnmutePayload(UnmuteOutcome): "The result of `unmute`.", user: "The user after the change.";
}
