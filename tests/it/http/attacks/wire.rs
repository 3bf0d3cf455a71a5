//! Request heads that are too large, unusual or not HTTP; other paths and methods; malformed tokens.

use super::{Attack, NONE, app, attack, request, withstand};
use crate::support::app::TYPENAME;

const BAD: &str = "BAD_USER_INPUT";
const MISSING: &str = "NOT_FOUND";
const NOBODY: &str = "UNAUTHENTICATED";

/// A request without a body, closing the connection.
fn bare(method: &str, target: &str, headers: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n")
}

/// A POST of an ordinary operation with more headers, which must include the framing.
fn framed(headers: &str, framing: &str, body: &str) -> String {
    let head = format!("connection: close\r\ncontent-type: application/json\r\n{headers}{framing}");
    format!("POST /graphql HTTP/1.1\r\nhost: x\r\n{head}\r\n{body}")
}

fn with(headers: &str) -> String {
    framed(headers, &format!("content-length: {}\r\n", TYPENAME.len()), TYPENAME)
}

fn heads() -> Vec<Attack> {
    let header = |bytes: usize| bare("GET", "/healthz", &format!("a: {}\r\n", "x".repeat(bytes)));
    let headers = |count: usize| {
        let all: String = (0..count).map(|i| format!("a{i}: b\r\n")).collect();
        bare("GET", "/healthz", &all)
    };
    let url = |bytes: usize| bare("GET", &format!("/graphql?query={}", "x".repeat(bytes)), "");
    vec![
        attack("a header of 60 kB", header(60_000), 200, NONE),
        attack("a header of 70 kB", header(70_000), 431, NONE),
        attack("a header of 1 MB", header(1_000_000), 431, NONE),
        attack("as many headers as may be", headers(98), 200, NONE),
        attack("a header more", headers(99), 431, NONE),
        attack("5,000 headers", headers(5_000), 431, NONE),
        attack("an address of 60 kB", url(60_000), 200, "GRAPHQL_PARSE_FAILED"),
        attack("an address of 70 kB", url(70_000), 431, NONE),
        attack("an address of 1 MB", url(1_000_000), 431, NONE),
        attack("a NUL in a header", bare("GET", "/healthz", "a: b\0c\r\n"), 400, NONE),
        attack("a header over two lines", bare("GET", "/healthz", "a: b\r\n c\r\n"), 400, NONE),
        attack("a blank before the colon", bare("GET", "/healthz", "a : b\r\n"), 400, NONE),
        attack("a header without a colon", bare("GET", "/healthz", "nothing\r\n"), 400, NONE),
        attack("a header without a name", bare("GET", "/healthz", ": b\r\n"), 400, NONE),
        attack(
            "an id for the log that is not fit",
            bare("GET", "/healthz", "x-request-id: a\tb\"}\r\n"),
            200,
            NONE,
        ),
    ]
}

fn protocols() -> Vec<Attack> {
    let twice = with("").replace("connection: close\r\n", "") + &with("");
    vec![
        attack("HTTP/1.0", "GET /healthz HTTP/1.0\r\n\r\n", 200, NONE),
        attack("HTTP/3.0", "GET /healthz HTTP/3.0\r\nhost: x\r\n\r\n", 400, NONE),
        attack("no version", "GET /healthz\r\n\r\n", 400, NONE),
        attack(
            "TLS",
            b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03aaaaaaaaaaaaaaaaaaaaaaa",
            400,
            NONE,
        ),
        attack("SSH", "SSH-2.0-x\r\n", 400, NONE),
        attack("noise", vec![0xff; 10_000], 400, NONE),
        attack("two requests at once", twice, 200, NONE),
        attack(
            "an upgrade to a WebSocket",
            with("upgrade: websocket\r\nconnection: upgrade\r\n"),
            200,
            NONE,
        ),
        attack("an upgrade to HTTP/2", with("upgrade: h2c\r\nhttp2-settings: AAAA\r\n"), 200, NONE),
        attack("a part of the reply", with("range: bytes=0-1\r\n"), 200, NONE),
        attack("an unknown expectation", with("expect: 42\r\n"), 200, NONE),
        attack(
            "a body after a GET",
            format!("{}{TYPENAME}", bare("GET", "/graphql", "content-length: 26\r\n")),
            400,
            BAD,
        ),
    ]
}

/// The `Host` of a request (RFC 9112, 3.2): exactly one, and valid.
fn hosts() -> Vec<Attack> {
    let healthz = |version: &str, headers: &str| {
        format!("GET /healthz HTTP/{version}\r\nconnection: close\r\n{headers}\r\n")
    };
    vec![
        attack("no host", healthz("1.1", ""), 400, BAD),
        attack("two hosts", healthz("1.1", "host: x\r\nhost: y\r\n"), 400, BAD),
        attack("the same host twice", healthz("1.1", "host: x\r\nhost: x\r\n"), 400, BAD),
        attack("two hosts in HTTP/1.0", healthz("1.0", "host: x\r\nhost: y\r\n"), 400, BAD),
        attack("two hosts in one line", healthz("1.1", "host: x, y\r\n"), 400, BAD),
        attack("a host with a path", healthz("1.1", "host: x/y\r\n"), 400, BAD),
        attack("a host with a user", healthz("1.1", "host: x@y\r\n"), 400, BAD),
        attack("a host that is not ASCII", healthz("1.1", "host: \u{e9}\r\n"), 400, BAD),
        attack("an empty host", healthz("1.1", "host:\r\n"), 200, NONE),
        attack("a host with a port", healthz("1.1", "host: [::1]:8000\r\n"), 200, NONE),
        attack("no host in HTTP/1.0", healthz("1.0", ""), 200, NONE),
    ]
}

