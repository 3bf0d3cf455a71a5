//! Batches on a database that fails, or that another server changes at the same moment.
//!
//! The other server is a connection of the test: it holds a lock that a batch waits for, and
//! releases it when the batch has read its state and is in the middle of its writes.

use std::{sync::Arc, time::Duration};

use entourage::{
    domain::{FollowChange, FollowChanged, FollowCounts, FollowLimits},
    store::{self, Error, Options, Result},
};
use sqlx::{AssertSqlSafe, Executor, PgConnection};
use tokio::task::JoinHandle;

use super::{
    ALICE, BOB, CAROL, DAVE, assert_sound, at, counts,
    faults::on_postgres,
    follow, four_users,
    groups::{ALREADY, FOLLOWED, NO_USER, PAIR_LIMIT, UNFOLLOWED, follows, limited, unfollows},
};
use crate::support::{database::Database, faults::Fault, follow::FollowOne, link::Link};

/// Another server, in the middle of a transaction.
async fn another_server(database: &Database, statements: &[&str]) -> PgConnection {
    let mut other = database.postgres_connection().await;
    other.execute("BEGIN").await.unwrap();
    for sql in statements {
        other.execute(AssertSqlSafe((*sql).to_owned())).await.unwrap();
    }
    other
}

/// Writes a batch in a task, and waits until that waits for a lock.
async fn begin(
    database: &Database,
    batch: Vec<FollowChange>,
) -> JoinHandle<Vec<Result<FollowChanged>>> {
    let store = Arc::clone(&database.store);
    let task = tokio::spawn(async move { store.outcomes(&batch).await });
    let mut watcher = database.postgres_connection().await;
    let waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() \
                   AND application_name = 'entourage' AND wait_event_type = 'Lock'";
    while watcher.fetch_optional(waiting).await.unwrap().is_none() {}
    task
}

async fn outcomes(task: JoinHandle<Vec<Result<FollowChanged>>>) -> Vec<FollowChanged> {
    task.await.unwrap().into_iter().map(Result::unwrap).collect()
}

