//! Batches of many callers and of several servers at once: their locks, costs and limits.

use std::sync::Arc;

use entourage::{
    domain::{
        Audience, FollowAction, FollowChange, FollowChanged, FollowCounts, FollowLimits,
        FollowList, NewUser, PrivacyChange, UserId,
    },
    store::{Graph, Metered, Result, Store},
};
use futures_util::future::join_all;
use sqlx::{AssertSqlSafe, Executor, PgConnection};

use super::{
    ALICE, BOB, NOBODY, assert_sound, cases,
    concurrency::{leave, together},
    counts,
    groups::{FOLLOWED, NO_USER, UNFOLLOWED, follows, limited, refuse_followers_above, unfollows},
    list, new_user, statements, users,
};
use crate::support::{
    database::{Database, Engine},
    follow::{FollowOne, counts_of},
};

cases! {
    ;
    database:
    simultaneous_calls_are_committed_together,
    a_call_that_fails_among_others_fails_alone,
    a_change_whose_caller_goes_away_is_made,
    two_servers_that_change_the_same_edges_leave_exact_counts,
    batches_of_two_servers_do_not_deadlock_over_celebrities,
    limits_of_a_user_are_exact_across_two_servers,
    limits_of_a_pair_are_exact_across_two_servers,
    deletions_amid_batches_leave_no_trace,
}

const NONE: FollowLimits = FollowLimits::NONE;

/// Many users, with ids from 1 on.
async fn crowd(store: &dyn Store, size: i64) {
    let one = |id| -> NewUser { new_user(UserId(id), &format!("u{id}")) };
    let graph = Graph { users: (1..=size).map(one).collect(), follows: Vec::new() };
    store.load(graph, &|_| {}).await.unwrap();
}

/// Two servers on one database.
async fn two_servers(database: &Database) -> [Arc<dyn Store>; 2] {
    [Arc::clone(&database.store), database.another_store().await]
}

/// Makes a change through the queue of a store.
async fn change(store: &dyn Store, change: FollowChange) -> Result<FollowChanged> {
    store.change_follow(change).await.map(|changed| changed.outcome)
}

async fn simultaneous_calls_are_committed_together(database: &Database) {
    crowd(database.store(), 101).await;
    let store = Metered::new(Arc::clone(&database.store));
    let statements = store.statements();

    let calls = (2..=101).map(|id| change(&store, follows(UserId(id), ALICE, id)));
    for outcome in join_all(calls).await {
        assert_eq!(outcome.unwrap(), FOLLOWED);
    }

    let alone = if database.engine() == Engine::Sqlite { 5 } else { 2 };
    assert_eq!(statements.total(), alone, "as many as for one change");
    assert_eq!(counts(database.store(), ALICE).await.followers, 100);
    assert_sound(database.store()).await;
}

async fn a_call_that_fails_among_others_fails_alone(database: &Database) {
    const REFUSED: UserId = UserId(41);
    users(database.store(), REFUSED.0).await;
    refuse_followers_above(database, 40).await;
    let mut pairs: Vec<_> = (3..=40).map(|id| (UserId(id), ALICE)).collect();
    pairs.insert(7, (REFUSED, BOB));
    pairs.insert(21, (BOB, NOBODY));

    let calls = pairs.iter().map(|(one, other)| change(database.store(), follows(*one, *other, 1)));
    let outcomes = join_all(calls).await;

    for ((one, other), outcome) in pairs.into_iter().zip(outcomes) {
        match (one, other) {
            (REFUSED, _) => assert!(outcome.is_err()),
            (_, NOBODY) => assert_eq!(outcome.unwrap(), NO_USER),
            _ => assert_eq!(outcome.unwrap(), FOLLOWED),
        }
    }
    assert_sound(database.store()).await;
}

async fn a_change_whose_caller_goes_away_is_made(database: &Database) {
    const FOLLOWERS: u32 = 30;
    let store = database.store();
    users(store, i64::from(FOLLOWERS) + 1).await;

    for number in 0..FOLLOWERS {
        let follower = UserId(i64::from(number) + 2);
        leave(Box::pin(change(store, follows(follower, ALICE, 1))), number % 10 + 1).await;
    }

    let mut questions = 0;
    while counts(store, ALICE).await.followers < i64::from(FOLLOWERS) {
        questions += 1;
        assert!(questions < 50_000, "a change was not made");
    }
    assert_eq!(list(store, FollowList::Followers, ALICE).await.len(), FOLLOWERS as usize);
    assert_sound(store).await;
}

