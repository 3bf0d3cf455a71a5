//! Whom a socket speaks for, and what ends that.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::TimeDelta;
use entourage::{app::Settings, http::Patience};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{
    EVENTS,
    client::{Got, Socket, handshake, status},
    event, follow, from_now, patient,
};
use crate::{
    graphql::on_both_engines,
    support::{
        app::{TestApp, settings},
        clock::ByHand,
    },
};

on_both_engines! {
    a_socket_closes_when_its_viewer_signs_out,
    a_subscription_goes_on_after_a_cursor,
    a_cursor_ahead_of_the_log_has_expired,
    the_events_of_a_batch_share_their_statements,
}

const PROTOCOL: (&str, &str) = ("sec-websocket-protocol", "graphql-transport-ws");
const VIEWER: &str = "{ viewer { user { username } } }";

async fn init(socket: &mut Socket, payload: Value) {
    socket.send(json!({ "type": "connection_init", "payload": payload })).await;
}

/// The answer to who the viewer is.
async fn viewer(socket: &mut Socket) -> Value {
    socket.subscribe("who", VIEWER).await;
    let message = socket.message().await;
    assert_eq!(socket.message().await["type"], "complete");
    message["payload"]["data"]["viewer"].clone()
}

#[tokio::test]
async fn a_token_comes_with_the_upgrade_or_with_the_init() {
    let app = TestApp::start().await;
    let ada = app.sign_up("ada").await;
    let bearer = format!("Bearer {ada}");
    let ada = json!({ "user": { "username": "ada" } });
    for (header, payload, expected) in [
        (None, json!({ "authorization": bearer }), &ada),
        (None, json!({ "Authorization": bearer }), &ada),
        (Some(&bearer), json!({}), &ada),
        (Some(&bearer), json!({ "authorization": bearer }), &ada),
        (None, json!({}), &Value::Null),
        (None, json!({ "authorization": "" }), &Value::Null),
    ] {
        let mut headers = vec![PROTOCOL];
        headers.extend(header.map(|bearer| ("authorization", bearer.as_str())));
        let (mut socket, _) = handshake(&app, &headers).await.expect("upgraded");
        init(&mut socket, payload.clone()).await;
        assert_eq!(socket.message().await["type"], "connection_ack");
        assert_eq!(viewer(&mut socket).await, *expected, "{payload}");
    }
}

#[tokio::test]
async fn a_bad_token_is_forbidden() {
    let app = TestApp::start().await;
    for payload in [json!({ "authorization": "Bearer x" }), json!({ "authorization": "x" })] {
        let mut socket = Socket::open(&app).await;
        init(&mut socket, payload).await;
        assert_eq!(socket.close_code().await, 4403);
    }
    let headers = [PROTOCOL, ("authorization", "Bearer x")];
    let (mut socket, _) = handshake(&app, &headers).await.expect("upgraded");
    init(&mut socket, json!({})).await;
    assert_eq!(socket.close_code().await, 4403);
}

#[tokio::test]
async fn two_tokens_that_differ_are_malformed() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.sign_up("ada").await, app.sign_up("bob").await);
    let bearer = format!("Bearer {ada}");
    let headers = [PROTOCOL, ("authorization", &*bearer)];
    let (mut socket, _) = handshake(&app, &headers).await.expect("upgraded");
    init(&mut socket, json!({ "authorization": format!("Bearer {bob}") })).await;
    assert_eq!(socket.close_code().await, 4400);
    for payload in
        [json!({ "authorization": 7 }), json!({ "authorization": bearer, "Authorization": bearer })]
    {
        let mut socket = Socket::open(&app).await;
        init(&mut socket, payload).await;
        assert_eq!(socket.close_code().await, 4400);
    }
}

#[tokio::test]
async fn a_signed_out_client_cannot_subscribe() {
    let app = TestApp::start().await;
    let mut socket = Socket::open(&app).await;
    init(&mut socket, json!({})).await;
    assert_eq!(socket.message().await["type"], "connection_ack");
    socket.subscribe("1", EVENTS).await;
    let message = socket.message().await;
    assert_eq!(message["payload"][0]["extensions"]["code"], "UNAUTHENTICATED", "{message}");
    assert!(socket.ping().await.is_empty(), "the socket stays open");
}

