//! Connections: silent clients, half requests, HTTP/2, and stopping.

use std::time::Duration;

use entourage::{app::Settings, http::Timeouts};
use reqwest::Method;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{TYPENAME, send};
use crate::support::app::{TestApp, read_to_end, settings};

const HEAD: &str = "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";

async fn impatient() -> TestApp {
    let short = Duration::from_millis(100);
    let timeouts = Timeouts { headers: short, idle: short, body: short, ..Timeouts::default() };
    TestApp::with(Settings { timeouts, ..settings() }).await
}

/// A POST whose body has not been sent yet.
async fn half_request(app: &TestApp) -> TcpStream {
    let mut stream = TcpStream::connect(app.address).await.expect("accepts");
    let expecting =
        format!("{HEAD}content-length: {}\r\nexpect: 100-continue\r\n\r\n", TYPENAME.len());
    stream.write_all(expecting.as_bytes()).await.expect("reads");
    // The server asks for the body only once it handles the request.
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).await.expect("it is asked for");
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream
}

#[tokio::test]
async fn silent_and_half_finished_clients_are_disconnected() {
    let app = impatient().await;
    for said in ["", "P", "PRI * HTTP/2.0\r\n", "POST /graphql HTTP/1.1\r\nhost:"] {
        let reply = app.raw(said.as_bytes()).await;
        assert!(!reply.contains(" 200 "), "{said:?}: {reply}");
    }
}

