//! Subscribers of one server, and changes on another.

use std::time::Duration;

use entourage::store::{self, Options};
use tokio::time::timeout;

use super::{client::Socket, event, follow, from_now};
use crate::support::{
    app::{TestApp, settings},
    database::{Database, Engine},
};

/// Far less than the time after which every log is polled in any case.
const IN_TIME: Duration = Duration::from_secs(10);

/// Two users follow somebody on one server, whose subscriber is on another.
async fn hears_of_another_server(writer: &TestApp, reader: &TestApp) {
    let ada = writer.sign_up("ada").await;
    let mut socket = Socket::ready(reader, &ada).await;
    let events = from_now(writer, &ada).await;
    socket.subscribe("1", &events).await;
    assert!(socket.ping().await.is_empty());
    for name in ["bob", "eve"] {
        let token = writer.sign_up(name).await;
        follow(writer, &token, "ada").await;
        let message = timeout(IN_TIME, socket.message()).await.expect("in time");
        assert_eq!(event(&message)["user"]["username"], name);
    }
}

/// A server behind a pooler that lends connections, and one that is not.
async fn with_and_without_sessions() -> (TestApp, TestApp) {
    let database = Database::migrated(Engine::Postgres).await;
    let url = format!("{}?pooler=transaction", database.url);
    let store = store::connect(&url, Options::default()).await.expect("the database is there");
    let (_, has_all) = store.watch_events().await.expect("it answers");
    assert!(!has_all, "it listens");
    (TestApp::over(store, settings()).await, TestApp::on(database, settings()).await)
}

#[tokio::test]
async fn a_follow_reaches_subscribers_of_another_server() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let database = Database::migrated(engine).await;
        let other = TestApp::over(database.another_store().await, settings()).await;
        hears_of_another_server(&TestApp::on(database, settings()).await, &other).await;
    }
}

#[tokio::test]
async fn without_listen_it_is_polled() {
    let (pooled, direct) = with_and_without_sessions().await;
    hears_of_another_server(&direct, &pooled).await;
}

#[tokio::test]
async fn a_server_that_cannot_listen_notifies_others() {
    let (pooled, direct) = with_and_without_sessions().await;
    hears_of_another_server(&pooled, &direct).await;
}
