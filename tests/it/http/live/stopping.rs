//! What sockets and streams see of a server that stops.

use std::time::{Duration, Instant};

use entourage::{app::Settings, domain::Limits};
use futures_util::future::join_all;
use serde_json::json;

use super::{
    EVENTS,
    client::{Got, Socket},
    sse::Stream,
};
use crate::support::app::{TestApp, settings};

const SOCKETS: usize = 1_000;
const STREAMS: usize = 100;

#[tokio::test]
async fn a_stopping_server_sends_its_sockets_elsewhere() {
    let limits = Limits {
        sockets_per_viewer_max: 2_000,
        sockets_per_address_max: 2_000,
        ..Limits::default()
    };
    let mut app = TestApp::with(Settings { limits, ..settings() }).await;
    let ada = app.sign_up("ada").await;
    let mut sockets = Vec::new();
    for _ in 0..SOCKETS {
        let mut socket = Socket::ready(&app, &ada).await;
        socket.subscribe("1", EVENTS).await;
        sockets.push(socket);
    }
    let mut streams = Vec::new();
    for _ in 0..STREAMS {
        let request = app.post(json!({ "query": EVENTS }).to_string()).bearer_auth(&ada);
        streams.push(Stream::open(request).await);
    }
    for socket in &mut sockets {
        assert!(socket.ping().await.is_empty());
    }

    app.stop();
    let began = Instant::now();
    let closed = join_all(sockets.iter_mut().map(Socket::next)).await;
    assert!(closed.iter().all(|got| *got == Got::Closed(1012)), "{closed:?}");
    let ended = join_all(streams.iter_mut().map(Stream::next)).await;
    assert!(ended.iter().all(Option::is_none), "a stream ends without complete");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    drop((sockets, streams));
    app.stopped().await;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_stopping_server_does_not_wait_for_silent_sockets() {
    let mut app = TestApp::start().await;
    let _silent = Socket::open(&app).await;
    app.stop();
    let began = Instant::now();
    app.stopped().await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}
