//! Connections: accepting them, timing out silent clients, and draining at shutdown.
//!
//! HTTP/1.1 and HTTP/2 (with prior knowledge) share a port. TLS is terminated by a proxy in front.

use std::{io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

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
    /// For the head of a request, from the moment the server waits for one. So it is also how long
    /// an idle HTTP/1.1 connection is kept open.
    pub headers: Duration,
    /// For the body of a request.
    pub body: Duration,
    /// How long `/readyz` reports `draining` before the server stops accepting connections: the
    /// time that a load balancer takes to notice.
    pub notice: Duration,
    /// For the requests that are in flight at shutdown.
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

/// Serves until `draining` turns true. Then, after the notice, it stops accepting, closes idle
/// connections, and returns when the last request is answered or the drain time is over.
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
    let connect = |stream, peer: SocketAddr| {
        let (router, protocol) = (router.clone(), Arc::clone(&protocol));
        let watcher = graceful.watcher();
        serve_connection(stream, Peer(peer.ip()), router, protocol, watcher, timeouts.headers)
    };

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
                Ok((stream, peer)) => drop(connections.spawn(connect(stream, peer))),
                Err(error) => pause_after(&error).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }

    drop(listener);
    if timeout(timeouts.drain, graceful.shutdown()).await.is_err() {
        tracing::warn!(connections = connections.len(), "shutdown cut off requests");
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

/// Ignores a client that left before it was accepted. Any other error means that the process is
/// out of something, such as file descriptors: wait a moment.
async fn pause_after(error: &io::Error) {
    let left = [io::ErrorKind::ConnectionAborted, io::ErrorKind::ConnectionReset];
    if !left.contains(&error.kind()) {
        tracing::error!(%error, "cannot accept connections");
        sleep(ACCEPT_PAUSE).await;
    }
}

/// Serves one connection until it is closed.
async fn serve_connection(
    stream: TcpStream,
    peer: Peer,
    router: Router,
    protocol: Arc<auto::Builder<TokioExecutor>>,
    watcher: Watcher,
    first_request_within: Duration,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }

    let begun = Notify::new();
    let service = service_fn(|mut request: Request<Incoming>| {
        begun.notify_one();
        request.extensions_mut().insert(peer);
        router.clone().call(request)
    });
    let served = watcher.watch(protocol.serve_connection(TokioIo::new(stream), service));
    // Neither protocol's timer runs until the first bytes have shown which protocol it is.
    let silence = async {
        if timeout(first_request_within, begun.notified()).await.is_ok() {
            std::future::pending::<()>().await;
        }
    };

    tokio::select! {
        result = served => if let Err(error) = result {
            tracing::debug!(error, "connection failed");
        },
        () = silence => tracing::debug!("no request on a new connection"),
    }
}