#[tokio::test]
async fn a_batch_whose_commit_is_unanswered_reports_what_it_did() {
    on_postgres(async |database| {
        four_users(database.store()).await;
        let link = Link::to(&database.url).await;
        let store = store::connect(&link.url, Options::default()).await.unwrap();
        follow(&*store, CAROL, DAVE, 1).await;

        link.faults.set(Fault::AfterCommit);
        let batch = [
            follows(ALICE, BOB, 2),
            follows(ALICE, BOB, 3),
            unfollows(CAROL, DAVE, 3),
            follows(DAVE, ALICE, 3),
            unfollows(DAVE, ALICE, 4),
        ];
        let outcomes: Result<Vec<_>> = store.outcomes(&batch).await.into_iter().collect();
        assert_eq!(outcomes.unwrap(), [FOLLOWED, ALREADY, UNFOLLOWED, FOLLOWED, UNFOLLOWED]);
        assert!(link.faults.clear());
        assert_sound(&*store).await;

        link.faults.set(Fault::AfterCommit);
        let outcomes = store.outcomes(&[unfollows(ALICE, BOB, 5)]).await;
        assert_eq!(outcomes.into_iter().collect::<Result<Vec<_>>>().unwrap(), [UNFOLLOWED]);
        assert!(link.faults.clear());
        assert_eq!(counts(&*store, BOB).await, FollowCounts::default());
        assert_sound(&*store).await;
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_user_deleted_during_a_batch_fails_no_other_change() {
    on_postgres(async |database| {
        four_users(database.store()).await;
        let mut other = another_server(database, &["DELETE FROM users WHERE id = 2"]).await;

        let batch = begin(database, vec![follows(ALICE, BOB, 1), follows(CAROL, DAVE, 1)]).await;
        other.execute("COMMIT").await.unwrap();

        assert_eq!(outcomes(batch).await, [NO_USER, FOLLOWED]);
        assert_sound(database.store()).await;
    })
    .await;
}

#[tokio::test]
async fn a_batch_that_waits_for_a_user_locks_no_counts() {
    on_postgres(async |database| {
        four_users(database.store()).await;
        let mut other =
            another_server(database, &["SELECT FROM users WHERE id = 2 FOR UPDATE"]).await;

        let batch = begin(database, vec![follows(ALICE, BOB, 1)]).await;
        let counts = "SELECT FROM follow_counts WHERE user_id IN (1, 2) FOR UPDATE NOWAIT";
        other.execute(counts).await.unwrap();
        other.execute("COMMIT").await.unwrap();

        assert_eq!(outcomes(batch).await, [FOLLOWED]);
        assert_sound(database.store()).await;
    })
    .await;
}

#[tokio::test]
async fn a_batch_that_changes_nothing_leaves_no_transaction_open() {
    on_postgres(async |database| {
        four_users(database.store()).await;
        follow(database.store(), ALICE, BOB, 1).await;
        let limits = FollowLimits { pair_changes_per_day: 1, ..FollowLimits::NONE };
        let changes = [
            (follows(ALICE, BOB, 2), ALREADY),
            (unfollows(ALICE, BOB, 3), UNFOLLOWED),
            (limited(follows(ALICE, BOB, 4), limits), PAIR_LIMIT),
        ];
        for (change, expected) in changes {
            let outcomes = database.store.outcomes(&[change]).await;
            assert_eq!(outcomes.into_iter().collect::<Result<Vec<_>>>().unwrap(), [expected]);
        }

        let mut watcher = database.postgres_connection().await;
        let open = "SELECT FROM pg_stat_activity WHERE datname = current_database() \
                    AND application_name = 'entourage' AND state LIKE 'idle in transaction%'";
        let mut questions = 0;
        while watcher.fetch_optional(open).await.unwrap().is_some() {
            questions += 1;
            assert!(questions < 5_000, "a transaction stays open");
        }
    })
    .await;
}

#[tokio::test]
async fn an_edge_that_another_server_adds_first_exists_already() {
    on_postgres(async |database| {
        four_users(database.store()).await;
        let mut other = another_server(
            database,
            &[
                "INSERT INTO follows (follower_id, followee_id, followed_at) VALUES (1, 2, now())",
                "INSERT INTO followers (follower_id, followee_id, followed_at) VALUES (1, 2, now())",
                "UPDATE follow_counts SET following = 1 WHERE user_id = 1",
                "UPDATE follow_counts SET followers = 1 WHERE user_id = 2",
            ],
        )
        .await;

        let batch = begin(database, vec![follows(ALICE, BOB, 1), follows(CAROL, BOB, 1)]).await;
        other.execute("COMMIT").await.unwrap();

        assert_eq!(outcomes(batch).await, [ALREADY, FOLLOWED]);
        assert_eq!(counts(database.store(), BOB).await.followers, 2);
        assert_sound(database.store()).await;
    })
    .await;
}

#[tokio::test]
async fn changes_of_a_pair_by_another_server_count_at_once() {
    on_postgres(async |database| {
        four_users(database.store()).await;
        let limits = FollowLimits { pair_changes_per_day: 2, ..FollowLimits::NONE };
        let today = entourage::domain::Day::of(at(0)).0;
        // A follow and an unfollow, as the store writes them.
        let mut other = another_server(
            database,
            &[
                "INSERT INTO follows (follower_id, followee_id, followed_at) VALUES (1, 2, now())",
                "DELETE FROM follows WHERE follower_id = 1",
                &format!(
                    "UPDATE follow_counts SET follows_day = {today}, follows_today = 1 \
                     WHERE user_id = 1"
                ),
                &format!("INSERT INTO follow_changes VALUES (1, 2, {today}, 2)"),
            ],
        )
        .await;

        let both = vec![limited(follows(ALICE, BOB, 1), limits), follows(CAROL, BOB, 1)];
        let batch = begin(database, both).await;
        other.execute("COMMIT").await.unwrap();

        assert_eq!(outcomes(batch).await, [PAIR_LIMIT, FOLLOWED]);
        assert_sound(database.store()).await;
    })
    .await;
}

#[tokio::test]
async fn a_row_locked_for_too_long_fails_only_changes_that_need_it() {
    on_postgres(async |database| {
        four_users(database.store()).await;
        let options = Options { statement_timeout: Duration::from_secs(1), ..Options::default() };
        let store = store::connect(&database.url, options).await.unwrap();
        let hold = "SELECT FROM follow_counts WHERE user_id = 2 FOR UPDATE";
        let mut other = another_server(database, &[hold]).await;

        let batch = [follows(ALICE, BOB, 1), follows(CAROL, DAVE, 1)];
        let outcomes = store.outcomes(&batch).await;

        assert!(matches!(outcomes[0], Err(Error::Unavailable(_))), "{outcomes:?}");
        assert_eq!(*outcomes[1].as_ref().unwrap(), FOLLOWED);
        other.execute("ROLLBACK").await.unwrap();
        assert_eq!(counts(&*store, BOB).await, FollowCounts::default());
        assert_sound(&*store).await;
        store.close().await;
    })
    .await;
}
