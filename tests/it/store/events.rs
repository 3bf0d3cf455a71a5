//! The logs of users: who may know of a change, in which order, and for how long.

use std::{sync::Arc, time::Duration};

use entourage::{
    domain::{
        Drift, EventCause, EventKind, EventLog, FollowAction, FollowChange, FollowEvent,
        FollowLimits, Mute, PrivacyChange, UserId,
    },
    store::{EVENTS_KEPT_MAX, EVENTS_TOGETHER, EventHint, EventHintStream, EventSweep, Store},
};
use futures_util::future::join_all;
use tokio::time::timeout;

use super::{
    ALICE, BOB, CAROL, DAVE, NOBODY, assert_sound, at, cases, change, create,
    drift::find,
    follow, four_users,
    groups::{follows, unfollows},
    make_private, users,
};
use crate::support::{
    database::Database,
    follow::{ALREADY, FollowOne},
};

cases! {
    each_change_is_in_the_logs_of_those_who_may_know_of_it,
    a_follow_and_its_unfollow_in_one_batch_are_two_events,
    a_change_that_changes_nothing_is_no_event,
    a_muted_user_adds_nothing_to_the_log,
    a_follow_after_an_unfollow_of_the_same_day_is_a_repeat,
    only_what_the_other_user_does_is_a_repeat,
    a_log_is_read_on_from_any_number,
    the_deletion_of_a_user_is_in_the_logs_of_the_others,
    the_deletion_of_a_muted_user_is_in_no_log_of_a_muter,
    a_sweep_deletes_old_events_from_the_beginning,
    a_sweep_shortens_logs_that_are_too_long;
    database:
    numbers_have_no_gap_under_concurrent_writes,
    a_server_without_events_counts_them,
    what_was_counted_only_ends_a_read,
    a_hint_follows_a_change_of_this_server,
    a_hint_follows_a_change_of_another_server,
    steady_writes_hide_no_change_of_another_server,
    wrong_logs_are_found_and_repaired,
}

async fn log_after(store: &dyn Store, user: UserId, after: i64) -> EventLog {
    store.events_after(&[(user, after)]).await.unwrap().remove(&(user, after)).expect("a user")
}

/// The whole log of a user: what happened, why, and with whom.
async fn log(store: &dyn Store, user: UserId) -> Vec<(EventKind, EventCause, UserId)> {
    let EventLog { last, events } = log_after(store, user, 0).await;
    let numbers: Vec<_> = events.iter().map(|event| event.sequence).collect();
    assert_eq!(numbers, (1..=last).collect::<Vec<_>>());
    events.iter().map(|event| (event.kind, event.cause, event.other)).collect()
}

