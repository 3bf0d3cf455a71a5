//! Deleting users, few and many edges at a time.

use entourage::{
    domain::{
        Audience, FollowAction, FollowCounts, FollowLimits, FollowList, FollowRefusal, OwnLengths,
        UserId,
    },
    store::{CreateOutcome, Graph, Store},
};

use super::{
    ALICE, BOB, CAROL, DAVE, NOBODY, assert_sound, at, cases, change, counts, create, edge, follow,
    four_users, list, make_private, mute, new_user,
};
use crate::support::database::Database;
use crate::support::follow::FollowOne;

cases! {
    a_deleted_user_is_gone_with_all_edges_and_counts,
    a_missing_user_cannot_be_deleted,
    a_deleted_user_cannot_be_followed_and_leaves_the_name_free,
    a_user_with_more_edges_than_one_step_removes_is_deleted,
    a_deleted_user_is_gone_with_requests_blocks_and_mutes,
    ;
    database:
    more_edges_of_all_kinds_than_one_step_removes_are_gone,
}

async fn a_deleted_user_is_gone_with_all_edges_and_counts(store: &dyn Store) {
    four_users(store).await;
    for (follower, followee) in
        [(ALICE, BOB), (ALICE, CAROL), (BOB, ALICE), (DAVE, ALICE), (DAVE, BOB), (BOB, CAROL)]
    {
        follow(store, follower, followee, 1).await;
    }

    assert!(store.delete_user(ALICE, at(0)).await.unwrap());

    assert!(store.users_by_ids(Audience::EVERYBODY, &[ALICE]).await.unwrap().is_empty());
    assert!(store.lists_by_ids(Audience::EVERYBODY, &[ALICE]).await.unwrap().is_empty());
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

    assert!(!store.delete_user(NOBODY, at(0)).await.unwrap());
    assert!(store.delete_user(ALICE, at(0)).await.unwrap());
    assert!(!store.delete_user(ALICE, at(0)).await.unwrap());

    assert_sound(store).await;
}

async fn a_deleted_user_cannot_be_followed_and_leaves_the_name_free(store: &dyn Store) {
    four_users(store).await;
    store.delete_user(ALICE, at(0)).await.unwrap();

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

    assert!(store.delete_user(celebrity, at(0)).await.unwrap());

    assert!(store.users_by_ids(Audience::EVERYBODY, &[celebrity]).await.unwrap().is_empty());
    assert_eq!(counts(store, UserId(2)).await, FollowCounts { followers: 2_598, following: 1 });
    assert_eq!(counts(store, UserId(9)).await, FollowCounts { followers: 0, following: 1 });
    assert_sound(store).await;
}

async fn a_deleted_user_is_gone_with_requests_blocks_and_mutes(store: &dyn Store) {
    four_users(store).await;
    let ask = FollowAction::Follow(FollowLimits::NONE);
    let block = FollowAction::Block { limit: 9 };
    for user in [ALICE, BOB, CAROL] {
        make_private(store, user).await;
    }
    change(store, ALICE, BOB, ask, 1).await;
    change(store, BOB, ALICE, ask, 2).await;
    change(store, BOB, CAROL, ask, 3).await;
    change(store, ALICE, DAVE, block, 4).await;
    change(store, DAVE, ALICE, block, 5).await;
    change(store, DAVE, CAROL, block, 6).await;
    for (muter, muted) in [(ALICE, CAROL), (CAROL, ALICE), (CAROL, BOB)] {
        mute(store, muter, muted, 7).await;
    }

    assert!(store.delete_user(ALICE, at(0)).await.unwrap());

    let own = async |user| store.own_lengths(Audience::EVERYBODY, user).await.unwrap();
    let bob = OwnLengths { requests_sent: 1, ..OwnLengths::default() };
    let carol = OwnLengths { requests_received: 1, muted: 1, ..OwnLengths::default() };
    let dave = OwnLengths { blocked: 1, ..OwnLengths::default() };
    assert_eq!((own(BOB).await, own(CAROL).await, own(DAVE).await), (bob, carol, dave));
    for user in [BOB, CAROL, DAVE] {
        assert!(store.ties(user, &[ALICE]).await.unwrap().is_empty());
    }
    // Recounts every length, that of those who block a user included.
    assert_sound(store).await;
    create(store, ALICE, "alice").await;
    assert_eq!(own(ALICE).await, OwnLengths::default());
    assert_sound(store).await;
}

async fn more_edges_of_all_kinds_than_one_step_removes_are_gone(database: &Database) {
    let celebrity = UserId(1);
    let users = (1..=2_300).map(|id| new_user(UserId(id), &format!("u{id}"))).collect();
    let store = database.store();
    store.load(Graph { users, follows: Vec::new() }, &|_| {}).await.unwrap();
    // From and to the celebrity: a thousand each and more. Each user has edges of one kind alone.
    let time = database.time_literal(at(1));
    for (tables, columns, lengths) in [
        (
            ["follow_requests", "follow_requests_received"],
            ["requester_id", "target_id", "requested_at"],
            ["requests_sent", "requests_received"],
        ),
        (
            ["blocks", "blocked_by"],
            ["blocker_id", "blocked_id", "blocked_at"],
            ["blocking", "blocked_by"],
        ),
    ] {
        let others = if tables[0] == "blocks" { "id > 1150" } else { "id BETWEEN 2 AND 1150" };
        for table in tables {
            let insert = format!("INSERT INTO {table} ({})", columns.join(", "));
            for pair in ["id, 1", "1, id"] {
                let rows = format!("SELECT {pair}, {time} FROM users WHERE {others}");
                database.execute(&format!("{insert} {rows}")).await;
            }
        }
        for length in lengths {
            let to = format!("UPDATE follow_counts SET {length} = 1");
            database.execute(&format!("{to} WHERE user_{others}")).await;
            let all = format!("UPDATE follow_counts SET {length} =");
            let number = format!("(SELECT count(*) FROM users WHERE {others})");
            database.execute(&format!("{all} {number} WHERE user_id = 1")).await;
        }
    }
    let mutes = "INSERT INTO mutes (muter_id, muted_id, muted_at)";
    for pair in ["id, 1", "1, id"] {
        let rows = format!("SELECT {pair}, {time} FROM users WHERE id > 1");
        database.execute(&format!("{mutes} {rows}")).await;
    }
    database.execute("UPDATE follow_counts SET muting = 1 WHERE user_id > 1").await;
    database.execute("UPDATE follow_counts SET muting = 2299 WHERE user_id = 1").await;
    assert_sound(store).await;

    assert!(store.delete_user(celebrity, at(0)).await.unwrap());

    let lengths = store.own_lengths(Audience::EVERYBODY, UserId(2)).await.unwrap();
    assert_eq!(lengths, OwnLengths::default());
    assert_sound(store).await;
}
