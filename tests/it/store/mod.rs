//! The contract of the store, sentence by sentence, on both engines.

#![expect(clippy::unwrap_used, reason = "in a test, a store that fails is the failure")]

mod admin;
mod certificates;
mod concurrency;
mod damage;
mod deletion;
mod drift;
mod faults;
mod follows;
mod group_faults;
mod group_races;
mod groups;
mod limits;
mod messages;
mod migrations;
mod mirrors;
mod model;
mod pages;
mod poolers;
mod search_plans;
mod servers;
mod sessions;
mod sql;
mod statements;
mod tokens;
mod user_lists;
mod users;

use std::{collections::HashMap, sync::Arc};

use chrono::{DateTime, Duration, Utc};
use entourage::{
    domain::{
        Audience, Ends, Follow, FollowCounts, FollowItem, FollowLimits, FollowList, FollowPage,
        FollowPageKey, FollowPosition, NewUser, OrderDirection, PageRequest, User, UserId,
        Username, Window,
    },
    store::{CreateOutcome, Store},
};

use crate::support::follow::{FOLLOWED, FollowOne};

/// Makes a test of each case on each engine. A case takes a [`Store`], or after `database:` the
/// whole [`crate::support::database::Database`] that it is on.
macro_rules! cases {
    ($($case:ident),* $(,)? $(; database: $($raw:ident),+ $(,)?)?) => {
        crate::store::cases! { @engine sqlite Sqlite, [$($case)*] [$($($raw)+)?] }
        crate::store::cases! { @engine postgres Postgres, [$($case)*] [$($($raw)+)?] }
    };
    (@engine $module:ident $engine:ident, [$($case:ident)*] [$($raw:ident)*]) => {
        mod $module {
        use crate::support::database::{Database, Engine};
            $(
                #[tokio::test]
                async fn $case() {
                    let database = Database::migrated(Engine::$engine).await;
                    database.run(async |database| super::$case(database.store()).await).await;
                }
            )*
            $(
                #[tokio::test]
                async fn $raw() {
                    let database = Database::migrated(Engine::$engine).await;
                    database.run(async |database| super::$raw(database).await).await;
                }
            )*
        }
    };
}
use cases;

const ALICE: UserId = UserId(1);
const BOB: UserId = UserId(2);
const CAROL: UserId = UserId(3);
const DAVE: UserId = UserId(4);
const NOBODY: UserId = UserId(999);

/// The time of the tests, and some microseconds.
fn at(micros: i64) -> DateTime<Utc> {
    let start = DateTime::from_timestamp(1_750_000_000, 0).expect("in range");
    start + Duration::microseconds(micros)
}

fn new_user(id: UserId, username: &str) -> NewUser {
    NewUser::bare(id, Username::parse(username).expect("a good name"), at(id.0))
}

async fn create(store: &dyn Store, id: UserId, username: &str) {
    let outcome = store.create_user(&new_user(id, username)).await.unwrap();
    assert_eq!(outcome, CreateOutcome::Created);
}

/// Makes alice, bob, carol and dave.
async fn four_users(store: &dyn Store) {
    for (id, name) in [(ALICE, "alice"), (BOB, "Bob"), (CAROL, "carol"), (DAVE, "dave")] {
        create(store, id, name).await;
    }
}

/// Makes users `u1` to `uN` with the ids 1 to N.
async fn users(store: &dyn Store, n: i64) {
    for id in 1..=n {
        create(store, UserId(id), &format!("u{id}")).await;
    }
}

async fn follow(store: &dyn Store, follower: UserId, followee: UserId, micros: i64) {
    let outcome = store.follow(follower, followee, at(micros), FollowLimits::NONE).await.unwrap();
    assert_eq!(outcome, FOLLOWED);
}

const fn edge(follower: UserId, followee: UserId, followed_at: DateTime<Utc>) -> Follow {
    Follow { follower, followee, followed_at }
}

async fn counts(store: &dyn Store, id: UserId) -> FollowCounts {
    store.counts_by_ids(Audience::Everybody, &[id]).await.unwrap()[&id]
}

async fn user(store: &dyn Store, id: UserId) -> Arc<User> {
    Arc::clone(&store.users_by_ids(Audience::Everybody, &[id]).await.unwrap()[&id])
}

async fn page(store: &dyn Store, key: FollowPageKey) -> FollowPage {
    pages(store, &[key]).await.remove(&key).expect("the user is there")
}

async fn pages(store: &dyn Store, keys: &[FollowPageKey]) -> HashMap<FollowPageKey, FollowPage> {
    store.pages_of_follows(Audience::Everybody, keys).await.unwrap()
}

/// Asserts that a page has these entries in this order.
fn assert_entries(key: &FollowPageKey, items: &[FollowItem], expected: &[FollowPosition]) {
    let items: Vec<_> = items.iter().map(FollowItem::position).collect();
    assert_eq!(items, expected, "{key:?}");
}

/// The newest hundred of a list, newest first, as ids.
async fn list(store: &dyn Store, direction: FollowList, user: UserId) -> Vec<UserId> {
    let page = page(store, newest(direction, user, 100)).await.page;
    ids(&page.items)
}

fn ids(items: &[FollowItem]) -> Vec<UserId> {
    items.iter().map(|item| item.user).collect()
}

/// Asserts that the invariants of the store hold.
async fn assert_sound(store: &dyn Store) {
    assert_eq!(store.find_drift(&|_| {}).await.unwrap(), []);
}

/// The newest n follows of a user's list.
fn newest(list: FollowList, user: UserId, n: u32) -> FollowPageKey {
    let request = PageRequest {
        direction: OrderDirection::Desc,
        window: Window::First(n),
        after: None,
        before: None,
        ends: Ends::BOTH,
    };
    FollowPageKey { user, list, request }
}