fn framings() -> Vec<Attack> {
    let chunked = "transfer-encoding: chunked\r\n";
    let chunks = "1a\r\n{\"query\":\"{ __typename }\"}\r\n0\r\n\r\n";
    vec![
        attack("chunks", framed("", chunked, chunks), 200, NONE),
        // The chunks win, and the request ends its connection: tested in `connections`.
        attack("a length, and chunks", framed("content-length: 5\r\n", chunked, chunks), 200, NONE),
        attack("chunks, and a length", framed(chunked, "content-length: 5\r\n", chunks), 200, NONE),
        attack(
            "a length that is too short",
            framed("", "content-length: 5\r\n", TYPENAME),
            400,
            BAD,
        ),
        attack(
            "a length that is too long",
            framed("", "content-length: 500\r\n", TYPENAME),
            408,
            BAD,
        ),
        attack("a negative length", framed("", "content-length: -1\r\n", TYPENAME), 400, NONE),
        attack(
            "a length of 20 digits",
            framed("", "content-length: 99999999999999999999\r\n", TYPENAME),
            400,
            NONE,
        ),
        attack(
            "two lengths",
            framed("content-length: 5\r\n", "content-length: 6\r\n", TYPENAME),
            400,
            NONE,
        ),
        attack("no length", framed("", "", TYPENAME), 400, BAD),
        attack("a chunk of no size", framed("", chunked, "zz\r\n{}\r\n0\r\n\r\n"), 400, BAD),
        attack(
            "a chunk of 17 digits",
            framed("", chunked, "11111111111111111\r\n{}\r\n0\r\n\r\n"),
            400,
            BAD,
        ),
        attack("chunks that do not end", framed("", chunked, "2\r\n{}\r\n"), 408, BAD),
        attack(
            "a chunk with 100 kB about it",
            framed("", chunked, &format!("2;{}\r\n{{}}\r\n0\r\n\r\n", "a".repeat(100_000))),
            400,
            BAD,
        ),
        attack(
            "chunks with 100 kB behind them",
            framed("", chunked, &format!("2\r\n{{}}\r\n0\r\na: {}\r\n\r\n", "a".repeat(100_000))),
            400,
            BAD,
        ),
        attack(
            "a request in the body of another",
            framed("", "content-length: 0\r\n", "GET /admin HTTP/1.1\r\nhost: x\r\n\r\n"),
            400,
            BAD,
        ),
    ]
}

fn places() -> Vec<Attack> {
    let mutation = "/graphql?query=mutation%7B__typename%7D";
    let mut rows = vec![
        attack("a mutation by GET", bare("GET", mutation, ""), 405, BAD),
        attack("a mutation by HEAD", bare("HEAD", mutation, ""), 405, NONE),
        attack("a query by GET", bare("GET", "/graphql?query=%7B__typename%7D", ""), 200, NONE),
        attack(
            "the same parameter twice",
            bare("GET", "/graphql?query=%7Ba%7D&query=%7Bb%7D", ""),
            400,
            BAD,
        ),
        attack("no parameter", bare("GET", "/graphql", ""), 400, BAD),
        attack(
            "variables that are no JSON",
            bare("GET", "/graphql?query=%7B__typename%7D&variables=%7B", ""),
            400,
            BAD,
        ),
        attack(
            "bytes that are not UTF-8",
            bare("GET", "/graphql?query=%ff%fe", ""),
            200,
            "GRAPHQL_PARSE_FAILED",
        ),
        attack(
            "nothing that a reply can be",
            bare("GET", "/graphql?query=%7B__typename%7D", "accept: image/png\r\n"),
            406,
            BAD,
        ),
        attack("the whole server", bare("OPTIONS", "*", ""), 404, MISSING),
        attack("another server", bare("GET", "http://example.com/admin", ""), 404, MISSING),
    ];
    for method in ["PUT", "PATCH", "DELETE", "TRACE", "OPTIONS", "PROPFIND", "query"] {
        rows.push(attack(method, bare(method, "/graphql", ""), 405, BAD));
    }
    for path in [
        "/admin",
        "/.env",
        "/.git/config",
        "//graphql",
        "/graphql//",
        "/graphql/../admin",
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/..%2f..%2fetc%2fpasswd",
        "/..;/admin",
        "/%00",
        "/schema.graphql%00.html",
        "/assets/../../Cargo.toml",
        "/C:/Windows/win.ini",
    ] {
        rows.push(attack(path, bare("GET", path, ""), 404, MISSING));
    }
    rows
}

fn tokens() -> Vec<Attack> {
    let long = format!("Bearer {}", "x".repeat(50_000));
    let none = "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.";
    let mut rows = vec![attack(
        "two tokens",
        with("authorization: Bearer a\r\nauthorization: Bearer b\r\n"),
        400,
        BAD,
    )];
    for value in [
        "Bearer x",
        "bearer\tx",
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.",
        "Bearer a.b.c",
        "Bearer ' OR 1=1 --",
        none,
        &long,
    ] {
        let request = with(&format!("authorization: {value}\r\n"));
        rows.push(attack(format!("the token {value:.40}"), request, 401, NOBODY));
    }
    let json = "content-type: application/json";
    let bytes = request("POST", &[json, "authorization: Bearer é"], TYPENAME.as_bytes());
    rows.push(attack("a token that is not ASCII", bytes, 401, NOBODY));
    rows
}

#[tokio::test]
async fn hostile_requests_are_refused() {
    let app = app().await;
    let all = [heads(), protocols(), hosts(), framings(), places(), tokens()];
    withstand(&app, &all.into_iter().flatten().collect::<Vec<_>>()).await;
}
