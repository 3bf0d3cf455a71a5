//! Several runs of one import at the same time: one of them goes on, and the others stop.

use std::{fmt::Write as _, path::Path};

use entourage::{
    domain::{Clock, SystemClock},
    service::SystemRandom,
    store::Store,
    transfer::{
        Columns, Mapping, Table,
        import::{By, Follows, ImportError, Importer, Options, Rows, Usernames, Users},
    },
};

use super::{
    import::{Files, assert_sound, migrated},
    on, on_both_engines,
};
use crate::support::database::Database;

on_both_engines! {
    the_second_run_of_an_import_of_users_stops,
    the_second_run_of_an_import_of_follows_stops,
    a_run_stops_when_another_starts_over,
    a_run_that_was_started_over_does_not_finish_it,
    rejected_rows_of_two_runs_are_not_mixed,
}

/// More than two chunks of rows of users.
fn many_users() -> String {
    let mut rows = "id,username\n".to_owned();
    for n in 1..=1_600 {
        writeln!(rows, "{n},user_{n}").expect("there is room");
    }
    rows
}

/// More than two chunks of rows of follows of these users, one of which is rejected.
fn many_follows() -> String {
    let mut rows = "follower,followee,followed_at\n1,1,2020-01-01\n".to_owned();
    for n in 1..=1_600 {
        writeln!(rows, "{n},{},2020-01-01", n % 1_600 + 1).expect("there is room");
    }
    rows
}

fn options() -> Options {
    Options {
        is_dry: false,
        rejects: None,
        restarts: false,
        chunk_time: std::time::Duration::from_millis(1),
        rejects_max: None,
    }
}

async fn begin<'a, R: Rows>(
    store: &'a dyn Store,
    path: &Path,
    rows: impl Fn(&Table) -> R,
    options: Options,
) -> Result<Importer<'a, R>, ImportError> {
    let table = Table::open(path, None).expect("it is a table");
    let rows = rows(&table);
    let hash = entourage::transfer::import::hash(path).expect("it is readable");
    Importer::begin(store, &SystemClock, ("file", &hash), table, rows, options).await
}

fn users(table: &Table) -> Users {
    let columns = Columns::of_users(table.header(), &Mapping::default()).expect("it has all");
    let roles = ("user".to_owned(), vec!["user".to_owned()]);
    let random = std::sync::Arc::new(SystemRandom);
    Users::new(columns, None, Usernames::Refuse, roles, SystemClock.now(), random).expect("a role")
}

fn follows(table: &Table) -> Follows {
    let columns = Columns::of_follows(table.header(), &Mapping::default()).expect("it has all");
    Follows::new(columns, By::External, SystemClock.now(), None, false)
}

/// Begins two runs, of which the first loads a chunk first: the second loads none.
async fn assert_second_stops<R: Rows>(
    database: &Database,
    path: &Path,
    rows: impl Fn(&Table) -> R,
    loaded: i64,
) {
    let (store, other) = (database.store(), database.another_store().await);
    let mut first = begin(store, path, &rows, options()).await.expect("begins");
    let mut second = begin(&*other, path, &rows, options()).await.expect("begins");
    assert!(first.step().await.expect("the first goes on"));
    let saved = store.imports().await.expect("works").remove(0).progress;
    let refused = second.step().await.expect_err("the second stops");
    assert!(matches!(refused, ImportError::OtherRun), "{refused}");
    assert_eq!(refused.to_string(), "another run of this import is running");
    assert_eq!(second.progress().rows(), 0);
    assert_eq!(store.imports().await.expect("works").remove(0).progress, saved);

    while first.step().await.expect("the first goes on") {}
    let report = first.finish(&SystemClock).await.expect("the first ends");
    assert_eq!((report.progress.loaded, report.progress.present), (loaded, 0));
    assert_sound(store).await;
    other.close().await;
}

async fn the_second_run_of_an_import_of_users_stops(database: &Database) {
    let files = Files::new();
    migrated(database).await;
    files.write("users.csv", many_users());
    assert_second_stops(database, &files.path("users.csv"), users, 1_600).await;
}

async fn the_second_run_of_an_import_of_follows_stops(database: &Database) {
    let files = Files::new();
    migrated(database).await;
    on(database, &["import", "users", &files.write("users.csv", many_users())]).success();
    files.write("follows.csv", many_follows());
    assert_second_stops(database, &files.path("follows.csv"), follows, 1_600).await;
}

async fn a_run_stops_when_another_starts_over(database: &Database) {
    let (store, files) = (migrated(database).await, Files::new());
    files.write("users.csv", many_users());
    let path = files.path("users.csv");
    let mut first = begin(store, &path, users, options()).await.expect("begins");
    assert!(first.step().await.expect("the first goes on"));
    let restarts = Options { restarts: true, ..options() };
    let mut second = begin(store, &path, users, restarts).await.expect("begins");
    // Also where both have read as much of the file.
    assert!(second.step().await.expect("the second goes on"));
    assert_eq!(second.progress().position, first.progress().position);
    let refused = first.step().await.expect_err("the first stops");
    assert!(matches!(refused, ImportError::OtherRun), "{refused}");
    while second.step().await.expect("the second goes on") {}
    let report = second.finish(&SystemClock).await.expect("the second ends");
    assert_eq!((report.progress.loaded, report.progress.present), (1_100, 500));
    assert_sound(store).await;
}

async fn a_run_that_was_started_over_does_not_finish_it(database: &Database) {
    let (store, files) = (migrated(database).await, Files::new());
    files.write("users.csv", many_users());
    let path = files.path("users.csv");
    let mut first = begin(store, &path, users, options()).await.expect("begins");
    while first.step().await.expect("the first goes on") {}
    let restarts = Options { restarts: true, ..options() };
    let mut second = begin(store, &path, users, restarts).await.expect("begins");
    assert!(second.step().await.expect("the second goes on"));
    let refused = first.finish(&SystemClock).await.expect_err("the first is not the last");
    assert!(matches!(refused, ImportError::OtherRun), "{refused}");
    assert_eq!(store.imports().await.expect("works").remove(0).finished_at, None);
}

async fn rejected_rows_of_two_runs_are_not_mixed(database: &Database) {
    let (store, files) = (migrated(database).await, Files::new());
    files.write("follows.csv", many_follows());
    let (path, rejects) = (files.path("follows.csv"), files.path("rejects.csv"));
    let options = Options { rejects: Some(rejects), ..options() };
    let mut first = begin(store, &path, follows, options.clone()).await.expect("begins");
    assert!(first.step().await.expect("the first goes on"));
    let before = files.read("rejects.csv");
    let refused = begin(store, &path, follows, options.clone()).await.expect_err("it is locked");
    assert_eq!(refused.to_string(), "another import is writing it");
    assert_eq!(files.read("rejects.csv"), before);
    drop(first);
    begin(store, &path, follows, options).await.expect("the lock goes with its run");
}
