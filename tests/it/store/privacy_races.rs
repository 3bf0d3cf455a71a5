//! Privacy under races: two servers on one database, many tasks, few users.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use entourage::{
    domain::{
        AcceptOutcome, Audience, BlockOutcome, EdgeKind, Ends, FollowAction, FollowChange,
        FollowChanged, FollowLimits, FollowList, FollowOutcome, FollowPageKey, ListReader,
        OrderDirection, OwnList, PageRequest, PrivacyChange, RejectOutcome, RemoveOutcome,
        UnblockOutcome, UnfollowOutcome, UserId, Window,
    },
    store::{Result, Store},
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{
    assert_sound, at, cases,
    concurrency::together,
    model::{any_action, any_privacy},
    new_user, newest, users,
};
use crate::support::{database::Database, figures::number_of};

cases! {
    ;
    database:
    any_changes_of_two_servers_keep_the_invariants,
    each_change_has_one_caller_who_made_it,
    an_acknowledged_block_holds_for_the_next_read_on_another_server,
    an_acknowledged_privacy_holds_for_the_next_follow_on_another_server,
    accounts_that_become_public_lose_no_request,
}

const TASKS: u32 = 64;
const USERS: i64 = 12;

/// The number of operations of a test, or that of `RACE_OPERATIONS`.
fn operations(number: u32) -> u32 {
    number_of("RACE_OPERATIONS", number)
}

async fn two_servers(database: &Database) -> [Arc<dyn Store>; 2] {
    users(database.store(), USERS).await;
    [Arc::clone(&database.store), database.another_store().await]
}

/// Two users who are not the same.
fn any_pair(random: &mut ChaCha8Rng) -> (UserId, UserId) {
    loop {
        let [one, other] = [(); 2].map(|()| UserId(random.random_range(1..=USERS)));
        if one != other {
            return (one, other);
        }
    }
}

async fn change(
    store: &dyn Store,
    (follower, followee): (UserId, UserId),
    micros: i64,
    action: FollowAction,
) -> Result<FollowChanged> {
    let change = FollowChange { follower, followee, at: at(micros), action };
    store.change_follow(change).await.map(|changed| changed.outcome)
}

