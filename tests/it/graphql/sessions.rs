//! Changing a password and signing out everywhere: which tokens are worth something afterwards.

use std::sync::Arc;

use entourage::app::Settings;
use serde_json::{Value, json};

use super::{code, data, on_both_engines};
use crate::support::{
    app::{TestApp, settings},
    clock::Stopped,
    database::{Database, Engine},
    graph::{beginning, draw},
};

on_both_engines! {
    another_password_ends_older_tokens_and_gives_a_new_one,
    a_wrong_password_changes_nothing,
    a_new_password_keeps_the_rules,
    signing_out_everywhere_ends_every_token,
    a_token_that_was_ended_amid_an_operation_changes_no_password,
    ending_tokens_costs_one_statement_and_checking_them_none,
}

const PASSWORD: &str = "correct horse";
const CHANGE: &str = "mutation ($in: ChangePasswordInput!) { changePassword(input: $in) {
    token userErrors { code field message } viewer { user { username } } } }";
const SIGN_OUT: &str = "mutation { signOutEverywhere { userErrors { code } } }";

async fn sign_up(app: &TestApp, username: &str) -> String {
    let query = "mutation ($in: SignUpInput!) { signUp(input: $in) { token } }";
    let input = json!({ "username": username, "password": PASSWORD });
    let response = app.graphql(query, json!({ "in": input }), None).await;
    data(&response)["signUp"]["token"].as_str().expect("a token").to_owned()
}

async fn signs_in(app: &TestApp, username: &str, password: &str) -> bool {
    let query = "mutation ($in: SignInInput!) { signIn(input: $in) { token } }";
    let input = json!({ "username": username, "password": password });
    let response = app.graphql(query, json!({ "in": input }), None).await;
    data(&response)["signIn"]["token"].is_string()
}

async fn change(app: &TestApp, token: &str, current: &str, new: &str) -> Value {
    let input = json!({ "currentPassword": current, "newPassword": new });
    app.graphql(CHANGE, json!({ "in": input }), Some(token)).await
}

/// The status of an answer to a request with this token.
async fn status(app: &TestApp, token: &str) -> u16 {
    let request = app.post(r#"{"query":"{ __typename }"}"#).bearer_auth(token);
    request.send().await.expect("the server answers").status().as_u16()
}

async fn another_password_ends_older_tokens_and_gives_a_new_one(app: TestApp) {
    let caller = sign_up(&app, "alice").await;
    let older = [app.token("alice", None).await, app.token("alice", Some("follow")).await];
    let others = sign_up(&app, "bob").await;

    let response = change(&app, &caller, PASSWORD, "battery staple").await;

    let payload = &data(&response)["changePassword"];
    let new = payload["token"].as_str().expect("a token");
    assert_eq!(payload["userErrors"], json!([]));
    assert_eq!(payload["viewer"]["user"]["username"], "alice");
    for ended in older.iter().chain([&caller]) {
        assert_eq!(status(&app, ended).await, 401);
    }
    assert_eq!((status(&app, new).await, status(&app, &others).await), (200, 200));
    assert_eq!(status(&app, &app.token("alice", None).await).await, 200);
    assert!(signs_in(&app, "alice", "battery staple").await);
    assert!(!signs_in(&app, "alice", PASSWORD).await);
}

async fn a_wrong_password_changes_nothing(app: TestApp) {
    let token = sign_up(&app, "alice").await;
    let without_password = app.sign_up("bob").await;

    let error = json!({ "code": "WRONG_PASSWORD", "field": ["input", "currentPassword"],
        "message": "Wrong password." });
    let wrong = json!({ "token": null, "userErrors": [error],
        "viewer": null });
    for (token, current) in [
        (&token, "wrong horse"),
        (&token, ""),
        (&without_password, ""),
        (&without_password, "nobody has this one"),
    ] {
        let response = change(&app, token, current, "battery staple").await;
        assert_eq!(data(&response)["changePassword"], wrong, "{current}");
        assert_eq!(status(&app, token).await, 200);
    }
    assert!(signs_in(&app, "alice", PASSWORD).await);
}

async fn a_new_password_keeps_the_rules(app: TestApp) {
    let token = sign_up(&app, "alice").await;
    let long = "x".repeat(257);
    let (too_short, too_long) = (("TOO_SHORT", "newPassword"), ("TOO_LONG", "newPassword"));
    let wrong = ("WRONG_PASSWORD", "currentPassword");
    for (current, new, errors) in [
        (PASSWORD, "short", &[too_short][..]),
        (PASSWORD, &long, &[too_long]),
        (PASSWORD, "a NUL \0 within", &[("INVALID", "newPassword")]),
        ("wrong horse", "short", &[wrong, too_short]),
    ] {
        let response = change(&app, &token, current, new).await;
        let found = data(&response)["changePassword"]["userErrors"].as_array().expect("a list");
        let found = found.iter().map(|error| json!([error["code"], error["field"]]));
        let expected = errors.iter().map(|(code, field)| json!([code, ["input", field]]));
        assert_eq!(found.collect::<Vec<_>>(), expected.collect::<Vec<_>>(), "{new}");
    }
    assert_eq!(status(&app, &token).await, 200);
    assert!(signs_in(&app, "alice", PASSWORD).await);
}

async fn signing_out_everywhere_ends_every_token(app: TestApp) {
    let caller = sign_up(&app, "alice").await;
    let another = app.token("alice", None).await;
    let others = app.sign_up("bob").await;

    let response = app.graphql(SIGN_OUT, json!({}), Some(&caller)).await;

    let payload = json!({ "userErrors": [] });
    assert_eq!(data(&response)["signOutEverywhere"], payload);
    assert_eq!((status(&app, &caller).await, status(&app, &another).await), (401, 401));
    assert_eq!(status(&app, &others).await, 200);
    assert_eq!(status(&app, &app.token("alice", None).await).await, 200);
    assert!(signs_in(&app, "alice", PASSWORD).await);
}

async fn a_token_that_was_ended_amid_an_operation_changes_no_password(app: TestApp) {
    let token = sign_up(&app, "alice").await;
    let query = "mutation ($in: ChangePasswordInput!) {
        signOutEverywhere { userErrors { code } }
        changePassword(input: $in) { token } }";
    let input = json!({ "currentPassword": PASSWORD, "newPassword": "battery staple" });

    let response = app.graphql(query, json!({ "in": input }), Some(&token)).await;

    assert_eq!(code(&response), "UNAUTHENTICATED");
    assert_eq!(response["data"]["changePassword"], Value::Null);
    assert!(signs_in(&app, "alice", PASSWORD).await);
}

