//! Differences that were made in the database directly, found and repaired.

use entourage::{
    domain::{Audience, Drift, FollowCounts, FollowList, Lengths, NewUser, UserId},
    store::{Graph, Store},
};
use sqlx::Executor;

use super::{
    ALICE, BOB, CAROL, DAVE, assert_sound, at, cases, counts, edge, follow, four_users, list,
    new_user,
};
use crate::support::database::{Database, Engine};
use crate::support::follow::FollowOne;

cases! {
    a_sound_graph_has_no_drift,
    ;
    database:
    a_wrong_count_is_found_and_repaired,
    a_missing_count_row_is_found_and_repaired,
    a_missing_mirror_is_found_and_repaired,
    a_stray_mirror_is_found_and_repaired,
    a_mirror_with_another_time_is_missing_and_stray,
    all_differences_are_found_sorted_by_user_and_repaired,
    differences_that_have_disappeared_are_left_alone,
    differences_in_lists_longer_than_a_slice_are_found,
    a_count_that_is_too_low_does_not_stop_an_unfollow,
    leftovers_of_a_deleted_user_are_found_and_repaired,
    names_that_searches_do_not_find_are_found_and_repaired,
    an_orphan_edge_in_one_table_is_found_and_repaired,
    deleting_a_user_whose_mirror_lacks_rows_lowers_all_counts,
}

/// Lengths of follows, and zeros.
const fn of_follows((followers, following): (i64, i64)) -> Lengths {
    Lengths([followers, following, 0, 0, 0, 0, 0])
}

async fn a_small_graph(store: &dyn Store) {
    four_users(store).await;
    for (follower, followee, micros) in
        [(ALICE, BOB, 1), (ALICE, CAROL, 2), (BOB, ALICE, 3), (CAROL, BOB, 4)]
    {
        follow(store, follower, followee, micros).await;
    }
}

pub(super) async fn find(database: &Database) -> Vec<Drift> {
    database.store.find_drift(&|_| {}).await.unwrap()
}

/// Asserts that exactly this is found, and that repairing it changes this many rows.
async fn assert_repaired(database: &Database, expected: &[Drift], rows: u64) {
    let found = find(database).await;
    assert_eq!(found, expected);

    let changed = database.store.repair(&found).await.unwrap();

    assert_eq!(changed, rows);
    assert_sound(database.store()).await;
    assert_eq!(counts(database.store(), ALICE).await, FollowCounts { followers: 1, following: 2 });
    assert_eq!(counts(database.store(), BOB).await, FollowCounts { followers: 2, following: 1 });
    assert_eq!(list(database.store(), FollowList::Followers, BOB).await, [CAROL, ALICE]);
    assert_eq!(list(database.store(), FollowList::Following, ALICE).await, [CAROL, BOB]);
}

async fn a_sound_graph_has_no_drift(store: &dyn Store) {
    assert_sound(store).await;
    a_small_graph(store).await;
    assert_sound(store).await;
    assert_eq!(store.repair(&[]).await.unwrap(), 0);
}

async fn a_wrong_count_is_found_and_repaired(database: &Database) {
    a_small_graph(database.store()).await;
    database.execute("UPDATE follow_counts SET followers = 7 WHERE user_id = 2").await;

    let (stored, actual) = (Some(of_follows((7, 1))), of_follows((2, 1)));
    assert_repaired(database, &[Drift::Counts { user: BOB, stored, actual }], 1).await;
}

async fn a_missing_count_row_is_found_and_repaired(database: &Database) {
    a_small_graph(database.store()).await;
    database.execute("DELETE FROM follow_counts WHERE user_id IN (2, 4)").await;

    let expected = [
        Drift::Counts { user: BOB, stored: None, actual: of_follows((2, 1)) },
        Drift::Counts { user: DAVE, stored: None, actual: Lengths::default() },
    ];
    // Bob's number of the last event is raised again.
    assert_repaired(database, &expected, 3).await;
}

async fn a_missing_mirror_is_found_and_repaired(database: &Database) {
    a_small_graph(database.store()).await;
    database.execute("DELETE FROM followers WHERE followee_id = 2 AND follower_id = 1").await;

    assert_repaired(database, &[Drift::MirrorMissing(edge(ALICE, BOB, at(1)).into())], 1).await;
}

async fn insert_mirror(database: &Database, follower: UserId, followee: UserId, micros: i64) {
    let time = database.time_literal(at(micros));
    let columns = "followee_id, follower_id, followed_at";
    let values = format!("{followee}, {follower}, {time}");
    database.execute(&format!("INSERT INTO followers ({columns}) VALUES ({values})")).await;
}

