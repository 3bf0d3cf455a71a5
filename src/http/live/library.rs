//! The WebSocket of `async-graphql-axum`, and what connects it with the driver: everything that names
//! the library is here.
//!
//! The library acknowledges the connection, keeps the streams of a socket, and turns their items into
//! messages. It sees frames that the driver has checked, with numbers for ids, and streams that are
//! open already. It polls its streams in the order of a map and takes the first that is ready, so
//! each stream is limited to one item a round.
//!
//! Socket, driver and library are one task, so nothing here wakes anybody: the driver polls the
//! library again after each change.

use std::{
    collections::{HashMap, VecDeque},
    convert::Infallible,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use async_graphql::{Data, Executor, Request, Response, Value};
use async_graphql_axum::{GraphQLProtocol, GraphQLWebSocket};
use async_graphql_value::RAW_VALUE_TOKEN;
use axum::{
    extract::{FromRequestParts, ws::Message},
    http::request::Parts,
};
use futures_util::{Sink, Stream, StreamExt, future::BoxFuture, stream::BoxStream};
use hyper::header::{HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{frames::PROTOCOL, operation::Answers};
use crate::graphql::Reply;

/// What driver and library share.
#[derive(Default)]
pub(super) struct Exchange(Mutex<Inside>);

#[derive(Default)]
struct Inside {
    to_library: VecDeque<Message>,
    from_library: Option<Message>,
    /// Streams that the library has not taken yet.
    opened: HashMap<u64, Answers>,
    /// The replies that streams ended with: the library has no message for them.
    endings: HashMap<u64, Reply>,
    round: u64,
    /// Whether a stream waits for the next round.
    is_held_back: bool,
}

/// A message of the library.
pub(super) enum Output {
    Ack,
    /// An answer of the operation with this number.
    Next(u64, Box<RawValue>),
    /// The end of an operation, with the reply if that says how.
    Complete(u64, Option<Reply>),
    /// It has closed the socket, or sent what it should not.
    Unexpected,
}

impl Exchange {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the library has taken all messages.
    pub(super) fn is_taken(&self) -> bool {
        self.inside().to_library.is_empty()
    }

    pub(super) fn init(&self) {
        self.send(r#"{"type":"connection_init"}"#.to_owned());
    }

    pub(super) fn subscribe(&self, number: u64, answers: Answers) {
        self.inside().opened.insert(number, answers);
        // `execute_stream` is not given the id, so the number is the document too.
        self.send(format!(
            r#"{{"type":"subscribe","id":"{number}","payload":{{"query":"{number}"}}}}"#
        ));
    }

    pub(super) fn complete(&self, number: u64) {
        self.send(format!(r#"{{"type":"complete","id":"{number}"}}"#));
    }

    fn send(&self, message: String) {
        self.inside().to_library.push_back(Message::Text(message.into()));
    }

    /// The message that the library has sent.
    pub(super) fn output(&self) -> Option<Output> {
        let message = self.inside().from_library.take()?;
        Some(self.read(&message).unwrap_or(Output::Unexpected))
    }

    fn read(&self, message: &Message) -> Option<Output> {
        let Message::Text(text) = message else { return None };
        let message: LibraryMessage<'_> = serde_json::from_str(text).ok()?;
        if message.ty == "connection_ack" {
            return Some(Output::Ack);
        }
        let number = message.id?.parse().ok()?;
        match message.ty {
            "next" => Some(Output::Next(number, message.payload?.data)),
            "complete" => Some(Output::Complete(number, self.inside().endings.remove(&number))),
            _ => None,
        }
    }

    /// Begins the next round if a stream waits for it.
    pub(super) fn begin_round(&self) -> bool {
        let mut inside = self.inside();
        inside.round += u64::from(inside.is_held_back);
        std::mem::take(&mut inside.is_held_back)
    }
}

#[derive(Deserialize)]
struct LibraryMessage<'a> {
    #[serde(rename = "type")]
    ty: &'a str,
    id: Option<&'a str>,
    payload: Option<LibraryPayload>,
}

/// A response whose `data` is the whole body: the library would write our projected answers as lists
/// of numbers.
#[derive(Deserialize)]
struct LibraryPayload {
    data: Box<RawValue>,
}

fn wrapped(body: Vec<u8>) -> Response {
    let body = String::from_utf8(body).expect("JSON is UTF-8");
    let raw = [(async_graphql::Name::new(RAW_VALUE_TOKEN), Value::String(body))];
    Response::new(Value::Object(raw.into_iter().collect()))
}

/// The future of the library for one socket. It never ends.
pub(super) async fn run(exchange: Arc<Exchange>) {
    let request = axum::http::Request::builder()
        .header(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL))
        .body(());
    let mut parts: Parts = request.expect("a header").into_parts().0;
    let protocol = GraphQLProtocol::from_request_parts(&mut parts, &()).await;
    let protocol = protocol.expect("the library speaks this protocol");
    let (frames, replies) = (Frames(Arc::clone(&exchange)), Replies(Arc::clone(&exchange)));
    GraphQLWebSocket::new_with_pair(replies, frames, Opened(exchange), protocol).serve().await;
}

/// The frames for the library.
struct Frames(Arc<Exchange>);

impl Stream for Frames {
    type Item = Result<Message, axum::Error>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.0.inside().to_library.pop_front() {
            Some(message) => Poll::Ready(Some(Ok(message))),
            None => Poll::Pending,
        }
    }
}

/// Where the library sends its messages: there is room for one, and it is sent when it is taken.
struct Replies(Arc<Exchange>);

impl Replies {
    fn poll_taken(&self) -> Poll<Result<(), Infallible>> {
        let is_taken = self.0.inside().from_library.is_none();
        if is_taken { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}

impl Sink<Message> for Replies {
    type Error = Infallible;

    fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.poll_taken()
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Infallible> {
        self.0.inside().from_library = Some(message);
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.poll_taken()
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.poll_taken()
    }
}

/// Finds the streams of operations that the driver has opened.
#[derive(Clone)]
struct Opened(Arc<Exchange>);

impl Executor for Opened {
    async fn execute(&self, _: Request) -> Response {
        // The library executes streams only.
        Response::default()
    }

    fn execute_stream(
        &self,
        request: Request,
        _: Option<Arc<Data>>,
    ) -> BoxStream<'static, Response> {
        let number = request.query.parse().unwrap_or_default();
        let answers = self.0.inside().opened.remove(&number);
        let Some(answers) = answers else { return futures_util::stream::empty().boxed() };
        let round = self.0.inside().round.wrapping_sub(1);
        OneARound { exchange: Arc::clone(&self.0), number, answers, round }.boxed()
    }
}

/// A stream that returns at most one item a round.
struct OneARound {
    exchange: Arc<Exchange>,
    number: u64,
    answers: Answers,
    /// The round of the last item.
    round: u64,
}

impl Stream for OneARound {
    type Item = Response;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Response>> {
        let round = {
            let mut inside = self.exchange.inside();
            if inside.round == self.round {
                inside.is_held_back = true;
                return Poll::Pending;
            }
            inside.round
        };
        let answer = std::task::ready!(self.answers.poll_next_unpin(cx));
        self.round = round;
        Poll::Ready(match answer {
            Some(Ok(answer)) => Some(wrapped(answer.body)),
            Some(Err(reply)) => {
                self.exchange.inside().endings.insert(self.number, reply);
                None
            }
            None => None,
        })
    }
}

/// The future of the library, boxed.
pub(super) fn start(exchange: &Arc<Exchange>) -> BoxFuture<'static, ()> {
    Box::pin(run(Arc::clone(exchange)))
}
