//! Who sends a request.

use chrono::TimeDelta;
use entourage::domain::{Clock, SystemClock, UserId};
use reqwest::header::{ACCEPT, AUTHORIZATION};
use serde_json::json;

use super::send;
use crate::support::app::{TestApp, tokens};

const WHO: &str = r#"{"query":"{ viewer { user { username } } }"}"#;

#[tokio::test]
async fn a_bearer_token_names_the_viewer_whatever_the_case_of_the_scheme() {
    let app = TestApp::start().await;
    let token = app.sign_up("alice").await;

    for scheme in ["Bearer", "bearer", "BEARER"] {
        let reply = send(app.post(WHO).header(AUTHORIZATION, format!("{scheme} {token}"))).await;
        assert_eq!(reply.json()["data"]["viewer"]["user"]["username"], "alice", "{scheme}");
    }
    let reply = send(app.post(WHO)).await;
    assert_eq!(reply.json(), json!({ "data": { "viewer": null } }));
}

#[tokio::test]
async fn a_bad_token_is_never_anonymous() {
    let app = TestApp::start().await;
    let good = app.sign_up("alice").await;
    let now = SystemClock.now();
    let expired = tokens().issue(UserId(1), None, now - TimeDelta::hours(2), TimeDelta::hours(1));
    let nobodys = tokens().issue(UserId(1), None, now, TimeDelta::hours(1));

    let bad = [
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        "Bearer x".to_owned(),
        format!("Bearer {good}x"),
        format!("Bearer {good} {good}"),
        format!("Basic {good}"),
        format!("Token {good}"),
        good,
        format!("Bearer {}", expired.expect("signs")),
        format!("Bearer {}", nobodys.expect("signs")),
    ];
    for value in bad {
        for accept in ["application/json", "application/graphql-response+json"] {
            let request = app.post(WHO).header(ACCEPT, accept).header(AUTHORIZATION, &value);
            let reply = send(request).await;
            assert_eq!((reply.status, reply.code().as_str()), (401, "UNAUTHENTICATED"), "{value}");
            assert_eq!(reply.header("www-authenticate"), "Bearer", "{value}");
        }
    }
}

#[tokio::test]
async fn two_authorization_headers_are_refused() {
    let app = TestApp::start().await;
    let token = format!("Bearer {}", app.sign_up("alice").await);
    let request = app.post(WHO).header(AUTHORIZATION, &token).header(AUTHORIZATION, &token);
    let reply = send(request).await;
    assert_eq!((reply.status, reply.code().as_str()), (400, "BAD_USER_INPUT"));
}

#[tokio::test]
async fn who_must_sign_in_or_may_not_is_told_so_by_status() {
    let app = TestApp::start().await;
    app.sign_up("alice").await;
    let narrowed = app.token("alice", Some("nothing")).await;
    let follow = r#"{"query":"mutation { follow(input: {user: {username: \"x\"}}) { outcome } }"}"#;
    let graphql = "application/graphql-response+json";

    let reply = send(app.post(follow).header(ACCEPT, graphql)).await;
    assert_eq!((reply.status, reply.code().as_str()), (401, "UNAUTHENTICATED"));
    assert_eq!(reply.header("www-authenticate"), "Bearer");
    let reply = send(app.post(follow).header(ACCEPT, graphql).bearer_auth(&narrowed)).await;
    assert_eq!((reply.status, reply.code().as_str()), (403, "FORBIDDEN"));
    let reply = send(app.post(follow).bearer_auth(&narrowed)).await;
    assert_eq!((reply.status, reply.code().as_str()), (200, "FORBIDDEN"));
}

#[tokio::test]
async fn a_token_cannot_be_looked_up_without_the_database() {
    let app = TestApp::start().await;
    let token = app.sign_up("alice").await;
    app.store.close().await;

    let reply = send(app.post(WHO).bearer_auth(token)).await;
    assert_eq!((reply.status, reply.code().as_str()), (503, "UNAVAILABLE"));
    assert!(reply.body.contains(reply.header("x-request-id")), "{}", reply.body);
    assert!(!reply.body.to_lowercase().contains("pool"), "{}", reply.body);
}
