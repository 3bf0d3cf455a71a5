//! `entourage seed`

use entourage::{
    domain::{Audience, UserSearch, UsernameKey},
    store::SchemaState,
};

use super::{on, on_both_engines, refused, said};
use crate::support::{database::Database, follow::counts_of};

on_both_engines! {
    seed_loads_exactly_the_requested_graph,
    a_database_with_users_is_left_alone,
    more_follows_than_pairs_are_refused,
}

async fn seed_loads_exactly_the_requested_graph(database: &Database) {
    let store = database.store();
    store.migrate().await.expect("migrates");
    let summary = said(on(database, &["seed", "--users", "300", "--follows", "4000"]));
    assert!(summary.starts_with("300 users and 4000 follows in "), "{summary}");
    assert!(summary.ends_with(" follows/s\n"), "{summary}");

    let all = UserSearch::default();
    assert_eq!(store.count_users(Audience::EVERYBODY, &all).await.expect("counts"), 300);
    let name = |n| UsernameKey::parse(&format!("user{n:06}")).expect("a username");
    let keys: Vec<_> = (1..=300).map(name).collect();
    let users = store.users_by_usernames(Audience::EVERYBODY, &keys).await.expect("reads");
    let ids: Vec<_> = users.values().map(|user| user.id).collect();
    let counts = counts_of(store.lists_by_ids(Audience::EVERYBODY, &ids).await.expect("reads"));
    assert_eq!(counts.values().map(|counts| counts.followers).sum::<i64>(), 4_000);
    assert_eq!(counts.values().map(|counts| counts.following).sum::<i64>(), 4_000);
    assert_eq!(said(on(database, &["check"])), "OK: 300 users, 0 differences\n");
}

async fn a_database_with_users_is_left_alone(database: &Database) {
    database.store().migrate().await.expect("migrates");
    on(database, &["user", "add", "zoe", "--no-password"]).success();
    let line = "the database already has users: `seed` fills an empty one only";
    refused(&on(database, &["seed"]), 1, line);
    let users = database.store().count_users(Audience::EVERYBODY, &UserSearch::default()).await;
    assert_eq!(users.expect("counts"), 1);
}

async fn more_follows_than_pairs_are_refused(database: &Database) {
    let line = "3 users can have at most 6 follows between them";
    refused(&on(database, &["seed", "--users", "3", "--follows", "7"]), 1, line);
    assert_eq!(database.store().schema_state().await.expect("reads"), SchemaState::Empty);
}