async fn a_stray_mirror_is_found_and_repaired(database: &Database) {
    a_small_graph(database.store()).await;
    insert_mirror(database, DAVE, BOB, 9).await;
    insert_mirror(database, UserId(12_345), BOB, 10).await;

    let expected = [
        Drift::MirrorStray(edge(DAVE, BOB, at(9)).into()),
        Drift::MirrorStray(edge(UserId(12_345), BOB, at(10)).into()),
    ];
    assert_repaired(database, &expected, 2).await;
}

async fn a_mirror_with_another_time_is_missing_and_stray(database: &Database) {
    a_small_graph(database.store()).await;
    let time = database.time_literal(at(8));
    let sql = format!("UPDATE followers SET followed_at = {time} WHERE followee_id = 3");
    database.execute(&sql).await;

    let expected = [
        Drift::MirrorMissing(edge(ALICE, CAROL, at(2)).into()),
        Drift::MirrorStray(edge(ALICE, CAROL, at(8)).into()),
    ];
    assert_repaired(database, &expected, 2).await;
}

async fn all_differences_are_found_sorted_by_user_and_repaired(database: &Database) {
    a_small_graph(database.store()).await;
    insert_mirror(database, DAVE, ALICE, 9).await;
    database.execute("DELETE FROM followers WHERE followee_id = 2 AND follower_id = 3").await;
    database.execute("UPDATE follow_counts SET following = 0 WHERE user_id = 1").await;
    database.execute("UPDATE follow_counts SET followers = 0 WHERE user_id = 2").await;

    let counts = |user, stored, actual| Drift::Counts {
        user,
        stored: Some(of_follows(stored)),
        actual: of_follows(actual),
    };
    let expected = [
        counts(ALICE, (1, 0), (1, 2)),
        counts(BOB, (0, 1), (2, 1)),
        Drift::MirrorMissing(edge(CAROL, BOB, at(4)).into()),
        Drift::MirrorStray(edge(DAVE, ALICE, at(9)).into()),
    ];
    assert_repaired(database, &expected, 4).await;
}

async fn differences_that_have_disappeared_are_left_alone(database: &Database) {
    a_small_graph(database.store()).await;
    let nothing = Lengths::default();
    let outdated = [
        Drift::Counts { user: ALICE, stored: Some(nothing), actual: nothing },
        Drift::Counts { user: UserId(777), stored: None, actual: nothing },
        Drift::MirrorStray(edge(ALICE, BOB, at(1)).into()),
        Drift::MirrorMissing(edge(ALICE, BOB, at(1)).into()),
        Drift::MirrorMissing(edge(DAVE, BOB, at(1)).into()),
        Drift::MirrorStray(edge(DAVE, BOB, at(1)).into()),
    ];

    assert_eq!(database.store.repair(&outdated).await.unwrap(), 0);
    assert_sound(database.store()).await;
}

async fn a_count_that_is_too_low_does_not_stop_an_unfollow(database: &Database) {
    a_small_graph(database.store()).await;
    database.execute("UPDATE follow_counts SET followers = 0 WHERE user_id = 2").await;

    database.store.unfollow(ALICE, BOB, at(0)).await.unwrap();

    assert_eq!(counts(database.store(), BOB).await.followers, 0);
    let found = find(database).await;
    assert_eq!(found.len(), 1);
    database.store.repair(&found).await.unwrap();
    assert_eq!(counts(database.store(), BOB).await.followers, 1);
}

async fn differences_in_lists_longer_than_a_slice_are_found(database: &Database) {
    let ids = (2..=10_600).map(UserId);
    let users = (1..=10_600).map(|id| new_user(UserId(id), &format!("u{id}"))).collect();
    let follows = ids.map(|id| edge(id, ALICE, at(id.0 / 3))).collect();
    database.store.load(Graph { users, follows }, &|_| {}).await.unwrap();
    assert_sound(database.store()).await;

    database.execute("DELETE FROM followers WHERE follower_id IN (9, 10500)").await;
    database.execute("DELETE FROM follows WHERE follower_id = 9").await;
    let found = find(database).await;

    let counts = |user, stored, actual| Drift::Counts {
        user,
        stored: Some(of_follows(stored)),
        actual: of_follows(actual),
    };
    let expected = [
        counts(ALICE, (10_599, 0), (10_598, 0)),
        counts(UserId(9), (0, 1), (0, 0)),
        Drift::MirrorMissing(edge(UserId(10_500), ALICE, at(3_500)).into()),
    ];
    assert_eq!(found, expected);
    assert_eq!(database.store.repair(&found).await.unwrap(), 3);
    assert_sound(database.store()).await;
}

/// Deletes without the foreign keys, which would delete dependent rows.
pub(super) async fn delete_without_keys(database: &Database, sql: &'static str) {
    match database.engine() {
        Engine::Sqlite => {
            let mut connection = database.sqlite_connection().await;
            connection.execute("PRAGMA foreign_keys = OFF").await.unwrap();
            connection.execute(sql).await.unwrap();
        }
        Engine::Postgres => {
            let mut connection = database.postgres_connection().await;
            connection.execute("SET session_replication_role = replica").await.unwrap();
            connection.execute(sql).await.unwrap();
        }
    }
}