#[tokio::test]
async fn pages_of_other_sites_open_no_socket() {
    let cors_origins = vec!["https://app.example.com".parse().expect("an origin")];
    let app = TestApp::with(Settings { cors_origins, ..settings() }).await;
    let own = format!("http://{}", app.address);
    for (origin, expected) in [
        ("https://app.example.com", 101),
        (&own, 101),
        ("https://evil.example.com", 403),
        ("http://localhost", 403),
        ("null", 403),
    ] {
        assert_eq!(status(&app, &[PROTOCOL, ("origin", origin)]).await, expected, "{origin}");
    }
}

async fn a_socket_closes_when_its_viewer_signs_out(app: TestApp) {
    let ada = app.sign_up("ada").await;
    let mut socket = Socket::ready(&app, &ada).await;
    socket.subscribe("1", EVENTS).await;
    assert!(socket.ping().await.is_empty());
    let query = "mutation { signOutEverywhere { userErrors { message } } }";
    app.graphql(query, json!({}), Some(&ada)).await;
    let bob = app.sign_up("bob").await;
    follow(&app, &bob, "ada").await;
    // Within 30 seconds, and without the event.
    let code = timeout(Duration::from_secs(40), socket.next()).await.expect("in time");
    assert_eq!(code, Got::Closed(4403));
}

#[tokio::test]
async fn a_socket_without_operations_closes_too() {
    let app = patient(Patience { check: Duration::from_millis(50), ..Patience::default() }).await;
    let ada = app.sign_up("ada").await;
    let mut socket = Socket::ready(&app, &ada).await;
    assert!(socket.ping().await.is_empty());
    let query = "mutation { signOutEverywhere { userErrors { message } } }";
    app.graphql(query, json!({}), Some(&ada)).await;
    assert_eq!(socket.close_code().await, 4403);
}

#[tokio::test]
async fn an_operation_with_a_revoked_token_closes_the_socket() {
    let app = TestApp::start().await;
    let ada = app.sign_up("ada").await;
    let mut socket = Socket::ready(&app, &ada).await;
    let query = "mutation { signOutEverywhere { userErrors { message } } }";
    app.graphql(query, json!({}), Some(&ada)).await;
    socket.subscribe("1", VIEWER).await;
    assert_eq!(socket.close_code().await, 4403);
}

#[tokio::test]
async fn a_socket_closes_when_its_account_is_deleted() {
    let app = TestApp::start().await;
    let ada = app.sign_up("ada").await;
    let mut socket = Socket::ready(&app, &ada).await;
    socket.subscribe("1", EVENTS).await;
    assert!(socket.ping().await.is_empty());
    let query = "mutation { deleteAccount(input: {}) { userErrors { message } } }";
    let reply = app.graphql(query, json!({}), Some(&ada)).await;
    assert_eq!(reply["data"]["deleteAccount"]["userErrors"], json!([]), "{reply}");
    assert_eq!(socket.close_code().await, 4403);
}