async fn each_change_is_in_the_logs_of_those_who_may_know_of_it(store: &dyn Store) {
    use EventCause::{Block, FollowerRemoved, PrivacyChanged, RequestAccepted, User};
    use EventKind::{FollowEnded, Followed, FollowerLost, RequestWithdrawn, Requested};
    const NONE: &[(EventKind, EventCause)] = &[];
    let block = FollowAction::Block { limit: 9 };
    let follow = FollowAction::Follow(FollowLimits::NONE);
    let unfollow = FollowAction::Unfollow { is_counted: true };
    // What happens to a pair, whether the second is private, and what is then new in both logs.
    let cases = [
        (vec![follow], false, NONE, &[(Followed, User)][..]),
        (vec![follow, unfollow], false, &[(FollowEnded, User)], NONE),
        (vec![follow, FollowAction::Remove], false, NONE, &[(FollowerLost, FollowerRemoved)]),
        (vec![follow, block], false, &[(FollowEnded, Block)], NONE),
        (vec![follow], true, NONE, &[(Requested, User)]),
        (vec![follow, unfollow], true, NONE, &[(RequestWithdrawn, User)]),
        (vec![follow, FollowAction::Reject], true, NONE, NONE),
        (vec![follow, block], true, NONE, NONE),
        (
            vec![follow, FollowAction::Accept],
            true,
            &[(EventKind::RequestAccepted, RequestAccepted)],
            &[(Followed, RequestAccepted)],
        ),
    ];
    for (case, (actions, is_private, of_one, of_other)) in (0..).zip(cases) {
        let (one, other) = (UserId(2 * case + 1), UserId(2 * case + 2));
        create(store, one, &format!("one{case}")).await;
        create(store, other, &format!("other{case}")).await;
        if is_private {
            make_private(store, other).await;
        }
        let (last, before) = actions.split_last().expect("an action");
        for action in before {
            change(store, one, other, *action, case).await;
        }
        let known = [log(store, one).await.len(), log(store, other).await.len()];

        change(store, one, other, *last, case).await;

        let with = |new: &[(EventKind, EventCause)], user| {
            new.iter().map(|(kind, cause)| (*kind, *cause, user)).collect::<Vec<_>>()
        };
        assert_eq!(log(store, one).await[known[0]..], with(of_one, other), "{actions:?}");
        assert_eq!(log(store, other).await[known[1]..], with(of_other, one), "{actions:?}");
    }

    // A block from the other end, and an account that becomes public.
    let (one, other, third) = (UserId(91), UserId(92), UserId(93));
    for user in [one, other, third] {
        create(store, user, &format!("u{user}")).await;
    }
    change(store, one, other, follow, 1).await;
    change(store, other, one, block, 2).await;
    assert_eq!(log(store, other).await, [(Followed, User, one), (FollowerLost, Block, one)]);
    make_private(store, third).await;
    change(store, other, third, follow, 3).await;
    let public = PrivacyChange { is_private: Some(false), ..PrivacyChange::default() };
    store.update_privacy(third, public).await.unwrap();
    change(store, other, third, FollowAction::AcceptIfPublic, 4).await;
    let accepted = (EventKind::RequestAccepted, PrivacyChanged, third);
    assert_eq!(log(store, other).await.last(), Some(&accepted));
    assert_eq!(log(store, third).await.last(), Some(&(Followed, PrivacyChanged, other)));
    change(store, third, one, follow, 5).await;
    change(store, third, one, block, 6).await;
    assert_eq!(log(store, third).await.last(), Some(&(FollowEnded, Block, one)));
    assert_sound(store).await;
}

async fn a_follow_and_its_unfollow_in_one_batch_are_two_events(store: &dyn Store) {
    four_users(store).await;

    for outcome in store.outcomes(&[follows(ALICE, BOB, 1), unfollows(ALICE, BOB, 2)]).await {
        outcome.unwrap();
    }

    assert_eq!(log(store, BOB).await, [(EventKind::Followed, EventCause::User, ALICE)]);
    assert_eq!(log(store, ALICE).await, [(EventKind::FollowEnded, EventCause::User, BOB)]);
    assert_sound(store).await;
}

async fn a_change_that_changes_nothing_is_no_event(store: &dyn Store) {
    four_users(store).await;
    follow(store, ALICE, BOB, 1).await;

    let again = store.follow(ALICE, BOB, at(2), FollowLimits::NONE).await.unwrap();
    assert_eq!(again, ALREADY);
    store.unfollow(BOB, ALICE, at(3)).await.unwrap();
    change(store, ALICE, BOB, FollowAction::Accept, 4).await;
    change(store, CAROL, BOB, FollowAction::Remove, 5).await;

    assert_eq!(log(store, BOB).await.len(), 1);
    assert_eq!(log(store, ALICE).await, []);
}

async fn a_muted_user_adds_nothing_to_the_log(store: &dyn Store) {
    four_users(store).await;
    let until = Mute { until: Some(at(10)) };
    store.mute(BOB, ALICE, until, at(0), 9).await.unwrap();

    follow(store, ALICE, BOB, 1).await;
    follow(store, CAROL, BOB, 2).await;
    assert_eq!(log(store, BOB).await, [(EventKind::Followed, EventCause::User, CAROL)]);

    store.unfollow(ALICE, BOB, at(3)).await.unwrap();
    follow(store, ALICE, BOB, 10).await;
    assert_eq!(log(store, BOB).await.len(), 2, "the mute has ended");

    // What the owner does to a muted user is in the log.
    store.mute(BOB, ALICE, Mute { until: None }, at(11), 9).await.unwrap();
    change(store, ALICE, BOB, FollowAction::Remove, 12).await;
    assert_eq!(log(store, BOB).await.len(), 3);
}

