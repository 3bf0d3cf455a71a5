//! `GET /account/export`: who gets it, how often, and what happens when it is cut off.

use std::{fs, sync::Arc, time::Duration};

use chrono::TimeDelta;
use entourage::{
    app::Settings,
    domain::{Follow, NewUser, UserId, Username},
    http::Timeouts,
    store::{Graph, Store},
};
use reqwest::{Method, RequestBuilder};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use super::{Read, send};
use crate::support::{
    app::{TestApp, settings},
    clock::ByHand,
    database::{Database, Engine},
    graph::beginning,
};

const PATH: &str = "/account/export";
/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

fn export(app: &TestApp, token: &str) -> RequestBuilder {
    app.request(Method::GET, PATH).bearer_auth(token)
}

/// Gives a user so many followers that the file fits into no buffer of a socket.
async fn with_many_followers(store: &dyn Store) {
    let id = |n: i64| UserId(n);
    let name = |n: i64| Username::parse(&format!("{}_{n}", "u".repeat(50))).expect("a good name");
    let users = (1..80_000).map(|n| NewUser::bare(id(n), name(n), beginning())).collect();
    let follow = |n| Follow { follower: id(n), followee: id(1), followed_at: beginning() };
    let graph = Graph { users, follows: (2..80_000).map(follow).collect() };
    store.load(graph, &|_| ()).await.expect("it is empty");
}

/// The user of whom [`with_many_followers`] tells.
fn popular() -> String {
    format!("{}_1", "u".repeat(50))
}

#[tokio::test]
async fn owners_get_their_account_as_a_file() {
    let app = TestApp::start().await;
    let token = app.sign_up("alice").await;
    let reply = send(export(&app, &token)).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), "application/json");
    assert_eq!(reply.header("content-disposition"), "attachment; filename=\"alice.json\"");
    assert_eq!(reply.header("cache-control"), "no-store");
    let file = reply.json();
    assert_eq!(file["account"]["username"], "alice");
    assert_eq!(file["complete"], true);
    // Settings without limits over time have none for this either.
    assert_eq!(send(export(&app, &token)).await.status, 200);
}

#[tokio::test]
async fn strangers_and_other_methods_get_no_file() {
    let app = TestApp::start().await;
    let token = app.sign_up("alice").await;
    let reply = send(app.request(Method::GET, PATH)).await;
    assert_eq!((reply.status, reply.code().as_str()), (401, "UNAUTHENTICATED"));
    assert_eq!(reply.header("www-authenticate"), "Bearer");
    let reply = send(export(&app, "nonsense")).await;
    assert_eq!((reply.status, reply.code().as_str()), (401, "UNAUTHENTICATED"));
    let reply = send(app.request(Method::HEAD, PATH).bearer_auth(&token)).await;
    assert_eq!((reply.status, reply.header("allow")), (405, "GET"));
    let reply = send(app.request(Method::POST, PATH).bearer_auth(&token)).await;
    assert_eq!(reply.status, 405);
}

#[tokio::test]
async fn an_account_is_exported_once_an_hour() {
    let clock = ByHand::new(beginning());
    let limited = Settings { rate_limits: true, clock: Arc::new(clock.clone()), ..settings() };
    let app = TestApp::with(limited).await;
    let (alice, bob) = (app.sign_up("alice").await, app.sign_up("bob").await);
    assert_eq!(send(export(&app, &alice)).await.status, 200);
    clock.advance(TimeDelta::minutes(20));
    let reply = send(export(&app, &alice)).await;
    assert_eq!((reply.status, reply.header("retry-after")), (429, "2400"));
    assert_eq!(reply.code(), "RATE_LIMITED");
    assert_eq!(reply.json()["errors"][0]["extensions"]["retryAfter"], 2400);
    assert_eq!(send(export(&app, &bob)).await.status, 200, "each account counts for itself");
    clock.advance(TimeDelta::minutes(39));
    let alice = app.token("alice", None).await;
    assert_eq!(send(export(&app, &alice)).await.status, 429);
    clock.advance(TimeDelta::minutes(1));
    assert_eq!(send(export(&app, &alice)).await.status, 200);
}

/// A client that asks for the file, and has read the beginning of the reply.
async fn slow_client(app: &TestApp, token: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    // What fits into buffers does not wait for the client.
    socket.set_recv_buffer_size(4_096).expect("a small buffer");
    let mut client = socket.connect(app.address).await.expect("the server accepts");
    let request =
        format!("GET {PATH} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n");
    client.write_all(request.as_bytes()).await.expect("the server reads");
    let mut head = [0; 64];
    client.read_exact(&mut head).await.expect("the server answers");
    assert!(head.starts_with(b"HTTP/1.1 200 OK\r\n"), "{}", String::from_utf8_lossy(&head));
    client
}

