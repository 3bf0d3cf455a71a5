//! Limits on what one user can change over time: exact, also for simultaneous calls.

use chrono::TimeDelta;
use entourage::{
    domain::{
        Day, FollowCounts, FollowLimit, FollowLimits, FollowOutcome, FollowRefusal, FollowUsage,
        UnfollowOutcome, UserId,
    },
    store::Store,
};
use futures_util::future::join_all;

use super::{
    ALICE, BOB, CAROL, DAVE, NOBODY, assert_sound, at, cases, counts, follow, four_users, users,
};
use crate::support::follow::{ALREADY, FOLLOWED, FollowOne};

cases! {
    new_follows_are_limited_per_day,
    only_real_changes_count_towards_the_day,
    follows_are_limited_in_total,
    followers_raise_the_total_limit,
    changes_of_one_pair_are_limited_per_day,
    counting_starts_over_each_day,
    where_clocks_disagree_about_midnight_the_later_day_counts,
    yesterdays_follow_is_not_a_change_of_today,
    limits_are_checked_after_everything_else,
    simultaneous_follows_do_not_exceed_a_limit,
    deleting_a_user_deletes_their_counted_changes,
}

const LIMITS: FollowLimits = FollowLimits { per_day: 2, ..FollowLimits::NONE };
const DAY: Day = Day(20_254);

async fn try_follow(
    store: &dyn Store,
    (follower, followee): (UserId, UserId),
    days: i64,
    limits: FollowLimits,
) -> Result<FollowOutcome, FollowRefusal> {
    let moment = at(0) + TimeDelta::days(days);
    assert_eq!(Day::of(moment).0, DAY.0 + days);
    store.follow(follower, followee, moment, limits).await.unwrap()
}

async fn usage(store: &dyn Store, user: UserId) -> Option<FollowUsage> {
    store.find_usage(user, DAY).await.unwrap()
}

async fn new_follows_are_limited_per_day(store: &dyn Store) {
    four_users(store).await;
    let day = Err(FollowRefusal::LimitReached(FollowLimit::Day));
    assert_eq!(try_follow(store, (ALICE, BOB), 0, LIMITS).await, FOLLOWED);
    assert_eq!(try_follow(store, (ALICE, CAROL), 0, LIMITS).await, FOLLOWED);

    assert_eq!(try_follow(store, (ALICE, DAVE), 0, LIMITS).await, day);

    let expected = FollowCounts { followers: 0, following: 2 };
    assert_eq!(
        usage(store, ALICE).await,
        Some(FollowUsage { counts: expected, requests: 0, today: 2 })
    );
    assert_eq!(counts(store, DAVE).await, FollowCounts::default());
    assert_sound(store).await;
    assert_eq!(try_follow(store, (BOB, DAVE), 0, LIMITS).await, FOLLOWED);
    assert_eq!(try_follow(store, (ALICE, DAVE), 1, LIMITS).await, FOLLOWED);
    let tomorrow = store.find_usage(ALICE, Day(DAY.0 + 2)).await.unwrap();
    assert_eq!(tomorrow.unwrap().today, 0, "the counts of the day before do not matter");
    assert_eq!(usage(store, NOBODY).await, None);
}

async fn only_real_changes_count_towards_the_day(store: &dyn Store) {
    four_users(store).await;
    for _ in 0..5 {
        let _ = try_follow(store, (ALICE, BOB), 0, LIMITS).await;
        let _ = try_follow(store, (ALICE, NOBODY), 0, LIMITS).await;
    }
    assert_eq!(usage(store, ALICE).await.unwrap().today, 1);

    // A follow that is taken back counts all the same; a refusal does not.
    store.unfollow(ALICE, BOB, at(0)).await.unwrap();
    assert_eq!(try_follow(store, (ALICE, CAROL), 0, LIMITS).await, FOLLOWED);
    assert!(try_follow(store, (ALICE, DAVE), 0, LIMITS).await.is_err());
    assert_eq!(usage(store, ALICE).await.unwrap().today, 2);
}

async fn follows_are_limited_in_total(store: &dyn Store) {
    four_users(store).await;
    let limits = FollowLimits { total: 2, ..FollowLimits::NONE };
    follow(store, ALICE, BOB, 1).await;
    follow(store, ALICE, CAROL, 2).await;

    let refused = try_follow(store, (ALICE, DAVE), 3, limits).await;

    assert_eq!(refused, Err(FollowRefusal::LimitReached(FollowLimit::Total)));
    assert_sound(store).await;
    store.unfollow(ALICE, BOB, at(0)).await.unwrap();
    assert_eq!(try_follow(store, (ALICE, DAVE), 3, limits).await, FOLLOWED);
}

async fn followers_raise_the_total_limit(store: &dyn Store) {
    users(store, 14).await;
    let limits = FollowLimits { total: 2, ..FollowLimits::NONE };
    for fan in 2..=11 {
        follow(store, UserId(fan), ALICE, fan).await;
    }
    for followee in 2..=12 {
        let outcome = try_follow(store, (ALICE, UserId(followee)), 0, limits).await;
        assert_eq!(outcome, FOLLOWED, "{followee}");
    }
    let outcome = try_follow(store, (ALICE, UserId(13)), 0, limits).await;
    assert_eq!(outcome, Err(FollowRefusal::LimitReached(FollowLimit::Total)));
}

