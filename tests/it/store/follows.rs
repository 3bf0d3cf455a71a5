//! Following and unfollowing, one at a time.

use std::collections::HashMap;

use entourage::{
    domain::{
        FollowCounts, FollowLimits, FollowList, FollowRefusal, Relation, UnfollowOutcome, UserId,
    },
    store::{Graph, Store},
};
use futures_util::future::join_all;

use super::{
    ALICE, BOB, CAROL, DAVE, NOBODY, assert_sound, at, cases, counts, edge, follow, four_users,
    list, new_user, newest, page,
};
use crate::support::follow::{ALREADY, FOLLOWED, FollowOne};

cases! {
    a_follow_adds_both_ends_and_both_counts,
    following_twice_changes_nothing,
    a_follow_back_is_an_edge_of_its_own,
    a_missing_user_cannot_follow_or_be_followed,
    following_oneself_is_refused_and_changes_nothing,
    an_unfollow_removes_both_ends_and_both_counts,
    unfollowing_twice_changes_nothing,
    a_follow_after_an_unfollow_is_a_new_edge,
    relations_have_both_directions,
    relations_return_only_the_directions_asked_for,
    relations_to_many_users_are_right_for_any_viewer,
    simultaneous_relations_go_to_the_right_viewers,
}

async fn a_follow_adds_both_ends_and_both_counts(store: &dyn Store) {
    four_users(store).await;

    let outcome = store.follow(ALICE, BOB, at(1), FollowLimits::NONE).await.unwrap();

    assert_eq!(outcome, FOLLOWED);
    assert_eq!(counts(store, ALICE).await, FollowCounts { followers: 0, following: 1 });
    assert_eq!(counts(store, BOB).await, FollowCounts { followers: 1, following: 0 });
    for (user, direction, other) in
        [(ALICE, FollowList::Following, BOB), (BOB, FollowList::Followers, ALICE)]
    {
        let page = page(store, newest(direction, user, 10)).await;
        assert_eq!(page.lists.counts.of(direction), 1);
        assert_eq!(page.page.items.len(), 1);
        assert_eq!(page.page.items[0].user, other);
        assert_eq!(page.page.items[0].followed_at, at(1));
    }
    assert_eq!(list(store, FollowList::Followers, ALICE).await, []);
    assert_eq!(list(store, FollowList::Following, BOB).await, []);
    assert_sound(store).await;
}

async fn following_twice_changes_nothing(store: &dyn Store) {
    four_users(store).await;
    follow(store, ALICE, BOB, 1).await;

    let outcome = store.follow(ALICE, BOB, at(2), FollowLimits::NONE).await.unwrap();

    assert_eq!(outcome, ALREADY);
    let page = page(store, newest(FollowList::Following, ALICE, 10)).await;
    assert_eq!(page.lists.counts, FollowCounts { followers: 0, following: 1 });
    assert_eq!(page.page.items[0].followed_at, at(1));
    assert_sound(store).await;
}

async fn a_follow_back_is_an_edge_of_its_own(store: &dyn Store) {
    four_users(store).await;
    follow(store, ALICE, BOB, 1).await;
    follow(store, BOB, ALICE, 2).await;

    let both = FollowCounts { followers: 1, following: 1 };
    assert_eq!((counts(store, ALICE).await, counts(store, BOB).await), (both, both));
    assert_sound(store).await;
}

async fn a_missing_user_cannot_follow_or_be_followed(store: &dyn Store) {
    four_users(store).await;

    assert_eq!(
        store.follow(ALICE, NOBODY, at(1), FollowLimits::NONE).await.unwrap(),
        Err(FollowRefusal::NotFound)
    );
    assert_eq!(
        store.follow(NOBODY, ALICE, at(1), FollowLimits::NONE).await.unwrap(),
        Err(FollowRefusal::NotFound)
    );
    assert_eq!(store.unfollow(ALICE, NOBODY, at(0)).await.unwrap(), UnfollowOutcome::NotFollowing);
    assert_eq!(store.unfollow(NOBODY, ALICE, at(0)).await.unwrap(), UnfollowOutcome::NotFollowing);

    assert_eq!(counts(store, ALICE).await, FollowCounts::default());
    assert_sound(store).await;
}

async fn following_oneself_is_refused_and_changes_nothing(store: &dyn Store) {
    four_users(store).await;

    let outcome = store.follow(ALICE, ALICE, at(1), FollowLimits::NONE).await.unwrap();

    assert_eq!(outcome, Err(FollowRefusal::Yourself));
    assert_eq!(counts(store, ALICE).await, FollowCounts::default());
    assert_sound(store).await;
}

async fn an_unfollow_removes_both_ends_and_both_counts(store: &dyn Store) {
    four_users(store).await;
    follow(store, ALICE, BOB, 1).await;
    follow(store, ALICE, CAROL, 2).await;

    let outcome = store.unfollow(ALICE, BOB, at(0)).await.unwrap();

    assert_eq!(outcome, UnfollowOutcome::Unfollowed);
    assert_eq!(counts(store, ALICE).await, FollowCounts { followers: 0, following: 1 });
    assert_eq!(counts(store, BOB).await, FollowCounts::default());
    assert_eq!(list(store, FollowList::Following, ALICE).await, [CAROL]);
    assert_eq!(list(store, FollowList::Followers, BOB).await, []);
    assert_sound(store).await;
}

