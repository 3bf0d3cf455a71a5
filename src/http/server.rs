//! Connections: accepting them, timing out silent clients, and draining at shutdown.
//!
//! HTTP/1.1 and HTTP/2 (with prior knowledge) share a port. TLS is terminated by a proxy in front.

use std::{io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::Router;
use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
    task::JoinSet,
    time::{sleep, timeout},
};
use tower::Service;

use super::{
    base_path::BasePath,
    client::Peer,
    live::Patience,
    pace::{End, Pace, Timed},
};
use crate::service::Outage;

/// The most concurrent requests on one HTTP/2 connection.
const STREAMS_MAX: u32 = 128;
/// The most bytes in the head of a request.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// How often an idle HTTP/2 connection is pinged.
const PING_EVERY: Duration = Duration::from_secs(20);
/// How long to wait before accepting again when the process is out of sockets.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long clients may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For the head of a request, from its first byte; for the first one, from the moment the
    /// connection is accepted.
    pub headers: Duration,
    /// For the next request on an idle connection.
    pub idle: Duration,
    /// For the body of a request.
    pub body: Duration,
    /// How long `/readyz` reports `draining` before the server stops accepting connections: the
    /// time that a load balancer takes to notice.
    pub notice: Duration,
    /// For the whole file of an account.
    pub export: Duration,
    /// For the requests that are in flight at shutdown.
    pub drain: Duration,
    /// For the other end of a WebSocket or an event stream.
    pub live: Patience,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            headers: Duration::from_secs(15),
            // Longer than the 60 seconds for which nginx and others keep idle connections: a proxy
            // that sends a request just as the server closes answers its client with 502.
            idle: Duration::from_secs(75),
            body: Duration::from_secs(15),
            notice: Duration::ZERO,
            export: Duration::from_mins(5),
            drain: Duration::from_secs(10),
            live: Patience::default(),
        }
    }
}

/// How a listener serves its connections.
#[derive(Clone)]
struct Serving {
    router: Router,
    base_path: BasePath,
    protocol: Arc<auto::Builder<TokioExecutor>>,
    timeouts: Timeouts,
    /// True once the server stops: finish what is in flight, then close.
    closing: watch::Receiver<bool>,
    /// Held by whatever must end before the server does.
    alive: mpsc::Sender<()>,
}

/// The connection that a request came on, for its handlers.
pub(super) struct Connection {
    pub(super) peer: Peer,
    pub(super) pace: Arc<Pace>,
    /// True once the server stops.
    pub(super) closing: watch::Receiver<bool>,
    /// The server does not end before this is dropped. A WebSocket outlives its connection, as hyper
    /// counts them, so it holds this.
    pub(super) _alive: mpsc::Sender<()>,
}

/// Serves until `draining` turns true. Then, after the notice, it stops accepting, closes idle
/// connections, and returns when the last request is answered or the drain time is over.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    base_path: BasePath,
    timeouts: Timeouts,
    connections_max: usize,
    mut draining: watch::Receiver<bool>,
) {
    let (close, closing) = watch::channel(false);
    let protocol = Arc::new(protocol(timeouts));
    let (alive, mut all_ended) = mpsc::channel(1);
    let serving = Serving { router, base_path, protocol, timeouts, closing, alive };
    let mut connections = JoinSet::new();
    let outage = Outage::new("cannot accept connections");

    let mut stop = pin!(async {
        // An error means that the sender is gone, and the server with it: stop as well.
        let _ = draining.wait_for(|is_draining| *is_draining).await;
        sleep(timeouts.notice).await;
    });
    loop {
        tokio::select! {
            () = &mut stop => break,
            // Past the limit, clients wait in the operating system's accept queue.
            accepted = listener.accept(), if connections.len() < connections_max => match accepted {
                Ok((stream, peer)) => {
                    outage.worked();
                    connections.spawn(serving.clone().connection(stream, peer));
                }
                Err(error) if is_of_client(&error) => {}
                Err(error) => {
                    outage.failed(&error);
                    sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }

    drop(listener);
    close.send_replace(true);
    drop(serving);
    let finished = async {
        while connections.join_next().await.is_some() {}
        // Nothing is sent: it ends when the last WebSocket has dropped its sender.
        all_ended.recv().await;
    };
    if timeout(timeouts.drain, finished).await.is_err() {
        tracing::warn!(connections = connections.len(), "shutdown cut off requests");
        connections.shutdown().await;
    }
}

fn protocol(timeouts: Timeouts) -> auto::Builder<TokioExecutor> {
    let mut protocol = auto::Builder::new(TokioExecutor::new());
    protocol
        .http1()
        .timer(TokioTimer::new())
        // Heads and idle connections are timed by `Pace`.
        .header_read_timeout(None)
        .max_buf_size(HEAD_BYTES_MAX);
    protocol
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(timeouts.headers);
    protocol
}

/// Whether a client left before it was accepted. Any other error means that the process is out of
/// something, such as file descriptors.
fn is_of_client(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset)
}

impl Serving {
    /// Serves one connection until it is closed.
    async fn connection(self, stream: TcpStream, peer: SocketAddr) {
        let Self { router, base_path, protocol, timeouts, mut closing, alive } = self;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }

        let pace = Pace::new();
        let connection = Arc::new(Connection {
            peer: Peer(peer.ip()),
            pace: Arc::clone(&pace),
            closing: closing.clone(),
            _alive: alive,
        });
        let service = service_fn(|mut request: Request<Incoming>| {
            let answering = pace.answering(request.version());
            base_path.strip_from(&mut request);
            request.extensions_mut().insert(Arc::clone(&connection));
            let answer = router.clone().call(request);
            async move {
                let response = answer.await;
                drop(answering);
                response
            }
        });
        let stream = TokioIo::new(Timed::new(stream, Arc::clone(&pace)));
        let mut served = pin!(protocol.serve_connection_with_upgrades(stream, service));

        let is_idle = tokio::select! {
            result = served.as_mut() => return log_failure(result),
            _ = closing.wait_for(|is_closing| *is_closing) => false,
            end = pace.end(&timeouts) => match end {
                End::LateHead => return tracing::debug!("the head of a request took too long"),
                End::Stalled => return tracing::debug!("the client does not read"),
                End::Idle => true,
            },
        };
        served.as_mut().graceful_shutdown();
        tokio::select! {
            result = served => log_failure(result),
            // Enough for a request that arrived at the last moment.
            () = sleep(timeouts.headers), if is_idle => {}
        }
    }
}

fn log_failure(result: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = result {
        tracing::debug!(error, "connection failed");
    }
}
