//! Media types: `Accept`, `Content-Type` and `Content-Encoding`.

use reqwest::{
    Method,
    header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE},
};

use super::{TYPENAME, send};
use crate::support::app::TestApp;

const JSON: &str = "application/json; charset=utf-8";
const GRAPHQL: &str = "application/graphql-response+json; charset=utf-8";

#[tokio::test]
async fn the_reply_has_the_accepted_media_type() {
    let app = TestApp::start().await;
    let without =
        b"GET /graphql?query=%7B__typename%7D HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let reply = app.raw(without).await;
    assert!(reply.contains(&format!("content-type: {JSON}\r\n")), "{reply}");

    let cases: [(&[&str], _); 12] = [
        (&["*/*"], JSON),
        (&["application/*"], JSON),
        (&["text/html, application/xml;q=0.9, */*;q=0.8"], JSON),
        (&["application/json"], JSON),
        (&["application/json; charset=\"UTF-8\""], JSON),
        (&["application/json, application/graphql-response+json;q=0.5"], JSON),
        (&["Application/GraphQL-Response+JSON"], GRAPHQL),
        (&["application/graphql-response+json, application/json;q=0.9"], GRAPHQL),
        (&["application/graphql-response+json, application/json"], GRAPHQL),
        (&["application/json", "application/graphql-response+json"], GRAPHQL),
        (&["application/graphql-response+json, */*"], GRAPHQL),
        (&["application/json;q=0, */*"], GRAPHQL),
    ];
    for (accept, expected) in cases {
        let post =
            accept.iter().fold(app.post(TYPENAME), |post, value| post.header(ACCEPT, *value));
        let reply = send(post).await;
        assert_eq!((reply.status, reply.header("content-type")), (200, expected), "{accept:?}");
    }
}

#[tokio::test]
async fn a_client_that_accepts_neither_media_type_gets_406() {
    let app = TestApp::start().await;
    for accept in ["text/html", "application/json;q=0", "application/json; charset=latin1"] {
        let reply = send(app.post(TYPENAME).header(ACCEPT, accept)).await;
        assert_eq!((reply.status, reply.header("content-type")), (406, JSON), "{accept}");
        assert_eq!(reply.code(), "BAD_USER_INPUT");
    }
}

#[tokio::test]
async fn an_invalid_document_is_200_for_json_and_400_for_graphql() {
    let app = TestApp::start().await;
    for (query, code) in
        [("{", "GRAPHQL_PARSE_FAILED"), ("{ nothing }", "GRAPHQL_VALIDATION_FAILED")]
    {
        let body = serde_json::json!({ "query": query }).to_string();
        for (accept, status) in
            [("application/json", 200), ("application/graphql-response+json", 400)]
        {
            let reply = send(app.post(body.clone()).header(ACCEPT, accept)).await;
            assert_eq!((reply.status, reply.code().as_str()), (status, code), "{query} {accept}");
        }
    }
}

#[tokio::test]
async fn a_body_must_be_json_in_utf_8() {
    let app = TestApp::start().await;
    let post = || app.request(Method::POST, "/graphql").body(TYPENAME);

    for good in [
        "application/json",
        "application/json;",
        "application/json; charset=utf-8",
        "Application/Json ; Charset=\"utf-8\"",
    ] {
        assert_eq!(send(post().header(CONTENT_TYPE, good)).await.status, 200, "{good}");
    }
    assert_eq!(send(post()).await.status, 415);
    for bad in [
        "",
        "text/plain",
        "application/jsonp",
        "application/graphql",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
    ] {
        let reply = send(post().header(CONTENT_TYPE, bad)).await;
        assert_eq!((reply.status, reply.code().as_str()), (415, "BAD_USER_INPUT"), "{bad}");
    }
}

#[tokio::test]
async fn a_compressed_body_is_refused() {
    let app = TestApp::start().await;
    let reply = send(app.post(TYPENAME).header(CONTENT_ENCODING, "gzip")).await;
    assert_eq!((reply.status, reply.code().as_str()), (415, "BAD_USER_INPUT"));
    assert_eq!(reply.header("accept-encoding"), "identity");

    assert_eq!(send(app.post(TYPENAME).header(CONTENT_ENCODING, "identity")).await.status, 200);
}
