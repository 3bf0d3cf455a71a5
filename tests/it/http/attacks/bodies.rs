//! Bodies that are too large, of the wrong type, or not what their headers claim.

use serde_json::json;

use super::{Attack, NONE, app, attack, post, request, withstand};
use crate::support::app::TYPENAME;

const BAD: &str = "BAD_USER_INPUT";
const LARGE: &str = "QUERY_TOO_LARGE";
const BODY_BYTES_MAX: usize = 256 * 1024;

/// A POST of an ordinary operation with these headers.
fn headed(headers: &[&str]) -> Vec<u8> {
    request("POST", headers, TYPENAME.as_bytes())
}

/// A body of an exact size.
fn of_bytes(count: usize) -> String {
    let empty = r#"{"query":"{ __typename }","x":""}"#;
    empty.replace("\"\"", &format!("\"{}\"", "x".repeat(count - empty.len())))
}

fn chunked(body: &[u8], size: usize) -> Vec<u8> {
    let head = "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                connection: close\r\ntransfer-encoding: chunked\r\n\r\n";
    let mut bytes = head.as_bytes().to_vec();
    for chunk in body.chunks(size) {
        bytes.extend(format!("{:x}\r\n", chunk.len()).as_bytes());
        bytes.extend([chunk, b"\r\n"].concat());
    }
    bytes.extend(b"0\r\n\r\n");
    bytes
}

fn sizes() -> Vec<Attack> {
    let unsent = "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                  content-length: 9999999999\r\n\r\n{";
    vec![
        attack("as many bytes as may be", post(of_bytes(BODY_BYTES_MAX)), 200, NONE),
        attack("a byte more", post(of_bytes(BODY_BYTES_MAX + 1)), 413, LARGE),
        attack("four times as many bytes", post(of_bytes(4 * BODY_BYTES_MAX)), 413, LARGE),
        attack("4 MB", post(of_bytes(16 * BODY_BYTES_MAX)), 413, LARGE),
        attack("10 GB that do not come", unsent, 413, LARGE),
        attack(
            "chunks, as many bytes as may be",
            chunked(of_bytes(BODY_BYTES_MAX).as_bytes(), 8_192),
            200,
            NONE,
        ),
        attack(
            "chunks of a byte more",
            chunked(of_bytes(BODY_BYTES_MAX + 1).as_bytes(), 8_192),
            413,
            LARGE,
        ),
        attack(
            "chunks of 4 MB",
            chunked(of_bytes(16 * BODY_BYTES_MAX).as_bytes(), 8_192),
            413,
            LARGE,
        ),
        attack("chunks of one byte", chunked(TYPENAME.as_bytes(), 1), 200, NONE),
    ]
}

fn types() -> Vec<Attack> {
    let json = "content-type: application/json";
    let mut rows = vec![
        attack("no content type", headed(&[]), 415, BAD),
        attack("two content types", headed(&[json, "content-type: text/plain"]), 415, BAD),
        attack(
            "UTF-8 in capitals",
            headed(&["content-type: application/json; charset=UTF-8"]),
            200,
            NONE,
        ),
        attack("a media type that is not served", headed(&[json, "accept: image/png"]), 200, NONE),
    ];
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/graphql",
        "application/json; charset=utf-16",
        "application/jsonx",
        "*/*",
    ] {
        rows.push(attack(kind, headed(&[&format!("content-type: {kind}")]), 415, BAD));
    }
    for encoding in ["gzip", "deflate", "br", "zstd", "identity, gzip", "nonsense"] {
        let row = headed(&[json, &format!("content-encoding: {encoding}")]);
        rows.push(attack(format!("a body in {encoding}"), row, 415, BAD));
    }
    let form = b"--x\r\ncontent-disposition: form-data; name=\"operations\"\r\n\r\n{}\r\n--x--\r\n";
    let multipart = request("POST", &["content-type: multipart/form-data; boundary=x"], form);
    rows.push(attack("an upload", multipart, 415, BAD));
    rows
}

