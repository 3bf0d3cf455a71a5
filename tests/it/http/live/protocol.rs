//! The rules of `graphql-transport-ws`, in our own words:
//! <https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md>.

use std::time::Duration;

use entourage::http::Patience;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::{
    EVENTS,
    client::{Got, Socket, handshake, status},
    event, follow, from_now, patient,
};
use crate::support::app::TestApp;

const NAME: &str = "{ user(username: \"ada\") { username } }";

/// The events of the user of [`ready`] from now on.
async fn events_of_ada(app: &TestApp) -> String {
    from_now(app, &app.token("ada", None).await).await
}

/// A server with one user, and a socket of that user.
async fn ready() -> (TestApp, Socket) {
    let app = TestApp::start().await;
    let ada = app.sign_up("ada").await;
    let socket = Socket::ready(&app, &ada).await;
    (app, socket)
}

#[tokio::test]
async fn only_the_current_protocol_is_spoken() {
    let app = TestApp::start().await;
    for offered in ["graphql-transport-ws", "graphql-ws, graphql-transport-ws"] {
        let (_, response) =
            handshake(&app, &[("sec-websocket-protocol", offered)]).await.expect(offered);
        assert_eq!(response.headers()["sec-websocket-protocol"], "graphql-transport-ws");
    }
    for offered in ["graphql-ws", "soap", "graphql-transport-ws-2"] {
        assert_eq!(status(&app, &[("sec-websocket-protocol", offered)]).await, 400, "{offered}");
    }
    assert_eq!(status(&app, &[]).await, 400);
}

#[tokio::test]
async fn an_init_is_acknowledged_with_and_without_payload() {
    let app = TestApp::start().await;
    for init in [
        json!({ "type": "connection_init" }),
        json!({ "type": "connection_init", "payload": null }),
        json!({ "type": "connection_init", "payload": {} }),
        json!({ "type": "connection_init", "payload": { "authorization": null, "x": [1] } }),
    ] {
        let mut socket = Socket::open(&app).await;
        socket.send(init).await;
        assert_eq!(socket.message().await, json!({ "type": "connection_ack" }));
    }
}

#[tokio::test]
async fn an_init_has_to_come_in_time() {
    let patience = Patience { init: Duration::from_millis(100), ..Patience::default() };
    let app = patient(patience).await;
    assert_eq!(Socket::open(&app).await.close_code().await, 4408);

    let mut socket = Socket::open(&app).await;
    socket.send(json!({ "type": "connection_init" })).await;
    assert_eq!(socket.message().await["type"], "connection_ack");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(socket.ping().await.is_empty());
}

#[tokio::test]
async fn a_second_init_closes_the_socket() {
    let (_app, mut socket) = ready().await;
    socket.send(json!({ "type": "connection_init" })).await;
    assert_eq!(socket.close_code().await, 4429);

    let app = TestApp::start().await;
    let ada = app.sign_up("ada").await;
    let mut socket = Socket::open(&app).await;
    let payload = json!({ "authorization": format!("Bearer {ada}") });
    let init = json!({ "type": "connection_init", "payload": payload });
    socket.send(init.clone()).await;
    socket.send(init).await;
    assert_eq!(socket.close_code().await, 4429);
}

#[tokio::test]
async fn a_subscribe_before_the_acknowledgement_closes_the_socket() {
    let app = TestApp::start().await;
    let mut socket = Socket::open(&app).await;
    socket.subscribe("1", NAME).await;
    assert_eq!(socket.close_code().await, 4401);
}

#[tokio::test]
async fn a_query_is_one_next_and_then_complete() {
    let (_app, mut socket) = ready().await;
    socket.subscribe("a", NAME).await;
    let data = json!({ "data": { "user": { "username": "ada" } } });
    let expected = json!({ "id": "a", "type": "next", "payload": data });
    assert_eq!(socket.message().await, expected);
    assert_eq!(socket.message().await, json!({ "id": "a", "type": "complete" }));
}

#[tokio::test]
async fn a_mutation_is_one_next_and_then_complete() {
    let (_app, mut socket) = ready().await;
    let query = "mutation($in: UpdateProfileInput!) { updateProfile(input: $in) { user { bio } } }";
    let payload = json!({
        "query": query, "operationName": null, "variables": { "in": { "bio": "hi" } }, "extensions": null,
    });
    socket.send(json!({ "id": "1", "type": "subscribe", "payload": payload })).await;
    let message = socket.message().await;
    assert_eq!(message["payload"]["data"]["updateProfile"]["user"]["bio"], "hi", "{message}");
    assert_eq!(socket.message().await["type"], "complete");
}

#[tokio::test]
async fn an_operation_is_chosen_by_its_name() {
    let (_app, mut socket) = ready().await;
    let query = format!("query A {NAME} query B {{ viewer {{ id }} }}");
    let payload = json!({ "query": query, "operationName": "A", "variables": {} });
    socket.send(json!({ "id": "1", "type": "subscribe", "payload": payload })).await;
    assert_eq!(socket.message().await["payload"]["data"]["user"]["username"], "ada");
}