async fn two_servers_that_change_the_same_edges_leave_exact_counts(database: &Database) {
    users(database.store(), 4).await;
    let servers = two_servers(database).await;
    let pairs = [(1, 2), (2, 1), (1, 3), (3, 4), (4, 1)];

    let balances = together(16, |task| {
        let store = Arc::clone(&servers[task as usize % 2]);
        async move {
            // Edges added minus edges removed, by this task.
            let mut balance = 0;
            for step in 0..24 {
                let (follower, followee) = pairs[(task as usize * 3 + step) % pairs.len()];
                let (follower, followee) = (UserId(follower), UserId(followee));
                let micros = i64::from(task) * 100 + i64::try_from(step).unwrap();
                let is_follow = (task as usize + step / 2).is_multiple_of(2);
                let kind = if is_follow { follows } else { unfollows };
                let outcome = change(&*store, kind(follower, followee, micros)).await.unwrap();
                balance += i64::from(outcome == FOLLOWED) - i64::from(outcome == UNFOLLOWED);
            }
            balance
        }
    })
    .await;

    let ids = [1, 2, 3, 4].map(UserId);
    let counts = counts_of(database.store.lists_by_ids(Audience::EVERYBODY, &ids).await.unwrap());
    let followers: i64 = counts.values().map(|counts| counts.followers).sum();
    assert_eq!(followers, balances.into_iter().sum::<i64>());
    assert_sound(database.store()).await;
    servers[1].close().await;
}

async fn batches_of_two_servers_do_not_deadlock_over_celebrities(database: &Database) {
    const CELEBRITIES: i64 = 40;
    const FANS: i64 = 60;
    crowd(database.store(), 2_000).await;
    if database.engine() == Engine::Postgres {
        database.execute("ANALYZE").await;
    }
    let servers = two_servers(database).await;

    for unfollow in [false, true] {
        together(32, |task| {
            let store = Arc::clone(&servers[task as usize % 2]);
            async move {
                for step in 0..8 {
                    let fan = CELEBRITIES + 1 + (i64::from(task) * 8 + step) % (FANS * 2);
                    // Each task has its own order; both servers use the same orders.
                    let mut batch: Vec<_> = (1..=CELEBRITIES)
                        .map(|n| UserId((n * 7 + i64::from(task)) % CELEBRITIES + 1))
                        .flat_map(|celebrity| [(UserId(fan), celebrity), (celebrity, UserId(fan))])
                        .map(|(one, other)| follows(one, other, i64::from(task)))
                        .collect();
                    if unfollow {
                        for change in &mut batch {
                            change.action = FollowAction::Unfollow { is_counted: true };
                        }
                    }
                    for outcome in store.outcomes(&batch).await {
                        outcome.unwrap();
                    }
                }
            }
        })
        .await;
        assert_sound(database.store()).await;
    }

    servers[1].close().await;
    if database.engine() == Engine::Postgres {
        assert_eq!(deadlocks(database).await, 0);
    }
}

/// The number of deadlocks, once all connections that may still report one are closed.
async fn deadlocks(database: &Database) -> i64 {
    database.store.close().await;
    let mut watcher = database.postgres_connection().await;
    let others = "SELECT FROM pg_stat_activity \
                  WHERE datname = current_database() AND application_name = 'entourage'";
    while watcher.fetch_optional(others).await.unwrap().is_some() {}
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    sqlx::query_scalar(deadlocks).fetch_one(&mut watcher).await.unwrap()
}

async fn limits_of_a_user_are_exact_across_two_servers(database: &Database) {
    users(database.store(), 23).await;
    let limits = FollowLimits { per_day: 5, ..NONE };
    let servers = two_servers(database).await;

    let outcomes = together(22, |task| {
        let store = Arc::clone(&servers[task as usize % 2]);
        async move {
            let follow = follows(ALICE, UserId(i64::from(task) + 2), 1);
            change(&*store, limited(follow, limits)).await.unwrap()
        }
    })
    .await;

    let followed = outcomes.iter().filter(|outcome| **outcome == FOLLOWED).count();
    assert_eq!(followed, 5);
    let five = FollowCounts { followers: 0, following: 5 };
    assert_eq!(counts(database.store(), ALICE).await, five);
    assert_sound(database.store()).await;
    servers[1].close().await;
}

async fn limits_of_a_pair_are_exact_across_two_servers(database: &Database) {
    users(database.store(), 2).await;
    let limits = FollowLimits { pair_changes_per_day: 10, ..NONE };
    let servers = two_servers(database).await;

    let followed = together(4, |task| {
        let store = Arc::clone(&servers[task as usize % 2]);
        async move {
            let mut followed = 0;
            for step in 0..12 {
                let micros = i64::from(task) * 100 + step;
                let follow = limited(follows(ALICE, BOB, micros), limits);
                followed += i64::from(change(&*store, follow).await.unwrap() == FOLLOWED);
                change(&*store, unfollows(ALICE, BOB, micros)).await.unwrap();
            }
            followed
        }
    })
    .await;

    assert_eq!(
        followed.into_iter().sum::<i64>(),
        5,
        "five follows and their unfollows are ten changes"
    );
    assert_sound(database.store()).await;
    servers[1].close().await;
}

async fn deletions_amid_batches_leave_no_trace(database: &Database) {
    users(database.store(), 12).await;
    let servers = two_servers(database).await;

    together(8, |task| {
        let store = Arc::clone(&servers[task as usize % 2]);
        async move {
            let deleted = UserId(i64::from(task) + 1);
            let others = (1..=12).map(UserId).filter(|other| *other != deleted);
            let calls = others.flat_map(|other| {
                [follows(deleted, other, 1), follows(other, deleted, 2)]
                    .map(|follow| change(&*store, follow))
            });
            for outcome in join_all(calls).await {
                outcome.unwrap();
            }
            if task % 2 == 0 {
                assert!(store.delete_user(deleted, super::at(0)).await.unwrap());
            }
        }
    })
    .await;

    let left = database
        .store
        .users_by_ids(Audience::EVERYBODY, &(1..=12).map(UserId).collect::<Vec<_>>())
        .await;
    assert_eq!(left.unwrap().len(), 8);
    assert_sound(database.store()).await;
    servers[1].close().await;
}

