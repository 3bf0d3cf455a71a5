//! Deleting users, few and many edges at a time.

use entourage::{
    domain::{Audience, FollowCounts, FollowLimits, FollowList, FollowRefusal, UserId},
    store::{CreateOutcome, Graph, Store},
};

use super::{
    ALICE, BOB, CAROL, DAVE, NOBODY, assert_sound, at, cases, counts, create, edge, follow,
    four_users, list, new_user,
};
use crate::support::follow::FollowOne;

cases! {
    a_deleted_user_is_gone_with_all_edges_and_counts,
    a_missing_user_cannot_be_deleted,
    a_deleted_user_cannot_be_followed_and_leaves_the_name_free,
    a_user_with_more_edges_than_one_step_removes_is_deleted,
}

async fn a_deleted_user_is_gone_with_all_edges_and_counts(store: &dyn Store) {
    four_users(store).await;
    for (follower, followee) in
        [(ALICE, BOB), (ALICE, CAROL), (BOB, ALICE), (DAVE, ALICE), (DAVE, BOB), (BOB, CAROL)]
    {
        follow(store, follower, followee, 1).await;
    }

    assert!(store.delete_user(ALICE).await.unwrap());

    assert!(store.users_by_ids(Audience::Everybody, &[ALICE]).await.unwrap().is_empty());
    assert!(store.counts_by_ids(Audience::Everybody, &[ALICE]).await.unwrap().is_empty());
    assert_eq!(counts(store, BOB).await, FollowCounts { followers: 1, following: 1 });
    assert_eq!(counts(store, CAROL).await, FollowCounts { followers: 1, following: 0 });
    assert_eq!(counts(store, DAVE).await, FollowCounts { followers: 0, following: 1 });
    assert_eq!(list(store, FollowList::Followers, BOB).await, [DAVE]);
    assert_eq!(list(store, FollowList::Following, BOB).await, [CAROL]);
    assert_eq!(list(store, FollowList::Followers, CAROL).await, [BOB]);
    assert!(store.relations(BOB, &[ALICE], &[ALICE]).await.unwrap().is_empty());
    assert_sound(store).await;
}

async fn a_missing_user_cannot_be_deleted(store: &dyn Store) {
    four_users(store).await;

    assert!(!store.delete_user(NOBODY).await.unwrap());
    assert!(store.delete_user(ALICE).await.unwrap());
    assert!(!store.delete_user(ALICE).await.unwrap());

    assert_sound(store).await;
}

async fn a_deleted_user_cannot_be_followed_and_leaves_the_name_free(store: &dyn Store) {
    four_users(store).await;
    store.delete_user(ALICE).await.unwrap();

    assert_eq!(
        store.follow(BOB, ALICE, at(1), FollowLimits::NONE).await.unwrap(),
        Err(FollowRefusal::NotFound)
    );
    assert_eq!(
        store.follow(ALICE, BOB, at(1), FollowLimits::NONE).await.unwrap(),
        Err(FollowRefusal::NotFound)
    );
    create(store, UserId(70), "ALICE").await;
    let same_id = store.create_user(&new_user(ALICE, "alice2")).await.unwrap();

    assert_eq!(same_id, CreateOutcome::Created);
    assert_sound(store).await;
}

async fn a_user_with_more_edges_than_one_step_removes_is_deleted(store: &dyn Store) {
    let celebrity = UserId(1);
    let others = || (2..=2_600).map(UserId);
    let users = std::iter::once(celebrity).chain(others());
    let mut follows = Vec::new();
    for (number, other) in (0_i64..).zip(others()) {
        follows.push(edge(other, celebrity, at(number / 7)));
        if number < 1_200 {
            follows.push(edge(celebrity, other, at(number)));
        }
        follows.push(edge(other, UserId(if other.0 == 2 { 3 } else { 2 }), at(number)));
    }
    let users = users.map(|id| new_user(id, &format!("u{id}"))).collect();
    store.load(Graph { users, follows }, &|_| {}).await.unwrap();

    assert!(store.delete_user(celebrity).await.unwrap());

    assert!(store.users_by_ids(Audience::Everybody, &[celebrity]).await.unwrap().is_empty());
    assert_eq!(counts(store, UserId(2)).await, FollowCounts { followers: 2_598, following: 1 });
    assert_eq!(counts(store, UserId(9)).await, FollowCounts { followers: 0, following: 1 });
    assert_sound(store).await;
}
