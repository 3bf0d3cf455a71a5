//! Subscribers of one server, and changes on another.

use std::{sync::Arc, time::Duration};

use entourage::store::{self, Options, Store};
use tokio::time::timeout;

use super::{client::Socket, event, follow, from_now};
use crate::support::{
    app::{TestApp, settings},
    database::{Database, Engine},
};

/// Far less than the time after which every log is polled in any case.
const IN_TIME: Duration = Duration::from_secs(10);

/// Two users follow somebody on one server, whose subscriber is on another, over `store`.
async fn hears_of_another_server(database: Database, store: Arc<dyn Store>) {
    let other = TestApp::over(store, settings()).await;
    let app = TestApp::on(database, settings()).await;
    let ada = app.sign_up("ada").await;
    let mut socket = Socket::ready(&other, &ada).await;
    let events = from_now(&app, &ada).await;
    socket.subscribe("1", &events).await;
    assert!(socket.ping().await.is_empty());
    for name in ["bob", "eve"] {
        let token = app.sign_up(name).await;
        follow(&app, &token, "ada").await;
        let message = timeout(IN_TIME, socket.message()).await.expect("in time");
        assert_eq!(event(&message)["user"]["username"], name);
    }
}

#[tokio::test]
async fn a_follow_reaches_subscribers_of_another_server() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let database = Database::migrated(engine).await;
        let store = database.another_store().await;
        hears_of_another_server(database, store).await;
    }
}

#[tokio::test]
async fn without_listen_it_is_polled() {
    let database = Database::migrated(Engine::Postgres).await;
    let url = format!("{}?pooler=transaction", database.url);
    let store = store::connect(&url, Options::default()).await.expect("the database is there");
    let (_, has_all) = store.watch_events().await.expect("it answers");
    assert!(!has_all, "it listens");
    hears_of_another_server(database, store).await;
}