#[tokio::test]
async fn rows_are_looked_up_by_their_keys_and_locked_in_order() {
    let database = Database::migrated(Engine::Postgres).await;
    database
        .run(async |database| {
            crowd(database.store(), 20_000).await;
            // A celebrity, whose list must not be walked, and many counted unfollows.
            let fans: Vec<_> = (2..=3_000).map(|id| follows(UserId(id), ALICE, id)).collect();
            let added: Vec<_> = (3..=3_000).map(|id| follows(UserId(id), BOB, id)).collect();
            let removed: Vec<_> = (3..=3_000).map(|id| unfollows(UserId(id), BOB, id)).collect();
            for batch in [fans, added, removed] {
                for outcome in database.store.outcomes(&batch).await {
                    outcome.unwrap();
                }
            }
            // Bob is private, and many ask to follow him; others block alice.
            let private = PrivacyChange { is_private: Some(true), ..PrivacyChange::default() };
            database.store().update_privacy(BOB, private).await.unwrap();
            let asked: Vec<_> = (3..=3_000).map(|id| follows(UserId(id), BOB, id)).collect();
            let block = |id| FollowChange {
                action: FollowAction::Block { limit: 9 },
                ..follows(UserId(id), ALICE, id)
            };
            let blocks: Vec<_> = (4_000..=7_000).map(block).collect();
            for batch in [asked, blocks] {
                for outcome in database.store.outcomes(&batch).await {
                    outcome.unwrap();
                }
            }
            let mut connection = database.postgres_connection().await;
            // Many have muted alice.
            let mutes = "INSERT INTO mutes (muter_id, muted_id, muted_at) \
                         SELECT id, 1, now() FROM users WHERE id BETWEEN 7001 AND 10000";
            connection.execute(mutes).await.unwrap();
            connection.execute("ANALYZE").await.unwrap();
            // The settings and plans of the store's connections after some calls.
            connection.execute("SET enable_bitmapscan = off").await.unwrap();
            connection.execute("SET plan_cache_mode = force_generic_plan").await.unwrap();
            check_plans(&mut connection).await;
        })
        .await;
}

/// Checks the plans of all statements that join tables with arrays.
async fn check_plans(connection: &mut PgConnection) {
    let of_arrays = statements::of(Engine::Postgres)
        .into_iter()
        .map(|(_, sql)| sql)
        .filter(|sql| sql.contains(" BETWEEN 0 AND ") || sql.contains("+ k.followers"));
    let mut loops = 0;
    for sql in of_arrays {
        connection.execute(AssertSqlSafe(format!("PREPARE looked AS {sql}"))).await.unwrap();
        let is_parameter = |n: &i32| {
            let parameter = format!("${n}");
            let mut texts = sql.split(&parameter).skip(1);
            texts.any(|text| !text.starts_with(|c: char| c.is_ascii_digit()))
        };
        let arguments = (1..=18).filter(is_parameter).map(|n| {
            let is_time = sql.contains(&format!("${n}::timestamptz[]"));
            let is_day = sql.contains(&format!("${n}::bigint "));
            match (is_time, is_day) {
                (true, _) => "'{2026-01-01}'",
                (_, true) => "1",
                _ => "'{1}'",
            }
        });
        let arguments = arguments.collect::<Vec<_>>().join(", ");
        let explain = format!("EXPLAIN (COSTS OFF) EXECUTE looked({arguments})");
        let rows = sqlx::query_scalar(AssertSqlSafe(explain));
        let plan: Vec<String> = rows.fetch_all(&mut *connection).await.unwrap();
        connection.execute("DEALLOCATE looked").await.unwrap();

        let text = plan.join("\n");
        let line = |index: usize| plan[index].trim_start_matches([' ', '-', '>']);
        assert!(!text.contains("Seq Scan") && !text.contains("Bitmap"), "{text}");
        if let Some(update) = plan.iter().position(|line| line.contains("Update on follow_counts"))
        {
            // Counts are locked in the order of their index; their changes are looked up for each.
            assert_eq!(line(update + 1), "Hash Join", "{text}");
            assert!(line(update + 3).starts_with("Index Scan using follow_counts_pkey"), "{text}");
            continue;
        }
        for (index, _) in plan.iter().enumerate().filter(|(_, line)| line.contains("Scan on k")) {
            assert_eq!(line(index - 1), "Nested Loop", "{text}");
            // The line after the filter of the arrays is the other side of the join.
            assert!(line(index + 2).starts_with("Index"), "{text}");
            assert!(line(index + 3).contains("_id = k"), "{text}");
            loops += 1;
        }
    }
    assert_eq!(loops, 25);
}