async fn any_changes_of_two_servers_keep_the_invariants(database: &Database) {
    let servers = two_servers(database).await;
    let steps = operations(2_000) / TASKS;
    let refused = Arc::new(AtomicI64::new(0));
    together(TASKS, |task| {
        let (store, refused) = (Arc::clone(&servers[task as usize % 2]), Arc::clone(&refused));
        async move {
            let random = &mut ChaCha8Rng::seed_from_u64(u64::from(task));
            for step in 0..steps {
                let pair = any_pair(random);
                if random.random_bool(0.01) {
                    store.delete_user(pair.0, at(0)).await.unwrap();
                    // Another task may have created them again.
                    let name = format!("u{}", pair.0);
                    store.create_user(&new_user(pair.0, &name)).await.unwrap();
                    continue;
                }
                if random.random_bool(0.1) {
                    store.update_privacy(pair.0, any_privacy(random)).await.unwrap();
                    continue;
                }
                let micros = i64::from(task) * 1_000_000 + i64::from(step);
                if change(&*store, pair, micros, any_action(random)).await.is_err() {
                    // Others kept changing the same edges.
                    refused.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    })
    .await;
    let refused = refused.load(Ordering::Relaxed);
    assert!(refused * 20 <= i64::from(steps * TASKS), "{refused} changes gave up");
    assert_sound(database.store()).await;
}

/// Adds one for each edge that an outcome says was added, and takes one off for each that it says was
/// removed.
fn balance(balances: &mut BTreeMap<EdgeKind, i64>, outcome: FollowChanged) {
    use EdgeKind::{Block, Follow, Request};
    let changes: &[(EdgeKind, i64)] = match outcome {
        FollowChanged::Follow(Ok(FollowOutcome::Followed)) => &[(Follow, 1)],
        FollowChanged::Follow(Ok(FollowOutcome::Requested)) => &[(Request, 1)],
        FollowChanged::Unfollow(UnfollowOutcome::Unfollowed)
        | FollowChanged::Remove(RemoveOutcome::Removed) => &[(Follow, -1)],
        FollowChanged::Unfollow(UnfollowOutcome::RequestWithdrawn)
        | FollowChanged::Reject(RejectOutcome::Rejected) => &[(Request, -1)],
        FollowChanged::Accept(AcceptOutcome::Accepted) => &[(Follow, 1), (Request, -1)],
        FollowChanged::Block(Ok(BlockOutcome::Blocked)) => &[(Block, 1)],
        FollowChanged::Unblock(UnblockOutcome::Unblocked) => &[(Block, -1)],
        _ => &[],
    };
    for (kind, change) in changes {
        *balances.entry(*kind).or_default() += change;
    }
}

/// The number of all edges of each kind.
async fn edges(store: &dyn Store) -> BTreeMap<EdgeKind, i64> {
    let ids: Vec<_> = (1..=USERS).map(UserId).collect();
    let lists = store.lists_by_ids(Audience::EVERYBODY, &ids).await.unwrap();
    let follows = lists.values().map(|lists| lists.counts.following).sum();
    let (mut requests, mut blocks) = (0, 0);
    for id in ids {
        let lengths = store.own_lengths(Audience::EVERYBODY, id).await.unwrap();
        requests += lengths.requests_sent;
        blocks += lengths.blocked;
    }
    [(EdgeKind::Follow, follows), (EdgeKind::Request, requests), (EdgeKind::Block, blocks)].into()
}

/// All users are private and none becomes public, so a request becomes a follow only if it is
/// accepted; blocks are between users who have nothing else.
async fn each_change_has_one_caller_who_made_it(database: &Database) {
    let servers = two_servers(database).await;
    let private = PrivacyChange { is_private: Some(true), ..PrivacyChange::default() };
    for id in 1..=USERS {
        servers[0].update_privacy(UserId(id), private).await.unwrap();
    }
    let steps = operations(2_000) / TASKS;
    let balances = together(TASKS, |task| {
        let store = Arc::clone(&servers[task as usize % 2]);
        async move {
            let random = &mut ChaCha8Rng::seed_from_u64(u64::from(task) + 1_000);
            let mut balances = BTreeMap::new();
            for step in 0..steps {
                let (one, other) = any_pair(random);
                let is_far = (one.0 + other.0) % 2 == 0;
                let action = match any_action(random) {
                    // It may replace a request, and does not say so.
                    FollowAction::Import { .. } => continue,
                    FollowAction::Block { .. } | FollowAction::Unblock if !is_far => continue,
                    action @ (FollowAction::Block { .. } | FollowAction::Unblock) => action,
                    _ if is_far => continue,
                    action => action,
                };
                let micros = i64::from(task) * 1_000_000 + i64::from(step);
                if let Ok(outcome) = change(&*store, (one, other), micros, action).await {
                    balance(&mut balances, outcome);
                }
            }
            balances
        }
    })
    .await;
    let mut expected = BTreeMap::from(EdgeKind::ALL.map(|kind| (kind, 0)));
    for (kind, change) in balances.into_iter().flatten() {
        *expected.entry(kind).or_default() += change;
    }
    assert_eq!(edges(database.store()).await, expected);
    assert_sound(database.store()).await;
}

/// What a signed-in user sees of another through a server: as for each request, the account first.
async fn sees(store: &dyn Store, viewer: UserId, other: UserId) -> [bool; 3] {
    let account = store.find_account(viewer).await.unwrap().expect("the user is there");
    let audience = Audience::viewer(viewer, false, account.is_blocked);
    let by_id = store.users_by_ids(audience, &[other]).await.unwrap();
    let witness = UserId(3);
    let key = newest(FollowList::Followers, witness, 10);
    let key = FollowPageKey { reader: audience.reader_of(witness), ..key };
    let page = store.pages_of_follows(audience, &[key]).await.unwrap().remove(&key).unwrap().page;
    let relations = store.relations(viewer, &[other], &[other]).await.unwrap();
    [
        by_id.contains_key(&other),
        page.items.iter().any(|item| item.user == other),
        !relations.is_empty(),
    ]
}

async fn an_acknowledged_block_holds_for_the_next_read_on_another_server(database: &Database) {
    let servers = two_servers(database).await;
    let (alice, bob, witness) = (UserId(1), UserId(2), UserId(3));
    let follow = FollowAction::Follow(FollowLimits::NONE);
    change(&*servers[0], (alice, witness), 0, follow).await.unwrap();
    for round in 0..operations(1_000) / 10 {
        let micros = i64::from(round);
        let [near, far] =
            if round % 2 == 0 { [&servers[0], &servers[1]] } else { [&servers[1], &servers[0]] };
        change(&**near, (bob, alice), micros, follow).await.unwrap();
        change(&**far, (alice, bob), micros, follow).await.unwrap();
        let block = FollowAction::Block { limit: 10 };
        // A follow that is requested at the same time comes before the block or is refused.
        let (blocked, _) = tokio::join!(
            change(&**near, (alice, bob), micros, block),
            change(&**far, (bob, alice), micros + 1, follow),
        );
        assert_eq!(blocked.unwrap(), FollowChanged::Block(Ok(BlockOutcome::Blocked)));

        assert_eq!(sees(&**far, bob, alice).await, [false; 3], "round {round}");
        let refused = change(&**far, (bob, alice), micros + 2, follow).await.unwrap();
        let expected = entourage::domain::FollowRefusal::Blocked;
        assert_eq!(refused, FollowChanged::Follow(Err(expected)), "round {round}");
        change(&**far, (alice, bob), micros, FollowAction::Unblock).await.unwrap();
        assert_eq!(sees(&**near, bob, alice).await, [true, true, false], "round {round}");
    }
    assert_sound(database.store()).await;
}

async fn an_acknowledged_privacy_holds_for_the_next_follow_on_another_server(database: &Database) {
    let servers = two_servers(database).await;
    let (alice, bob) = (UserId(1), UserId(2));
    let follow = FollowAction::Follow(FollowLimits::NONE);
    let set =
        |is_private| PrivacyChange { is_private: Some(is_private), ..PrivacyChange::default() };
    for round in 0..operations(1_000) / 10 {
        let micros = i64::from(round);
        let [near, far] =
            if round % 2 == 0 { [&servers[0], &servers[1]] } else { [&servers[1], &servers[0]] };
        near.update_privacy(alice, set(true)).await.unwrap();
        let asked = change(&**far, (bob, alice), micros, follow).await.unwrap();
        let requested = FollowChanged::Follow(Ok(FollowOutcome::Requested));
        assert_eq!(asked, requested, "round {round}");
        let reader = ListReader::Other(Some(bob));
        let key = FollowPageKey { reader, ..newest(FollowList::Followers, alice, 5) };
        let audience = Audience::viewer(bob, false, false);
        let hidden = far.pages_of_follows(audience, &[key]).await.unwrap().remove(&key).unwrap();
        assert!(hidden.lists.is_hidden(FollowList::Followers), "round {round}");

        let accepted = change(&**near, (bob, alice), micros, FollowAction::Accept).await.unwrap();
        assert_eq!(accepted, FollowChanged::Accept(AcceptOutcome::Accepted));
        let seen = far.pages_of_follows(audience, &[key]).await.unwrap().remove(&key).unwrap();
        assert_eq!(seen.page.items.len(), 1, "round {round}");
        change(&**far, (bob, alice), micros, FollowAction::Remove).await.unwrap();
        far.update_privacy(alice, set(false)).await.unwrap();
    }
    assert_sound(database.store()).await;
}

/// Follows meet an account that becomes private and public in turn. When it stays public and what
/// waits is accepted, each caller who was told of a request or a follow is a follower.
async fn accounts_that_become_public_lose_no_request(database: &Database) {
    let servers = two_servers(database).await;
    let alice = UserId(1);
    let toggles = tokio::spawn({
        let store = Arc::clone(&servers[1]);
        async move {
            for round in 0..20 {
                let is_private = Some(round % 2 == 0);
                let change = PrivacyChange { is_private, ..PrivacyChange::default() };
                store.update_privacy(alice, change).await.unwrap();
            }
        }
    });
    let follow = FollowAction::Follow(FollowLimits::NONE);
    together(u32::try_from(USERS - 1).unwrap(), |task| {
        let store = Arc::clone(&servers[task as usize % 2]);
        async move {
            let pair = (UserId(i64::from(task) + 2), alice);
            change(&*store, pair, 1, follow).await.unwrap();
        }
    })
    .await;
    toggles.await.unwrap();

    let store = database.store();
    let oldest = PageRequest {
        direction: OrderDirection::Asc,
        window: Window::First(100),
        after: None,
        before: None,
        ends: Ends::NONE,
    };
    let list = OwnList::RequestsReceived;
    let waiting = store.page_of_own(Audience::EVERYBODY, alice, list, &oldest).await.unwrap();
    for item in waiting.items {
        change(store, (item.user, alice), 2, FollowAction::Accept).await.unwrap();
    }
    let lists = store.lists_by_ids(Audience::EVERYBODY, &[alice]).await.unwrap();
    assert_eq!(lists[&alice].counts.followers, USERS - 1);
    assert_sound(store).await;
}
