//! Databases that fail during a write: lost connections, lost answers, deadlocks and held locks.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use entourage::{
    domain::{FollowCounts, FollowLimits, UnfollowOutcome, UserId},
    store::{self, CreateOutcome, Error, Options, Result, Store},
};
use sqlx::{Connection, Executor, PgConnection};
use tokio::task::JoinSet;

use super::{ALICE, BOB, CAROL, assert_sound, at, counts, follow, four_users, new_user, users};
use crate::support::{
    database::{Database, Engine},
    faults::Fault,
    follow::{ALREADY, FOLLOWED, FollowOne},
    link::Link,
};

/// Runs a test on PostgreSQL.
pub(super) async fn on_postgres(test: impl AsyncFnOnce(&Database)) {
    Database::migrated(Engine::Postgres).await.run(test).await;
}

#[tokio::test]
async fn a_write_whose_commit_is_unanswered_reports_what_it_did() {
    on_postgres(async |database| {
        four_users(database.store()).await;
        let link = Link::to(&database.url).await;
        let store = store::connect(&link.url, Options::default()).await.unwrap();

        link.faults.set(Fault::AfterCommit);
        assert_eq!(store.follow(ALICE, BOB, at(1), FollowLimits::NONE).await.unwrap(), FOLLOWED);
        assert!(link.faults.clear());
        let again = store.follow(ALICE, BOB, at(2), FollowLimits::NONE).await.unwrap();
        assert_eq!(again, ALREADY);

        link.faults.set(Fault::AfterCommit);
        assert_eq!(store.unfollow(ALICE, BOB, at(0)).await.unwrap(), UnfollowOutcome::Unfollowed);
        assert!(link.faults.clear());
        assert_eq!(store.unfollow(ALICE, BOB, at(0)).await.unwrap(), UnfollowOutcome::NotFollowing);

        link.faults.set(Fault::AfterCommit);
        let erin = new_user(UserId(50), "erin");
        assert_eq!(store.create_user(&erin).await.unwrap(), CreateOutcome::Created);
        assert!(link.faults.clear());
        assert_eq!(store.create_user(&erin).await.unwrap(), CreateOutcome::UsernameTaken);

        follow(&*store, BOB, CAROL, 3).await;
        link.faults.set(Fault::AfterCommit);
        assert!(store.delete_user(BOB, at(0)).await.unwrap());
        assert!(link.faults.clear());
        assert!(!store.delete_user(BOB, at(0)).await.unwrap());
        assert_sound(&*store).await;
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn timeouts_of_the_database_do_not_stop_administration() {
    on_postgres(async |database| {
        users(database.store(), 40).await;
        for id in 2..=40 {
            follow(database.store(), UserId(id), ALICE, id).await;
        }
        database.execute("UPDATE follow_counts SET followers = 0 WHERE user_id = 1").await;
        // A slow trigger stands in for a large table.
        for sql in [
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN PERFORM pg_sleep(0.3); RETURN NEW; END $$",
            "CREATE TRIGGER slow BEFORE UPDATE ON follow_counts \
             FOR EACH ROW EXECUTE FUNCTION slow()",
        ] {
            database.execute(sql).await;
        }
        let name = database.url.rsplit_once('/').unwrap().1;
        database.execute(&format!("ALTER DATABASE {name} SET statement_timeout = '200ms'")).await;

        let options =
            Options { statement_timeout: Duration::from_millis(100), ..Options::default() };
        let store = store::connect(&database.url, options).await.unwrap();
        let found = store.find_drift(&|_| {}).await.unwrap();
        assert_eq!(store.repair(&found).await.unwrap(), 1);
        assert_sound(&*store).await;
        store.close().await;
    })
    .await;
}

/// The state of an edge, as the only task that changes it has seen it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Added,
    Removed,
    Unknown,
}

/// Follows or unfollows, and fails if the outcome contradicts what was seen.
async fn toggle(store: &dyn Store, follower: UserId, step: i64, seen: Seen) -> Seen {
    fn seen_after<T: PartialEq + std::fmt::Debug>(
        result: Result<T>,
        (changed, unchanged): (T, T),
        changes: Option<bool>,
        after: Seen,
    ) -> Seen {
        let outcome = match result {
            Ok(outcome) => outcome,
            Err(Error::Unavailable(_)) => return Seen::Unknown,
            Err(error) => panic!("{error}"),
        };
        match changes {
            Some(true) => assert_eq!(outcome, changed),
            Some(false) => assert_eq!(outcome, unchanged),
            None => {}
        }
        after
    }

    if step % 3 == 2 {
        let changes = (seen != Seen::Unknown).then_some(seen == Seen::Added);
        let outcomes = (UnfollowOutcome::Unfollowed, UnfollowOutcome::NotFollowing);
        seen_after(store.unfollow(follower, ALICE, at(0)).await, outcomes, changes, Seen::Removed)
    } else {
        let changes = (seen != Seen::Unknown).then_some(seen == Seen::Removed);
        let outcomes = (FOLLOWED, ALREADY);
        let result = store.follow(follower, ALICE, at(step), FollowLimits::NONE).await;
        seen_after(result, outcomes, changes, Seen::Added)
    }
}

#[tokio::test]
async fn killed_connections_leave_true_answers_and_exact_counts() {
    on_postgres(async |database| {
        users(database.store(), 7).await;
        let enough = Arc::new(AtomicBool::new(false));
        let tasks: JoinSet<_> = (2..=7)
            .map(|id| {
                let (store, enough) = (Arc::clone(&database.store), Arc::clone(&enough));
                async move {
                    let (mut seen, mut step) = (Seen::Removed, 0);
                    while !enough.load(Ordering::SeqCst) {
                        seen = toggle(&*store, UserId(id), step, seen).await;
                        step += 1;
                    }
                }
            })
            .collect();

        let mut killer = database.postgres_connection().await;
        let mut killed = 0;
        // Bounded, since no connection is left to kill once all tasks have failed.
        for _ in 0..1_000 {
            if killed >= 20 {
                break;
            }
            let kill = sqlx::query(
                "SELECT pg_terminate_backend(pid), pg_sleep(0.02) FROM pg_stat_activity \
                 WHERE datname = current_database() AND application_name = 'entourage' \
                 ORDER BY state = 'active' DESC, random() LIMIT 1",
            );
            killed += kill.execute(&mut killer).await.unwrap().rows_affected();
        }
        enough.store(true, Ordering::SeqCst);
        tasks.join_all().await;

        // Connections that are still in the pool may be dead.
        let store = database.another_store().await;
        assert_sound(&*store).await;
        store.close().await;
    })
    .await;
}

async fn lock_counts(connection: &mut PgConnection, user: UserId) {
    let lock = sqlx::query("SELECT FROM follow_counts WHERE user_id = $1 FOR UPDATE");
    lock.bind(user.0).execute(connection).await.unwrap();
}

#[tokio::test]
async fn a_write_rolled_back_by_a_deadlock_is_retried() {
    on_postgres(async |database| {
        four_users(database.store()).await;
        let mut other = database.postgres_connection().await;
        let mut watcher = database.postgres_connection().await;
        // The store detects the deadlock first, so its transaction is the one that is rolled back.
        other.execute("SET deadlock_timeout = '1min'").await.unwrap();
        other.execute("BEGIN").await.unwrap();
        lock_counts(&mut other, BOB).await;

        let store = Arc::clone(&database.store);
        let follow =
            tokio::spawn(async move { store.follow(ALICE, BOB, at(1), FollowLimits::NONE).await });
        let waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() \
                       AND application_name = 'entourage' AND wait_event_type = 'Lock'";
        while watcher.fetch_optional(waiting).await.unwrap().is_none() {}
        lock_counts(&mut other, ALICE).await;
        other.execute("COMMIT").await.unwrap();

        assert_eq!(follow.await.unwrap().unwrap(), FOLLOWED);
        let deadlocks = "SELECT FROM pg_stat_database \
                         WHERE datname = current_database() AND deadlocks > 0";
        while watcher.fetch_optional(deadlocks).await.unwrap().is_none() {}
        assert_eq!(counts(database.store(), BOB).await.followers, 1);
        assert_sound(database.store()).await;
    })
    .await;
}

#[tokio::test]
async fn a_locked_file_is_waited_for_once() {
    const PATIENCE: Duration = Duration::from_millis(400);
    let database = Database::migrated(Engine::Sqlite).await;
    database
        .run(async |database| {
            four_users(database.store()).await;
            let options = Options { acquire_timeout: PATIENCE, ..Options::default() };
            let store = store::connect(&database.url, options).await.unwrap();
            let mut other = database.sqlite_connection().await;
            other.execute("BEGIN IMMEDIATE").await.unwrap();

            let begin = Instant::now();
            let refused = store.follow(ALICE, BOB, at(1), FollowLimits::NONE).await;
            let waited = begin.elapsed();

            assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
            // Not once for each of eight attempts; anything less is the load of the machine.
            assert!(waited >= PATIENCE && waited < 6 * PATIENCE, "{waited:?}");
            assert_eq!(counts(&*store, BOB).await, FollowCounts::default());
            other.execute("ROLLBACK").await.unwrap();
            follow(&*store, ALICE, BOB, 1).await;
            assert_sound(&*store).await;
            other.close().await.unwrap();
            store.close().await;
        })
        .await;
}
