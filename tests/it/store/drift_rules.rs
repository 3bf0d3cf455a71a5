//! Values that break a rule, and graphs that were loaded by SQL: whatever the database lets in.

use entourage::{
    domain::{Drift, UserId},
    store::Graph,
};
use futures_util::future::join_all;

use super::{
    ALICE, BOB, CAROL, all_kinds_of_edges, assert_sound, at, cases, counts, drift::find, edge,
    four_users, new_user,
};
use crate::support::{
    database::{Database, Engine},
    follow::FollowOne,
};

cases! {
    ;
    database:
    usernames_and_external_ids_that_break_the_rules_are_named,
    a_time_that_cannot_be_read_is_named_in_every_table,
    a_graph_without_mirrors_and_counts_is_repaired,
    a_larger_one_is_repaired_beside_writes,
}

async fn usernames_and_external_ids_that_break_the_rules_are_named(database: &Database) {
    four_users(database.store()).await;
    for change in [
        "username = 'a b', username_key = 'a b' WHERE id = 1",
        "username = 'Bob' , username_key = 'Bob' WHERE id = 2",
        "subject = '' WHERE id = 3",
    ] {
        database.execute(&format!("UPDATE users SET {change}")).await;
    }

    let found = find(database).await;

    let broken = |user, column| Drift::BrokenRule { user, column };
    let expected =
        [broken(ALICE, "username"), broken(BOB, "username_key"), broken(CAROL, "subject")];
    let broken: Vec<_> = found.iter().filter(|drift| !drift.is_repairable()).copied().collect();
    assert_eq!(broken, expected);
    assert_eq!(found[0].to_string(), "user 1: username breaks the rules; correct it by SQL");

    // What can be repaired is, and the rest stays.
    database.store.repair(&found).await.unwrap();
    assert_eq!(find(database).await, expected);
}

async fn a_time_that_cannot_be_read_is_named_in_every_table(database: &Database) {
    all_kinds_of_edges(database.store()).await;
    let values: &[&str] = match database.engine() {
        Engine::Postgres => &["'infinity'", "'-infinity'", "'20000-01-01'"],
        Engine::Sqlite => &["9223372036854775807", "-9223372036854775808", "253402300800000000"],
    };
    assert_eq!(find(database).await, []);
    for (table, column) in [
        ("users", "created_at"),
        ("users", "tokens_valid_after"),
        ("follows", "followed_at"),
        ("followers", "followed_at"),
        ("follow_requests", "requested_at"),
        ("follow_requests_received", "requested_at"),
        ("blocks", "blocked_at"),
        ("blocked_by", "blocked_at"),
        ("mutes", "muted_at"),
        ("mutes", "muted_until"),
        ("follow_events", "at"),
    ] {
        database.execute(&format!("CREATE TABLE spare AS SELECT * FROM {table}")).await;
        for value in values {
            database.execute(&format!("UPDATE {table} SET {column} = {value}")).await;
            let found = find(database).await;
            let is_named = |drift: &Drift| {
                let text = drift.to_string();
                text.starts_with(&format!("{table} ")) && text.contains("years 1 to 9999")
            };
            assert!(!found.is_empty() && found.iter().all(is_named), "{table}: {found:?}");
        }
        let columns = if table == "users" { "id" } else { "" };
        restore(database, table, columns).await;
        database.execute("DROP TABLE spare").await;
    }
    assert_sound(database.store()).await;
}

/// Puts the rows of the spare table back.
async fn restore(database: &Database, table: &str, key: &str) {
    if key.is_empty() {
        database.execute(&format!("DELETE FROM {table}")).await;
        database.execute(&format!("INSERT INTO {table} SELECT * FROM spare")).await;
    } else {
        // Others refer to the rows.
        for column in ["created_at", "tokens_valid_after"] {
            let value = format!("(SELECT s.{column} FROM spare s WHERE s.{key} = {table}.{key})");
            database.execute(&format!("UPDATE {table} SET {column} = {value}")).await;
        }
    }
}

async fn a_graph_without_mirrors_and_counts_is_repaired(database: &Database) {
    all_kinds_of_edges(database.store()).await;
    for table in ["followers", "follow_requests_received", "blocked_by", "follow_counts"] {
        database.execute(&format!("DELETE FROM {table}")).await;
    }
    database.execute("DELETE FROM follow_events").await;

    let found = find(database).await;
    assert!(found.len() > 6, "{found:?}");
    let repaired = database.store.repair(&found).await.unwrap();

    assert!(repaired >= found.len() as u64 / 2, "{repaired}");
    assert_sound(database.store()).await;
    let users = [ALICE, BOB, CAROL, UserId(4)];
    let lists =
        database.store.lists_by_ids(entourage::domain::Audience::EVERYBODY, &users).await.unwrap();
    assert_eq!(lists.len(), 4);
}

/// With more differences than are repaired together.
async fn a_larger_one_is_repaired_beside_writes(database: &Database) {
    let users = (1..=1_300).map(|id| new_user(UserId(id), &format!("u{id}"))).collect();
    let both = |id| [ALICE, BOB].map(|followed| edge(UserId(id), followed, at(id)));
    let follows = (3..=1_300).flat_map(both).collect();
    database.store.load(Graph { users, follows }, &|_| {}).await.unwrap();
    for table in ["followers", "follow_counts"] {
        database.execute(&format!("DELETE FROM {table}")).await;
    }

    let found = find(database).await;
    assert_eq!(found.len(), 2 * 1_298 + 1_300);
    let unfollows = (3..=52).map(|id| database.store.unfollow(UserId(id), ALICE, at(2_000)));
    let (repaired, unfollowed) = tokio::join!(database.store.repair(&found), join_all(unfollows));
    assert!(repaired.unwrap() > 3_000);
    for outcome in unfollowed {
        outcome.unwrap();
    }

    // A write that met the repair may have left a difference.
    database.store.repair(&find(database).await).await.unwrap();
    assert_sound(database.store()).await;
    let followers = [ALICE, BOB].map(|user| counts(database.store(), user));
    let followers = join_all(followers).await.into_iter().map(|counts| counts.followers);
    assert_eq!(followers.collect::<Vec<_>>(), [1_248, 1_298]);
}
