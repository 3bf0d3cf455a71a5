//! What happened to the follows of the viewer, and the root of all subscriptions.

use async_graphql::{Context, Enum, Object, Subscription as GraphqlSubscription};
use futures_util::{Stream, stream::iter};

use super::{
    mutation::has_permission,
    page::{PageArguments, PageInfo},
    scalar::DateTime,
    user::User,
};
use crate::{
    domain::{self, Ends, Page, UserId},
    graphql::{
        context::RequestContext, cursor, error::Failure, lists::FOLLOW_EVENTS,
        projection::Projected,
    },
    service::SeenBy,
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

    /// Whether the user had unfollowed the viewer, or withdrawn a request to them, earlier on the same
    /// day (UTC). Only `FOLLOWED` and `REQUESTED` with the cause `USER` can be repeats, and only while
    /// the limits over time are on. Notify people of the others only: then a user who toggles a follow
    /// causes one notification a day.
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

/// A page of the events of the viewer, newest first.
pub(crate) struct FollowEventConnection {
    page: Page<domain::FollowEvent>,
    owner: UserId,
}

impl FollowEventConnection {
    /// The page that the arguments ask for.
    pub(crate) async fn load(
        ctx: &Context<'_>,
        service: &SeenBy,
        arguments: &PageArguments,
    ) -> Result<Self, Failure> {
        let owner = service.signed_in()?.id();
        let limits = &RequestContext::of(ctx).limits;
        let request = arguments.read(&FOLLOW_EVENTS, limits.page_size_max)?;
        let request = request.page_of_events(owner, Ends::BOTH)?;
        let found = service.page_of_events(&request).await?;
        // A client that reads on from a cursor must notice that events in between are gone.
        let kept_after = found.kept_after();
        let is_known = |after| (kept_after..=found.last).contains(&after);
        if request.before.is_none_or(is_known) {
            Ok(Self { page: found.page, owner })
        } else {
            let failure = Failure::events_expired(cursor::encode_event(owner, kept_after));
            Err(failure.with_argument("before"))
        }
    }

    fn events(&self) -> impl DoubleEndedIterator<Item = FollowEvent> {
        self.page.items.iter().map(|event| FollowEvent { event: *event, owner: self.owner })
    }
}

#[Object]
/// A page of the events of the viewer, newest first.
impl FollowEventConnection {
    /// The edges of the page.
    async fn edges(&self) -> Vec<FollowEventEdge> {
        self.events().map(FollowEventEdge).collect()
    }

    /// The events of the page, without their edges.
    async fn nodes(&self) -> Vec<FollowEvent> {
        self.events().collect()
    }

    /// Where the page lies within the log.
    async fn page_info(&self) -> PageInfo {
        let cursor = |event: FollowEvent| cursor::encode_event(event.owner, event.event.sequence);
        PageInfo {
            end_cursor: self.events().next_back().map(cursor),
            has_next_page: self.page.has_next,
            has_previous_page: self.page.has_previous,
            start_cursor: self.events().next().map(cursor),
        }
    }
}

/// An event in the log of the viewer.
pub(crate) struct FollowEventEdge(FollowEvent);

#[Object]
/// An event in the log of the viewer.
impl FollowEventEdge {
    /// The position of the event in the log.
    async fn cursor(&self) -> String {
        cursor::encode_event(self.0.owner, self.0.event.sequence)
    }

    /// The event.
    async fn node(&self) -> FollowEvent {
        self.0
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