#[tokio::test]
async fn errors_of_a_field_are_part_of_the_result() {
    let (_app, mut socket) = ready().await;
    let query =
        "mutation { follow(input: {user: {username: \"nobody\"}}) { userErrors { code } } }";
    socket.subscribe("1", query).await;
    let message = socket.message().await;
    assert_eq!(message["type"], "next");
    assert_eq!(message["payload"]["data"]["follow"]["userErrors"][0]["code"], "NOT_FOUND");
    assert_eq!(socket.message().await["type"], "complete");
}

#[tokio::test]
async fn a_refused_operation_is_an_error_and_no_complete() {
    let (_app, mut socket) = ready().await;
    let two = "subscription { followEvents { kind } other: followEvents { kind } }";
    for (query, code) in [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        (two, "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { __typename }", "GRAPHQL_VALIDATION_FAILED"),
        (
            "subscription { followEvents { user { followers(first: -1) { totalCount } } } }",
            "BAD_USER_INPUT",
        ),
        ("subscription { followEvents(after: \"x\") { kind } }", "INVALID_CURSOR"),
    ] {
        socket.subscribe("1", query).await;
        let message = socket.message().await;
        assert_eq!((&message["type"], &message["id"]), (&json!("error"), &json!("1")), "{query}");
        let errors = message["payload"].as_array().expect("a list of errors");
        assert_eq!(errors[0]["extensions"]["code"], code, "{message}");
        assert!(errors[0]["message"].is_string(), "{message}");
        // Nothing follows, and the id is free again.
        assert_eq!(socket.ping().await, [] as [Value; 0]);
    }
}

#[tokio::test]
async fn events_come_in_order_until_the_client_completes() {
    let (app, mut socket) = ready().await;
    let events = events_of_ada(&app).await;
    socket.subscribe("s", &events).await;
    assert!(socket.ping().await.is_empty());
    let names = ["bob", "eve", "max"];
    let mut tokens = Vec::new();
    for name in names {
        tokens.push(app.sign_up(name).await);
        follow(&app, &tokens[tokens.len() - 1], "ada").await;
    }
    for name in names {
        let message = socket.message().await;
        assert_eq!((&message["id"], &message["type"]), (&json!("s"), &json!("next")));
        let event = event(&message);
        assert_eq!(event["user"]["username"], name, "{message}");
        assert_eq!((&event["kind"], &event["cause"]), (&json!("FOLLOWED"), &json!("USER")));
        assert_eq!(event["isRepeat"], false);
    }

    socket.send(json!({ "id": "s", "type": "complete" })).await;
    assert!(socket.ping().await.is_empty(), "a complete is not echoed");
    let late = app.sign_up("late").await;
    follow(&app, &late, "ada").await;
    socket.subscribe("q", NAME).await;
    let ids = [socket.message().await, socket.message().await].map(|message| message["id"].clone());
    assert_eq!(ids, [json!("q"), json!("q")], "no event after the complete");
}

#[tokio::test]
async fn an_id_in_use_closes_the_socket() {
    let (_app, mut socket) = ready().await;
    socket.subscribe("1", EVENTS).await;
    socket.subscribe("1", EVENTS).await;
    assert_eq!(socket.close_code().await, 4409);

    let (_app, mut socket) = ready().await;
    socket.subscribe("1", EVENTS).await;
    assert!(socket.ping().await.is_empty());
    socket.subscribe("1", NAME).await;
    assert_eq!(socket.close_code().await, 4409);
}

#[tokio::test]
async fn an_id_is_free_again_after_a_complete() {
    let (app, mut socket) = ready().await;
    let events = events_of_ada(&app).await;
    for _ in 0..50 {
        socket.subscribe("1", &events).await;
        socket.send(json!({ "id": "1", "type": "complete" })).await;
    }
    socket.subscribe("1", &events).await;
    assert!(socket.ping().await.is_empty());
    let bob = app.sign_up("bob").await;
    follow(&app, &bob, "ada").await;
    assert_eq!(event(&socket.message().await)["user"]["username"], "bob");
    assert!(socket.ping().await.is_empty(), "one subscription is left");

    let (_app, mut socket) = ready().await;
    for _ in 0..3 {
        socket.subscribe("1", NAME).await;
        assert_eq!(socket.message().await["type"], "next");
        assert_eq!(socket.message().await["type"], "complete");
    }
}

#[tokio::test]
async fn operations_on_a_socket_do_not_disturb_each_other() {
    let (app, mut socket) = ready().await;
    let events = events_of_ada(&app).await;
    for id in ["a", "b", "c"] {
        socket.subscribe(id, &events).await;
    }
    socket.subscribe("bad", "{ nothing }").await;
    assert_eq!(socket.ping().await.len(), 1);
    let bob = app.sign_up("bob").await;
    follow(&app, &bob, "ada").await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(socket.message().await["id"].as_str().expect("an id").to_owned());
    }
    ids.sort();
    assert_eq!(ids, ["a", "b", "c"]);
}

