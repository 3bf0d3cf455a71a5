//! Following and unfollowing, one at a time.

use entourage::{
    domain::{Direction, FollowCounts, FollowLimits, FollowOutcome, Relation, UnfollowOutcome},
    store::{Error, Store},
};

use super::{
    ALICE, BOB, CAROL, DAVE, NOBODY, assert_sound, at, cases, counts, follow, four_users, list,
    newest, page,
};

cases! {
    a_follow_adds_both_ends_and_both_counts,
    following_twice_changes_nothing,
    a_follow_back_is_an_edge_of_its_own,
    nobody_can_neither_follow_nor_be_followed,
    following_oneself_is_refused_and_changes_nothing,
    an_unfollow_takes_both_ends_and_both_counts_away,
    unfollowing_twice_changes_nothing,
    a_follow_after_an_unfollow_is_a_new_edge,
    relations_tell_both_directions,
    relations_ask_only_what_they_are_asked,
}

async fn a_follow_adds_both_ends_and_both_counts(store: &dyn Store) {
    four_users(store).await;

    let outcome = store.follow(ALICE, BOB, at(1), FollowLimits::NONE).await.unwrap();

    assert_eq!(outcome, FollowOutcome::Followed);
    assert_eq!(counts(store, ALICE).await, FollowCounts { followers: 0, following: 1 });
    assert_eq!(counts(store, BOB).await, FollowCounts { followers: 1, following: 0 });
    for (user, direction, other) in
        [(ALICE, Direction::Following, BOB), (BOB, Direction::Followers, ALICE)]
    {
        let page = page(store, newest(direction, user, 10)).await;
        assert_eq!(page.counts.of(direction), 1);
        assert_eq!(page.page.items.len(), 1);
        assert_eq!(page.page.items[0].user.id, other);
        assert_eq!(page.page.items[0].followed_at, Some(at(1)));
    }
    assert_eq!(list(store, Direction::Followers, ALICE).await, []);
    assert_eq!(list(store, Direction::Following, BOB).await, []);
    assert_sound(store).await;
}

async fn following_twice_changes_nothing(store: &dyn Store) {
    four_users(store).await;
    follow(store, ALICE, BOB, 1).await;

    let outcome = store.follow(ALICE, BOB, at(2), FollowLimits::NONE).await.unwrap();

    assert_eq!(outcome, FollowOutcome::AlreadyFollowing);
    let page = page(store, newest(Direction::Following, ALICE, 10)).await;
    assert_eq!(page.counts, FollowCounts { followers: 0, following: 1 });
    assert_eq!(page.page.items[0].followed_at, Some(at(1)));
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

async fn nobody_can_neither_follow_nor_be_followed(store: &dyn Store) {
    four_users(store).await;

    assert_eq!(
        store.follow(ALICE, NOBODY, at(1), FollowLimits::NONE).await.unwrap(),
        FollowOutcome::NoSuchUser
    );
    assert_eq!(
        store.follow(NOBODY, ALICE, at(1), FollowLimits::NONE).await.unwrap(),
        FollowOutcome::NoSuchUser
    );
    assert_eq!(store.unfollow(ALICE, NOBODY, at(0)).await.unwrap(), UnfollowOutcome::NotFollowing);
    assert_eq!(store.unfollow(NOBODY, ALICE, at(0)).await.unwrap(), UnfollowOutcome::NotFollowing);

    assert_eq!(counts(store, ALICE).await, FollowCounts::default());
    assert_sound(store).await;
}

async fn following_oneself_is_refused_and_changes_nothing(store: &dyn Store) {
    four_users(store).await;

    let refused = store.follow(ALICE, ALICE, at(1), FollowLimits::NONE).await;

    assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
    assert_eq!(counts(store, ALICE).await, FollowCounts::default());
    assert_sound(store).await;
}

async fn an_unfollow_takes_both_ends_and_both_counts_away(store: &dyn Store) {
    four_users(store).await;
    follow(store, ALICE, BOB, 1).await;
    follow(store, ALICE, CAROL, 2).await;

    let outcome = store.unfollow(ALICE, BOB, at(0)).await.unwrap();

    assert_eq!(outcome, UnfollowOutcome::Unfollowed);
    assert_eq!(counts(store, ALICE).await, FollowCounts { followers: 0, following: 1 });
    assert_eq!(counts(store, BOB).await, FollowCounts::default());
    assert_eq!(list(store, Direction::Following, ALICE).await, [CAROL]);
    assert_eq!(list(store, Direction::Followers, BOB).await, []);
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

    let page = page(store, newest(Direction::Followers, BOB, 10)).await;
    assert_eq!(page.page.items.len(), 1);
    assert_eq!(page.page.items[0].followed_at, Some(at(2)));
    assert_sound(store).await;
}

async fn relations_tell_both_directions(store: &dyn Store) {
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

async fn relations_ask_only_what_they_are_asked(store: &dyn Store) {
    four_users(store).await;
    follow(store, ALICE, BOB, 1).await;
    follow(store, BOB, ALICE, 2).await;

    let followed = store.relations(ALICE, &[BOB], &[]).await.unwrap();
    let back = store.relations(ALICE, &[], &[BOB]).await.unwrap();
    let of_nobody = store.relations(NOBODY, &[BOB], &[BOB]).await.unwrap();

    assert_eq!(followed[&BOB], Relation { followed_at: Some(at(1)), followed_back_at: None });
    assert_eq!(back[&BOB], Relation { followed_at: None, followed_back_at: Some(at(2)) });
    assert!(of_nobody.is_empty());
}
