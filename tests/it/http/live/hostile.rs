//! Clients that break the rules, stop reading, or vanish.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use chrono::TimeDelta;
use entourage::{
    app::Settings,
    domain::{FollowAction, FollowChange, FollowLimits, Limits},
    graphql::encode_event,
    http::Patience,
};
use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    task::yield_now,
    time::{interval, timeout},
};
use tokio_tungstenite::tungstenite::Message;

use super::{
    EVENTS,
    client::{Got, Socket, handshake_over},
    event, follow, from_now, patient, unfollow,
};
use crate::support::{
    app::{TestApp, read_to_end, settings},
    graph::{beginning, draw},
};

const HANDSHAKE: &str = "GET /graphql HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\n\
    upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    sec-websocket-protocol: graphql-transport-ws\r\n\r\n";

/// A socket, frame by frame.
async fn by_hand(app: &TestApp) -> TcpStream {
    let stream = TcpStream::connect(app.address).await.expect("accepts");
    upgraded(stream).await
}

async fn upgraded(mut stream: TcpStream) -> TcpStream {
    stream.write_all(HANDSHAKE.as_bytes()).await.expect("reads");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("answers"));
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
    stream
}

/// A masked frame, whose mask is zero.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("a short one");
    assert!(length < 126);
    [&[first, 0x80 | length, 0, 0, 0, 0], payload].concat()
}

/// The code of the close that comes, after whatever comes before.
async fn close_code(stream: TcpStream) -> u16 {
    let mut stream = stream;
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    let mut rest = &bytes[..];
    while rest.len() >= 2 {
        let (kind, length) = (rest[0], usize::from(rest[1]));
        if kind == 0x88 {
            return u16::from_be_bytes([rest[2], rest[3]]);
        }
        rest = &rest[2 + length..];
    }
    panic!("no close: {bytes:?}");
}

#[tokio::test]
async fn a_malformed_frame_closes_the_socket() {
    let app = TestApp::start().await;
    for (bad, code) in [
        (vec![0x81, 0x02, b'{', b'}'], 1002),
        (frame(0x83, b"x"), 1002),
        (frame(0xc1, b"{}"), 1002),
        (frame(0x80, b"{}"), 1002),
        (frame(0x09, b"x"), 1002),
        (frame(0x81, &[0xff, 0xfe]), 1007),
        (vec![0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0], 1009),
    ] {
        let mut stream = by_hand(&app).await;
        stream.write_all(&bad).await.expect("reads");
        assert_eq!(close_code(stream).await, code, "{bad:?}");
    }
}

#[tokio::test]
async fn a_message_may_come_in_fragments() {
    let app = TestApp::start().await;
    let mut stream = by_hand(&app).await;
    stream.write_all(&frame(0x01, b"{\"type\":")).await.expect("reads");
    stream.write_all(&frame(0x89, b"hi")).await.expect("reads");
    stream.write_all(&frame(0x80, b"\"ping\"}")).await.expect("reads");
    let mut bytes = [0; 4 + 17];
    stream.read_exact(&mut bytes).await.expect("answers");
    let text = String::from_utf8_lossy(&bytes).into_owned();
    assert!(text.contains("hi") && text.contains(r#"{"type":"pong"}"#), "{text:?}");
}

#[tokio::test]
async fn a_handshake_that_is_none_is_refused() {
    let app = TestApp::start().await;
    for (from, to) in [
        ("version: 13", "version: 8"),
        ("sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n", ""),
        ("connection: upgrade", "connection: close"),
        ("sec-websocket-protocol: graphql-transport-ws\r\n", ""),
    ] {
        let request = HANDSHAKE.replace(from, to).replace("host: x", "host: x\r\nx: y");
        let mut stream = TcpStream::connect(app.address).await.expect("accepts");
        stream.write_all(request.as_bytes()).await.expect("reads");
        let mut status = [0; 12];
        stream.read_exact(&mut status).await.expect("answers");
        assert_eq!(&status, b"HTTP/1.1 400", "{to:?}");
    }
}

#[tokio::test]
async fn a_half_open_socket_is_dropped() {
    let app = patient(Patience {
        ping: Duration::from_millis(30),
        silence: Duration::from_millis(150),
        ..Patience::default()
    })
    .await;
    // It answers no ping.
    let stream = by_hand(&app).await;
    let began = Instant::now();
    read_to_end(stream).await;
    assert!(began.elapsed() < Duration::from_secs(10));

    // This one does, while it is read.
    let mut socket = Socket::open(&app).await;
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(400) {
        assert!(socket.raw().await.is_some_and(|frame| frame.is_ok()));
    }
}

#[tokio::test]
async fn ten_thousand_subscribes_are_answered_one_by_one() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.sign_up("ada").await, app.sign_up("bob").await);
    let mut socket = Socket::ready(&app, &ada).await;
    let mut other = Socket::ready(&app, &bob).await;
    other.subscribe("1", &from_now(&app, &bob).await).await;
    assert!(other.ping().await.is_empty());

    let events = from_now(&app, &ada).await;
    for batch in 0..100 {
        for n in 0..100 {
            socket.subscribe(&format!("{batch}-{n}"), &events).await;
        }
        for message in socket.ping().await {
            let code = &message["payload"][0]["extensions"]["code"];
            assert_eq!((&message["type"], code), (&json!("error"), &json!("RATE_LIMITED")));
        }
    }
    // The 20 that were opened run, and others are served.
    follow(&app, &bob, "ada").await;
    follow(&app, &ada, "bob").await;
    for _ in 0..20 {
        assert_eq!(event(&socket.message().await)["user"]["username"], "bob");
    }
    assert_eq!(event(&other.message().await)["user"]["username"], "ada");
}

