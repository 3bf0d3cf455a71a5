//! Clients that request a change and hang up before or during the answer.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};
use serde_json::json;
use sqlx::{Connection, Executor};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{
    people::{People, UNLIMITED, assert_sound, username},
    writers::FOLLOW,
};
use crate::support::{
    answer::Caller,
    database::{Database, Engine},
    figures::{tell, until},
    follow::counts_of,
    process::Server,
};
use entourage::domain::Audience;

/// The number of concurrent clients.
const AT_ONCE: usize = 4;
/// The number of users with a token.
const SIGNED_IN: usize = 50;
/// The number of users to follow.
const FOLLOWED: usize = 500;
/// The longest that a client waits, in milliseconds.
const STAY_MS_MAX: usize = 20;
/// The longest time until all requested changes have ended.
const SETTLES_WITHIN: Duration = Duration::from_secs(30);

/// Lets this many clients connect and hang up.
pub(crate) async fn run(database: &Database, clients: usize) {
    let people = Arc::new(People::make(&database.url, SIGNED_IN + FOLLOWED, SIGNED_IN).await);
    let server = Server::start(database, &UNLIMITED);

    let visits = (0..clients).map(|n| visit(&server.address, &people, n));
    let answered: usize = stream::iter(visits)
        .buffer_unordered(AT_ONCE)
        .collect::<Vec<_>>()
        .await
        .into_iter()
        .map(usize::from)
        .sum();
    let settled = match database.engine() {
        Engine::Sqlite => lock_is_free(database).await,
        Engine::Postgres => no_transaction_is_open(database).await,
    };

    // All connections to the database work, and no hung-up request occupies the server.
    let caller = Caller::of(&server.address);
    let asks = (0..AT_ONCE).map(|_| caller.ask(None, "{ users { totalCount } }", json!({})));
    for answer in futures_util::future::join_all(asks).await {
        assert_eq!(answer.data()["users"]["totalCount"], SIGNED_IN + FOLLOWED);
    }
    assert_sound(&database.url);
    let store = database.another_store().await;
    let counts =
        counts_of(store.lists_by_ids(Audience::EVERYBODY, &people.ids).await.expect("it answers"));
    store.close().await;
    tell(&format!(
        "{clients} clients hung up after 0 to {STAY_MS_MAX} ms, {answered} of them answered: {} \
         follows made, counts exact; {settled:.0?} later no transaction is open",
        counts.values().map(|counts| counts.following).sum::<i64>(),
    ));
}

/// Requests a follow, waits for some milliseconds, and returns whether the answer came by then.
async fn visit(address: &str, people: &People, n: usize) -> bool {
    let token = &people.tokens[n % SIGNED_IN];
    let followee = username(SIGNED_IN + n / SIGNED_IN % FOLLOWED);
    let body = json!({ "query": FOLLOW, "variables": { "username": followee } }).to_string();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len(),
    );
    let mut stream = TcpStream::connect(address).await.expect("the server accepts");
    stream.write_all(format!("{head}{body}").as_bytes()).await.expect("the server reads");

    let stay = Duration::from_millis((n % (STAY_MS_MAX + 1)) as u64);
    let read = timeout(stay, stream.read(&mut [0; 64])).await;
    matches!(read, Ok(Ok(1..)))
}

async fn no_transaction_is_open(database: &Database) -> Duration {
    let mut watcher = database.postgres_connection().await;
    let open = "SELECT FROM pg_stat_activity WHERE datname = current_database() \
                AND application_name = 'entourage' AND state <> 'idle'";
    let settled = until(SETTLES_WITHIN, "no transaction is open", async || {
        watcher.fetch_optional(open).await.expect("it answers").is_none()
    })
    .await;
    watcher.close().await.expect("it is open");
    settled
}

async fn lock_is_free(database: &Database) -> Duration {
    let mut other = database.sqlite_connection().await;
    let settled = until(SETTLES_WITHIN, "the lock is free", async || {
        other.execute("BEGIN IMMEDIATE").await.is_ok()
    })
    .await;
    other.execute("ROLLBACK").await.expect("it was begun");
    other.close().await.expect("it is open");
    settled
}
