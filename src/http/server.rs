//! Connections: accepting them, bounding how long a silent client may hold one, and letting go of
//! them when the server stops.
//!
//! HTTP/1.1 and HTTP/2 (with prior knowledge) share a port. TLS is the business of whatever
//! stands in front.

use std::{io, pin::pin, sync::Arc, time::Duration};

use axum::Router;
use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto,
        graceful::{GracefulShutdown, Watcher},
    },
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, watch},
    task::JoinSet,
    time::{sleep, timeout},
};
use tower::Service;

use super::client::Peer;

/// How many requests may be under way on one connection of HTTP/2.
const STREAMS_MAX: u32 = 128;
/// The most bytes of the head of a request.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// How often a quiet connection of HTTP/2 is asked whether it is still there.
const PING_EVERY: Duration = Duration::from_secs(20);
/// How long accepting pauses when the process has run out of sockets.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long clients may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For the head of a request, from the first moment that one is waited for. So this is also
    /// how long an idle connection of HTTP/1.1 is kept.
    pub headers: Duration,
    /// For the body of a request.
    pub body: Duration,
    /// How long the server tells `/readyz` that it stops before it does: as long as whoever
    /// sends it requests takes to notice.
    pub notice: Duration,
    /// For the requests under way when the server stops.
    pub drain: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            headers: Duration::from_secs(15),
            body: Duration::from_secs(15),
            notice: Duration::ZERO,
            drain: Duration::from_secs(10),
        }
    }
}

/// Serves until `draining` turns true: then, after the notice, it accepts nobody, closes idle
/// connections, and returns when the last request is answered or the time for that is over.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    timeouts: Timeouts,
    connections_max: usize,
    mut draining: watch::Receiver<bool>,
) {
    let protocol = Arc::new(protocol(timeouts));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();

    let mut stop = pin!(async {
        // The sender is gone only when the server is, which is a reason to stop as well.
        let _ = draining.wait_for(|is_draining| *is_draining).await;
        sleep(timeouts.notice).await;
    });
    loop {
        tokio::select! {
            () = &mut stop => break,
            // Past the limit clients wait in the queue of the operating system.
            accepted = listener.accept(), if connections.len() < connections_max => match accepted {
                Ok((stream, peer)) => {
                    let connection = Connection { peer: Peer(peer.ip()), router: router.clone() };
                    let watcher = graceful.watcher();
                    let protocol = Arc::clone(&protocol);
                    connections.spawn(connection.run(stream, protocol, watcher, timeouts.headers));
                }
                Err(error) => pause_after(&error).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }

    drop(listener);
    if timeout(timeouts.drain, graceful.shutdown()).await.is_err() {
        tracing::warn!(connections = connections.len(), "requests were cut off by the shutdown");
        connections.shutdown().await;
    }
}

fn protocol(timeouts: Timeouts) -> auto::Builder<TokioExecutor> {
    let mut protocol = auto::Builder::new(TokioExecutor::new());
    protocol
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(timeouts.headers)
        .max_buf_size(HEAD_BYTES_MAX);
    protocol
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(timeouts.headers);
    protocol
}

/// A client that left before it was accepted concerns nobody; anything else is a lack of
/// something that a moment may bring back.
async fn pause_after(error: &io::Error) {
    let left = [io::ErrorKind::ConnectionAborted, io::ErrorKind::ConnectionReset];
    if !left.contains(&error.kind()) {
        tracing::error!(%error, "no connection can be accepted");
        sleep(ACCEPT_PAUSE).await;
    }
}

struct Connection {
    peer: Peer,
    router: Router,
}

impl Connection {
    async fn run(
        self,
        stream: TcpStream,
        protocol: Arc<auto::Builder<TokioExecutor>>,
        watcher: Watcher,
        first_request_within: Duration,
    ) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection is slower than it could be");
        }

        let Self { peer, router } = self;
        let begun = Notify::new();
        let service = service_fn(|mut request: Request<Incoming>| {
            begun.notify_one();
            request.extensions_mut().insert(peer);
            router.clone().call(request)
        });
        let served = watcher.watch(protocol.serve_connection(TokioIo::new(stream), service));
        // While the protocol is still being guessed from the first bytes, no timer of it runs.
        let silence = async {
            if timeout(first_request_within, begun.notified()).await.is_ok() {
                std::future::pending::<()>().await;
            }
        };

        tokio::select! {
            result = served => if let Err(error) = result {
                tracing::debug!(error, "a connection broke off");
            },
            () = silence => tracing::debug!("a connection brought no request"),
        }
    }
}
