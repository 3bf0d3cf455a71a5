//! The log lines of a request.

use std::sync::Arc;

use entourage::app::Settings;
use reqwest::{Method, header::AUTHORIZATION};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::{TYPENAME, routes::Broken, send};
use crate::support::{
    app::{TestApp, settings},
    log::Log,
};

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
