//! Batches of changes: committed together, each change as if it were alone.

use chrono::TimeDelta;
use entourage::{
    domain::{
        Audience, Day, FollowAction, FollowChange, FollowChanged, FollowCounts, FollowItem,
        FollowLimit, FollowLimits, FollowList, FollowPageKey, FollowRefusal, ListReader,
        UnfollowOutcome, UserId,
    },
    store::{Error, Result, Store},
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{
    ALICE, BOB, CAROL, DAVE, NOBODY, assert_sound, at, cases, counts, create, follow, four_users,
    list,
    model::{Model, any_action, any_privacy},
    new_user, newest, page, users,
};
use crate::support::{
    database::{Database, Engine},
    follow::{self as outcome, FollowOne, counts_of},
};

cases! {
    each_change_of_a_batch_has_its_own_outcome,
    changes_of_one_pair_act_in_their_order,
    an_edge_that_replaces_another_has_its_own_time,
    a_follow_and_its_unfollow_in_a_batch_count_as_two_changes,
    within_a_batch_the_first_follows_use_up_the_limit,
    changes_of_one_pair_are_limited_within_a_batch,
    an_uncounted_unfollow_uses_up_no_limit,
    an_unfollow_makes_room_for_later_follows_of_its_batch,
    followers_gained_in_a_batch_raise_the_total_limit,
    an_unfollow_without_an_edge_makes_no_room,
    a_batch_may_span_midnight,
    an_empty_batch_changes_nothing,
    a_thousand_follows_of_one_user_fit_in_one_batch,
    random_batches_equal_the_model,
    a_batch_has_the_outcomes_of_its_changes_one_by_one,
    ;
    database:
    a_change_that_the_database_refuses_fails_alone,
}

pub(super) fn follows(follower: UserId, followee: UserId, micros: i64) -> FollowChange {
    let action = FollowAction::Follow(FollowLimits::NONE);
    FollowChange { follower, followee, at: at(micros), action }
}

pub(super) fn unfollows(follower: UserId, followee: UserId, micros: i64) -> FollowChange {
    FollowChange {
        follower,
        followee,
        at: at(micros),
        action: FollowAction::Unfollow { is_counted: true },
    }
}

pub(super) fn limited(change: FollowChange, limits: FollowLimits) -> FollowChange {
    FollowChange { action: FollowAction::Follow(limits), ..change }
}

pub(super) const FOLLOWED: FollowChanged = FollowChanged::Follow(outcome::FOLLOWED);
pub(super) const ALREADY: FollowChanged = FollowChanged::Follow(outcome::ALREADY);
pub(super) const NO_USER: FollowChanged = FollowChanged::Follow(Err(FollowRefusal::NotFound));
pub(super) const UNFOLLOWED: FollowChanged = FollowChanged::Unfollow(UnfollowOutcome::Unfollowed);
pub(super) const NOT: FollowChanged = FollowChanged::Unfollow(UnfollowOutcome::NotFollowing);

pub(super) const PAIR_LIMIT: FollowChanged = at_limit(FollowLimit::Pair);

const fn at_limit(limit: FollowLimit) -> FollowChanged {
    FollowChanged::Follow(Err(FollowRefusal::LimitReached(limit)))
}

/// The outcomes of a batch. The counts in its results have to be right.
async fn change_all(store: &dyn Store, batch: &[FollowChange]) -> Vec<FollowChanged> {
    let results: Result<Vec<_>> = store.change_follows(batch).await.into_iter().collect();
    let results = results.unwrap();
    let users = batch.iter().flat_map(|change| [change.follower, change.followee]);
    let users: Vec<_> = users.collect();
    let counts = counts_of(store.lists_by_ids(Audience::EVERYBODY, &users).await.unwrap());
    for (change, result) in batch.iter().zip(&results) {
        let ends = [(change.follower, result.follower), (change.followee, result.followee)];
        for (user, returned) in ends.into_iter().filter(|(_, returned)| returned.is_some()) {
            let returned = returned.map(|lists| lists.counts);
            assert_eq!(returned, counts.get(&user).copied(), "{user}");
        }
    }
    results.into_iter().map(|result| result.outcome).collect()
}

async fn each_change_of_a_batch_has_its_own_outcome(store: &dyn Store) {
    four_users(store).await;
    follow(store, ALICE, BOB, 1).await;
    follow(store, CAROL, BOB, 2).await;

    let outcomes = change_all(
        store,
        &[
            follows(ALICE, CAROL, 3),
            follows(ALICE, BOB, 3),
            follows(ALICE, NOBODY, 3),
            unfollows(CAROL, BOB, 3),
            unfollows(CAROL, DAVE, 3),
            follows(NOBODY, ALICE, 3),
            follows(DAVE, BOB, 4),
        ],
    )
    .await;

    assert_eq!(outcomes, [FOLLOWED, ALREADY, NO_USER, UNFOLLOWED, NOT, NO_USER, FOLLOWED]);
    assert_eq!(list(store, FollowList::Followers, BOB).await, [DAVE, ALICE]);
    assert_eq!(counts(store, ALICE).await, FollowCounts { followers: 0, following: 2 });
    assert_eq!(counts(store, BOB).await, FollowCounts { followers: 2, following: 0 });
    assert_eq!(counts(store, CAROL).await, FollowCounts { followers: 1, following: 0 });
    assert_sound(store).await;
}

async fn changes_of_one_pair_act_in_their_order(store: &dyn Store) {
    four_users(store).await;
    let batch = [
        follows(ALICE, BOB, 1),
        follows(ALICE, BOB, 2),
        unfollows(ALICE, BOB, 3),
        follows(ALICE, BOB, 4),
    ];

    let outcomes = change_all(store, &batch).await;

    assert_eq!(outcomes, [FOLLOWED, ALREADY, UNFOLLOWED, FOLLOWED]);
    let found = page(store, newest(FollowList::Followers, BOB, 10)).await;
    assert_eq!(found.lists.counts, FollowCounts { followers: 1, following: 0 });
    assert_eq!(found.page.items[0].followed_at, at(4));
    assert_sound(store).await;

    let batch = [
        unfollows(ALICE, BOB, 5),
        unfollows(ALICE, BOB, 6),
        follows(ALICE, BOB, 7),
        unfollows(ALICE, BOB, 8),
    ];
    assert_eq!(change_all(store, &batch).await, [UNFOLLOWED, NOT, FOLLOWED, UNFOLLOWED]);
    assert_eq!(counts(store, BOB).await, FollowCounts::default());
    assert_sound(store).await;
}

async fn an_edge_that_replaces_another_has_its_own_time(store: &dyn Store) {
    four_users(store).await;
    follow(store, ALICE, BOB, 1).await;
    follow(store, CAROL, BOB, 2).await;

    let outcomes = change_all(store, &[unfollows(ALICE, BOB, 3), follows(ALICE, BOB, 4)]).await;

    assert_eq!(outcomes, [UNFOLLOWED, FOLLOWED]);
    assert_eq!(list(store, FollowList::Followers, BOB).await, [ALICE, CAROL]);
    assert_eq!(counts(store, BOB).await.followers, 2);
    assert_sound(store).await;
}

async fn a_follow_and_its_unfollow_in_a_batch_count_as_two_changes(store: &dyn Store) {
    four_users(store).await;
    let limits = FollowLimits { pair_changes_per_day: 3, ..FollowLimits::NONE };
    let batch = [limited(follows(ALICE, BOB, 1), limits), unfollows(ALICE, BOB, 2)];

    assert_eq!(change_all(store, &batch).await, [FOLLOWED, UNFOLLOWED]);

    assert_eq!(counts(store, ALICE).await, FollowCounts::default());
    assert_eq!(store.find_usage(ALICE, Day::of(at(0))).await.unwrap().unwrap().today, 1);
    assert_eq!(change_all(store, &batch).await, [FOLLOWED, UNFOLLOWED], "two changes so far");
    assert_eq!(change_all(store, &batch).await, [PAIR_LIMIT, NOT], "four changes by now");
    assert_sound(store).await;
}

async fn within_a_batch_the_first_follows_use_up_the_limit(store: &dyn Store) {
    users(store, 20).await;
    let limits = FollowLimits { per_day: 5, ..FollowLimits::NONE };
    follow(store, ALICE, UserId(2), 1).await;
    follow(store, ALICE, UserId(3), 2).await;
    // Not in the order of ids, and between follows of other users.
    let followees = [9, 5, 7, 4, 8];
    let batch: Vec<_> = followees
        .into_iter()
        .flat_map(|id| {
            let own = limited(follows(ALICE, UserId(id), 3), limits);
            [own, limited(follows(UserId(id + 10), UserId(2), 3), limits)]
        })
        .collect();

    let outcomes = change_all(store, &batch).await;

    let day = at_limit(FollowLimit::Day);
    let own: Vec<_> = outcomes.iter().step_by(2).copied().collect();
    assert_eq!(own, [FOLLOWED, FOLLOWED, FOLLOWED, day, day]);
    assert!(outcomes.iter().skip(1).step_by(2).all(|outcome| *outcome == FOLLOWED));
    let mut following = list(store, FollowList::Following, ALICE).await;
    following.sort_unstable();
    assert_eq!(following, [2, 3, 5, 7, 9].map(UserId));
    assert_sound(store).await;
}

async fn changes_of_one_pair_are_limited_within_a_batch(store: &dyn Store) {
    four_users(store).await;
    let limits = FollowLimits { pair_changes_per_day: 4, ..FollowLimits::NONE };
    let one = [limited(follows(ALICE, BOB, 1), limits), unfollows(ALICE, BOB, 2)];

    let outcomes = change_all(store, &[one, one, one].concat()).await;

    assert_eq!(outcomes, [FOLLOWED, UNFOLLOWED, FOLLOWED, UNFOLLOWED, PAIR_LIMIT, NOT]);
    assert_sound(store).await;
}

async fn an_unfollow_makes_room_for_later_follows_of_its_batch(store: &dyn Store) {
    four_users(store).await;
    let limits = FollowLimits { total: 1, ..FollowLimits::NONE };
    let batch = [
        limited(follows(ALICE, BOB, 1), limits),
        limited(follows(ALICE, CAROL, 2), limits),
        unfollows(ALICE, BOB, 3),
        limited(follows(ALICE, DAVE, 4), limits),
    ];
    let outcomes = change_all(store, &batch).await;
    assert_eq!(outcomes, [FOLLOWED, at_limit(FollowLimit::Total), UNFOLLOWED, FOLLOWED]);
    assert_eq!(list(store, FollowList::Following, ALICE).await, [DAVE]);
    assert_sound(store).await;
}

async fn an_uncounted_unfollow_uses_up_no_limit(store: &dyn Store) {
    four_users(store).await;
    let limits = FollowLimits { pair_changes_per_day: 2, ..FollowLimits::NONE };
    let uncounted = FollowAction::Unfollow { is_counted: false };
    let again = |followee| limited(follows(ALICE, followee, 3), limits);

    change_all(store, &[follows(ALICE, BOB, 1), follows(ALICE, CAROL, 1)]).await;
    let bob = FollowChange { action: uncounted, ..unfollows(ALICE, BOB, 2) };
    let both = change_all(store, &[bob, unfollows(ALICE, CAROL, 2)]).await;

    assert_eq!(both, [UNFOLLOWED, UNFOLLOWED]);
    assert_eq!(change_all(store, &[again(BOB), again(CAROL)]).await, [FOLLOWED, PAIR_LIMIT]);
    assert_sound(store).await;
}

async fn followers_gained_in_a_batch_raise_the_total_limit(store: &dyn Store) {
    users(store, 14).await;
    let limits = FollowLimits { total: 10, ..FollowLimits::NONE };
    for followee in 2..=11 {
        follow(store, ALICE, UserId(followee), followee).await;
    }
    let mut batch = vec![limited(follows(ALICE, UserId(12), 20), limits)];
    batch.extend((2..=11).map(|fan| follows(UserId(fan), ALICE, 21)));
    batch.push(limited(follows(ALICE, UserId(13), 22), limits));
    batch.push(limited(follows(ALICE, UserId(14), 23), limits));

    let outcomes = change_all(store, &batch).await;

    let total = at_limit(FollowLimit::Total);
    assert_eq!((outcomes[0], outcomes[11], outcomes[12]), (total, FOLLOWED, total));
    assert_sound(store).await;
}

async fn an_unfollow_without_an_edge_makes_no_room(store: &dyn Store) {
    four_users(store).await;
    for (total, followed) in
        [(1, [FOLLOWED, at_limit(FollowLimit::Total)]), (0, [at_limit(FollowLimit::Total); 2])]
    {
        let limits = FollowLimits { total, ..FollowLimits::NONE };
        follow(store, DAVE, BOB, 1).await;
        let batch = [
            unfollows(ALICE, BOB, 2),
            limited(follows(ALICE, CAROL, 2), limits),
            limited(follows(ALICE, DAVE, 2), limits),
            unfollows(DAVE, BOB, 2),
        ];

        let outcomes = change_all(store, &batch).await;

        assert_eq!(outcomes, [NOT, followed[0], followed[1], UNFOLLOWED]);
        assert_sound(store).await;
        change_all(store, &[unfollows(ALICE, CAROL, 3)]).await;
    }
}

async fn a_batch_may_span_midnight(store: &dyn Store) {
    users(store, 8).await;
    let limits = FollowLimits { per_day: 2, ..FollowLimits::NONE };
    let batch: Vec<_> = [0, 0, 0, 1, 1, 1]
        .into_iter()
        .zip(2..)
        .map(|(days, followee)| {
            let change = limited(follows(ALICE, UserId(followee), 1), limits);
            FollowChange { at: change.at + TimeDelta::days(days), ..change }
        })
        .collect();

    let outcomes = change_all(store, &batch).await;

    let day = at_limit(FollowLimit::Day);
    assert_eq!(outcomes, [FOLLOWED, FOLLOWED, day, FOLLOWED, FOLLOWED, day]);
    let tomorrow = Day(Day::of(at(0)).0 + 1);
    assert_eq!(store.find_usage(ALICE, tomorrow).await.unwrap().unwrap().today, 2);
    assert_sound(store).await;
}

async fn a_change_that_the_database_refuses_fails_alone(database: &Database) {
    let store = database.store();
    users(store, 43).await;
    refuse_followers_above(database, 40).await;
    let mut batch: Vec<_> = (2..=40).map(|id| follows(UserId(id), ALICE, id)).collect();
    for (place, follower) in [(3, 41), (17, 42), (18, 43)] {
        batch.insert(place, follows(UserId(follower), BOB, 1));
    }

    let results = store.outcomes(&batch).await;

    assert_eq!(results.len(), batch.len());
    for (place, result) in results.into_iter().enumerate() {
        match result {
            Err(Error::Conflict(_)) => assert!([3, 17, 18].contains(&place), "{place}"),
            result => assert_eq!(result.unwrap(), FOLLOWED, "{place}"),
        }
    }
    assert_eq!(counts(store, ALICE).await.followers, 39);
    assert_sound(store).await;
}

/// Makes the database refuse mirrors of these followers: in the middle of a write, when the edge
/// is there and its mirror is not.
pub(super) async fn refuse_followers_above(database: &Database, id: i64) {
    let condition = format!("WHEN (new.follower_id > {id})");
    let sql = match database.engine() {
        Engine::Sqlite => vec![format!(
            "CREATE TRIGGER refuse BEFORE INSERT ON followers {condition} \
             BEGIN SELECT raise(ABORT, 'refused by a test'); END"
        )],
        Engine::Postgres => vec![
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE 'refused by a test' USING ERRCODE = '23514'; END $$"
                .to_owned(),
            format!(
                "CREATE TRIGGER refuse BEFORE INSERT ON followers FOR EACH ROW \
                 {condition} EXECUTE FUNCTION refuse()"
            ),
        ],
    };
    for sql in sql {
        database.execute(&sql).await;
    }
}

async fn an_empty_batch_changes_nothing(store: &dyn Store) {
    assert_eq!(change_all(store, &[]).await, []);
}

async fn a_thousand_follows_of_one_user_fit_in_one_batch(store: &dyn Store) {
    let all_users = (1..=1_001).map(|id| new_user(UserId(id), &format!("u{id}"))).collect();
    let graph = entourage::store::Graph { users: all_users, follows: Vec::new() };
    store.load(graph, &|_| {}).await.unwrap();
    let batch: Vec<_> = (2..=1_001).map(|id| follows(UserId(id), ALICE, id)).collect();

    let outcomes = change_all(store, &batch).await;

    assert_eq!(outcomes, vec![FOLLOWED; 1_000]);
    assert_eq!(counts(store, ALICE).await, FollowCounts { followers: 1_000, following: 0 });
    assert_sound(store).await;
}

/// A random batch of changes of few edges among the users 1 to `ids`.
fn any_batch(random: &mut ChaCha8Rng, ids: i64, limits: FollowLimits) -> Vec<FollowChange> {
    let mut batch = Vec::new();
    for _ in 0..random.random_range(1..24) {
        let [one, other] = [(); 2].map(|()| UserId(random.random_range(1..=ids)));
        if one == other {
            continue;
        }
        let micros = random.random_range(0..80);
        let change = FollowChange { action: any_action(random), ..follows(one, other, micros) };
        let is_follow = matches!(change.action, FollowAction::Follow(_));
        batch.push(if is_follow { limited(change, limits) } else { change });
    }
    batch
}

async fn random_batches_equal_the_model(store: &dyn Store) {
    let random = &mut ChaCha8Rng::seed_from_u64(0x00E7_0C2A_6E50_0002);
    let mut model = Model::default();
    for id in [1, 2, 3, 5, 6] {
        let name = format!("u{id}");
        create(store, UserId(id), &name).await;
        model.create(UserId(id), &name);
    }
    for step in 0..300 {
        if random.random_bool(0.3) {
            let (user, change) = (UserId(random.random_range(1..=6)), any_privacy(random));
            let privacy = store.update_privacy(user, change).await.unwrap();
            assert_eq!(privacy, model.update_privacy(user, &change), "step {step}");
        }
        // User 4 does not exist.
        let batch = any_batch(random, 6, FollowLimits::NONE);
        let expected: Vec<_> = batch.iter().map(|change| model.change(change)).collect();
        assert_eq!(change_all(store, &batch).await, expected, "step {step}: {batch:#?}");
        for id in [1, 2, 3, 5, 6].map(UserId) {
            let list = model.list(FollowList::Following, id);
            let key = newest(FollowList::Following, id, 100);
            let found = page(store, FollowPageKey { reader: ListReader::Everything, ..key }).await;
            let mut items: Vec<_> = found.page.items.iter().map(FollowItem::position).collect();
            items.reverse();
            assert_eq!(items, list, "step {step}: {batch:#?}");
            assert_eq!(found.lists.counts, model.counts(id), "step {step}: {batch:#?}");
        }
    }
    assert_sound(store).await;
}

async fn a_batch_has_the_outcomes_of_its_changes_one_by_one(store: &dyn Store) {
    const IDS: i64 = 5;
    let random = &mut ChaCha8Rng::seed_from_u64(0x00E7_0C2A_6E50_0003);
    // Users 1 to 5 change in batches, and their twins 6 to 10 one by one.
    users(store, 2 * IDS).await;
    let limits = FollowLimits { per_day: 6, total: 3, pair_changes_per_day: 4 };
    let twin = |id: UserId| UserId(id.0 + IDS);

    for step in 0..200 {
        if random.random_bool(0.3) {
            let (user, change) = (UserId(random.random_range(1..=IDS)), any_privacy(random));
            for user in [user, twin(user)] {
                store.update_privacy(user, change).await.unwrap();
            }
        }
        let mut batch = any_batch(random, IDS, limits);
        for change in &mut batch {
            // Forward by a day every 20 steps, with clocks that disagree about midnight.
            let days = step / 20 - i64::from(random.random_bool(0.05));
            change.at += TimeDelta::days(days);
        }
        let mut expected = Vec::new();
        for change in &batch {
            let (follower, followee) = (twin(change.follower), twin(change.followee));
            let alone = FollowChange { follower, followee, ..*change };
            expected.extend(change_all(store, &[alone]).await);
        }

        assert_eq!(change_all(store, &batch).await, expected, "step {step}: {batch:#?}");

        let today = Day(Day::of(at(0)).0 + step / 20);
        for id in (1..=IDS).map(UserId) {
            let usage = store.find_usage(id, today).await.unwrap();
            assert_eq!(usage, store.find_usage(twin(id), today).await.unwrap(), "step {step}");
        }
    }
    assert_sound(store).await;
}
