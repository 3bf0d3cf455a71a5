//! What happened to the follows of the viewer, and the root of all subscriptions.

use async_graphql::{Context, Enum, Object, Subscription as GraphqlSubscription};
use futures_util::{Stream, stream::iter};

use super::{mutation::has_permission, scalar::DateTime, user::User};
use crate::{
    domain::{self, UserId},
    graphql::{context::RequestContext, cursor, error::Failure, projection::Projected},
};

/// What happened, as the viewer sees it.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::EventKind")]
pub(crate) enum FollowEventKind {
    /// The user follows the viewer.
    Followed,
    /// The user no longer follows the viewer.
    FollowerLost,
    /// The viewer no longer follows the user.
    FollowEnded,
    /// The user asks to follow the viewer.
    Requested,
    /// The user has accepted the viewer's request.
    RequestAccepted,
    /// The user no longer asks to follow the viewer.
    RequestWithdrawn,
}

/// Why it happened.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "domain::EventCause")]
pub(crate) enum FollowEventCause {
    /// A user followed, unfollowed, asked, or withdrew a request.
    User,
    /// A request was accepted.
    RequestAccepted,
    /// A private account became public.
    PrivacyChanged,
    /// The viewer removed a follower.
    FollowerRemoved,
    /// The viewer blocked the user.
    Block,
    /// The user's account was deleted.
    AccountDeleted,
    /// A graph was imported.
    Import,
    /// An administrator changed it.
    Administrator,
}

/// Something that happened to the follows and follow requests of the viewer.
#[derive(Clone, Copy)]
pub(crate) struct FollowEvent {
    pub event: domain::FollowEvent,
    /// Whose log has it.
    pub owner: UserId,
}

#[Object]
/// Something that happened to the follows and follow requests of the viewer.
impl FollowEvent {
    /// When it happened.
    async fn at(&self) -> DateTime {
        DateTime(self.event.at)
    }

    /// Why it happened.
    async fn cause(&self) -> FollowEventCause {
        self.event.cause.into()
    }

    /// Where the event stands in the viewer's log: pass it as `after` to go on from here.
    async fn cursor(&self) -> String {
        cursor::encode_event(self.owner, self.event.sequence)
    }

    /// Whether the user was followed or unfollowed by the viewer, or the viewer by the user, earlier
    /// on the same day. Notify people of the others only: then a user who toggles a follow causes one
    /// notification.
    async fn is_repeat(&self) -> bool {
        self.event.is_repeat
    }

    /// What happened.
    async fn kind(&self) -> FollowEventKind {
        self.event.kind.into()
    }

    /// The other user; null if the account is gone, or blocks the viewer.
    async fn user(&self, ctx: &Context<'_>) -> Option<Result<Projected<User>, Failure>> {
        let user = RequestContext::of(ctx).loaders.users.one(self.event.other).await;
        user.map(|user| user.map(User).map(Projected)).transpose()
    }
}

/// Root of all subscriptions.
pub(crate) struct Subscription;

#[GraphqlSubscription]
/// Root of all subscriptions. They are served over WebSocket, by the protocol `graphql-transport-ws`,
/// and as server-sent events.
impl Subscription {
    /// What happens to the viewer's follows and follow requests, in order. Events are hints: after a
    /// reconnect some may come again. It costs 10, and each event what its selection costs. The caller
    /// must be signed in.
    #[graphql(directive = has_permission::apply(Vec::new()))]
    async fn follow_events(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            name = "after",
            desc = "The cursor of the last event that was received: first come those after it. \
            Without it the subscription begins now. EVENTS_EXPIRED if the log no longer has what \
            follows: then load the lists again and go on after `oldestCursor`."
        )]
        _after: Option<String>,
    ) -> impl Stream<Item = FollowEvent> {
        // The operation is executed once for each event, with that event as data.
        iter([*ctx.data_unchecked::<FollowEvent>()])
    }
}
