//! The long fault runs: those of `tests/it/faults`, repeated until the figures are meaningful.
//!
//! `make test-faults` runs them one after the other; each prints its figures, which are recorded in
//! `docs/reliability.md`.

#[path = "../it/http/attacks/mod.rs"]
mod attacks;
#[path = "../it/faults/runs/mod.rs"]
mod runs;
mod soak;
#[path = "../it/support/mod.rs"]
#[expect(dead_code, reason = "only some of the support is used here")]
mod support;

use std::time::Duration;

use self::{
    runs::{
        crowd, events, full_disk, hang_ups, import_beside, imports, kill, nth_call,
        on_both_engines, privacy, restarts, starts, toggling,
    },
    support::{
        database::{Database, Engine},
        figures::percentile,
    },
};

on_both_engines! {
    killed,
    killed_and_logged,
    killed_amid_privacy,
    crowded,
    hung_up_on,
    started_at_once,
    imported_beside,
}

async fn killed(database: &Database) {
    let size = kill::Size { writers: 32, rounds: 50, ready_within: Duration::from_secs(2) };
    kill::run(&database.url, size).await;
}

async fn killed_and_logged(database: &Database) {
    let servers = if database.engine() == Engine::Sqlite { 1 } else { 2 };
    let size = events::Size { servers, writers: 60, kills: 10, changes: 1_000 };
    events::run(&database.url, size).await;
}

async fn killed_amid_privacy(database: &Database) {
    privacy::run(&database.url, 5_000).await;
}

async fn crowded(database: &Database) {
    let size = crowd::Size {
        clients: 200,
        connections: 5,
        held: Duration::from_secs(30),
        acquire_timeout: Duration::from_secs(5),
        execution_time_max: Duration::from_secs(10),
    };
    crowd::run(database, size).await;
}

async fn hung_up_on(database: &Database) {
    hang_ups::run(database, 10_000).await;
}

async fn started_at_once(database: &Database) {
    starts::run(database).await;
}

async fn imported_beside(database: &Database) {
    // On SQLite the writers and the import take turns, at some 2,000 rows a second.
    let follows = if database.engine() == Engine::Sqlite { 300_000 } else { 2_000_000 };
    let size = import_beside::Size { users: 100_000, follows, writers: 32, before: 500 };
    let waits = import_beside::run(database, size).await;
    let [before, beside] = [waits.before, waits.beside].map(|waits| percentile(&waits, 99));
    assert!(beside <= 3 * before, "{beside:?} beside the import, {before:?} before");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attacked() {
    let waits = attacks::waits_next_to_200_hostile_requests().await;
    assert!(percentile(&waits, 99) < attacks::ANSWERED_WITHIN, "{waits:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_restarted() {
    restarts::run(20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers() {
    let database = Database::closed(Engine::Postgres).await;
    database.run(async |database| toggling::run(&database.url, 500).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn import_killed() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        imports::run(engine, imports::Size { users: 100_000, follows: 2_000_000, kills: 20 }).await;
    }
}

#[tokio::test]
async fn full_disk() {
    full_disk::run(5).await;
}

#[tokio::test]
async fn nth_call_of_the_store() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        Database::migrated(engine).await.run(nth_call::of_the_store).await;
    }
}

#[tokio::test]
async fn nth_message() {
    let database = Database::migrated(Engine::Postgres).await;
    database.run(async |database| nth_call::of_the_connection(database, 1).await).await;
}
