//! Simultaneous calls, and callers that go away.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use entourage::{
    domain::{Audience, FollowCounts, FollowLimits, FollowList, UnfollowOutcome, UserId},
    store::CreateOutcome,
};
use tokio::task::JoinSet;

use super::groups::refuse_followers_above;
use super::{ALICE, BOB, assert_sound, at, cases, counts, follow, list, new_user, users};
use crate::support::{
    database::Database,
    follow::{FOLLOWED, FollowOne},
};

cases! {
    ;
    database:
    exactly_one_of_simultaneous_follows_adds_the_edge,
    exactly_one_of_simultaneous_unfollows_removes_the_edge,
    exactly_one_of_simultaneous_namesakes_is_created,
    concurrent_toggles_of_the_same_edges_leave_exact_counts,
    deletions_amid_follows_leave_no_trace,
    a_write_that_fails_fails_no_other,
    a_write_whose_caller_goes_away_runs_to_its_end,
    a_read_whose_caller_goes_away_releases_its_connection,
}

/// Runs tasks at once and returns their results.
pub(super) async fn together<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    tasks: u32,
    task: impl Fn(u32) -> F,
) -> Vec<T> {
    (0..tasks).map(task).collect::<JoinSet<_>>().join_all().await
}

async fn exactly_one_of_simultaneous_follows_adds_the_edge(database: &Database) {
    users(database.store(), 2).await;
    for round in 0..10 {
        let outcomes = together(8, |task| {
            let store = Arc::clone(&database.store);
            async move {
                store.follow(ALICE, BOB, at(i64::from(task)), FollowLimits::NONE).await.unwrap()
            }
        })
        .await;

        let followed = outcomes.iter().filter(|o| **o == FOLLOWED).count();
        assert_eq!(followed, 1, "round {round}: {outcomes:?}");
        assert_eq!(counts(database.store(), BOB).await.followers, 1);
        database.store.unfollow(ALICE, BOB, at(0)).await.unwrap();
    }
    assert_sound(database.store()).await;
}

async fn exactly_one_of_simultaneous_unfollows_removes_the_edge(database: &Database) {
    users(database.store(), 2).await;
    follow(database.store(), ALICE, BOB, 1).await;

    let outcomes = together(8, |_| {
        let store = Arc::clone(&database.store);
        async move { store.unfollow(ALICE, BOB, at(0)).await.unwrap() }
    })
    .await;

    let unfollowed = outcomes.iter().filter(|o| **o == UnfollowOutcome::Unfollowed).count();
    assert_eq!(unfollowed, 1, "{outcomes:?}");
    assert_sound(database.store()).await;
}

async fn exactly_one_of_simultaneous_namesakes_is_created(database: &Database) {
    let outcomes = together(8, |task| {
        let store = Arc::clone(&database.store);
        let user = new_user(UserId(i64::from(task) + 1), "same");
        async move { store.create_user(&user).await.unwrap() }
    })
    .await;

    let created = outcomes.iter().filter(|o| **o == CreateOutcome::Created).count();
    assert_eq!(created, 1, "{outcomes:?}");
    assert!(
        outcomes
            .iter()
            .all(|o| { matches!(o, CreateOutcome::Created | CreateOutcome::UsernameTaken) })
    );
}

async fn concurrent_toggles_of_the_same_edges_leave_exact_counts(database: &Database) {
    users(database.store(), 4).await;
    let pairs = [(1, 2), (2, 1), (1, 3), (3, 4), (4, 1)];

    let balances = together(16, |task| {
        let store = Arc::clone(&database.store);
        async move {
            // Edges added minus edges removed, by this task.
            let mut balance = 0;
            for step in 0..24 {
                let (follower, followee) = pairs[(task as usize * 3 + step) % pairs.len()];
                let (follower, followee) = (UserId(follower), UserId(followee));
                if (task as usize + step / 2).is_multiple_of(2) {
                    let outcome =
                        store.follow(follower, followee, at(1), FollowLimits::NONE).await.unwrap();
                    balance += i64::from(outcome == FOLLOWED);
                } else {
                    let outcome = store.unfollow(follower, followee, at(0)).await.unwrap();
                    balance -= i64::from(outcome == UnfollowOutcome::Unfollowed);
                }
            }
            balance
        }
    })
    .await;

    let mut sums = FollowCounts::default();
    for id in 1..=4 {
        let counts = counts(database.store(), UserId(id)).await;
        sums.followers += counts.followers;
        sums.following += counts.following;
    }
    let balance: i64 = balances.into_iter().sum();
    assert_eq!((sums.followers, sums.following), (balance, balance));
    assert_sound(database.store()).await;
}