async fn unfollowing_twice_changes_nothing(store: &dyn Store) {
    four_users(store).await;
    follow(store, ALICE, BOB, 1).await;
    store.unfollow(ALICE, BOB, at(0)).await.unwrap();

    let outcome = store.unfollow(ALICE, BOB, at(0)).await.unwrap();

    assert_eq!(outcome, UnfollowOutcome::NotFollowing);
    assert_eq!(counts(store, BOB).await, FollowCounts::default());
    assert_sound(store).await;
}

async fn a_follow_after_an_unfollow_is_a_new_edge(store: &dyn Store) {
    four_users(store).await;
    follow(store, ALICE, BOB, 1).await;
    store.unfollow(ALICE, BOB, at(0)).await.unwrap();
    follow(store, ALICE, BOB, 2).await;

    let page = page(store, newest(FollowList::Followers, BOB, 10)).await;
    assert_eq!(page.page.items.len(), 1);
    assert_eq!(page.page.items[0].followed_at, at(2));
    assert_sound(store).await;
}

async fn relations_have_both_directions(store: &dyn Store) {
    four_users(store).await;
    follow(store, ALICE, BOB, 1).await;
    follow(store, BOB, ALICE, 2).await;
    follow(store, ALICE, CAROL, 3).await;
    follow(store, DAVE, ALICE, 4).await;
    let others = [BOB, CAROL, DAVE, NOBODY, BOB];

    let relations = store.relations(ALICE, &others, &others).await.unwrap();

    let relation = |followed: Option<i64>, back: Option<i64>| Relation {
        followed_at: followed.map(at),
        followed_back_at: back.map(at),
    };
    assert_eq!(relations.len(), 3);
    assert_eq!(relations[&BOB], relation(Some(1), Some(2)));
    assert_eq!(relations[&CAROL], relation(Some(3), None));
    assert_eq!(relations[&DAVE], relation(None, Some(4)));
}

async fn relations_return_only_the_directions_asked_for(store: &dyn Store) {
    four_users(store).await;
    follow(store, ALICE, BOB, 1).await;
    follow(store, BOB, ALICE, 2).await;

    let followed = store.relations(ALICE, &[BOB], &[]).await.unwrap();
    let back = store.relations(ALICE, &[], &[BOB]).await.unwrap();
    let missing = store.relations(NOBODY, &[BOB], &[BOB]).await.unwrap();

    assert_eq!(followed[&BOB], Relation { followed_at: Some(at(1)), followed_back_at: None });
    assert_eq!(back[&BOB], Relation { followed_at: None, followed_back_at: Some(at(2)) });
    assert!(missing.is_empty());
}

async fn relations_to_many_users_are_right_for_any_viewer(store: &dyn Store) {
    let all_ids = 1..=300;
    let users = all_ids.clone().map(|id| new_user(UserId(id), &format!("u{id}"))).collect();
    let mut follows = Vec::new();
    for id in 2..=300 {
        follows.push(edge(ALICE, UserId(id), at(id)));
        if id % 3 == 0 {
            follows.push(edge(UserId(id), ALICE, at(1_000 + id)));
        }
        if (2..12).contains(&id) && UserId(id) != BOB {
            follows.push(edge(BOB, UserId(id), at(2_000 + id)));
        }
    }
    store.load(Graph { users, follows: follows.clone() }, &|_| {}).await.unwrap();

    for viewer in [ALICE, BOB] {
        for asked in [3, 20, 300] {
            let others: Vec<_> = all_ids.clone().take(asked).map(UserId).collect();
            let relations = store.relations(viewer, &others, &others).await.unwrap();
            for other in others {
                let since = |follower, followee| {
                    let edges = follows.iter();
                    let mut of_pair =
                        edges.filter(|e| (e.follower, e.followee) == (follower, followee));
                    of_pair.next().map(|edge| edge.followed_at)
                };
                let found = relations.get(&other).copied().unwrap_or_default();
                assert_eq!(found.followed_at, since(viewer, other), "{viewer:?} to {other:?}");
                assert_eq!(found.followed_back_at, since(other, viewer), "{other:?} to {viewer:?}");
            }
        }
    }
}

async fn simultaneous_relations_go_to_the_right_viewers(store: &dyn Store) {
    four_users(store).await;
    follow(store, ALICE, BOB, 1).await;
    follow(store, BOB, ALICE, 2).await;
    follow(store, CAROL, BOB, 3).await;
    let all = [ALICE, BOB, CAROL, DAVE];

    let asked = all.map(|viewer| async move { store.relations(viewer, &all, &all).await.unwrap() });
    let [of_alice, of_bob, of_carol, of_dave] = join_all(asked).await.try_into().unwrap();

    let relation = |followed: Option<i64>, back: Option<i64>| Relation {
        followed_at: followed.map(at),
        followed_back_at: back.map(at),
    };
    assert_eq!(of_alice, HashMap::from([(BOB, relation(Some(1), Some(2)))]));
    let of_both = [(ALICE, relation(Some(2), Some(1))), (CAROL, relation(None, Some(3)))];
    assert_eq!(of_bob, HashMap::from(of_both));
    assert_eq!(of_carol, HashMap::from([(BOB, relation(Some(3), None))]));
    assert!(of_dave.is_empty());
}