#[tokio::test]
async fn a_ping_is_answered_at_any_time() {
    let app = TestApp::start().await;
    let mut socket = Socket::open(&app).await;
    for ping in [json!({ "type": "ping" }), json!({ "type": "ping", "payload": { "a": 1 } })] {
        socket.send(ping).await;
        assert_eq!(socket.message().await["type"], "pong");
    }
    socket.send(json!({ "type": "connection_init" })).await;
    assert_eq!(socket.message().await["type"], "connection_ack");
    assert!(socket.ping().await.is_empty());
}

#[tokio::test]
async fn pongs_and_unknown_ids_are_ignored() {
    let (_app, mut socket) = ready().await;
    socket.send(json!({ "type": "pong" })).await;
    socket.send(json!({ "type": "pong", "payload": {} })).await;
    socket.send(json!({ "id": "unknown", "type": "complete" })).await;
    assert!(socket.ping().await.is_empty());
}

#[tokio::test]
async fn what_is_no_message_closes_the_socket() {
    let app = TestApp::start().await;
    for bad in [
        "",
        "hello",
        "null",
        "[]",
        "\"ping\"",
        "{}",
        r#"["connection_init",{}]"#,
        r#"{"type":null}"#,
        r#"{"type":"no such type"}"#,
        r#"{"type":"start","id":"1","payload":{"query":"{ viewer { id } }"}}"#,
        r#"{"type":"stop","id":"1"}"#,
        r#"{"type":"connection_terminate"}"#,
        r#"{"type":"next","id":"1","payload":{}}"#,
        r#"{"type":"connection_ack"}"#,
        r#"{"type":"ping","payload":1}"#,
        r#"{"type":"complete"}"#,
        r#"{"type":"subscribe","payload":{"query":"{ viewer { id } }"}}"#,
        r#"{"type":"subscribe","id":"","payload":{"query":"{ viewer { id } }"}}"#,
        r#"{"type":"subscribe","id":7,"payload":{"query":"{ viewer { id } }"}}"#,
        r#"{"type":"subscribe","id":"1"}"#,
        r#"{"type":"subscribe","id":"1","payload":null}"#,
        r#"{"type":"subscribe","id":"1","payload":[]}"#,
        r#"{"type":"subscribe","id":"1","payload":{}}"#,
        r#"{"type":"subscribe","id":"1","payload":{"query":7}}"#,
        r#"{"type":"subscribe","id":"1","payload":{"query":"{ a }","variables":"x"}}"#,
        r#"{"type":"subscribe","id":"1","payload":{"query":"{ a }","operationName":1}}"#,
    ] {
        let mut socket = Socket::open(&app).await;
        socket.send(json!({ "type": "connection_init" })).await;
        assert_eq!(socket.message().await["type"], "connection_ack");
        socket.text(bad).await;
        assert_eq!(socket.close_code().await, 4400, "{bad}");
    }
    let mut socket = Socket::open(&app).await;
    socket.text(r#"{"type":"connection_init","payload":"x"}"#).await;
    assert_eq!(socket.close_code().await, 4400);
    let mut socket = Socket::open(&app).await;
    socket.frame(Message::binary(br#"{"type":"ping"}"#.to_vec())).await;
    assert_eq!(socket.close_code().await, 4400);
}

#[tokio::test]
async fn a_client_may_close_at_any_time() {
    let (app, mut socket) = ready().await;
    socket.subscribe("1", EVENTS).await;
    assert!(socket.ping().await.is_empty());
    socket.frame(Message::Close(None)).await;
    assert!(matches!(socket.next().await, Got::Closed(_) | Got::Lost));

    let mut socket = Socket::open(&app).await;
    socket.frame(Message::Close(None)).await;
    assert!(matches!(socket.next().await, Got::Closed(_) | Got::Lost));
}

#[tokio::test]
async fn a_persisted_document_runs_over_a_socket() {
    let (_app, mut socket) = ready().await;
    let persisted = json!({ "persistedQuery": { "version": 1, "sha256Hash": "00" } });
    let payload = json!({ "extensions": persisted });
    socket.send(json!({ "id": "1", "type": "subscribe", "payload": payload })).await;
    let message = socket.message().await;
    let code = &message["payload"][0]["extensions"]["code"];
    assert_eq!(code, "PERSISTED_QUERY_NOT_FOUND", "{message}");
}

#[tokio::test]
async fn a_reply_has_the_cost_if_the_client_asks_for_it() {
    let (app, mut socket) = ready().await;
    let payload = json!({ "query": events_of_ada(&app).await, "extensions": { "cost": true } });
    socket.send(json!({ "id": "1", "type": "subscribe", "payload": payload })).await;
    assert!(socket.ping().await.is_empty());
    let bob = app.sign_up("bob").await;
    follow(&app, &bob, "ada").await;
    let message = socket.message().await;
    assert!(message["payload"]["extensions"]["cost"].is_number(), "{message}");
}

#[tokio::test]
async fn a_socket_is_pinged_while_nothing_happens() {
    let patience = Patience { ping: Duration::from_millis(50), ..Patience::default() };
    let app = patient(patience).await;
    let mut socket = Socket::open(&app).await;
    for _ in 0..3 {
        assert!(matches!(socket.raw().await, Some(Ok(Message::Ping(_)))));
    }
}
