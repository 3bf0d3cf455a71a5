//! Limits on sockets, streams and operations.

use std::{
    num::NonZeroU32,
    time::{Duration, Instant},
};

use entourage::{app::Settings, domain::Limits};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::{
    EVENTS,
    client::{Socket, status},
    event, follow,
    sse::Stream,
};
use crate::support::app::{TestApp, settings};

const PROTOCOL: (&str, &str) = ("sec-websocket-protocol", "graphql-transport-ws");

async fn limited(limits: Limits) -> TestApp {
    TestApp::with(Settings { limits, ..settings() }).await
}

fn code(message: &Value) -> &Value {
    assert_eq!(message["type"], "error", "{message}");
    &message["payload"][0]["extensions"]["code"]
}

#[tokio::test]
async fn a_socket_has_a_limit_on_operations() {
    let app = limited(Limits { operations_per_socket_max: 2, ..Limits::default() }).await;
    let ada = app.sign_up("ada").await;
    let mut socket = Socket::ready(&app, &ada).await;
    for id in ["1", "2", "3"] {
        socket.subscribe(id, EVENTS).await;
    }
    assert_eq!(code(&socket.message().await), "RATE_LIMITED");
    socket.send(json!({ "id": "1", "type": "complete" })).await;
    socket.subscribe("3", EVENTS).await;
    assert!(socket.ping().await.is_empty());
}

#[tokio::test]
async fn a_viewer_has_a_limit_on_sockets_and_streams() {
    let app = limited(Limits { sockets_per_viewer_max: 2, ..Limits::default() }).await;
    let (ada, bob) = (app.sign_up("ada").await, app.sign_up("bob").await);
    let first = Socket::ready(&app, &ada).await;
    let stream = || app.post(json!({ "query": EVENTS }).to_string()).bearer_auth(&ada);
    let second = Stream::open(stream()).await;

    let mut third = Socket::open(&app).await;
    let payload = json!({ "authorization": format!("Bearer {ada}") });
    third.send(json!({ "type": "connection_init", "payload": payload })).await;
    assert_eq!(third.close_code().await, 1013);
    let refused = Stream::open(stream()).await.event().await.json();
    assert_eq!(refused["errors"][0]["extensions"]["code"], "RATE_LIMITED");
    let other = Socket::ready(&app, &bob).await;

    drop((first, second, other));
    loop {
        // The server notices a lost connection in its own time.
        let first = Stream::open(stream()).await;
        let mut socket = Socket::open(&app).await;
        let init = json!({ "type": "connection_init", "payload": payload });
        socket.send(init).await;
        if matches!(socket.next().await, super::client::Got::Message(_)) {
            drop(first);
            break;
        }
    }
}

#[tokio::test]
async fn an_address_has_a_limit_on_sockets_and_streams() {
    let app = limited(Limits { sockets_per_address_max: 1, ..Limits::default() }).await;
    let socket = Socket::open(&app).await;
    assert_eq!(status(&app, &[PROTOCOL]).await, 429);
    let stream = app.post(json!({ "query": "{ viewer { id } }" }).to_string());
    let refused = Stream::open(stream).await.event().await.json();
    assert_eq!(refused["errors"][0]["extensions"]["code"], "RATE_LIMITED");
    drop(socket);
    while status(&app, &[PROTOCOL]).await != 101 {}
}

#[tokio::test]
async fn the_server_has_a_limit_on_subscriptions() {
    let app = limited(Limits { subscriptions_max: 1, ..Limits::default() }).await;
    let ada = app.sign_up("ada").await;
    let mut socket = Socket::ready(&app, &ada).await;
    assert_eq!(status(&app, &[PROTOCOL]).await, 503);
    socket.subscribe("1", EVENTS).await;
    socket.subscribe("2", EVENTS).await;
    assert_eq!(code(&socket.message().await), "UNAVAILABLE");
    socket.subscribe("3", "{ viewer { id } }").await;
    assert_eq!(socket.message().await["type"], "next");
}

#[tokio::test]
async fn a_message_has_a_limit_on_its_size() {
    let app = TestApp::start().await;
    for bytes in [300_000, 3_000_000] {
        let mut socket = Socket::open(&app).await;
        socket
            .text(&format!(r#"{{"type":"ping","payload":{{"x":"{}"}}}}"#, "x".repeat(bytes)))
            .await;
        assert_eq!(socket.close_code().await, 1009);
    }
    let mut socket = Socket::open(&app).await;
    socket.text(&format!(r#"{{"type":"ping","payload":{{"x":"{}"}}}}"#, "x".repeat(200_000))).await;
    assert_eq!(socket.message().await["type"], "pong");
}

#[tokio::test]
async fn messages_are_charged_to_their_address() {
    let cost = NonZeroU32::new(60_000).expect("not zero");
    let limits =
        Limits { cost_per_minute_max: cost, cost_per_address_max: cost, ..Limits::default() };
    let app = TestApp::with(Settings { limits, rate_limits: true, ..settings() }).await;
    let mut socket = Socket::open(&app).await;
    for _ in 0..350 {
        socket.send(json!({ "type": "ping" })).await;
        socket.frame(Message::Ping(Vec::new().into())).await;
    }
    assert_eq!(socket.close_code().await, 1008);
    assert_eq!(status(&app, &[PROTOCOL]).await, 429);
}

#[tokio::test]
async fn an_empty_budget_delays_events() {
    // A hundred a second.
    let cost_per_minute_max = NonZeroU32::new(6_000).expect("not zero");
    let limits = Limits { cost_per_minute_max, ..Limits::default() };
    let app = TestApp::with(Settings { limits, rate_limits: true, ..settings() }).await;
    let ada = app.sign_up("ada").await;
    let mut socket = Socket::ready(&app, &ada).await;
    // An event costs 99, so 60 are paid at once.
    let query = "subscription { followEvents { user { followers(first: 99) { nodes { id } } } } }";
    let began = Instant::now();
    socket.subscribe("1", query).await;
    assert!(socket.ping().await.is_empty());
    for n in 0..62 {
        let token = app.sign_up(&format!("user_{n}")).await;
        follow(&app, &token, "ada").await;
    }
    for _ in 0..62 {
        assert!(event(&socket.message().await)["user"].is_object());
    }
    assert!(began.elapsed() > Duration::from_secs(1), "{:?}", began.elapsed());
}