async fn a_follow_after_an_unfollow_of_the_same_day_is_a_repeat(store: &dyn Store) {
    const DAY: i64 = 24 * 3_600 * 1_000_000;
    four_users(store).await;
    for micros in [1, 3, DAY + 5] {
        follow(store, ALICE, BOB, micros).await;
        store.unfollow(ALICE, BOB, at(micros + 1)).await.unwrap();
    }

    let events = log_after(store, BOB, 0).await.events;
    let repeats: Vec<_> = events.iter().map(|event| event.is_repeat).collect();
    assert_eq!(repeats, [false, true, false]);
}

async fn only_what_the_other_user_does_is_a_repeat(store: &dyn Store) {
    use EventCause::{Import, PrivacyChanged, RequestAccepted, User};
    use EventKind::{Followed, Requested};
    const FOLLOW: FollowAction = FollowAction::Follow(FollowLimits::NONE);
    const WITHDRAW: FollowAction = FollowAction::Unfollow { is_counted: true };
    four_users(store).await;
    make_private(store, BOB).await;
    for action in [FOLLOW, WITHDRAW, FOLLOW, FollowAction::Accept, WITHDRAW, FOLLOW] {
        change(store, ALICE, BOB, action, 1).await;
    }
    let public = PrivacyChange { is_private: Some(false), ..PrivacyChange::default() };
    store.update_privacy(BOB, public).await.unwrap();
    let import = FollowAction::Import { logged_at: Some(at(2)) };
    for action in [FollowAction::AcceptIfPublic, WITHDRAW, import, WITHDRAW, FOLLOW] {
        change(store, ALICE, BOB, action, 2).await;
    }

    let events = log_after(store, BOB, 0).await.events.into_iter();
    let new = events.filter(|event| matches!(event.kind, Followed | Requested));
    let repeats: Vec<_> = new.map(|event| (event.kind, event.cause, event.is_repeat)).collect();
    let expected = [
        (Requested, User, false),
        (Requested, User, true),
        (Followed, RequestAccepted, false),
        (Requested, User, true),
        (Followed, PrivacyChanged, false),
        (Followed, Import, false),
        (Followed, User, true),
    ];
    assert_eq!(repeats, expected);
}

async fn a_log_is_read_on_from_any_number(store: &dyn Store) {
    users(store, 251).await;
    let all: Vec<_> = (2..=251).map(|id| follows(UserId(id), ALICE, id)).collect();
    for outcome in store.outcomes(&all).await {
        outcome.unwrap();
    }

    let (mut after, mut read) = (0, Vec::new());
    loop {
        let EventLog { last, events } = log_after(store, ALICE, after).await;
        assert_eq!(last, 250);
        assert!(events.len() <= usize::try_from(EVENTS_TOGETHER).expect("it is small"));
        let Some(newest) = events.last() else { break };
        after = newest.sequence;
        read.extend(events);
    }

    let event = |sequence: i64| FollowEvent {
        sequence,
        kind: EventKind::Followed,
        cause: EventCause::User,
        other: UserId(sequence + 1),
        at: at(sequence + 1),
        is_repeat: false,
    };
    assert_eq!(read, (1..=250).map(event).collect::<Vec<_>>());
    let places = [(ALICE, 249), (ALICE, 0), (BOB, 0), (BOB, 7), (NOBODY, 0)];
    let logs = store.events_after(&places).await.unwrap();
    let found: Vec<_> = places
        .iter()
        .map(|place| logs.get(place).map(|log| (log.last, log.events.len())))
        .collect();
    assert_eq!(found, [Some((250, 1)), Some((250, 100)), Some((0, 0)), Some((0, 0)), None]);
    let last = store.last_events(&[ALICE, BOB, NOBODY]).await.unwrap();
    assert_eq!((last.get(&ALICE), last.get(&BOB), last.len()), (Some(&250), Some(&0), 2));
}

