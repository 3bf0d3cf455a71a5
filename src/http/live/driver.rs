//! The driver of a socket: it keeps the protocol around the library, which does not.
//!
//! What the library would get wrong never reaches it. The driver reads and checks every message,
//! authenticates, opens operations beside the loop, and writes the messages `error` and `pong`, which
//! the library does not have or could not send in time. The library acknowledges and runs the streams.
//!
//! It is one task with one loop: each step is polled until nothing moves. A step is skipped while what
//! it produces could not be taken, so a client that does not read is not read from either.
//!
//! **Invariant:** at most [`OUT_MAX`] messages wait for the socket, and the library is polled only while
//! none does.

use std::{
    collections::{HashMap, VecDeque},
    future::poll_fn,
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::extract::ws::{Message, WebSocket};
use futures_util::{
    FutureExt, Sink, Stream, StreamExt,
    future::{AbortHandle, Abortable, BoxFuture, pending},
    stream::FuturesUnordered,
};
use tokio::time::{Instant, Sleep, sleep_until};

use super::{
    frames::Close,
    library::{self, Exchange},
    operation::{Answers, Line},
    session::{self, Given, Session},
    times::{Due, Times},
};
use crate::{
    graphql::Reply,
    http::{server::Connection, state},
};

/// The most messages that wait for the socket.
pub(super) const OUT_MAX: usize = 32;

/// How long a close may take to reach a client from which nothing more can be read.
const LINGER_UNREAD: Duration = Duration::from_millis(500);

/// A socket, as the door opens it.
pub(super) struct Opened {
    pub(super) state: Arc<state::State>,
    pub(super) connection: Arc<Connection>,
    pub(super) client: Option<IpAddr>,
    pub(super) request_id: String,
    /// The credentials of the upgrade.
    pub(super) given: Given,
}

/// A socket that is served.
pub(super) struct Driver {
    pub(super) opened: Opened,
    socket: WebSocket,
    library: BoxFuture<'static, ()>,
    pub(super) exchange: Arc<Exchange>,
    pub(super) out: VecDeque<Message>,
    must_flush: bool,
    /// Whether nothing more can be read.
    is_deaf: bool,
    pub(super) phase: Phase,
    pub(super) session: Option<Session>,
    /// The operations, by the numbers that the library has for them.
    pub(super) running: HashMap<u64, Running>,
    /// The numbers of the client's ids.
    pub(super) numbers: HashMap<String, u64>,
    pub(super) opening: FuturesUnordered<Opening>,
    pub(super) last_number: u64,
    /// Finds out whether the session has ended.
    check: Option<BoxFuture<'static, bool>>,
    server_stops: BoxFuture<'static, ()>,
    pub(super) times: Times,
    timer: Pin<Box<Sleep>>,
}

/// How far a socket is.
pub(super) enum Phase {
    /// No `connection_init` yet.
    Silent,
    Authenticating(BoxFuture<'static, Result<Session, Close>>),
    /// The library has not acknowledged yet.
    Accepted,
    Open,
    /// A close was sent, or is about to be.
    Closing(Close),
}

/// An operation of the client.
pub(super) struct Running {
    pub(super) id: String,
    pub(super) abort: AbortHandle,
    /// Whether the library has it.
    pub(super) is_open: bool,
    pub(super) line: Line,
}

type Opening = Abortable<BoxFuture<'static, (u64, Result<Answers, Failed>)>>;

/// Why an operation is not opened.
pub(super) enum Failed {
    Refused(Reply),
    Close(Close),
}

impl From<Reply> for Failed {
    fn from(reply: Reply) -> Self {
        Self::Refused(reply)
    }
}

/// How a socket ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    /// The code that we closed it with, if we did.
    pub(super) close: Option<Close>,
    pub(super) reason: &'static str,
    pub(super) operations: u64,
}

/// Ends the loop: nothing can be read or written any more.
struct Gone(&'static str);

impl Driver {
    pub(super) fn new(opened: Opened, socket: WebSocket) -> Self {
        let exchange = Arc::<Exchange>::default();
        let mut closing = opened.connection.closing.clone();
        let server_stops = async move {
            // An error means that the server is gone.
            let _ = closing.wait_for(|is_closing| *is_closing).await;
        };
        let now = Instant::now();
        Self {
            library: library::start(&exchange),
            exchange,
            socket,
            out: VecDeque::new(),
            must_flush: false,
            is_deaf: false,
            phase: Phase::Silent,
            session: None,
            running: HashMap::new(),
            numbers: HashMap::new(),
            opening: FuturesUnordered::new(),
            last_number: 0,
            check: None,
            server_stops: server_stops.boxed(),
            times: Times::new(opened.state.timeouts.live, now),
            timer: Box::pin(sleep_until(now)),
            opened,
        }
    }

    /// Serves the socket until it ends.
    pub(super) async fn run(mut self) -> End {
        let Gone(reason) = poll_fn(|cx| self.poll(cx)).await;
        let close = match self.phase {
            Phase::Closing(close) => Some(close),
            _ => None,
        };
        End { close, reason, operations: self.last_number }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Gone> {
        loop {
            match self.step(cx) {
                Ok(true) => {}
                Ok(false) => match self.poll_flush(cx) {
                    Ok(true) => {}
                    Ok(false) => return Poll::Pending,
                    Err(gone) => return Poll::Ready(gone),
                },
                Err(gone) => return Poll::Ready(gone),
            }
        }
    }

    /// Moves everything once; whether anything moved.
    fn step(&mut self, cx: &mut Context<'_>) -> Result<bool, Gone> {
        let mut moved = self.poll_write(cx)?;
        moved |= self.poll_read(cx)?;
        moved |= self.poll_timer(cx)?;
        if !matches!(self.phase, Phase::Closing(_)) {
            moved |= self.poll_authentication(cx);
            moved |= self.poll_opening(cx);
            moved |= self.poll_library(cx);
            if self.server_stops.poll_unpin(cx).is_ready() {
                self.server_stops = pending().boxed();
                self.close(Close::RESTART);
                moved = true;
            }
        }
        Ok(moved)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Result<bool, Gone> {
        let mut moved = false;
        while !self.out.is_empty() {
            match Pin::new(&mut self.socket).poll_ready(cx) {
                // There is room in the buffer. Whether the client takes anything, a flush shows.
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Err(Gone("the connection is lost")),
                Poll::Pending => {
                    self.times.flushed(Instant::now(), false);
                    break;
                }
            }
            if let Some(message) = self.out.pop_front() {
                let sent = Pin::new(&mut self.socket).start_send(message);
                sent.map_err(|_| Gone("the connection is lost"))?;
                self.must_flush = true;
                moved = true;
            }
        }
        Ok(moved)
    }

    /// Sends what was written, once nothing else moves: many messages take one system call. True if
    /// something may move by now: something is due, or the library waited for the client to read.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Result<bool, Gone> {
        if !self.must_flush {
            return Ok(false);
        }
        match Pin::new(&mut self.socket).poll_flush(cx) {
            Poll::Ready(Ok(())) => {
                self.must_flush = false;
                let was_stalled = self.times.is_stalled();
                self.times.flushed(Instant::now(), true);
                Ok(was_stalled)
            }
            Poll::Ready(Err(_)) => Err(Gone("the connection is lost")),
            Poll::Pending => {
                self.times.flushed(Instant::now(), false);
                // The time-out begins now.
                Ok(self.set_timer(cx))
            }
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Result<bool, Gone> {
        let is_closing = matches!(self.phase, Phase::Closing(_));
        if self.is_deaf || self.out.len() >= OUT_MAX || !(is_closing || self.exchange.is_taken()) {
            return Ok(false);
        }
        match Pin::new(&mut self.socket).poll_next(cx) {
            Poll::Pending => Ok(false),
            Poll::Ready(None) => Err(Gone("the client closed it")),
            Poll::Ready(Some(Ok(_))) if is_closing => Ok(true),
            Poll::Ready(Some(Ok(message))) => {
                self.times.heard(Instant::now());
                self.received(message);
                Ok(true)
            }
            Poll::Ready(Some(Err(error))) => match broken(&error) {
                Some(close) => {
                    self.close(close);
                    // The answer to the close cannot be awaited.
                    self.is_deaf = true;
                    self.times.close(Instant::now(), LINGER_UNREAD);
                    Ok(true)
                }
                None => Err(Gone("the connection is lost")),
            },
        }
    }

    fn poll_authentication(&mut self, cx: &mut Context<'_>) -> bool {
        let checked = match &mut self.check {
            Some(check) => check.poll_unpin(cx),
            None => Poll::Pending,
        };
        if let Poll::Ready(has_ended) = checked {
            self.check = None;
            if has_ended {
                self.close(Close::FORBIDDEN);
                return true;
            }
        }
        let Phase::Authenticating(session) = &mut self.phase else { return false };
        let Poll::Ready(session) = session.poll_unpin(cx) else { return false };
        match session {
            Ok(session) => {
                self.session = Some(session);
                self.phase = Phase::Accepted;
                self.exchange.init();
            }
            Err(close) => self.close(close),
        }
        true
    }

    fn poll_opening(&mut self, cx: &mut Context<'_>) -> bool {
        if self.out.len() >= OUT_MAX {
            return false;
        }
        match self.opening.poll_next_unpin(cx) {
            Poll::Ready(Some(Ok((number, opened)))) => self.opened(number, opened),
            // The client has stopped listening.
            Poll::Ready(Some(Err(_aborted))) => {}
            Poll::Ready(None) | Poll::Pending => return false,
        }
        true
    }

    fn poll_library(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.out.is_empty() || self.times.is_stalled() {
            return false;
        }
        if self.library.poll_unpin(cx).is_ready() {
            self.close(Close::INTERNAL);
            return true;
        }
        match self.exchange.output() {
            Some(output) => self.sent(output),
            None => return self.exchange.begin_round(),
        }
        true
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Result<bool, Gone> {
        let Ok(due) = self.times.due(Instant::now()) else { return Ok(self.set_timer(cx)) };
        match due {
            Due::Init => self.close(Close::NO_INIT),
            Due::Ping => self.out.push_back(Message::Ping(Vec::new().into())),
            Due::Check => self.check_session(),
            Due::Drop(reason) => return Err(Gone(reason)),
        }
        Ok(true)
    }

    /// Wakes the task when something is due; true if that is now.
    fn set_timer(&mut self, cx: &mut Context<'_>) -> bool {
        let Err(next) = self.times.due(Instant::now()) else { return true };
        if self.timer.deadline() != next {
            self.timer.as_mut().reset(next);
        }
        self.timer.poll_unpin(cx).is_ready()
    }

    /// Looks the viewer up again, unless a subscription does so anyway.
    fn check_session(&mut self) {
        let token = self.session.as_ref().and_then(Session::token);
        let Some(token) = token.filter(|_| self.running.is_empty()) else { return };
        let state = Arc::clone(&self.opened.state);
        self.check = Some(async move { session::has_ended(&state, &token).await }.boxed());
    }

    /// Closes the socket, and ends everything on it.
    pub(super) fn close(&mut self, close: Close) {
        if matches!(self.phase, Phase::Closing(_)) {
            return;
        }
        self.phase = Phase::Closing(close);
        self.times.close(Instant::now(), self.opened.state.timeouts.live.linger);
        self.library = pending().boxed();
        self.exchange = Arc::default();
        self.opening.clear();
        self.running.clear();
        self.numbers.clear();
        self.out.clear();
        self.out.push_back(close.frame());
    }
}

/// The close for what is no WebSocket, or too large for one; `None` if the connection is lost.
fn broken(error: &axum::Error) -> Option<Close> {
    use std::error::Error;

    let error = error.source()?.downcast_ref::<tungstenite::Error>()?;
    match error {
        tungstenite::Error::Capacity(_) => Some(Close::TOO_LARGE),
        tungstenite::Error::Utf8(_) => Some(Close::NOT_UTF_8),
        tungstenite::Error::Protocol(
            tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
        ) => None,
        tungstenite::Error::Protocol(_) => Some(Close::MALFORMED_FRAME),
        _ => None,
    }
}
