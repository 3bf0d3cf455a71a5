//! PostgreSQL behind a pooler: a real PgBouncer 1.18, and a session that is not ours to change.

use std::time::Duration;

use entourage::{
    domain::UserId,
    store::{self, ConnectError, Error, EventHint, Options, SchemaState},
};
use tokio::time::timeout;

use super::{ALICE, BOB, assert_sound, faults::on_postgres, follow, four_users};
use crate::support::{
    bouncer::Bouncer,
    database::{Database, Engine},
};

async fn refusal(url: &str) -> String {
    let refused = store::connect(url, Options::default()).await.unwrap_err();
    assert!(matches!(refused, ConnectError::Unusable(_)), "{refused:?}");
    refused.to_string()
}

#[tokio::test]
async fn a_pooler_in_session_mode_is_like_the_server() {
    Database::empty(Engine::Postgres)
        .await
        .run(async |database| {
            let bouncer = Bouncer::start(&database.url, "session").await;
            let store = store::connect(&bouncer.url, Options::default()).await.unwrap();

            store.migrate().await.unwrap();
            four_users(&*store).await;
            follow(&*store, ALICE, BOB, 1).await;
            assert!(store.watch_users().await.unwrap().is_some(), "LISTEN works");
            store.ping().await.unwrap();
            assert_sound(&*store).await;
            store.close().await;
        })
        .await;
}

#[tokio::test]
async fn a_pooler_in_another_mode_is_refused_in_one_line() {
    on_postgres(async |database| {
        let transaction = Bouncer::start(&database.url, "transaction").await;
        let line = refusal(&transaction.url).await;
        assert!(line.contains("add ?pooler=transaction to DATABASE_URL"), "{line}");
        let line = refusal(&format!("{}?pooler=transaction", transaction.url)).await;
        assert!(line.contains("PgBouncer 1.21 or newer with max_prepared_statements"), "{line}");

        let statement = Bouncer::start(&database.url, "statement").await;
        let line = refusal(&statement.url).await;
        assert!(line.contains("is in statement mode") && line.lines().count() == 1, "{line}");
    })
    .await;
}

#[tokio::test]
async fn a_shared_session_is_neither_set_nor_listened_on() {
    on_postgres(async |database| {
        let url = format!("{}?pooler=transaction", database.url);
        let store = store::connect(&url, Options::default()).await.unwrap();
        four_users(&*store).await;
        follow(&*store, ALICE, BOB, 1).await;

        // Most settings of a session show up as those of its backend only; this one is a lock.
        assert!(store.watch_users().await.unwrap().is_none(), "it listens");
        assert_eq!(store.find_drift(&|_| {}).await.unwrap(), []);
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_process_that_begins_to_watch_wakes_the_others() {
    on_postgres(async |database| {
        let (mut hints, _) = database.store.watch_events().await.unwrap();
        for pooler in ["", "?pooler=transaction"] {
            let url = format!("{}{pooler}", database.url);
            let store = store::connect(&url, Options::default()).await.unwrap();
            // As after a failure, by which its hints were lost.
            let (mut own, _) = store.watch_events().await.unwrap();
            let woken = async {
                tokio::select! {
                    hint = hints.next() => assert_eq!(hint.unwrap(), EventHint::AnyGrown),
                    _ = own.next() => unreachable!("its own hint is not for itself"),
                }
            };
            timeout(Duration::from_secs(10), woken).await.expect("a hint");
            store.close().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_shared_session_migrates_by_the_direct_address() {
    Database::empty(Engine::Postgres)
        .await
        .run(async |database| {
            let url = format!("{}?pooler=transaction", database.url);
            let pooled = store::connect(&url, Options::default()).await.unwrap();
            let refused = pooled.migrate().await.unwrap_err();
            assert!(matches!(refused, Error::Conflict(_)), "{refused}");
            assert!(refused.to_string().contains("ENTOURAGE_DATABASE_DIRECT_URL"), "{refused}");
            assert_eq!(pooled.schema_state().await.unwrap(), SchemaState::Empty);
            pooled.close().await;

            let direct = Some(&*database.url);
            let store = store::connect_by(&url, direct, Options::default()).await.unwrap();
            store.migrate().await.unwrap();
            assert!(store.watch_users().await.unwrap().is_some(), "it listens");
            assert!(!store.delete_user(UserId(1), super::at(0)).await.unwrap());
            store.close().await;
        })
        .await;
}