async fn deletions_amid_follows_leave_no_trace(database: &Database) {
    users(database.store(), 12).await;

    together(8, |task| {
        let store = Arc::clone(&database.store);
        async move {
            let deleted = UserId(i64::from(task) + 1);
            for other in (1..=12).map(UserId).filter(|other| *other != deleted) {
                let _ = store.follow(deleted, other, at(1), FollowLimits::NONE).await.unwrap();
                let _ = store.follow(other, deleted, at(2), FollowLimits::NONE).await.unwrap();
            }
            if task % 2 == 0 {
                assert!(store.delete_user(deleted, at(0)).await.unwrap());
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
}

async fn a_write_that_fails_fails_no_other(database: &Database) {
    const WRITERS: u32 = 12;
    users(database.store(), i64::from(WRITERS) + 10).await;
    refuse_followers_above(database, i64::from(WRITERS) - 1).await;

    let followed = together(WRITERS, |task| {
        let store = Arc::clone(&database.store);
        async move {
            let (me, mut followed) = (i64::from(task) + 1, 0);
            for followee in (1..=10).map(|n| UserId(i64::from(WRITERS) + n)) {
                match store.follow(UserId(me), followee, at(me), FollowLimits::NONE).await {
                    Ok(outcome) => assert_eq!(outcome, FOLLOWED),
                    Err(_) => continue,
                }
                followed += 1;
            }
            (me, followed)
        }
    })
    .await;

    for (writer, followed) in followed {
        assert_eq!(followed, if writer == i64::from(WRITERS) { 0 } else { 10 }, "user {writer}");
        assert_eq!(counts(database.store(), UserId(writer)).await.following, followed);
    }
    assert_sound(database.store()).await;
}

/// Polls a future a few times and drops it.
pub(super) async fn leave<T>(mut future: Pin<Box<dyn Future<Output = T> + Send + '_>>, polls: u32) {
    for _ in 0..polls {
        let poll = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        if poll.is_ready() {
            return;
        }
        yield_now().await;
    }
}

/// Lets the other tasks run once.
async fn yield_now() {
    let mut yielded = false;
    poll_fn(|context| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

async fn a_write_whose_caller_goes_away_runs_to_its_end(database: &Database) {
    const FOLLOWERS: u32 = 30;
    let store = database.store();
    users(store, i64::from(FOLLOWERS) + 1).await;

    for number in 0..FOLLOWERS {
        let follower = UserId(i64::from(number) + 2);
        leave(store.follow(follower, ALICE, at(1), FollowLimits::NONE), number % 10 + 1).await;
        if number % 7 == 0 {
            assert_sound(store).await;
        }
    }

    // Each read is a round trip, during which the writes continue.
    let mut questions = 0;
    while counts(store, ALICE).await.followers < i64::from(FOLLOWERS) {
        questions += 1;
        assert!(questions < 50_000, "a write did not run to its end");
    }
    assert_eq!(list(store, FollowList::Followers, ALICE).await.len(), FOLLOWERS as usize);
    assert_sound(store).await;
}

async fn a_read_whose_caller_goes_away_releases_its_connection(database: &Database) {
    users(database.store(), 2).await;
    for polls in 1..40 {
        leave(database.store.users_by_ids(Audience::EVERYBODY, &[ALICE]), polls % 9 + 1).await;
        leave(Box::pin(database.store.find_drift(&|_| {})), polls % 9 + 1).await;
    }

    // More simultaneous reads than there are connections.
    let found = together(12, |_| {
        let store = Arc::clone(&database.store);
        async move { store.users_by_ids(Audience::EVERYBODY, &[ALICE, BOB]).await.unwrap().len() }
    })
    .await;

    assert_eq!(found, [2; 12]);
}
