//! The pace of a connection: how long it may be idle, and how long the head of a request may take.
//!
//! hyper has one timer for both, which starts when it begins to wait for a request. They must
//! differ: a proxy keeps a connection for later requests, while a client that sends a head byte by
//! byte only occupies the server. So [`Timed`] sees the bytes of a connection here, and
//! [`Answering`] its requests.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use hyper::Version;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, sleep_until},
};

use super::server::Timeouts;

/// What a connection has been doing.
pub(super) struct Pace(Mutex<Moments>);

struct Moments {
    /// When the head that is arriving began. The first one begins when the connection is accepted.
    head_began: Option<Instant>,
    /// How many requests are being answered.
    in_flight: usize,
    /// When the last request was answered.
    idle_since: Instant,
    /// Since when the client has taken nothing of what is sent to it.
    stalled_since: Option<Instant>,
    /// HTTP/2 has frames that belong to no request, so heads are not timed.
    is_http2: bool,
}

/// Why a connection has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The head of a request took too long.
    LateHead,
    /// There was no request for too long.
    Idle,
    /// The client did not take what is sent to it for too long.
    Stalled,
}

impl Pace {
    /// The pace of a connection that has just been accepted.
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Moments::new(Instant::now()))))
    }

    /// Notes that a whole head has arrived. The request counts as in flight until the result is
    /// dropped.
    pub(super) fn answering(self: &Arc<Self>, version: Version) -> Answering {
        self.moments().begin(version);
        Answering(Arc::clone(self))
    }

    /// Resolves when the connection has to end.
    pub(super) async fn end(&self, timeouts: &Timeouts) -> End {
        loop {
            let next_check = self.moments().next_check(Instant::now(), timeouts);
            match next_check {
                Ok(instant) => sleep_until(instant).await,
                Err(end) => return end,
            }
        }
    }

    fn moments(&self) -> MutexGuard<'_, Moments> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Moments {
    const fn new(now: Instant) -> Self {
        Self {
            head_began: Some(now),
            in_flight: 0,
            idle_since: now,
            stalled_since: None,
            is_http2: false,
        }
    }

    fn begin(&mut self, version: Version) {
        self.head_began = None;
        self.in_flight += 1;
        self.is_http2 = version == Version::HTTP_2;
    }

    const fn finish(&mut self, now: Instant) {
        self.in_flight -= 1;
        self.idle_since = now;
    }

    fn read(&mut self, now: Instant) {
        if self.in_flight == 0 && !self.is_http2 {
            self.head_began.get_or_insert(now);
        }
    }

    /// A reply is being sent. What was read before is the rest of its request, or waits for it.
    fn write(&mut self, now: Instant, is_taken: bool) {
        self.head_began = None;
        if is_taken {
            self.stalled_since = None;
        } else {
            self.stalled_since.get_or_insert(now);
        }
    }

    /// When to look again. A head that begins before then has its deadline after it, so no byte has
    /// to wake the timer.
    fn next_check(&self, now: Instant, timeouts: &Timeouts) -> Result<Instant, End> {
        let soon = now + timeouts.headers.min(timeouts.idle).min(timeouts.live.write);
        let stalled = self.stalled_since.map(|since| since + timeouts.live.write);
        if stalled.is_some_and(|deadline| now >= deadline) {
            return Err(End::Stalled);
        }
        let soon = stalled.map_or(soon, |deadline| deadline.min(soon));
        if self.in_flight > 0 {
            return Ok(soon);
        }
        let (deadline, end) = match self.head_began {
            Some(began) => (began + timeouts.headers, End::LateHead),
            None => (self.idle_since + timeouts.idle, End::Idle),
        };
        if now >= deadline { Err(end) } else { Ok(deadline.min(soon)) }
    }
}

/// A request that is being answered.
pub(super) struct Answering(Arc<Pace>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.moments().finish(Instant::now());
    }
}

/// The stream of a connection, whose bytes are noted in its pace.
pub(super) struct Timed {
    stream: TcpStream,
    pace: Arc<Pace>,
}

impl Timed {
    pub(super) const fn new(stream: TcpStream, pace: Arc<Pace>) -> Self {
        Self { stream, pace }
    }
}

impl AsyncRead for Timed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.pace.moments().read(Instant::now());
        }
        polled
    }
}

impl AsyncWrite for Timed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.pace.moments().write(Instant::now(), polled.is_ready());
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.pace.moments().write(Instant::now(), polled.is_ready());
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// How many seconds after `now` the connection ends, and why.
    fn end(moments: &Moments, now: Instant) -> (u64, End) {
        let (headers, idle) = (Duration::from_secs(15), Duration::from_secs(75));
        let timeouts = Timeouts { headers, idle, ..Timeouts::default() };
        let mut check = now;
        loop {
            match moments.next_check(check, &timeouts) {
                Ok(next) => check = next,
                Err(end) => return ((check - now).as_secs(), end),
            }
        }
    }

    /// A connection on which one request has been answered just now.
    fn used(now: Instant, version: Version) -> Moments {
        let mut moments = Moments::new(now);
        moments.begin(version);
        moments.finish(now);
        moments
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_first_head_must_come_in_time() {
        let now = Instant::now();
        assert_eq!(end(&Moments::new(now), now), (15, End::LateHead));
    }

    #[test]
    fn an_idle_connection_outlives_a_slow_head() {
        let now = Instant::now();
        assert_eq!(end(&used(now, Version::HTTP_11), now), (75, End::Idle));
    }

    #[test]
    fn a_head_is_timed_from_its_first_byte() {
        let now = Instant::now();
        let mut moments = used(now, Version::HTTP_11);
        moments.read(now + seconds(50));
        moments.read(now + seconds(60));
        assert_eq!(end(&moments, now), (65, End::LateHead));
    }

    #[test]
    fn the_rest_of_an_answered_request_is_no_head() {
        let now = Instant::now();
        let mut moments = used(now, Version::HTTP_11);
        moments.read(now);
        moments.write(now, true);
        assert_eq!(end(&moments, now), (75, End::Idle));
    }

    #[test]
    fn a_request_in_flight_is_not_timed() {
        let now = Instant::now();
        let mut moments = used(now, Version::HTTP_11);
        moments.begin(Version::HTTP_11);
        moments.read(now);
        let later = now + seconds(1_000);
        assert!(moments.next_check(later, &Timeouts::default()).is_ok());
        moments.finish(later);
        assert_eq!(end(&moments, later), (75, End::Idle));
    }

    #[test]
    fn a_client_that_stops_reading_is_not_awaited() {
        let now = Instant::now();
        let mut moments = used(now, Version::HTTP_11);
        moments.begin(Version::HTTP_11);
        moments.write(now, false);
        moments.write(now + seconds(5), true);
        moments.write(now + seconds(6), false);
        moments.write(now + seconds(9), false);
        assert_eq!(end(&moments, now), (16, End::Stalled));
    }

    #[test]
    fn frames_of_http_2_are_no_heads() {
        let now = Instant::now();
        let mut moments = used(now, Version::HTTP_2);
        moments.read(now + seconds(10));
        assert_eq!(end(&moments, now), (75, End::Idle));
    }
}