async fn the_deletion_of_a_user_is_in_the_logs_of_the_others(store: &dyn Store) {
    use EventCause::{AccountDeleted, User};
    use EventKind::{FollowEnded, Followed, FollowerLost, RequestWithdrawn, Requested};
    four_users(store).await;
    make_private(store, DAVE).await;
    follow(store, ALICE, BOB, 1).await;
    follow(store, CAROL, ALICE, 2).await;
    change(store, ALICE, DAVE, FollowAction::Follow(FollowLimits::NONE), 3).await;

    store.delete_user(ALICE, at(4)).await.unwrap();

    let of_alice = |events: &[(EventKind, EventCause)]| {
        events.iter().map(|(kind, cause)| (*kind, *cause, ALICE)).collect::<Vec<_>>()
    };
    let lost = of_alice(&[(Followed, User), (FollowerLost, AccountDeleted)]);
    assert_eq!(log(store, BOB).await, lost);
    assert_eq!(log(store, CAROL).await, of_alice(&[(FollowEnded, AccountDeleted)]));
    let withdrawn = of_alice(&[(Requested, User), (RequestWithdrawn, AccountDeleted)]);
    assert_eq!(log(store, DAVE).await, withdrawn);
    assert!(store.events_after(&[(ALICE, 0)]).await.unwrap().is_empty());
    create(store, ALICE, "alice").await;
    assert_eq!(log(store, ALICE).await, []);
    assert_sound(store).await;
}

async fn the_deletion_of_a_muted_user_is_in_no_log_of_a_muter(store: &dyn Store) {
    // More followers than one step removes. All mute the user, the first two only for a time.
    let fans = 1_100;
    users(store, fans + 1).await;
    let all: Vec<_> = (2..=fans + 1).map(|id| follows(UserId(id), ALICE, id)).collect();
    for outcome in store.outcomes(&all).await {
        outcome.unwrap();
    }
    for id in 2..=fans + 1 {
        let until = (id < 4).then(|| at(10_000 * (id - 2)));
        store.mute(UserId(id), ALICE, Mute { until }, at(0), 9).await.unwrap();
    }
    follow(store, ALICE, CAROL, 1).await;
    follow(store, ALICE, DAVE, 1).await;

    store.delete_user(ALICE, at(5_000)).await.unwrap();

    // The mute of the first has ended by then.
    let ended = (EventKind::FollowEnded, EventCause::AccountDeleted, ALICE);
    assert_eq!(log(store, BOB).await, [ended]);
    for muter in 3..=fans + 1 {
        assert_eq!(log(store, UserId(muter)).await, [], "{muter}");
    }
    assert_sound(store).await;
}

/// Sweeps all logs.
async fn sweep(store: &dyn Store, sweep: EventSweep) -> u64 {
    let (mut from, mut deleted) = ((UserId::MIN, 0), 0);
    loop {
        let swept = store.sweep_events(sweep, from).await.unwrap();
        deleted += swept.deleted;
        match swept.next {
            Some(next) => from = next,
            None => return deleted,
        }
    }
}

async fn a_sweep_deletes_old_events_from_the_beginning(store: &dyn Store) {
    users(store, 9).await;
    // The clock of one server is behind: an old event is after a new one.
    for (follower, micros) in [(2, 1), (3, 2), (4, 9), (5, 3), (6, 10)] {
        follow(store, UserId(follower), ALICE, micros).await;
    }
    follow(store, CAROL, BOB, 4).await;

    let before = EventSweep { before: at(5), crowded_before: at(0) };
    assert_eq!(sweep(store, before).await, 3);

    let left = log_after(store, ALICE, 2).await;
    assert_eq!(left.events.iter().map(|event| event.sequence).collect::<Vec<_>>(), [3, 4, 5]);
    assert_eq!(log_after(store, BOB, 0).await, EventLog { last: 1, events: Vec::new() });
    assert_eq!(sweep(store, before).await, 0);
    follow(store, DAVE, BOB, 11).await;
    assert_eq!(log_after(store, BOB, 1).await.events.len(), 1);
    assert_sound(store).await;
}

