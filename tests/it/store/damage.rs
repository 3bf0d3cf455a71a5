//! A SQLite file that is replaced, cut short, copied over or malformed while it is open.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::PathBuf,
};

use entourage::{
    domain::{Audience, UserId},
    store::{self, ConnectError, Error, Metered, Options, Store},
};

use super::{create, users};
use crate::support::database::{Database, Engine};

/// A database with users, whose pages are all in the file.
async fn on_file(test: impl AsyncFnOnce(&Database, PathBuf)) {
    let database = Database::migrated(Engine::Sqlite).await;
    database
        .run(async |database| {
            users(database.store(), 50).await;
            checkpoint(database).await;
            database.store().ping().await.unwrap();
            test(database, store::sqlite_file(&database.url).unwrap()).await;
        })
        .await;
}

async fn checkpoint(database: &Database) {
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)").await;
}

async fn assert_refused(store: &dyn Store, reason: &str) {
    let refused = store.ping().await.unwrap_err();
    assert!(matches!(refused, Error::Corrupt(_)), "{refused:?}");
    assert!(refused.to_string().contains(reason), "{refused}");
}

#[tokio::test]
async fn a_file_system_without_wal_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    // This way of SQLite to access files has no shared memory, as a network file system has none.
    let url = format!("sqlite://{}?vfs=unix-none", folder.path().join("a.db").display());
    let refused = store::connect(&url, Options::default()).await.unwrap_err();
    assert!(matches!(refused, ConnectError::Unusable(_)), "{refused:?}");
    assert!(refused.to_string().ends_with("use a folder on a local disk"), "{refused}");
}

#[tokio::test]
async fn a_file_that_was_replaced_is_noticed() {
    on_file(async |database, file| {
        fs::copy(&file, file.with_extension("copy")).unwrap();
        fs::rename(file.with_extension("copy"), &file).unwrap();
        assert_refused(database.store(), "was replaced").await;
        fs::remove_file(&file).unwrap();
        assert_refused(database.store(), "is missing").await;
    })
    .await;
}

#[tokio::test]
async fn a_file_that_was_cut_short_is_noticed() {
    on_file(async |database, file| {
        let half = fs::metadata(&file).unwrap().len() / 2;
        File::options().write(true).open(&file).unwrap().set_len(half).unwrap();
        assert_refused(database.store(), "was cut short").await;
    })
    .await;
}

#[tokio::test]
async fn an_older_copy_over_the_file_is_noticed() {
    on_file(async |database, file| {
        let older = fs::read(&file).unwrap();
        for id in 100..300 {
            create(database.store(), UserId(id), &format!("v{id}")).await;
        }
        checkpoint(database).await;
        database.store().ping().await.unwrap();

        fs::write(&file, older).unwrap();
        assert_refused(database.store(), "an older copy was written over").await;
    })
    .await;
}

#[tokio::test]
async fn a_malformed_page_makes_the_store_unready() {
    on_file(async |database, file| {
        let store = store::connect(&database.url, Options::default()).await.unwrap();
        let store = Metered::new(store);
        let length = usize::try_from(fs::metadata(&file).unwrap().len()).unwrap();
        let noise = vec![0xAB; length - 4_096];
        File::options().write(true).open(&file).unwrap().write_all_at(&noise, 4_096).unwrap();

        let read = store.users_by_ids(Audience::EVERYBODY, &[UserId(1)]).await;
        assert!(matches!(read, Err(Error::Corrupt(_))), "{read:?}");
        assert_refused(&store, "malformed").await;
    })
    .await;
}