#[tokio::test]
async fn idle_connections_are_closed() {
    let app = impatient().await;
    let reply = app.raw(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(reply.starts_with("HTTP/1.1 200 OK\r\n"), "{reply}");
}

const PROBE: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";

/// A connection to a server that waits long for a request, but not for its head, on which one
/// request has been answered.
async fn used_connection() -> (TestApp, TcpStream) {
    let timeouts = Timeouts { headers: Duration::from_millis(100), ..Timeouts::default() };
    let app = TestApp::with(Settings { timeouts, ..settings() }).await;
    let mut stream = TcpStream::connect(app.address).await.expect("accepts");
    stream.write_all(PROBE).await.expect("reads");
    let mut reply = Vec::new();
    while !reply.ends_with(b"ok\n") {
        assert_ne!(stream.read_buf(&mut reply).await.expect("answers"), 0, "it closed");
    }
    (app, stream)
}

#[tokio::test]
async fn an_idle_connection_outlives_those_of_proxies() {
    assert!(Timeouts::default().idle > Duration::from_mins(1), "nginx keeps them so long");

    let (app, mut stream) = used_connection().await;
    for _ in 0..2 {
        assert_eq!(app.raw(b"").await, "", "a connection without a request is closed");
    }
    stream.write_all(PROBE).await.expect("it is still open");
    let mut reply = [0; 15];
    stream.read_exact(&mut reply).await.expect("it is still answered");
    assert_eq!(&reply, b"HTTP/1.1 200 OK");
}

#[tokio::test]
async fn a_slow_head_on_a_used_connection_is_not_awaited() {
    let (_app, mut stream) = used_connection().await;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost:").await.expect("reads");
    let closed = timeout(Duration::from_secs(30), read_to_end(stream)).await;
    assert_eq!(closed.expect("it is closed long before an idle one"), "");
}

#[tokio::test]
async fn an_idle_http_2_connection_is_closed_with_goaway() {
    let app = impatient().await;
    let reply = timeout(Duration::from_secs(30), app.raw(&http_2_request())).await;
    let reply = reply.expect("it is closed");
    let (_, after) = reply.split_once("Not found").expect("the request is answered first");
    // The head of a GOAWAY frame: 8 bytes of type 7 on stream 0.
    assert!(after.contains("\0\0\u{8}\u{7}\0\0\0\0\0"), "{after:?}");
}

/// Two servers in a row that disagree about which of the two ends the body would see different
/// requests after it.
#[tokio::test]
async fn a_request_with_length_and_chunks_ends_its_connection() {
    let app = TestApp::start().await;
    let chunks = format!("{:x}\r\n{TYPENAME}\r\n0\r\n\r\n", TYPENAME.len());
    let behind = "GET /schema.graphql HTTP/1.1\r\nhost: x\r\n\r\n";
    let [length, chunked] = ["content-length: 5\r\n", "transfer-encoding: chunked\r\n"];
    for ends in [[length, chunked], [chunked, length]] {
        let request = format!("{HEAD}{}\r\n{chunks}{behind}", ends.concat());
        let reply = app.raw(request.as_bytes()).await;
        assert!(reply.ends_with(r#"{"data":{"__typename":"Query"}}"#), "{reply}");
        assert_eq!(reply.matches("HTTP/1.1 ").count(), 1, "{reply}");
    }
}

#[tokio::test]
async fn a_body_that_never_arrives_is_a_408() {
    let app = impatient().await;
    let reply = app.raw(format!("{HEAD}content-length: 100\r\n\r\n{{").as_bytes()).await;
    assert!(reply.starts_with("HTTP/1.1 408 "), "{reply}");
    assert!(reply.contains(r#""code":"BAD_USER_INPUT""#), "{reply}");
}

#[tokio::test]
async fn malformed_http_is_refused() {
    let app = impatient().await;
    for bad in [
        "hello\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nhost: x\r\nno colon\r\n\r\n".to_owned(),
        format!("{HEAD}content-length: 2\r\ncontent-length: 3\r\n\r\n{{}}"),
        format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "x".repeat(100_000)),
    ] {
        let reply = app.raw(bad.as_bytes()).await;
        assert!(reply.starts_with("HTTP/1.1 4"), "{bad:.60}: {reply}");
    }
}

/// Frames by hand (RFC 9113): empty settings, and `GET /` out of the static table, where this
/// server has nothing.
fn http_2_request() -> Vec<u8> {
    let mut request = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    request.extend([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    request.extend([0, 0, 3, 1, 5, 0, 0, 0, 1, 0x82, 0x86, 0x84]);
    request
}

#[tokio::test]
async fn http_2_is_served_on_the_same_port() {
    let app = impatient().await;
    let mut stream = TcpStream::connect(app.address).await.expect("accepts");
    stream.write_all(&http_2_request()).await.expect("reads");

    let mut reply = String::new();
    while !reply.contains("Not found") {
        let mut some = [0; 4_096];
        let count = stream.read(&mut some).await.expect("answers");
        assert_ne!(count, 0, "it closed after {reply:?}");
        reply += &String::from_utf8_lossy(&some[..count]);
    }
}

#[tokio::test]
async fn a_stopping_server_answers_requests_and_closes_idle_clients() {
    let mut app = TestApp::start().await;
    assert_eq!(send(app.request(Method::GET, "/healthz")).await.status, 200);
    let mut busy = half_request(&app).await;
    let idle = TcpStream::connect(app.address).await.expect("accepts");

    app.stop();
    assert_eq!(read_to_end(idle).await, "");
    assert!(TcpStream::connect(app.address).await.is_err(), "it still accepts connections");
    busy.write_all(TYPENAME.as_bytes()).await.expect("it is still read");
    let reply = read_to_end(busy).await;

    assert!(reply.starts_with("HTTP/1.1 200 OK\r\n"), "{reply}");
    assert!(reply.contains("connection: close"), "{reply}");
    app.stopped().await;
}

#[tokio::test]
async fn a_stopping_server_first_reports_that_it_is_draining() {
    let timeouts = Timeouts { notice: Duration::from_secs(1), ..Timeouts::default() };
    let mut app = TestApp::with(Settings { timeouts, ..settings() }).await;

    app.stop();
    let reply = loop {
        let reply = send(app.request(Method::GET, "/readyz")).await;
        if reply.status != 200 {
            break reply;
        }
    };
    assert_eq!((reply.status, reply.body.as_str()), (503, "draining\n"));
    assert_eq!(send(app.request(Method::GET, "/healthz")).await.status, 200);
    assert_eq!(send(app.post(TYPENAME)).await.status, 200);
    app.stopped().await;
}

#[tokio::test]
async fn an_endless_request_does_not_block_the_shutdown() {
    let timeouts = Timeouts { drain: Duration::from_millis(100), ..Timeouts::default() };
    let mut app = TestApp::with(Settings { timeouts, ..settings() }).await;
    let busy = half_request(&app).await;

    app.stop();
    app.stopped().await;
    assert_eq!(read_to_end(busy).await, "");
}