async fn a_sweep_shortens_logs_that_are_too_long(store: &dyn Store) {
    let extra = 1_500;
    let fans = EVENTS_KEPT_MAX + extra;
    users(store, 2).await;
    // Two users alternate, since an event needs no user of its own.
    for start in (0..fans).step_by(1_000) {
        let end = (start + 1_000).min(fans);
        let changes = (start..end).map(|n| match n % 2 {
            0 => follows(BOB, ALICE, n),
            _ => FollowChange { action: FollowAction::Remove, ..follows(BOB, ALICE, n) },
        });
        for outcome in store.outcomes(&changes.collect::<Vec<_>>()).await {
            outcome.unwrap();
        }
    }

    let young = EventSweep { before: at(-1), crowded_before: at(500) };
    assert_eq!(sweep(store, young).await, 500, "younger ones stay");
    let old = EventSweep { before: at(-1), crowded_before: at(fans) };
    assert_eq!(sweep(store, old).await, 1_000);

    assert_eq!(log_after(store, ALICE, 1_500).await.events[0].sequence, 1_501);
    assert_sound(store).await;
}

async fn numbers_have_no_gap_under_concurrent_writes(database: &Database) {
    let servers = [Arc::clone(&database.store), database.another_store().await];
    users(database.store(), 41).await;

    let write = |(n, follower): (usize, i64)| {
        let store = &servers[n % 2];
        async move {
            for round in 0..10 {
                let change = match round % 2 {
                    0 => follows(UserId(follower), ALICE, round),
                    _ => FollowChange {
                        action: FollowAction::Remove,
                        ..follows(UserId(follower), ALICE, round)
                    },
                };
                store.change_follow(change).await.unwrap();
            }
        }
    };
    let read = async {
        let (mut after, mut seen) = (0, Vec::new());
        while seen.len() < 400 {
            let log = log_after(&*servers[1], ALICE, after).await;
            seen.extend(log.events);
            after = seen.last().map_or(0, |event: &FollowEvent| event.sequence);
        }
        seen
    };
    let (seen, _) = tokio::join!(read, join_all((2..=41).enumerate().map(write)));

    let numbers: Vec<_> = seen.iter().map(|event| event.sequence).collect();
    assert_eq!(numbers, (1..=400).collect::<Vec<_>>());
    for follower in 2..=41 {
        let of_one = seen.iter().filter(|event| event.other == UserId(follower));
        let kinds: Vec<_> = of_one.map(|event| event.kind).collect();
        assert_eq!(kinds, [EventKind::Followed, EventKind::FollowerLost].repeat(5));
    }
    assert_sound(database.store()).await;
}

async fn a_server_without_events_counts_them(database: &Database) {
    four_users(database.store()).await;
    let silent = database.store_without_events().await;

    follow(&*silent, ALICE, BOB, 1).await;
    silent.delete_user(ALICE, at(2)).await.unwrap();

    let log = log_after(database.store(), BOB, 0).await;
    assert_eq!(log, EventLog { last: 2, events: Vec::new() });
    assert_sound(database.store()).await;
    silent.close().await;
}

async fn what_was_counted_only_ends_a_read(database: &Database) {
    four_users(database.store()).await;
    follow(database.store(), ALICE, BOB, 1).await;
    let silent = database.store_without_events().await;
    follow(&*silent, CAROL, BOB, 2).await;
    follow(database.store(), DAVE, BOB, 3).await;

    // The third event would be read as the second otherwise.
    let log = log_after(database.store(), BOB, 0).await;
    assert_eq!((log.last, log.events.len(), log.events[0].sequence), (3, 1, 1));
    let log = log_after(database.store(), BOB, 1).await;
    assert_eq!((log.last, log.events[0].sequence), (3, 3), "the reader sees what is missing");
    silent.close().await;
}

