//! The parameters of a request, its size, and its method.

use std::time::Duration;

use entourage::{app::Settings, domain::Limits};
use reqwest::{Method, header::ACCEPT};
use serde_json::{Value, json};

use super::{TYPENAME, send};
use crate::support::app::{TestApp, settings};

#[tokio::test]
async fn an_operation_is_answered() {
    let app = TestApp::start().await;
    let reply = app.graphql("{ __typename }", json!({}), None).await;
    assert_eq!(reply, json!({ "data": { "__typename": "Query" } }));
}

#[tokio::test]
async fn a_malformed_request_is_a_400_that_names_the_fault() {
    let app = TestApp::start().await;
    let cases = [
        ("", "JSON"),
        ("{ \"not JSON", "JSON"),
        ("{\"query\":\"{ __typename }\u{1}\"}", "JSON"),
        ("\"text\"", "object"),
        (r#"[{"query":"{ __typename }"}]"#, "Batching"),
        ("{}", "query"),
        (r#"{"query":null}"#, "query"),
        (r#"{"query":{}}"#, "query"),
        (r#"{"query":"{ __typename }","variables":"{}"}"#, "variables"),
        (r#"{"query":"{ __typename }","variables":[]}"#, "variables"),
        (r#"{"query":"{ __typename }","operationName":1}"#, "operationName"),
        (r#"{"query":"{ __typename }","extensions":false}"#, "extensions"),
    ];
    for (body, fault) in cases {
        for media in ["application/json", "application/graphql-response+json"] {
            let reply = send(app.post(body).header(ACCEPT, media)).await;
            assert_eq!((reply.status, reply.code().as_str()), (400, "BAD_USER_INPUT"), "{body}");
            assert!(reply.body.contains(fault), "{body}: {}", reply.body);
            assert!(reply.header("content-type").starts_with(media), "{body}");
        }
    }

    assert_eq!(send(app.post(vec![b'{', 0xff, b'}'])).await.status, 400);
    let nested = format!("{{\"query\":\"{{ __typename }}\",\"x\":{}", "[".repeat(10_000));
    assert_eq!(send(app.post(nested)).await.status, 400);
}

#[tokio::test]
async fn a_byte_order_mark_before_a_body_is_skipped() {
    let app = TestApp::start().await;
    assert_eq!(send(app.post(format!("\u{feff}{TYPENAME}"))).await.status, 200);
    let utf_16: Vec<_> = format!("\u{feff}{TYPENAME}").encode_utf16().collect();
    let utf_16: Vec<_> = utf_16.into_iter().flat_map(u16::to_le_bytes).collect();
    let reply = send(app.post(utf_16)).await;
    assert_eq!(reply.json()["errors"][0]["message"], "The body is not UTF-8.");
}

#[tokio::test]
async fn a_lone_surrogate_is_named_with_its_variable() {
    let app = TestApp::start().await;
    let query = r#""query":"query($a: String) { __typename }""#;
    for (rest, message) in [
        (
            r#""variables":{"input":{"name":"x\ud83d"}}"#,
            r"variables.input.name has a lone surrogate (\ud83d).",
        ),
        (
            r#""variables":{"a":["\uDE00 \ud83d\ude00"]}"#,
            r"variables.a.0 has a lone surrogate (\uDE00).",
        ),
        (r#""variables":{"\ud800":1}"#, r"a key of variables has a lone surrogate (\ud800)."),
        (r#""operationName":"\ud800\u0041""#, r"operationName has a lone surrogate (\ud800)."),
    ] {
        let reply = send(app.post(format!("{{{query},{rest}}}"))).await;
        assert_eq!((reply.status, reply.code().as_str()), (400, "BAD_USER_INPUT"), "{rest}");
        assert_eq!(reply.json()["errors"][0]["message"], message);
    }

    let pair = format!(r#"{{{query},"variables":{{"a":"\ud83d\ude00"}}}}"#);
    assert_eq!(send(app.post(pair)).await.status, 200);
    let query = "query=%7B__typename%7D&variables=%7B%22a%22:%22%5Cud83d%22%7D";
    let reply = send(app.request(Method::GET, &format!("/graphql?{query}"))).await;
    let message = r"variables.a has a lone surrogate (\ud83d).";
    assert_eq!(reply.json()["errors"][0]["message"], message);
}

#[tokio::test]
async fn every_operation_of_a_batch_is_refused_with_the_way_out() {
    let app = TestApp::start().await;
    let batch = |count: usize| format!("[{}]", vec![TYPENAME; count].join(","));
    for count in [2, 10, 100] {
        let reply = send(app.post(batch(count))).await;
        let body = reply.json();
        let entries = body.as_array().expect("Apollo's client expects a list");
        assert_eq!((reply.status, entries.len()), (400, count));
        for entry in entries {
            let error = &entry["errors"][0];
            assert_eq!(error["extensions"]["code"], "BAD_USER_INPUT");
            let message = error["message"].as_str().expect("a text");
            assert!(message.contains("HttpLink in place of BatchHttpLink"), "{message}");
        }
    }
    for count in [0, 1, 101] {
        let reply = send(app.post(batch(count))).await;
        assert_eq!((reply.status, reply.code().as_str()), (400, "BAD_USER_INPUT"), "{count}");
        assert!(reply.body.contains("BatchHttpLink"), "{}", reply.body);
    }
}

#[tokio::test]
async fn null_and_unknown_parameters_are_ignored() {
    let app = TestApp::start().await;
    let body = r#"{"query":"{ __typename }","variables":null,"operationName":null,
                   "extensions":null,"documentId":"x"}"#;
    assert_eq!(send(app.post(body)).await.json()["data"]["__typename"], "Query");
}

#[tokio::test]
async fn a_get_takes_its_parameters_from_the_query_string() {
    let app = TestApp::start().await;
    let get = |parameters: &[(&str, &str)]| {
        let query =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        send(app.request(Method::GET, &format!("/graphql?{query}")))
    };
    let two =
        "query A { a: __typename } query B($if: Boolean!) { b: __typename @include(if: $if) }";

    let reply = get(&[
        ("query", two),
        ("operationName", "B"),
        ("variables", r#"{"if":true}"#),
        ("extensions", "{}"),
    ])
    .await;
    assert_eq!(reply.json(), json!({ "data": { "b": "Query" } }));
    let reply = get(&[("query", "{ __typename }"), ("operationName", ""), ("variables", "")]).await;
    assert_eq!(reply.json()["data"]["__typename"], "Query");

    let document = ("query", "{ __typename }");
    for bad in [
        &[][..],
        &[("query", "")],
        &[document, document],
        &[document, ("variables", "{")],
        &[document, ("variables", "[]")],
        &[document, ("extensions", "1")],
    ] {
        let reply = get(bad).await;
        assert_eq!((reply.status, reply.code().as_str()), (400, "BAD_USER_INPUT"), "{bad:?}");
    }
}

#[tokio::test]
async fn a_get_never_runs_a_mutation() {
    let app = TestApp::start().await;
    let query = "query A { __typename } mutation B { __typename }";
    let path = |name: &str| {
        let pairs = [("query", query), ("operationName", name)];
        let query =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        format!("/graphql?{query}")
    };

    let reply = send(app.request(Method::GET, &path("B"))).await;
    assert_eq!((reply.status, reply.header("allow")), (405, "POST"));
    assert_eq!(reply.code(), "BAD_USER_INPUT");
    assert_eq!(send(app.request(Method::GET, &path("A"))).await.status, 200);
}

#[tokio::test]
async fn other_methods_get_405_with_allow() {
    let app = TestApp::start().await;
    for method in [Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
        let reply = send(app.request(method.clone(), "/graphql").body(TYPENAME)).await;
        assert_eq!((reply.status, reply.header("allow")), (405, "GET,HEAD,POST"), "{method}");
        assert_eq!(reply.code(), "BAD_USER_INPUT");
    }
}

const CHUNKED_HEAD: &str = "POST /graphql HTTP/1.1\r\nhost: x\r\n\
     content-type: application/json\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n";

/// A request of exactly `count` bytes.
fn request_of(count: usize) -> String {
    let empty = r#"{"query":"{ __typename }","x":""}"#;
    empty.replace("\"\"", &format!("\"{}\"", "x".repeat(count - empty.len())))
}

#[tokio::test]
async fn a_body_may_have_exactly_as_many_bytes_as_the_limit() {
    let limits = Limits { body_bytes_max: 1_000, ..Limits::default() };
    let app = TestApp::with(Settings { limits, ..settings() }).await;
    let chunked = async |body: String| {
        let mut request = CHUNKED_HEAD.as_bytes().to_vec();
        for chunk in body.as_bytes().chunks(100) {
            request.extend(format!("{:x}\r\n", chunk.len()).as_bytes());
            request.extend([chunk, b"\r\n"].concat());
        }
        request.extend(b"0\r\n\r\n");
        app.raw(&request).await
    };

    assert_eq!(send(app.post(request_of(1_000))).await.status, 200);
    assert!(chunked(request_of(1_000)).await.starts_with("HTTP/1.1 200 "));

    let reply = send(app.post(request_of(1_001))).await;
    assert_eq!((reply.status, reply.code().as_str()), (413, "QUERY_TOO_LARGE"));
    for size in [1_001, 3_900] {
        let reply = chunked(request_of(size)).await;
        assert!(reply.starts_with("HTTP/1.1 413 "), "{reply}");
        assert!(reply.contains(r#""code":"QUERY_TOO_LARGE""#), "{reply}");
    }
}

#[tokio::test]
async fn by_default_a_body_has_at_most_256_kib() {
    let app = TestApp::start().await;
    assert_eq!(send(app.post(request_of(256 * 1024))).await.status, 200);
    assert_eq!(send(app.post(request_of(256 * 1024 + 1))).await.status, 413);
}

#[tokio::test]
async fn a_refused_operation_costs_no_statement() {
    let app = TestApp::start().await;
    let token = app.sign_up("alice").await;
    let before = app.statements();

    for query in ["{", "{ nothing }", "mutation { nothing }"] {
        let body = json!({ "query": query }).to_string();
        let reply: Value = send(app.post(body).bearer_auth(&token)).await.json();
        assert!(reply["errors"].is_array(), "{reply}");
    }
    assert_eq!(app.statements(), before);
}

#[tokio::test]
async fn a_slow_operation_times_out_with_504() {
    let limits = Limits { execution_time_max: Duration::from_millis(1), ..Limits::default() };
    let app = TestApp::with(Settings { limits, ..settings() }).await;
    // Hashing a password takes long by design.
    let body = r#"{"query":"mutation { signIn(input: {username: \"x\", password: \"y\"})
                   { __typename } }"}"#
        .replace('\n', " ");

    let graphql = "application/graphql-response+json";
    let reply = send(app.post(body.clone()).header(ACCEPT, graphql)).await;
    assert_eq!((reply.status, reply.code().as_str()), (504, "TIMEOUT"));
    let reply = send(app.post(body)).await;
    assert_eq!((reply.status, reply.code().as_str()), (200, "TIMEOUT"));
}

#[tokio::test]
async fn a_rate_limited_client_gets_retry_after() {
    let app = TestApp::with(Settings { rate_limits: true, ..settings() }).await;
    let attempt = "signIn(input: {username: \"x\", password: \"y\"}) { __typename }";
    let attempts: Vec<_> = (0..11).map(|n| format!("a{n}: {attempt}")).collect();
    let body = json!({ "query": format!("mutation {{ {} }}", attempts.join(" ")) }).to_string();

    let reply = send(app.post(body)).await;
    let error = &reply.json()["errors"][0];
    assert_eq!((error["extensions"]["code"].as_str(), reply.status), (Some("RATE_LIMITED"), 200));
    assert_eq!(error["extensions"]["retryAfter"].to_string(), reply.header("retry-after"));
}
