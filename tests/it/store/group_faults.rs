//! Groups on a database that others change at the same moment, or that fails in the middle.
//!
//! The other server is a connection of the test: it holds what a group waits for, and lets go
//! when the group has read its state and stands in the middle of its writes.

use std::{sync::Arc, time::Duration};

use entourage::{
    domain::{FollowChange, FollowChanged, FollowCounts, FollowLimits},
    store::{self, BatchPermit, Error, Options, Result},
};
use sqlx::{AssertSqlSafe, Executor, PgConnection};
use tokio::task::JoinHandle;

use super::{
    ALICE, BOB, CAROL, DAVE, assert_sound, at, counts,
    faults::on_postgres,
    follow, four_users,
    groups::{ALREADY, FOLLOWED, NO_USER, PAIR_LIMIT, UNFOLLOWED, follows, limited, unfollows},
};
use crate::support::{database::Database, faults::Fault, link::Link};

/// Another server, in the middle of a transaction.
async fn another_server(database: &Database, statements: &[&str]) -> PgConnection {
    let mut other = database.postgres_connection().await;
    other.execute("BEGIN").await.unwrap();
    for sql in statements {
        other.execute(AssertSqlSafe((*sql).to_owned())).await.unwrap();
    }
    other
}

/// Makes a group in a task, and waits until it waits for a lock.
async fn begin(
    database: &Database,
    group: Vec<FollowChange>,
) -> JoinHandle<Vec<Result<FollowChanged>>> {
    let store = Arc::clone(&database.store);
    let task =
        tokio::spawn(
            async move { store.change_follows(&group, BatchPermit::default()).await.outcomes },
        );
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
async fn a_group_whose_commit_is_not_answered_tells_what_it_did() {
    on_postgres(async |database| {
        four_users(database.store()).await;
        let link = Link::to(&database.url).await;
        let store = store::connect(&link.url, Options::default()).await.unwrap();
        follow(&*store, CAROL, DAVE, 1).await;

        link.faults.set(Fault::AfterCommit);
        let group = [
            follows(ALICE, BOB, 2),
            follows(ALICE, BOB, 3),
            unfollows(CAROL, DAVE, 3),
            follows(DAVE, ALICE, 3),
            unfollows(DAVE, ALICE, 4),
        ];
        let made: Result<Vec<_>> = store
            .change_follows(&group, BatchPermit::default())
            .await
            .outcomes
            .into_iter()
            .collect();
        assert_eq!(made.unwrap(), [FOLLOWED, ALREADY, UNFOLLOWED, FOLLOWED, UNFOLLOWED]);
        assert!(link.faults.mend());
        assert_sound(&*store).await;

        link.faults.set(Fault::AfterCommit);
        let made = store
            .change_follows(&[unfollows(ALICE, BOB, 5)], BatchPermit::default())
            .await
            .outcomes;
        assert_eq!(made.into_iter().collect::<Result<Vec<_>>>().unwrap(), [UNFOLLOWED]);
        assert!(link.faults.mend());
        assert_eq!(counts(&*store, BOB).await, FollowCounts::default());
        assert_sound(&*store).await;
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_user_who_is_deleted_while_a_group_is_written_fails_nobody_else() {
    on_postgres(async |database| {
        four_users(database.store()).await;
        let mut other = another_server(database, &["DELETE FROM users WHERE id = 2"]).await;

        let group = begin(database, vec![follows(ALICE, BOB, 1), follows(CAROL, DAVE, 1)]).await;
        other.execute("COMMIT").await.unwrap();

        assert_eq!(outcomes(group).await, [NO_USER, FOLLOWED]);
        assert_sound(database.store()).await;
    })
    .await;
}

#[tokio::test]
async fn a_group_that_waits_for_a_user_holds_no_counts() {
    on_postgres(async |database| {
        four_users(database.store()).await;
        let mut other =
            another_server(database, &["SELECT FROM users WHERE id = 2 FOR UPDATE"]).await;

        let group = begin(database, vec![follows(ALICE, BOB, 1)]).await;
        let counts = "SELECT FROM follow_counts WHERE user_id IN (1, 2) FOR UPDATE NOWAIT";
        other.execute(counts).await.unwrap();
        other.execute("COMMIT").await.unwrap();

        assert_eq!(outcomes(group).await, [FOLLOWED]);
        assert_sound(database.store()).await;
    })
    .await;
}

#[tokio::test]
async fn a_group_that_changes_nothing_leaves_no_transaction_open() {
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
            let made =
                database.store.change_follows(&[change], BatchPermit::default()).await.outcomes;
            assert_eq!(made.into_iter().collect::<Result<Vec<_>>>().unwrap(), [expected]);
        }

        let mut watcher = database.postgres_connection().await;
        let open = "SELECT FROM pg_stat_activity WHERE datname = current_database() \
                    AND application_name = 'entourage' AND state LIKE 'idle in transaction%'";
        let mut questions = 0;
        while watcher.fetch_optional(open).await.unwrap().is_some() {
            questions += 1;
            assert!(questions < 5_000, "a transaction is open");
        }
    })
    .await;
}

#[tokio::test]
async fn an_edge_that_another_server_makes_at_the_same_moment_is_there_already() {
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

        let group = begin(database, vec![follows(ALICE, BOB, 1), follows(CAROL, BOB, 1)]).await;
        other.execute("COMMIT").await.unwrap();

        assert_eq!(outcomes(group).await, [ALREADY, FOLLOWED]);
        assert_eq!(counts(database.store(), BOB).await.followers, 2);
        assert_sound(database.store()).await;
    })
    .await;
}

#[tokio::test]
async fn a_pair_that_another_server_has_changed_meanwhile_is_at_its_limit() {
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
        let group = begin(database, both).await;
        other.execute("COMMIT").await.unwrap();

        assert_eq!(outcomes(group).await, [PAIR_LIMIT, FOLLOWED]);
        assert_sound(database.store()).await;
    })
    .await;
}

#[tokio::test]
async fn a_row_that_somebody_holds_for_too_long_fails_only_those_who_need_it() {
    on_postgres(async |database| {
        four_users(database.store()).await;
        let options = Options { statement_timeout: Duration::from_secs(1), ..Options::default() };
        let store = store::connect(&database.url, options).await.unwrap();
        let hold = "SELECT FROM follow_counts WHERE user_id = 2 FOR UPDATE";
        let mut other = another_server(database, &[hold]).await;

        let group = [follows(ALICE, BOB, 1), follows(CAROL, DAVE, 1)];
        let made = store.change_follows(&group, BatchPermit::default()).await.outcomes;

        assert!(matches!(made[0], Err(Error::Unavailable(_))), "{made:?}");
        assert_eq!(*made[1].as_ref().unwrap(), FOLLOWED);
        other.execute("ROLLBACK").await.unwrap();
        assert_eq!(counts(&*store, BOB).await, FollowCounts::default());
        assert_sound(&*store).await;
        store.close().await;
    })
    .await;
}
