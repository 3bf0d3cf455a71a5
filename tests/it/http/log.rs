//! The log lines of a request.

use std::{sync::Arc, time::Duration};

use entourage::{app::Settings, domain::Limits};
use reqwest::{Method, header::AUTHORIZATION};
use serde_json::{Value, json};
use sqlx::Executor;
use tokio::{io::AsyncWriteExt, net::TcpStream};
use tracing::Level;

use super::{TYPENAME, routes::Broken, send};
use crate::support::{
    app::{TestApp, settings},
    database::{Database, Engine},
    log::Log,
};

/// The access lines of operations.
fn access(log: &Log) -> Vec<Value> {
    log.fields_with(r#""path":"/graphql""#)
}

const SLOW: &str = "a slow operation";

#[tokio::test]
async fn the_access_line_has_the_operation_and_its_sender() {
    let log = Log::begin();
    let proxies = vec!["127.0.0.0/8".parse().expect("a network")];
    let app = TestApp::with(Settings { proxies, ..settings() }).await;
    let token = app.sign_up("alice").await;
    let query = "query Other { __typename } query Profile { viewer { user { username } } }";
    let body = json!({ "query": query, "operationName": "Profile" }).to_string();
    let request = app.post(body).bearer_auth(&token);
    let read = send(request.header("x-forwarded-for", "192.0.2.1, 203.0.113.5")).await;
    assert_eq!(read.json()["data"]["viewer"]["user"]["username"], "alice");

    let line = access(&log).pop().expect("a line");
    assert_eq!(line["operation"], "Profile", "{line}");
    assert_eq!(line["kind"], "query", "{line}");
    assert!(line["cost"].as_u64().is_some_and(|cost| cost >= 1), "{line}");
    assert!(line["viewer"].as_str().is_some_and(|id| id.parse::<i64>().is_ok()), "{line}");
    assert_eq!(line["client"], "203.0.113.5", "{line}");
    assert_eq!(line["status"], "200", "{line}");
    assert!(line["ms"].is_number(), "{line}");
    for private in ["alice", &token] {
        assert_eq!(log.lines_with(private), [""; 0]);
    }
}

#[tokio::test]
async fn an_anonymous_operation_has_no_name_and_no_viewer() {
    let log = Log::begin();
    let app = TestApp::start().await;
    send(app.post(TYPENAME)).await;

    let line = access(&log).pop().expect("a line");
    assert_eq!((&line["operation"], &line["viewer"]), (&Value::Null, &Value::Null), "{line}");
    assert_eq!((&line["kind"], &line["client"]), (&json!("query"), &json!("127.0.0.1")), "{line}");
}

#[tokio::test]
async fn names_of_operations_are_cut_and_refused_ones_logged() {
    let log = Log::begin();
    let app = TestApp::start().await;
    let (long, cut) = ("x".repeat(500), "x".repeat(64));
    let body = |query: String| json!({ "query": query }).to_string();
    send(app.post(body(format!("query {long} {{ __typename }}")))).await;
    send(app.post(body(format!("query {long} {{ users(first: 101) {{ totalCount }} }}")))).await;
    send(app.post(body("query \u{1b}[31m { __typename }".to_owned()))).await;

    let lines = access(&log);
    assert_eq!(lines[0]["operation"], cut);
    assert_eq!((&lines[1]["operation"], &lines[1]["kind"]), (&json!(cut), &json!("query")));
    assert_eq!((&lines[1]["cost"], &lines[1]["code"]), (&Value::Null, &json!("BAD_USER_INPUT")));
    assert_eq!(lines[2]["operation"], Value::Null, "no name of GraphQL is logged");
}

#[tokio::test]
async fn every_refusal_is_logged_with_its_code() {
    let log = Log::begin();
    let app = TestApp::start().await;
    let form = app.request(Method::POST, "/graphql").body(TYPENAME);
    let preflight = app
        .request(Method::OPTIONS, "/graphql")
        .header("origin", "https://other.example")
        .header("access-control-request-method", "POST");
    let mutation = "/graphql?query=mutation%7BsignOutEverywhere%7B__typename%7D%7D";
    let browser = app.request(Method::GET, "/nothing").header("accept", "text/html");
    let requests = [
        (app.post(TYPENAME).bearer_auth("x"), 401, "UNAUTHENTICATED"),
        (app.post(TYPENAME).header(AUTHORIZATION, "x"), 401, "UNAUTHENTICATED"),
        (form.header("content-type", "text/plain"), 415, "BAD_USER_INPUT"),
        (preflight, 403, "FORBIDDEN"),
        (app.post("{"), 400, "BAD_USER_INPUT"),
        (app.post(format!("[{TYPENAME},{TYPENAME}]")), 400, "BAD_USER_INPUT"),
        (app.post(TYPENAME).header("accept", "text/html"), 406, "BAD_USER_INPUT"),
        (app.request(Method::GET, mutation), 405, "BAD_USER_INPUT"),
        (app.request(Method::PUT, "/graphql"), 405, "BAD_USER_INPUT"),
        (app.request(Method::GET, "/nothing"), 404, "NOT_FOUND"),
        (browser, 404, "NOT_FOUND"),
        (app.post(" ".repeat(300_000)), 413, "QUERY_TOO_LARGE"),
    ];
    for (request, status, code) in requests {
        let reply = send(request).await;
        assert_eq!(reply.status, status, "{}", reply.body);
        let line = log.fields_with(r#""method":""#).pop().expect("a line");
        assert_eq!(line["status"], status.to_string(), "{line}");
        assert_eq!(line["code"], code, "{line}");
        assert_eq!(line["cost"], Value::Null, "{line}");
    }
}

#[tokio::test]
async fn the_cost_of_a_refused_operation_is_not_logged() {
    let log = Log::begin();
    let app = TestApp::start().await;
    let follow = "mutation Follow { follow(input: {user: {username: \"ada\"}}) { outcome } }";
    let body = json!({ "query": follow }).to_string();
    assert_eq!(send(app.post(body.clone())).await.code(), "UNAUTHENTICATED");
    assert_eq!(send(app.post(body.clone()).bearer_auth("x")).await.code(), "UNAUTHENTICATED");
    let token = app.sign_up("alice").await;
    assert_eq!(send(app.post(body).bearer_auth(token)).await.status, 200);

    let lines: Vec<_> =
        access(&log).into_iter().filter(|line| line["operation"] == "Follow").collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    for refused in &lines[..2] {
        assert_eq!(refused["code"], "UNAUTHENTICATED", "{refused}");
        assert_eq!(refused["cost"], Value::Null, "{refused}");
    }
    assert!(lines[2]["cost"].is_number(), "{}", lines[2]);
}

#[tokio::test]
async fn probes_are_logged_at_debug_only() {
    let probes = ["/healthz", "/readyz", "/metrics"];
    for (level, lines) in [(Level::INFO, 0), (Level::DEBUG, 1)] {
        let log = Log::at(level);
        let app = TestApp::start().await;
        for path in probes {
            send(app.request(Method::GET, path)).await;
            let line = log.lines_with(&format!(r#""path":"{path}""#));
            assert_eq!(line.len(), lines, "{level} {path}");
        }
        send(app.request(Method::GET, "/schema.graphql")).await;
        assert_eq!(log.lines_with(r#""path":"/schema.graphql""#).len(), 1, "{level}");
    }
}

#[tokio::test]
async fn a_slow_operation_is_logged_with_its_store_calls() {
    let log = Log::begin();
    let slow_operation = Some(Duration::ZERO);
    let app = TestApp::with(Settings { slow_operation, ..settings() }).await;
    let query =
        "query Lists { user(username: \"alice\") { followers { totalCount edges { cursor } }
        following { totalCount edges { cursor } } } }";
    app.sign_up("alice").await;
    send(app.post(json!({ "query": query }).to_string())).await;
    send(app.request(Method::GET, "/readyz")).await;

    let warnings = log.lines_with(r#""level":"WARN""#);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let line = log.fields_with(SLOW).pop().expect("a line");
    assert_eq!((&line["operation"], &line["kind"]), (&json!("Lists"), &json!("query")), "{line}");
    assert!(line["ms"].is_number() && line["cost"].is_number(), "{line}");
    let calls = line["store"].as_str().expect("text");
    assert!(calls.contains("pages_of_follows calls=1 statements=1 ms="), "{calls}");
    assert_eq!(log.lines_with("SELECT"), [""; 0]);
}

#[tokio::test]
async fn an_unanswered_call_of_the_store_is_logged_too() {
    let log = Log::begin();
    let limits = Limits { execution_time_max: Duration::from_millis(200), ..settings().limits };
    let slow_operation = Some(Duration::from_millis(200));
    let database = Database::migrated(Engine::Sqlite).await;
    let mut writer = database.sqlite_connection().await;
    let app = TestApp::on(database, Settings { limits, slow_operation, ..settings() }).await;
    let token = app.sign_up("alice").await;
    writer.execute("BEGIN IMMEDIATE").await.expect("nobody else writes");

    let query = "mutation Rename { updateProfile(input: {name: \"Al\"}) { user { id } } }";
    let body = json!({ "query": query }).to_string();
    let read = send(app.post(body).bearer_auth(token)).await;
    assert_eq!(read.code(), "TIMEOUT", "{}", read.body);
    writer.execute("ROLLBACK").await.expect("it was begun");

    let line = log.fields_with(SLOW).pop().expect("a line");
    assert_eq!((&line["operation"], &line["kind"]), (&json!("Rename"), &json!("mutation")));
    let calls = line["store"].as_str().expect("text");
    assert!(calls.contains("update_profile calls=1 "), "{calls}");
    let line = access(&log).pop().expect("a line");
    assert_eq!(line["code"], "TIMEOUT", "{line}");
    assert!(line["cost"].is_number(), "its cost was charged: {line}");
}

#[tokio::test]
async fn the_log_says_in_words_why_a_server_is_not_ready() {
    let log = Log::begin();
    let app = TestApp::on(Database::empty(Engine::Sqlite).await, settings()).await;
    assert_eq!(send(app.request(Method::GET, "/readyz")).await.status, 503);

    let line = log.fields_with("not ready").pop().expect("a line");
    assert_eq!(line["cause"], "the database has no tables", "{line}");
}

#[tokio::test]
async fn the_log_of_slow_operations_can_be_off() {
    for slow_operation in [None, Some(Duration::from_hours(1))] {
        let log = Log::begin();
        let app = TestApp::with(Settings { slow_operation, ..settings() }).await;
        send(app.post(TYPENAME)).await;
        assert_eq!(log.lines_with(SLOW), [""; 0]);
    }
}

#[tokio::test]
async fn a_request_is_one_line_without_its_document_or_token() {
    let log = Log::begin();
    let app = TestApp::start().await;
    let token = app.sign_up("alice").await;

    let path = "/graphql?query=%7B__typename%7D";
    let request = app.request(Method::GET, path).bearer_auth(&token);
    send(request.header("x-request-id", "mine")).await;
    send(app.post(TYPENAME).header(AUTHORIZATION, &token)).await;

    let lines = log.lines_with(r#""path":"/graphql""#);
    assert_eq!(lines.len(), 2, "{lines:?}");
    for part in [r#""level":"INFO""#, r#""method":"GET""#, r#""status":"200""#, r#""ms":"#, "mine"]
    {
        assert!(lines[0].contains(part), "{part}: {}", lines[0]);
    }
    assert!(lines[1].contains(r#""status":"401""#), "{}", lines[1]);
    for secret in ["__typename", &token] {
        assert_eq!(log.lines_with(secret), [""; 0]);
    }
}

#[tokio::test]
async fn the_code_of_a_failed_operation_is_logged() {
    let log = Log::begin();
    let app = TestApp::start().await;
    send(app.post(TYPENAME)).await;
    send(app.post(r#"{"query": "{ users(first: 101) { totalCount } }"}"#)).await;

    let lines = log.lines_with(r#""path":"/graphql""#);
    assert!(!lines[0].contains(r#""code""#), "{}", lines[0]);
    assert!(lines[1].contains(r#""code":"BAD_USER_INPUT""#), "{}", lines[1]);

    let metrics = app.request(Method::GET, "/metrics").send().await.expect("it answers");
    let metrics = metrics.text().await.expect("text");
    for code in ["OK", "BAD_USER_INPUT"] {
        let counted = format!(r#"entourage_operations_total{{code="{code}"}}"#);
        assert!(metrics.contains(&counted), "{metrics}");
    }
}

#[tokio::test]
async fn a_refused_token_is_logged_by_reason_and_never_by_value() {
    let log = Log::begin();
    let app = TestApp::start().await;
    let token = app.sign_up("alice").await;
    let (cut, _) = token.rsplit_once('.').expect("three parts");
    send(app.post(TYPENAME).bearer_auth(format!("{cut}.AAAA"))).await;

    let lines = log.lines_with("a token is refused");
    assert!(lines[0].contains("its signature is not of our key"), "{lines:?}");
    assert_eq!(log.lines_with(cut), [""; 0]);
}

#[tokio::test]
async fn an_internal_failure_is_logged_once_with_the_request_id() {
    let log = Log::begin();
    let app = TestApp::start().await;
    let token = app.sign_up("alice").await;
    app.store.close().await;
    send(app.post(TYPENAME).bearer_auth(token).header("x-request-id", "closed")).await;
    let app = TestApp::with(Settings { clock: Arc::new(Broken), ..settings() }).await;
    send(app.post(TYPENAME).bearer_auth("x").header("x-request-id", "broken")).await;

    let errors = log.lines_with(r#""level":"ERROR""#);
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(errors[0].contains("closed"), "{}", errors[0]);
    assert!(errors[1].contains("broken") && errors[1].contains("the clock"), "{}", errors[1]);
}

#[tokio::test]
async fn a_client_that_disconnects_is_logged() {
    let log = Log::begin();
    let mut app = TestApp::start().await;
    let mut stream = TcpStream::connect(app.address).await.expect("accepts");
    let half = "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                content-length: 10\r\n\r\n{";
    stream.write_all(half.as_bytes()).await.expect("reads");
    drop(stream);
    app.stop();
    app.stopped().await;

    let lines = log.lines_with(r#""path":"/graphql""#);
    assert_eq!(lines.len(), 1, "{lines:?}");
}