#[expect(clippy::too_many_lines, reason = "it is a table")]
fn contents() -> Vec<Attack> {
    let utf_16: Vec<u8> = TYPENAME.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let batch = |n: usize| format!("[{}]", vec![TYPENAME; n].join(","));
    let keys: serde_json::Map<_, _> = (0..15_000).map(|i| (format!("k{i}"), json!(i))).collect();
    let nested = |n: usize| {
        format!(
            "{{\"query\":\"{{ __typename }}\",\"variables\":{{\"a\":{}{}}}}}",
            "[".repeat(n),
            "]".repeat(n)
        )
    };
    let rows: Vec<(&str, Vec<u8>, u16, &'static str)> = vec![
        ("nothing", b"".into(), 400, BAD),
        ("an empty object", b"{}".into(), 400, BAD),
        ("null", b"null".into(), 400, BAD),
        ("a number", b"1e999".into(), 400, BAD),
        ("a string", b"\"{ __typename }\"".into(), 400, BAD),
        ("a batch of none", b"[]".into(), 400, BAD),
        ("a batch of one", batch(1).into(), 400, BAD),
        ("a batch of 5,000", batch(5_000).into(), 400, BAD),
        ("half of an object", b"{\"query\":\"{ __typename".into(), 400, BAD),
        ("something behind it", format!("{TYPENAME}{TYPENAME}").into(), 400, BAD),
        ("single quotes", b"{'query':'{ __typename }'}".into(), 400, BAD),
        ("a byte order mark", [b"\xef\xbb\xbf", TYPENAME.as_bytes()].concat(), 200, NONE),
        ("two byte order marks", "\u{feff}\u{feff}{}".into(), 400, BAD),
        ("UTF-16", utf_16, 400, BAD),
        ("what is not UTF-8", b"{\"query\":\"{ __typename \xff }\"}".into(), 400, BAD),
        ("an overlong NUL", b"{\"query\":\"{ __typename \xc0\x80 }\"}".into(), 400, BAD),
        ("a bare NUL", b"{\"query\":\"{ __typename \0 }\"}".into(), 400, BAD),
        ("only NULs", vec![0; 1_000], 400, BAD),
        ("half of a pair", br#"{"query":"{ __typename \ud800 }"}"#.into(), 400, BAD),
        (
            "an escaped NUL",
            br#"{"query":"{ __typename \u0000 }"}"#.into(),
            400,
            "GRAPHQL_PARSE_FAILED",
        ),
        (
            "the last of two queries counts",
            br#"{"query":"{ __typename }","query":"{ nothing }"}"#.into(),
            400,
            "GRAPHQL_VALIDATION_FAILED",
        ),
        ("a query that is a list", br#"{"query":["{ __typename }"]}"#.into(), 400, BAD),
        (
            "variables in a string",
            br#"{"query":"{ __typename }","variables":"{}"}"#.into(),
            400,
            BAD,
        ),
        ("variables in a list", br#"{"query":"{ __typename }","variables":[]}"#.into(), 400, BAD),
        (
            "a number that is too large",
            br#"{"query":"{ __typename }","variables":{"a":1e999}}"#.into(),
            400,
            BAD,
        ),
        (
            "an operation that is not there",
            br#"{"query":"{ __typename }","operationName":"A"}"#.into(),
            400,
            BAD,
        ),
        (
            "a name of an operation that is an object",
            br#"{"query":"{ __typename }","operationName":{}}"#.into(),
            400,
            BAD,
        ),
        (
            "extensions of another type",
            br#"{"query":"{ __typename }","extensions":1}"#.into(),
            400,
            BAD,
        ),
        (
            "a hash instead of a query",
            br#"{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"x"}}}"#.into(),
            400,
            "PERSISTED_QUERY_NOT_FOUND",
        ),
        (
            "an id of 200,000 bytes",
            json!({ "documentId": "x".repeat(200_000) }).to_string().into(),
            400,
            "PERSISTED_QUERY_NOT_FOUND",
        ),
        (
            "a hash of another text",
            br#"{"query":"{ __typename }","extensions":{"persistedQuery":{"version":1,
                 "sha256Hash":"x"}}}"#
                .into(),
            400,
            BAD,
        ),
        (
            "40,000 lone surrogates",
            format!("{{\"query\":\"{}\"}}", r"\ud800".repeat(40_000)).into(),
            400,
            BAD,
        ),
        (
            "15,000 keys",
            json!({ "query": "{ __typename }", "x": keys }).to_string().into(),
            200,
            NONE,
        ),
        ("JSON of 100 levels", nested(100).into(), 200, NONE),
        ("JSON of 200 levels", nested(200).into(), 400, BAD),
        ("JSON of 100,000 levels", nested(100_000).into(), 400, BAD),
        ("JSON of levels without an end", "[".repeat(200_000).into(), 400, BAD),
    ];
    rows.into_iter()
        .map(|(name, body, status, code)| attack(name, post(body), status, code))
        .collect()
}

#[tokio::test]
async fn hostile_bodies_are_refused() {
    let app = app().await;
    let all = [sizes(), types(), contents()];
    withstand(&app, &all.into_iter().flatten().collect::<Vec<_>>()).await;
}
