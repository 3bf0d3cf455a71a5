//! The clock of a socket: what the other end has to do in time, and what is due.

use std::time::Duration;

use tokio::time::Instant;

/// How long the other end of a WebSocket or an event stream may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For `connection_init`; then the socket is closed with code 4408.
    pub init: Duration,
    /// Between two pings, and between two comments of an event stream.
    pub ping: Duration,
    /// Without a word, not even a pong; then the socket is dropped.
    pub silence: Duration,
    /// For taking what is sent; then the connection is dropped.
    pub write: Duration,
    /// Between two look-ups of the viewer of a socket without subscriptions.
    pub check: Duration,
    /// For the answer to a close.
    pub linger: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            init: Duration::from_secs(10),
            // Proxies cut connections that are silent for a minute, some after 30 seconds.
            ping: Duration::from_secs(15),
            silence: Duration::from_secs(40),
            write: Duration::from_secs(10),
            check: Duration::from_secs(25),
            linger: Duration::from_secs(2),
        }
    }
}

/// What is due when.
pub(super) struct Times {
    patience: Patience,
    init_by: Option<Instant>,
    ping_at: Instant,
    /// Whether a ping waits for its pong.
    is_pinged: bool,
    heard_at: Instant,
    stalled_since: Option<Instant>,
    check_at: Instant,
    close_by: Option<Instant>,
}

/// What is due now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// `connection_init` has not come in time.
    Init,
    Ping,
    /// The viewer is to be looked up.
    Check,
    /// The connection is of no use: the other end is silent, or does not read, or does not close.
    Drop(&'static str),
}

impl Times {
    pub(super) fn new(patience: Patience, now: Instant) -> Self {
        Self {
            patience,
            init_by: Some(now + patience.init),
            ping_at: now + patience.ping,
            is_pinged: false,
            heard_at: now,
            stalled_since: None,
            check_at: now + patience.check,
            close_by: None,
        }
    }

    /// What is due, or when something will be.
    pub(super) fn due(&mut self, now: Instant) -> Result<Due, Instant> {
        let Self { patience, .. } = *self;
        let stalled_by = self.stalled_since.map(|since| since + patience.write);
        let silent_by = self.heard_at + patience.silence;
        let dropped = [
            (stalled_by, "the client does not read"),
            (Some(silent_by), "the client is silent"),
            (self.close_by, "the client did not answer the close"),
        ];
        for (by, reason) in dropped {
            if by.is_some_and(|by| now >= by) {
                return Ok(Due::Drop(reason));
            }
        }
        if self.close_by.is_none() {
            if self.init_by.is_some_and(|by| now >= by) {
                return Ok(Due::Init);
            }
            if now >= self.ping_at {
                self.ping_at = now + patience.ping;
                self.is_pinged = true;
                return Ok(Due::Ping);
            }
            if now >= self.check_at {
                self.check_at = now + patience.check;
                return Ok(Due::Check);
            }
        }
        let further = [stalled_by, self.init_by, self.close_by].into_iter().flatten();
        Err(further.chain([silent_by, self.ping_at, self.check_at]).min().unwrap_or(silent_by))
    }

    pub(super) fn heard(&mut self, now: Instant) {
        self.heard_at = now;
    }

    /// Takes a pong; false if no ping waited for one.
    pub(super) fn take_pong(&mut self) -> bool {
        std::mem::take(&mut self.is_pinged)
    }

    pub(super) fn initialised(&mut self) {
        self.init_by = None;
    }

    /// Notes whether the socket took all that was written. A client that does not read has `write` for
    /// that, whatever is written meanwhile.
    pub(super) fn flushed(&mut self, now: Instant, is_all: bool) {
        if is_all {
            self.stalled_since = None;
        } else {
            self.stalled_since.get_or_insert(now);
        }
    }

    pub(super) const fn is_stalled(&self) -> bool {
        self.stalled_since.is_some()
    }

    /// The socket is being closed: the other end has `linger` to answer.
    pub(super) fn close(&mut self, now: Instant, linger: Duration) {
        self.init_by = None;
        self.close_by = Some(now + linger);
        self.ping_at = now + linger + self.patience.ping;
        self.check_at = now + linger + self.patience.check;
    }
}