async fn leftovers_of_a_deleted_user_are_found_and_repaired(database: &Database) {
    a_small_graph(database.store()).await;
    for (follower, followee, micros) in [(DAVE, ALICE, 5), (DAVE, BOB, 6), (BOB, DAVE, 7)] {
        follow(database.store(), follower, followee, micros).await;
    }
    delete_without_keys(database, "DELETE FROM users WHERE id = 4").await;

    let expected = [
        Drift::OrphanEdge(edge(BOB, DAVE, at(7)).into()),
        Drift::OrphanEdge(edge(DAVE, ALICE, at(5)).into()),
        Drift::OrphanEdge(edge(DAVE, BOB, at(6)).into()),
        Drift::OrphanCounts(DAVE),
        Drift::OrphanLog(DAVE),
    ];
    // Each edge in two tables, the counts of dave, and those of alice and bob; the event of dave.
    assert_repaired(database, &expected, 10).await;
    assert!(database.store.lists_by_ids(Audience::EVERYBODY, &[DAVE]).await.unwrap().is_empty());
}

/// A server of the previous version writes names without what users are searched by.
async fn names_that_searches_do_not_find_are_found_and_repaired(database: &Database) {
    let named = |name: &str, user| NewUser { name: Some(name.to_owned()), ..user };
    let users = vec![
        named("Ada", new_user(ALICE, "alice")),
        named("Bo", new_user(BOB, "bob")),
        new_user(CAROL, "carol"),
        named("Di", new_user(DAVE, "dave")),
    ];
    database.store.load(Graph { users, follows: Vec::new() }, &|_| {}).await.unwrap();
    database.execute("UPDATE users SET name = 'Abe' WHERE id = 1").await;
    database.execute("UPDATE name_prefixes SET username_key = 'bobby' WHERE user_id = 2").await;
    database.execute("UPDATE users SET name = 'Cy' WHERE id = 3").await;
    delete_without_keys(database, "DELETE FROM users WHERE id = 4").await;
    delete_without_keys(database, "DELETE FROM follow_counts WHERE user_id = 4").await;

    let found = find(database).await;
    assert_eq!(found, [ALICE, BOB, CAROL, DAVE].map(Drift::Search));

    // ad and ada become ab and abe, b and bo get another key, c and cy are new, d and di go.
    let changed = database.store.repair(&found).await.unwrap();
    assert_eq!(changed, 4 + 4 + 2 + 2);
    assert_sound(database.store()).await;
    assert_eq!(database.store.repair(&found).await.unwrap(), 0, "they have disappeared");
}

async fn an_orphan_edge_in_one_table_is_found_and_repaired(database: &Database) {
    a_small_graph(database.store()).await;
    for (follower, followee, micros) in [(BOB, DAVE, 5), (DAVE, ALICE, 6), (DAVE, CAROL, 7)] {
        follow(database.store(), follower, followee, micros).await;
    }
    delete_without_keys(database, "DELETE FROM users WHERE id = 4").await;
    delete_without_keys(database, "DELETE FROM follow_counts WHERE user_id = 4").await;
    delete_without_keys(database, "DELETE FROM followers WHERE followee_id IN (3, 4)").await;
    delete_without_keys(database, "DELETE FROM follows WHERE followee_id = 1").await;

    let carol = (of_follows((2, 1)), of_follows((1, 1)));
    let expected = [
        Drift::MirrorMissing(edge(ALICE, CAROL, at(2)).into()),
        Drift::OrphanEdge(edge(BOB, DAVE, at(5)).into()),
        Drift::Counts { user: CAROL, stored: Some(carol.0), actual: carol.1 },
        Drift::MirrorStray(edge(DAVE, ALICE, at(6)).into()),
        Drift::OrphanEdge(edge(DAVE, CAROL, at(7)).into()),
    ];
    let found = find(database).await;
    let of_dave = |drift: &&Drift| expected.contains(drift);
    assert_eq!(found.iter().filter(of_dave).count(), expected.len(), "{found:#?}");

    database.store.repair(&found).await.unwrap();
    assert_sound(database.store()).await;
}

async fn deleting_a_user_whose_mirror_lacks_rows_lowers_all_counts(database: &Database) {
    a_small_graph(database.store()).await;
    database.execute("DELETE FROM followers WHERE followee_id = 2").await;
    database.execute("DELETE FROM followers WHERE followee_id = 1").await;

    assert!(database.store.delete_user(BOB, at(0)).await.unwrap());

    assert_eq!(counts(database.store(), ALICE).await, FollowCounts { followers: 0, following: 1 });
    assert_eq!(counts(database.store(), CAROL).await, FollowCounts { followers: 1, following: 0 });
    assert_sound(database.store()).await;
}
