//! The contract of the store, sentence by sentence, on both engines.

#![expect(clippy::unwrap_used, reason = "in a test, a store that fails is the failure")]

mod account_export;
mod admin;
mod administration;
mod certificates;
mod concurrency;
mod damage;
mod deletion;
mod drift;
mod drift_kinds;
mod drift_rules;
mod events;
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
mod privacy;
mod privacy_races;
mod search_plans;
mod servers;
mod sessions;
mod sql;
mod statements;
mod tokens;
mod user_lists;
mod users;
mod webhooks;

use std::{collections::HashMap, sync::Arc};

use chrono::{DateTime, Duration, Utc};
use entourage::{
    domain::{
        Audience, Ends, Follow, FollowAction, FollowChange, FollowCounts, FollowItem, FollowLimits,
        FollowList, FollowPage, FollowPageKey, FollowPosition, ListReader, Mute, MuteOutcome,
        NewUser, OrderDirection, PageRequest, PrivacyChange, User, UserId, Username, Window,
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

/// Makes a change of the edges between two users.
async fn change(store: &dyn Store, one: UserId, other: UserId, action: FollowAction, micros: i64) {
    let change = FollowChange { follower: one, followee: other, at: at(micros), action };
    store.outcomes(&[change]).await.remove(0).unwrap();
}

async fn mute(store: &dyn Store, muter: UserId, muted: UserId, micros: i64) {
    let outcome = store.mute(muter, muted, Mute { until: None }, at(micros), 99).await.unwrap();
    assert_eq!(outcome, MuteOutcome::Muted);
}

async fn make_private(store: &dyn Store, user: UserId) {
    let change = PrivacyChange { is_private: Some(true), ..PrivacyChange::default() };
    store.update_privacy(user, change).await.unwrap();
}

/// Makes alice, bob, carol, dave, who is private, and erin, with edges of all kinds and mutes. The
/// number of each is the microsecond at which it was added.
async fn all_kinds_of_edges(store: &dyn Store) {
    four_users(store).await;
    create(store, UserId(6), "erin").await;
    make_private(store, DAVE).await;
    for (follower, followee, micros) in [(ALICE, BOB, 1), (ALICE, CAROL, 2), (BOB, ALICE, 3)] {
        follow(store, follower, followee, micros).await;
    }
    for (one, micros) in [(ALICE, 5), (BOB, 6)] {
        change(store, one, DAVE, FollowAction::Follow(FollowLimits::NONE), micros).await;
    }
    for (one, other, micros) in [(DAVE, CAROL, 7), (CAROL, DAVE, 8), (UserId(6), ALICE, 9)] {
        change(store, one, other, FollowAction::Block { limit: 99 }, micros).await;
    }
    mute(store, ALICE, BOB, 11).await;
    mute(store, CAROL, ALICE, 12).await;
}

const fn edge(follower: UserId, followee: UserId, followed_at: DateTime<Utc>) -> Follow {
    Follow { follower, followee, followed_at }
}

async fn counts(store: &dyn Store, id: UserId) -> FollowCounts {
    store.lists_by_ids(Audience::EVERYBODY, &[id]).await.unwrap()[&id].counts
}

async fn user(store: &dyn Store, id: UserId) -> Arc<User> {
    Arc::clone(&store.users_by_ids(Audience::EVERYBODY, &[id]).await.unwrap()[&id])
}

async fn page(store: &dyn Store, key: FollowPageKey) -> FollowPage {
    pages(store, &[key]).await.remove(&key).expect("the user is there")
}

async fn pages(store: &dyn Store, keys: &[FollowPageKey]) -> HashMap<FollowPageKey, FollowPage> {
    store.pages_of_follows(Audience::EVERYBODY, keys).await.unwrap()
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
    FollowPageKey { user, list, reader: ListReader::Other(None), request }
}
