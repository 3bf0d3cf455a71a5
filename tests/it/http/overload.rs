//! Overload: requests that are shed, connections that wait, and budgets per address.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use entourage::{app::Settings, domain::Limits};
use reqwest::Method;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{TYPENAME, send};
use crate::support::{
    app::{TestApp, settings},
    clock::Stopped,
    graph::beginning,
};

const HEALTH: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";

#[tokio::test]
async fn operations_past_the_limit_get_retry_after_without_queueing() {
    let limits = Limits { operations_max: 0, ..Limits::default() };
    let app = TestApp::with(Settings { limits, ..settings() }).await;
    let before = app.statements();

    let reply = send(app.post(TYPENAME)).await;

    assert_eq!((reply.status, reply.header("retry-after")), (503, "1"));
    let body: Value = serde_json::from_str(&reply.body).expect("JSON");
    assert_eq!(body["errors"][0]["extensions"]["code"], "UNAVAILABLE");
    assert_eq!(app.statements(), before);
    assert_eq!(send(app.request(Method::GET, "/healthz")).await.status, 200);
}

#[tokio::test]
async fn connections_past_the_limit_wait_until_one_is_closed() {
    let limits = Limits { client_connections_max: 2, ..Limits::default() };
    let app = TestApp::with(Settings { limits, ..settings() }).await;
    let mut first = TcpStream::connect(app.address).await.expect("accepts");
    let mut second = TcpStream::connect(app.address).await.expect("accepts");
    for accepted in [&mut first, &mut second] {
        accepted.write_all(HEALTH).await.expect("reads");
        assert!(accepted.read(&mut [0; 64]).await.expect("answers") > 0);
    }

    let mut third = TcpStream::connect(app.address).await.expect("the system accepts");
    third.write_all(HEALTH).await.expect("the system reads");
    let mut answer = [0; 64];
    let early = timeout(Duration::from_millis(50), third.read(&mut answer)).await;
    assert!(early.is_err(), "there is no room for it");

    drop(first);
    assert!(third.read(&mut answer).await.expect("answers") > 0);
    assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
}

fn cost_per_address(cost: u32) -> Limits {
    let cost_per_address_max = NonZeroU32::new(cost).expect("not zero");
    Limits { cost_per_address_max, ..Limits::default() }
}

#[tokio::test]
async fn refused_requests_are_charged_to_their_address() {
    const NEWER: &str = "application/graphql-response+json";
    let follow = r#"{"query":"mutation { follow(input: {user: {id: \"x\"}}) { outcome } }"}"#;
    let kinds = [
        ("no JSON", "{", None, 400),
        ("no GraphQL", r#"{"query":"{"}"#, None, 400),
        ("not of the schema", r#"{"query":"{ nothing }"}"#, None, 400),
        ("too large a page", r#"{"query":"{ users(first: 101) { totalCount } }"}"#, None, 400),
        ("a bad token", TYPENAME, Some("Bearer x"), 401),
        ("no scheme", TYPENAME, Some("x"), 401),
        ("not signed in", follow, None, 401),
    ];
    for (kind, body, authorization, status) in kinds {
        let app = TestApp::with(Settings {
            limits: cost_per_address(250),
            rate_limits: true,
            clock: Arc::new(Stopped(beginning())),
            ..settings()
        })
        .await;
        let statuses = [status, status, 429].map(|status| (kind, status));
        for expected in statuses {
            let mut request = app.post(body).header("accept", NEWER);
            if let Some(authorization) = authorization {
                request = request.header("authorization", authorization);
            }
            assert_eq!((kind, send(request).await.status), expected);
        }
        let reply = send(app.post(TYPENAME).header("accept", NEWER)).await;
        assert_eq!((reply.status, reply.code().as_str()), (429, "RATE_LIMITED"), "{kind}");
        assert_eq!(reply.header("retry-after"), "12", "{kind}");
        assert_eq!(send(app.request(Method::GET, "/healthz")).await.status, 200, "{kind}");
    }
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_client_has_a_budget_of_its_own() {
    // Two requests, of 100 each, and their operations, of 1 each.
    let limits = cost_per_address(202);
    for (proxies, statuses) in
        [("127.0.0.1", [200, 200, 429, 200]), ("10.0.0.0/8", [200, 200, 429, 429])]
    {
        let app = TestApp::with(Settings {
            limits,
            rate_limits: true,
            proxies: vec![proxies.parse().expect("a network")],
            clock: Arc::new(Stopped(beginning())),
            ..settings()
        })
        .await;
        let clients = ["203.0.113.5", "203.0.113.5", "203.0.113.5", "203.0.113.6"];
        for (client, status) in clients.into_iter().zip(statuses) {
            let request = app.post(TYPENAME).header("accept", "application/graphql-response+json");
            let reply = send(request.header("x-forwarded-for", client)).await;
            assert_eq!(reply.status, status, "{client} behind {proxies}");
        }
    }
}
