//! Faults: killed servers, unavailable databases, held locks, clients that hang up. These are short
//! runs; `tests/faults` has the long ones.

mod runs;

use std::time::Duration;

use self::runs::{
    crowd, events, full_disk, hang_ups, import_beside, imports, kill, nth_call, on_both_engines,
    privacy, restarts, starts, toggling,
};
use crate::support::database::{Database, Engine};

on_both_engines! {
    every_acknowledged_follow_survives_kills,
    every_acknowledged_change_is_one_event_despite_kills,
    a_kill_amid_privacy_leaves_whole_transactions,
    clients_behind_held_locks_are_refused_and_later_served,
    clients_who_hang_up_leave_no_transaction_open,
    servers_that_start_at_once_on_an_empty_database_all_serve,
    no_request_fails_beside_an_import,
}

async fn every_acknowledged_follow_survives_kills(database: &Database) {
    let size = kill::Size { writers: 32, rounds: 2, ready_within: Duration::from_secs(20) };
    kill::run(&database.url, size).await;
}

async fn every_acknowledged_change_is_one_event_despite_kills(database: &Database) {
    let servers = if database.engine() == Engine::Sqlite { 1 } else { 2 };
    let size = events::Size { servers, writers: 20, kills: 2, changes: 200 };
    events::run(&database.url, size).await;
}

async fn a_kill_amid_privacy_leaves_whole_transactions(database: &Database) {
    privacy::run(&database.url, 2_300).await;
}

async fn clients_behind_held_locks_are_refused_and_later_served(database: &Database) {
    let size = crowd::Size {
        clients: 20,
        connections: 3,
        held: Duration::ZERO,
        acquire_timeout: Duration::from_millis(200),
        execution_time_max: Duration::from_secs(1),
    };
    crowd::run(database, size).await;
}

async fn clients_who_hang_up_leave_no_transaction_open(database: &Database) {
    hang_ups::run(database, 300).await;
}

async fn servers_that_start_at_once_on_an_empty_database_all_serve(database: &Database) {
    starts::run(database).await;
}

async fn no_request_fails_beside_an_import(database: &Database) {
    let size = import_beside::Size { users: 300, follows: 20_000, writers: 8, before: 10 };
    import_beside::run(database, size).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_report_each_change_of_a_pair_exactly_once() {
    let database = Database::closed(Engine::Postgres).await;
    database.run(async |database| toggling::run(&database.url, 10).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_database_is_unavailable_and_then_serves_again() {
    restarts::run(3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_that_is_killed_ends_as_one_that_was_not() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        imports::run(engine, imports::Size { users: 3_000, follows: 6_000, kills: 3 }).await;
    }
}

#[tokio::test]
async fn a_full_disk_refuses_writes_and_nothing_else() {
    full_disk::run(1).await;
}

#[tokio::test]
async fn a_failed_store_call_leaves_all_or_nothing_on_sqlite() {
    Database::migrated(Engine::Sqlite).await.run(nth_call::of_the_store).await;
}

#[tokio::test]
async fn a_failed_store_call_leaves_all_or_nothing_on_postgres() {
    Database::migrated(Engine::Postgres).await.run(nth_call::of_the_store).await;
}

#[tokio::test]
async fn a_cut_connection_leaves_all_or_nothing_at_any_message() {
    let database = Database::migrated(Engine::Postgres).await;
    database.run(async |database| nth_call::of_the_connection(database, 4).await).await;
}