/// The logs that hints name until one of them is that of a user.
async fn hinted(hints: &mut Box<dyn EventHintStream>, user: UserId) {
    loop {
        match timeout(Duration::from_secs(30), hints.next()).await.expect("a hint").unwrap() {
            EventHint::Grown(logs) if logs.contains(&user) => return,
            EventHint::AnyGrown => return,
            EventHint::Grown(_) => {}
        }
    }
}

async fn a_hint_follows_a_change_of_this_server(database: &Database) {
    four_users(database.store()).await;
    let (mut hints, _) = database.store.watch_events().await.unwrap();

    follow(database.store(), ALICE, BOB, 1).await;
    hinted(&mut hints, BOB).await;
    database.store.unfollow(ALICE, BOB, at(2)).await.unwrap();
    hinted(&mut hints, ALICE).await;
    follow(database.store(), ALICE, BOB, 3).await;
    hinted(&mut hints, BOB).await;
    database.store.delete_user(ALICE, at(4)).await.unwrap();
    hinted(&mut hints, BOB).await;
}

async fn a_hint_follows_a_change_of_another_server(database: &Database) {
    four_users(database.store()).await;
    let other = database.another_store().await;
    let (mut hints, has_all) = database.store.watch_events().await.unwrap();
    let (mut others, _) = other.watch_events().await.unwrap();
    assert!(has_all);
    // As a server does all the time: it passes its hints on.
    let passing = tokio::spawn(async move { while others.next().await.is_ok() {} });

    follow(&*other, ALICE, BOB, 1).await;

    hinted(&mut hints, BOB).await;
    passing.abort();
    // As the command line does it, which passes no hints on.
    other.delete_user(ALICE, at(2)).await.unwrap();
    hinted(&mut hints, BOB).await;
    other.close().await;
}

async fn steady_writes_hide_no_change_of_another_server(database: &Database) {
    four_users(database.store()).await;
    let other = database.another_store().await;
    let (mut hints, _) = database.store.watch_events().await.unwrap();
    let writing = async {
        for round in 0.. {
            follow(database.store(), CAROL, DAVE, 2 * round).await;
            database.store.unfollow(CAROL, DAVE, at(2 * round + 1)).await.unwrap();
        }
    };
    let reading = async {
        follow(database.store(), ALICE, BOB, 1).await;
        hinted(&mut hints, BOB).await;
        other.delete_user(ALICE, at(2)).await.unwrap();
        timeout(Duration::from_secs(10), hinted(&mut hints, BOB)).await.expect("in time");
    };

    tokio::select! {
        () = reading => {}
        () = writing => unreachable!("it writes on and on"),
    }
    other.close().await;
}

async fn wrong_logs_are_found_and_repaired(database: &Database) {
    users(database.store(), 9).await;
    for follower in 4..=9 {
        for followee in [ALICE, BOB, CAROL] {
            follow(database.store(), UserId(follower), followee, follower).await;
        }
    }
    database.execute("DELETE FROM follow_events WHERE user_id = 1 AND sequence = 3").await;
    database.execute("UPDATE follow_counts SET events = 4 WHERE user_id = 2").await;
    database.execute("UPDATE follow_counts SET events = 7 WHERE user_id = 3").await;

    let found = find(database).await;

    let log = |user, events, last| Drift::Log { user, ends: (1, 6), events, last };
    assert_eq!(found, [log(ALICE, 5, 6), log(BOB, 6, 4), log(CAROL, 6, 7)]);
    let text = "user 1: 5 events with the numbers 1 to 6, and the last one should be 6";
    assert_eq!(found[0].to_string(), text);
    // Two events of alice, the number of bob, and all events of carol.
    assert_eq!(database.store.repair(&found).await.unwrap(), 2 + 1 + 6);
    assert_sound(database.store()).await;
    let logs =
        [log_after(database.store(), ALICE, 3).await, log_after(database.store(), BOB, 0).await];
    assert_eq!(logs.map(|log| (log.last, log.events.len())), [(6, 3), (6, 6)]);
    assert_eq!(
        log_after(database.store(), CAROL, 6).await,
        EventLog { last: 7, events: Vec::new() }
    );
}
