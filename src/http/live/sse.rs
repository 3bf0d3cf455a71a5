//! GraphQL over server-sent events, in the mode of distinct connections: the answers of one operation
//! are the events of one response.
//!
//! The status is 200 once the operation was read: what is refused after that is the event `next` with
//! errors, then `complete`. A stream that ends without `complete` is to be opened again, which clients
//! do by themselves: when the server stops, or something of ours does not answer.

use std::{convert::Infallible, sync::Arc};

use axum::{
    http::request::Parts,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::{Stream, StreamExt, stream};
use hyper::{
    HeaderMap,
    header::{CONTENT_TYPE, HeaderName, HeaderValue},
};

use super::{
    operation::{self, Answer, Answers, Ending},
    seats::{Full, Seat},
};
use crate::{
    graphql::{Caller, Code, Operation, Reply},
    http::{metrics, request::Outcome, server::Connection, state},
};

/// The header with the cursor of the last event, which browsers send when they connect again.
pub(in crate::http) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Tells nginx to pass events on at once.
const NO_BUFFER: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Whether this is the reply of an event stream.
pub(in crate::http) fn is_stream(headers: &HeaderMap) -> bool {
    let media = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    media.is_some_and(|media| media.starts_with(b"text/event-stream"))
}

/// The stream of an operation.
pub(in crate::http) async fn answer(
    state: &Arc<state::State>,
    connection: &Arc<Connection>,
    (operation, caller): (Operation, Caller),
    head: &Parts,
) -> Response {
    let seats = match seats(state, &caller) {
        Ok(seats) => seats,
        Err(reply) => return refusal(state, &reply),
    };
    let last_received = head.headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok());
    let last_received = last_received.filter(|cursor| !cursor.is_empty());
    match operation::open(state, operation, caller, last_received).await {
        Ok(answers) => {
            // The connection is in use while the stream is open.
            let guards = (seats, connection.pace.answering(head.version));
            let mut closing = connection.closing.clone();
            let server_stops = Box::pin(async move {
                // An error means that the server is gone.
                let _ = closing.wait_for(|is_closing| *is_closing).await;
            });
            let events = events(answers).take_until(server_stops).map(move |event| {
                let _ = &guards;
                Ok(event)
            });
            respond(state, Outcome { code: None, is_charged: true }, events)
        }
        Err(reply) => refusal(state, &reply),
    }
}

/// The stream that says why an operation was refused.
pub(in crate::http) fn refusal(state: &state::State, reply: &Reply) -> Response {
    metrics::count_operation(reply.error);
    let outcome = Outcome { code: reply.error, is_charged: reply.is_charged };
    let events = [next(&reply.body, None), complete()];
    respond(state, outcome, stream::iter(events.map(Ok)))
}

/// The places of a stream.
fn seats(state: &state::State, caller: &Caller) -> Result<(Seat, Option<Seat>), Reply> {
    let full = |full| match full {
        Full::Server => Reply::refusal(Code::Unavailable, "The server has too many event streams."),
        Full::Viewer => Reply::refusal(Code::RateLimited, "Too many event streams of this viewer."),
        Full::Address => {
            Reply::refusal(Code::RateLimited, "Too many event streams from this address.")
        }
    };
    let seat = state.seats.for_socket(caller.address).map_err(full)?;
    let viewer = caller.viewer.as_ref().map(|viewer| state.seats.for_viewer(viewer.id()));
    Ok((seat, viewer.transpose().map_err(full)?))
}

fn respond(
    state: &state::State,
    outcome: Outcome,
    events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static,
) -> Response {
    let keep_alive = KeepAlive::new().interval(state.timeouts.live.ping);
    let mut response = Sse::new(events).keep_alive(keep_alive).into_response();
    response.headers_mut().insert(NO_BUFFER, HeaderValue::from_static("no"));
    response.extensions_mut().insert(outcome);
    response
}

/// The events of an operation.
fn events(answers: Answers) -> impl Stream<Item = Event> + Send {
    enum Stage {
        Running(Answers),
        Completing,
        Over,
    }
    stream::unfold(Stage::Running(answers), |stage| async {
        let mut answers = match stage {
            Stage::Running(answers) => answers,
            Stage::Completing => return Some((complete(), Stage::Over)),
            Stage::Over => return None,
        };
        match answers.next().await {
            Some(Ok(Answer { body, cursor })) => {
                Some((next(&body, cursor), Stage::Running(answers)))
            }
            Some(Err(reply)) => match Ending::of(&reply) {
                Ending::TryLater => None,
                Ending::Forbidden | Ending::Errors => {
                    Some((next(&reply.body, None), Stage::Completing))
                }
            },
            None => Some((complete(), Stage::Over)),
        }
    })
}

fn next(body: &[u8], cursor: Option<String>) -> Event {
    let event = Event::default().event("next").data(String::from_utf8_lossy(body));
    match cursor {
        Some(cursor) => event.id(cursor),
        None => event,
    }
}

fn complete() -> Event {
    Event::default().event("complete").data("")
}