/// Asks for the file until there is a place.
async fn until_there_is_a_place(app: &TestApp, token: &str) -> Read {
    let place = async {
        loop {
            let reply = send(export(app, token)).await;
            if reply.status != 503 {
                return reply;
            }
        }
    };
    timeout(PATIENCE, place).await.expect("a place becomes free")
}

#[tokio::test]
async fn a_client_that_leaves_frees_its_place() {
    let app = TestApp::start().await;
    with_many_followers(&*app.store).await;
    let token = app.token(&popular(), None).await;
    let first = slow_client(&app, &token).await;
    let second = slow_client(&app, &token).await;
    let reply = send(export(&app, &token)).await;
    assert_eq!((reply.status, reply.header("retry-after")), (503, "30"));
    assert_eq!(reply.code(), "UNAVAILABLE");

    drop(first);
    let reply = until_there_is_a_place(&app, &token).await;
    let file = reply.json();
    assert_eq!(file["complete"], true);
    assert_eq!(file["followers"].as_array().expect("a list").len(), 79_998);
    drop(second);
}

#[tokio::test]
async fn an_export_that_does_not_begin_does_not_count() {
    let database = Database::migrated(Engine::Sqlite).await;
    database
        .run(async |database| {
            let limited = Settings { rate_limits: true, ..settings() };
            let app = TestApp::over(Arc::clone(&database.store), limited).await;
            let token = app.sign_up("alice").await;
            let file = database.url.strip_prefix("sqlite://").expect("a file");
            let elsewhere = format!("{file}.moved");
            // Open connections go on with it. An export opens one of its own.
            fs::rename(file, &elsewhere).expect("it can be moved");
            let reply = send(export(&app, &token)).await;
            fs::rename(&elsewhere, file).expect("it can be moved back");
            assert_eq!(reply.status, 503);
            assert_eq!(send(export(&app, &token)).await.status, 200);
            assert_eq!(send(export(&app, &token)).await.status, 429);
        })
        .await;
}

#[tokio::test]
async fn a_file_is_cut_off_when_its_time_is_up() {
    let timeouts = Timeouts { export: Duration::from_millis(300), ..Timeouts::default() };
    let app = TestApp::with(Settings { timeouts, ..settings() }).await;
    with_many_followers(&*app.store).await;
    let token = app.token(&popular(), None).await;
    let mut first = slow_client(&app, &token).await;
    let _second = slow_client(&app, &token).await;
    let is_full = async || export(&app, &token).send().await.expect("answers").status() == 503;
    timeout(PATIENCE, async { while is_full().await {} }).await.expect("a place becomes free");
    let mut rest = Vec::new();
    // The server closes the connection, with or without a reset.
    let _ = timeout(PATIENCE, first.read_to_end(&mut rest)).await.expect("it is cut off");
    assert!(!rest.ends_with(b"0\r\n\r\n"), "the response has no end");
    assert!(!String::from_utf8_lossy(&rest).contains("\"complete\""));
}

#[tokio::test]
async fn a_file_is_cut_off_when_the_database_fails() {
    let database = Database::migrated(Engine::Postgres).await;
    database
        .run(async |database| {
            with_many_followers(database.store()).await;
            let app = TestApp::over(Arc::clone(&database.store), settings()).await;
            let token = app.token(&popular(), None).await;
            let mut client = slow_client(&app, &token).await;
            let mut connection = database.postgres_connection().await;
            let mut ended = async || {
                let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                           WHERE datname = current_database() AND state = 'idle in transaction'";
                !sqlx::query(end).fetch_all(&mut connection).await.expect("works").is_empty()
            };
            timeout(PATIENCE, async { while !ended().await {} }).await.expect("it waits");
            let mut rest = Vec::new();
            let read = timeout(PATIENCE, client.read_to_end(&mut rest)).await;
            // The server closes the connection, with or without a reset.
            let _ = read.expect("it is cut off");
            assert!(!rest.ends_with(b"0\r\n\r\n"), "the response has no end");
            assert!(!String::from_utf8_lossy(&rest).contains("\"complete\""));
            assert_eq!(send(export(&app, &token)).await.json()["complete"], true);
        })
        .await;
}