async fn ending_tokens_costs_one_statement_and_checking_them_none(app: TestApp) {
    let token = sign_up(&app, "alice").await;
    let authentication = 1;

    let before = app.statements();
    let response = change(&app, &token, PASSWORD, "battery staple").await;
    assert_eq!(app.statements() - before, authentication + 2, "credentials, change");

    let before = app.statements();
    assert_eq!(status(&app, &token).await, 401);
    assert_eq!(app.statements() - before, authentication);

    let token = data(&response)["changePassword"]["token"].as_str().expect("a token");
    let before = app.statements();
    data(&app.graphql(SIGN_OUT, json!({}), Some(token)).await);
    assert_eq!(app.statements() - before, authentication + 1);
}

#[tokio::test]
async fn attempts_to_change_a_password_are_limited() {
    let clock = Arc::new(Stopped(beginning()));
    let app = TestApp::with(Settings { rate_limits: true, clock, ..settings() }).await;
    let token = sign_up(&app, "alice").await;

    for _ in 0..10 {
        let response = change(&app, &token, "wrong horse", "battery staple").await;
        let error = &data(&response)["changePassword"]["userErrors"][0];
        assert_eq!(error["code"], "WRONG_PASSWORD");
    }
    let limited = change(&app, &token, PASSWORD, "battery staple").await;
    assert_eq!(code(&limited), "RATE_LIMITED");
    assert_eq!(limited["errors"][0]["extensions"]["retryAfter"], 6);
}

#[tokio::test]
async fn a_closed_server_signs_out_and_changes_no_password() {
    let closed = Settings { sign_up: false, ..settings() };
    let app = TestApp::on(Database::migrated(Engine::Sqlite).await, closed).await;
    draw(&*app.store, "alice").await;
    let token = app.token("alice", None).await;

    let response = change(&app, &token, PASSWORD, "battery staple").await;
    let codes = response["errors"].as_array().expect("errors").iter();
    assert!(codes.clone().all(|error| error["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"));
    let sdl = reqwest::get(app.url("/schema.graphql")).await.expect("it answers");
    assert!(!sdl.text().await.expect("text").to_lowercase().contains("changepassword"));

    data(&app.graphql(SIGN_OUT, json!({}), Some(&token)).await);
    assert_eq!(status(&app, &token).await, 401);
}
