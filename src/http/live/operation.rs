//! An operation over a socket or an event stream, answered as a stream of responses.

use std::net::IpAddr;

use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use tokio::time::Instant;
use tracing::{field, info};

use super::seats::Seat;
use crate::{
    domain::UserId,
    graphql::{Caller, Code, Operation, OperationLabel, Reply, Subscription},
    http::{metrics, request::milliseconds, state},
};

/// The message to a client when there is no room.
const FULL: &str = "The server has too much to do.";

/// An answer of an operation.
pub(super) struct Answer {
    /// The response, as JSON.
    pub(super) body: Vec<u8>,
    /// The cursor of the event that it is about.
    pub(super) cursor: Option<String>,
}

/// The answers of an operation. An error ends them: it is the reply to say why.
pub(super) type Answers = BoxStream<'static, Result<Answer, Reply>>;

/// Opens an operation for a caller. One that is no subscription is executed.
///
/// # Errors
/// The reply to an operation that is refused.
pub(super) async fn open(
    state: &state::State,
    operation: Operation,
    caller: Caller,
    last_received: Option<&str>,
) -> Result<Answers, Reply> {
    // Refuse at once instead of queueing, as for every request.
    let Ok(_permit) = state.operation_permits.try_acquire() else {
        return Err(Reply::refusal(Code::Unavailable, FULL));
    };
    if operation.is_subscription() {
        let Ok(seat) = state.seats.for_subscription() else {
            return Err(Reply::refusal(Code::Unavailable, FULL));
        };
        let subscription = state.api.subscribe(operation, caller, last_received).await?;
        return Ok(events(subscription, seat));
    }

    let reply = state.api.execute(operation, caller).await;
    if reply.refused.is_some() {
        return Err(reply);
    }
    metrics::count_operation(reply.error);
    Ok(stream::iter([Ok(Answer { body: reply.body, cursor: None })]).boxed())
}

/// The events of a subscription, which keeps its place while it runs.
fn events(subscription: Subscription, seat: Seat) -> Answers {
    let events = stream::unfold(Some((subscription, seat)), |running| async {
        let (mut subscription, seat) = running?;
        match subscription.next().await {
            Ok(event) => {
                let answer = Answer { body: event.body, cursor: Some(event.cursor) };
                Some((Ok(answer), Some((subscription, seat))))
            }
            Err(reply) => Some((Err(reply), None)),
        }
    });
    events.boxed()
}

/// How an operation that was running ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The viewer is signed out or may no longer do this, so the connection ends too.
    Forbidden,
    /// Something of ours does not answer. A client that connects again can go on.
    TryLater,
    /// With errors.
    Errors,
}

impl Ending {
    pub(super) fn of(reply: &Reply) -> Self {
        match reply.refused {
            Some(Code::Unauthenticated | Code::Forbidden) => Self::Forbidden,
            Some(Code::Unavailable | Code::Timeout) => Self::TryLater,
            _ => Self::Errors,
        }
    }
}

/// The log line of an operation over a socket, written when it ends.
pub(super) struct Line {
    label: Option<OperationLabel>,
    began: Instant,
    client: Option<IpAddr>,
    viewer: Option<UserId>,
    pub(super) code: Option<Code>,
    pub(super) answers: u64,
}

impl Line {
    pub(super) fn begin(
        label: Option<OperationLabel>,
        client: Option<IpAddr>,
        viewer: Option<UserId>,
    ) -> Self {
        Self { label, began: Instant::now(), client, viewer, code: None, answers: 0 }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let label = self.label.as_ref();
        info!(
            code = self.code.map(Code::as_str),
            ms = milliseconds(self.began.elapsed()),
            operation = label.and_then(|label| label.name.as_deref()),
            kind = label.map(|label| label.kind),
            cost = label.and_then(|label| label.cost).map(std::num::NonZeroU32::get),
            viewer = self.viewer.map(field::display),
            client = self.client.map(field::display),
            answers = self.answers,
            "an operation over a socket",
        );
    }
}