async fn changes_of_one_pair_are_limited_per_day(store: &dyn Store) {
    four_users(store).await;
    let limits = FollowLimits { pair_changes_per_day: 4, ..FollowLimits::NONE };
    for _ in 0..2 {
        assert_eq!(try_follow(store, (ALICE, BOB), 0, limits).await, FOLLOWED);
        store.unfollow(ALICE, BOB, at(0)).await.unwrap();
        store.unfollow(ALICE, BOB, at(0)).await.unwrap();
    }

    let refused = try_follow(store, (ALICE, BOB), 0, limits).await;

    assert_eq!(refused, Err(FollowRefusal::LimitReached(FollowLimit::Pair)));
    assert_sound(store).await;
    assert_eq!(try_follow(store, (ALICE, CAROL), 0, limits).await, FOLLOWED);
    assert_eq!(try_follow(store, (BOB, ALICE), 0, limits).await, FOLLOWED);
    assert_eq!(try_follow(store, (ALICE, BOB), 1, limits).await, FOLLOWED);
}

async fn counting_starts_over_each_day(store: &dyn Store) {
    four_users(store).await;
    let limits = FollowLimits { pair_changes_per_day: 4, ..FollowLimits::NONE };
    for day in 0..2 {
        let now = at(0) + TimeDelta::days(day);
        for _ in 0..2 {
            let followed = try_follow(store, (ALICE, BOB), day, limits).await;
            assert_eq!(followed, FOLLOWED, "day {day}");
            store.unfollow(ALICE, BOB, now).await.unwrap();
        }
        let refused = try_follow(store, (ALICE, BOB), day, limits).await;
        assert_eq!(refused, Err(FollowRefusal::LimitReached(FollowLimit::Pair)), "day {day}");
    }
}

async fn where_clocks_disagree_about_midnight_the_later_day_counts(store: &dyn Store) {
    four_users(store).await;
    assert_eq!(try_follow(store, (ALICE, BOB), 1, LIMITS).await, FOLLOWED);
    assert_eq!(try_follow(store, (ALICE, CAROL), 0, LIMITS).await, FOLLOWED);
    let refused = Err(FollowRefusal::LimitReached(FollowLimit::Day));
    assert_eq!(try_follow(store, (ALICE, DAVE), 1, LIMITS).await, refused);
    assert_eq!(try_follow(store, (ALICE, DAVE), 0, LIMITS).await, refused);
}

async fn yesterdays_follow_is_not_a_change_of_today(store: &dyn Store) {
    four_users(store).await;
    let limits = FollowLimits { pair_changes_per_day: 2, ..FollowLimits::NONE };
    let tomorrow = at(0) + TimeDelta::days(1);
    assert_eq!(try_follow(store, (ALICE, BOB), 0, limits).await, FOLLOWED);

    store.unfollow(ALICE, BOB, tomorrow).await.unwrap();
    assert_eq!(try_follow(store, (ALICE, BOB), 1, limits).await, FOLLOWED);
    let unfollowed = store.unfollow(ALICE, BOB, tomorrow).await.unwrap();

    assert_eq!(unfollowed, UnfollowOutcome::Unfollowed, "an unfollow is never refused");
    let refused = try_follow(store, (ALICE, BOB), 1, limits).await;
    assert_eq!(refused, Err(FollowRefusal::LimitReached(FollowLimit::Pair)));
}

async fn limits_are_checked_after_everything_else(store: &dyn Store) {
    four_users(store).await;
    let nothing = FollowLimits { per_day: 0, total: 0, pair_changes_per_day: 0 };
    follow(store, ALICE, BOB, 1).await;

    let existing = try_follow(store, (ALICE, BOB), 0, nothing).await;
    assert_eq!(existing, ALREADY);
    let missing = try_follow(store, (ALICE, NOBODY), 0, nothing).await;
    assert_eq!(missing, Err(FollowRefusal::NotFound));
}

async fn simultaneous_follows_do_not_exceed_a_limit(store: &dyn Store) {
    users(store, 12).await;
    let limits = FollowLimits { per_day: 5, ..FollowLimits::NONE };

    let outcomes =
        join_all((2..=12).map(|followee| try_follow(store, (ALICE, UserId(followee)), 0, limits)))
            .await;

    let followed = outcomes.iter().filter(|outcome| **outcome == FOLLOWED).count();
    assert_eq!(followed, 5);
    assert_eq!(counts(store, ALICE).await.following, 5);
    assert_sound(store).await;
}

async fn deleting_a_user_deletes_their_counted_changes(store: &dyn Store) {
    four_users(store).await;
    for (follower, followee) in [(ALICE, BOB), (BOB, ALICE)] {
        follow(store, follower, followee, 1).await;
        store.unfollow(follower, followee, at(2)).await.unwrap();
    }
    assert!(store.delete_user(ALICE, at(0)).await.unwrap());
    // The rows of the other direction are deleted by bob's next unfollow.
    follow(store, BOB, CAROL, 3).await;
    store.unfollow(BOB, CAROL, at(0) + TimeDelta::days(1)).await.unwrap();
    assert_sound(store).await;
}