/// A connection with small buffers, so that it is full soon.
async fn narrow(app: &TestApp) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4_096).expect("it is supported");
    socket.connect(app.address).await.expect("accepts")
}

#[tokio::test]
async fn a_client_that_stops_reading_is_dropped() {
    let limits = Limits { operations_per_socket_max: 10_000, ..Limits::default() };
    let live = Patience { write: Duration::from_millis(300), ..Patience::default() };
    let timeouts = entourage::http::Timeouts { live, ..Default::default() };
    let app = TestApp::with(Settings { limits, timeouts, ..settings() }).await;
    let ada = app.sign_up("ada").await;
    let mut quick = Socket::ready(&app, &ada).await;

    let mut stream = upgraded(narrow(&app).await).await;
    stream.write_all(&frame(0x81, br#"{"type":"connection_init"}"#)).await.expect("reads");
    // It asks for more and more, and reads nothing.
    let query = br#"{"type":"subscribe","id":"?","payload":{"query":"{__schema{types{name description}}}"}}"#;
    let began = Instant::now();
    let mut asked = 0_u32;
    while began.elapsed() < Duration::from_secs(30) {
        let mut query = query.to_vec();
        query[25] = b'a' + u8::try_from(asked % 26).expect("a letter");
        let frame = frame(0x81, &query);
        let write = stream.write_all(&frame);
        match tokio::time::timeout(Duration::from_millis(100), write).await {
            Ok(Ok(())) => asked += 1,
            Ok(Err(_)) => break,
            Err(_elapsed) => {}
        }
        if asked.is_multiple_of(50) {
            assert!(quick.ping().await.is_empty(), "others are served");
        }
    }
    assert!(began.elapsed() < Duration::from_secs(20), "{asked}");
}

/// A subscription whose client has read nothing until the buffers of both ends were full, and the
/// number of events so far. The last of them are not sent yet.
async fn full(app: &TestApp) -> (Socket, i64) {
    let users = draw(&*app.store, "ada\nbob").await;
    let change = |n: i64| FollowChange {
        follower: users["bob"],
        followee: users["ada"],
        at: beginning() + TimeDelta::seconds(n),
        action: match n % 2 {
            0 => FollowAction::Follow(FollowLimits::NONE),
            _ => FollowAction::Remove,
        },
    };
    let ada = app.token("ada", None).await;
    let headers = [("sec-websocket-protocol", "graphql-transport-ws")];
    let upgraded = handshake_over(narrow(app).await, "/graphql", &headers).await;
    let mut socket = upgraded.expect("upgraded").0.initialised(&ada).await;

    // Answers of a kilobyte, one by one.
    let start = encode_event(users["ada"], 0);
    let cursors: String = (0..25).map(|n| format!("c{n}: cursor ")).collect();
    let query = format!("subscription {{ followEvents(after: \"{start}\") {{ {cursors} }} }}");
    socket.subscribe("1", &query).await;
    let mut events = 0;
    loop {
        let before = app.statements();
        app.store.change_follow(change(events)).await.expect("it works");
        events += 1;
        let is_read = async {
            while app.statements() == before {
                yield_now().await;
            }
        };
        if timeout(Duration::from_millis(100), is_read).await.is_err() {
            return (socket, events);
        }
    }
}

#[tokio::test]
async fn a_client_that_pings_and_never_reads_is_dropped() {
    let app = patient(Patience { write: Duration::from_secs(1), ..Patience::default() }).await;
    let (mut socket, _) = full(&app).await;
    let began = Instant::now();
    let mut pings = interval(Duration::from_millis(200));
    while began.elapsed() < Duration::from_secs(10) {
        pings.tick().await;
        if socket.0.send(Message::text(r#"{"type":"ping"}"#)).await.is_err() {
            break;
        }
    }
    assert!(began.elapsed() < Duration::from_secs(5), "it keeps its seat");
}

#[tokio::test]
async fn a_client_that_reads_on_gets_the_rest_at_once() {
    let long = Duration::from_mins(2);
    let [ping, silence, write, check] = [long; 4];
    let app = patient(Patience { ping, silence, write, check, ..Patience::default() }).await;
    let (mut socket, events) = full(&app).await;
    let reading = async {
        for _ in 0..events {
            assert_eq!(socket.message().await["type"], "next");
        }
    };
    timeout(Duration::from_secs(20), reading).await.expect("nothing else wakes the server");
}

#[tokio::test]
async fn a_slow_reader_is_behind_and_loses_nothing() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.sign_up("ada").await, app.sign_up("bob").await);
    let mut socket = Socket::ready(&app, &ada).await;
    let events = from_now(&app, &ada).await;
    socket.subscribe("1", &events).await;
    assert!(socket.ping().await.is_empty());
    // Each unfollow is an event of bob alone.
    for _ in 0..250 {
        follow(&app, &bob, "ada").await;
        unfollow(&app, &bob, "ada").await;
    }
    let mut cursors: Vec<Value> = Vec::new();
    for _ in 0..250 {
        cursors.push(event(&socket.message().await)["cursor"].clone());
    }
    let count = cursors.len();
    cursors.dedup();
    assert_eq!(cursors.len(), count);
    assert!(socket.ping().await.is_empty());
}

#[tokio::test]
async fn subscriptions_on_a_socket_take_turns() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.sign_up("ada").await, app.sign_up("bob").await);
    let mut socket = Socket::ready(&app, &ada).await;
    let events = from_now(&app, &ada).await;
    socket.subscribe("first", &events).await;
    assert!(socket.ping().await.is_empty());
    for _ in 0..250 {
        follow(&app, &bob, "ada").await;
        unfollow(&app, &bob, "ada").await;
    }
    let first = event(&socket.message().await)["cursor"].as_str().expect("one").to_owned();
    socket.send(json!({ "id": "first", "type": "complete" })).await;
    socket.ping().await;

    let query = EVENTS.replace("followEvents", &format!("followEvents(after: \"{first}\")"));
    for id in ["a", "b", "c"] {
        socket.subscribe(id, &query).await;
    }
    let mut delivered: HashMap<String, i32> = HashMap::new();
    // What each has had when the last one begins.
    let mut before: Option<HashMap<String, i32>> = None;
    while delivered.len() < 3 || delivered.values().any(|count| *count < 249) {
        let message = socket.message().await;
        *delivered.entry(message["id"].as_str().expect("an id").to_owned()).or_insert(0) += 1;
        if delivered.len() < 3 {
            continue;
        }
        let before = before.get_or_insert_with(|| delivered.clone());
        if delivered.values().all(|count| *count < 249) {
            // Each is read in batches of a hundred.
            let since = delivered.iter().map(|(id, count)| count - before[id]);
            let (least, most) = (since.clone().min(), since.max());
            assert!(most <= least.map(|least| least + 200), "{before:?} {delivered:?}");
        }
    }
}

#[tokio::test]
async fn a_client_that_vanishes_frees_its_subscription() {
    let limits = Limits { subscriptions_max: 1, ..Limits::default() };
    let app = TestApp::with(Settings { limits, ..settings() }).await;
    let ada = app.sign_up("ada").await;
    for _ in 0..3 {
        let mut socket = loop {
            let protocol = [("sec-websocket-protocol", "graphql-transport-ws")];
            if let Ok((socket, _)) = super::client::handshake(&app, &protocol).await {
                break socket;
            }
        };
        let payload = json!({ "authorization": format!("Bearer {ada}") });
        socket.send(json!({ "type": "connection_init", "payload": payload })).await;
        assert!(matches!(socket.next().await, Got::Message(_)));
        socket.subscribe("1", EVENTS).await;
        assert!(socket.ping().await.is_empty());
    }
}