#[tokio::test]
async fn a_socket_closes_when_its_token_expires() {
    let clock = ByHand::new("2026-01-31T12:00:00Z".parse().expect("a time"));
    let app = TestApp::with(Settings { clock: Arc::new(clock.clone()), ..settings() }).await;
    app.sign_up("ada").await;
    let ada = app.token("ada", None).await;
    // It has a second left.
    clock.advance(TimeDelta::seconds(3_599));
    let mut socket = Socket::ready(&app, &ada).await;
    socket.subscribe("1", EVENTS).await;
    assert!(socket.ping().await.is_empty());
    clock.advance(TimeDelta::seconds(10));
    let began = Instant::now();
    assert_eq!(socket.next().await, Got::Closed(4403));
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

/// The subscription from a cursor on.
fn after(cursor: &str) -> String {
    EVENTS.replace("followEvents", &format!("followEvents(after: \"{cursor}\")"))
}

async fn a_subscription_goes_on_after_a_cursor(app: TestApp) {
    let ada = app.sign_up("ada").await;
    let mut socket = Socket::ready(&app, &ada).await;
    let events = from_now(&app, &ada).await;
    socket.subscribe("1", &events).await;
    assert!(socket.ping().await.is_empty());
    let mut cursors = Vec::new();
    for name in ["bob", "eve", "max"] {
        let token = app.sign_up(name).await;
        follow(&app, &token, "ada").await;
        cursors.push(event(&socket.message().await)["cursor"].as_str().expect("one").to_owned());
    }
    drop(socket);

    let mut socket = Socket::ready(&app, &ada).await;
    socket.subscribe("2", &after(&cursors[0])).await;
    for (name, cursor) in [("eve", &cursors[1]), ("max", &cursors[2])] {
        let message = socket.message().await;
        assert_eq!(event(&message)["user"]["username"], name);
        assert_eq!(event(&message)["cursor"], **cursor);
    }

    // The cursor of another user, and of another list.
    let bob = app.token("bob", None).await;
    let mut socket = Socket::ready(&app, &bob).await;
    let query = "{ user(username: \"ada\") { followers { pageInfo { endCursor } } } }";
    let reply = app.graphql(query, json!({}), None).await;
    let list = reply["data"]["user"]["followers"]["pageInfo"]["endCursor"].as_str().expect("one");
    for cursor in [&cursors[0], list, "", "x"] {
        socket.subscribe("1", &after(cursor)).await;
        let message = socket.message().await;
        assert_eq!(message["payload"][0]["extensions"]["code"], "INVALID_CURSOR", "{message}");
        let argument = &message["payload"][0]["extensions"]["argument"];
        assert_eq!(argument, "followEvents.after");
    }
}

async fn a_cursor_ahead_of_the_log_has_expired(app: TestApp) {
    let ada = app.sign_up("ada").await;
    let bob = app.sign_up("bob").await;
    let mut socket = Socket::ready(&app, &ada).await;
    let events = from_now(&app, &ada).await;
    socket.subscribe("1", &events).await;
    assert!(socket.ping().await.is_empty());
    follow(&app, &bob, "ada").await;
    let cursor = event(&socket.message().await)["cursor"].as_str().expect("one").to_owned();
    // The last characters are the number.
    let ahead = format!("{}w", &cursor[..cursor.len() - 1]);
    socket.subscribe("2", &after(&ahead)).await;
    let message = socket.message().await;
    let extensions = &message["payload"][0]["extensions"];
    assert_eq!(extensions["code"], "EVENTS_EXPIRED", "{message}");

    // It can go on from there.
    let oldest = extensions["oldestCursor"].as_str().expect("a cursor");
    socket.subscribe("3", &after(oldest)).await;
    let message = socket.message().await;
    assert_eq!((&message["id"], &event(&message)["cursor"]), (&json!("3"), &json!(cursor)));
}

/// How many statements a subscription takes to deliver `count` events of the past.
async fn statements(app: &TestApp, socket: &mut Socket, after: &str, count: usize) -> u64 {
    let query = format!(
        "subscription {{ followEvents(after: \"{after}\") {{ kind user {{ username followerCount
            viewerIsFollowing followers(first: 2) {{ nodes {{ username }} }} }} }} }}"
    );
    let before = app.statements();
    socket.subscribe("s", &query).await;
    for _ in 0..count {
        let message = socket.message().await;
        assert!(event(&message)["user"]["followers"].is_object(), "{message}");
    }
    let taken = app.statements() - before;
    socket.send(json!({ "id": "s", "type": "complete" })).await;
    assert!(socket.ping().await.is_empty());
    taken
}

async fn the_events_of_a_batch_share_their_statements(app: TestApp) {
    let ada = app.sign_up("ada").await;
    let mut socket = Socket::ready(&app, &ada).await;
    let events = from_now(&app, &ada).await;
    socket.subscribe("1", &events).await;
    assert!(socket.ping().await.is_empty());
    let mut cursors = Vec::new();
    for n in 0..40 {
        let token = app.sign_up(&format!("user_{n}")).await;
        follow(&app, &token, "ada").await;
        let message = socket.message().await;
        cursors.push(event(&message)["cursor"].as_str().expect("one").to_owned());
    }
    socket.send(json!({ "id": "1", "type": "complete" })).await;

    let projected = app.projections();
    let few = statements(&app, &mut socket, &cursors[36], 3).await;
    assert_eq!(app.projections() - projected, 3, "a user of an event is projected");
    let many = statements(&app, &mut socket, &cursors[0], 39).await;
    assert!(many <= few + 2, "3 events took {few} statements, and 39 took {many}");
}
