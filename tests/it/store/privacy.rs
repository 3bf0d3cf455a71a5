//! Privacy: who sees which list and user, mutes, and the lists that only their owner reads.

use chrono::TimeDelta;
use entourage::{
    domain::{
        Audience, Ends, FollowAction, FollowChange, FollowChanged, FollowCounts, FollowItem,
        FollowLimits, FollowList, FollowPageKey, ListReader, ListVisibility, Mute, MuteOutcome,
        OrderDirection, OwnList, PageRequest, Privacy, PrivacyChange, UserId, UserListRequest,
        UserOrderField, UserSearch, UsernameKey, Window,
    },
    store::Store,
};

use super::{
    ALICE, BOB, CAROL, DAVE, NOBODY, assert_sound, at, cases, follow, four_users, newest, page,
    pages, user, users,
};

cases! {
    a_list_is_seen_as_the_rule_says_for_all_settings,
    a_hidden_page_is_empty_whatever_it_asks_for,
    a_user_is_absent_for_those_whom_they_block,
    lists_without_blockers_are_walked_to_their_length,
    a_mute_is_made_extended_and_ended,
    mutes_are_limited,
    a_mute_needs_two_users,
    own_lists_are_paged_in_both_directions,
    settings_of_a_missing_user_are_missing,
}

const LISTS: [FollowList; 2] = [FollowList::Followers, FollowList::Following];

fn reading(reader: ListReader, key: FollowPageKey) -> FollowPageKey {
    FollowPageKey { reader, ..key }
}

async fn change(
    store: &dyn Store,
    follower: UserId,
    followee: UserId,
    action: FollowAction,
) -> FollowChanged {
    let change = FollowChange { follower, followee, at: at(500), action };
    store.change_follow(change).await.unwrap().outcome
}

const BLOCK: FollowAction = FollowAction::Block { limit: 100 };

/// Sets all privacy bits of a user.
async fn set_privacy(store: &dyn Store, user: UserId, privacy: Privacy) {
    let change = PrivacyChange {
        is_private: Some(privacy.is_private()),
        accepts_followed: Some(privacy.accepts_followed()),
        followers: Some(privacy.visibility(FollowList::Followers)),
        following: Some(privacy.visibility(FollowList::Following)),
    };
    assert_eq!(store.update_privacy(user, change).await.unwrap(), Some(privacy));
}

/// All settings: two for each list with four values, and a private account.
fn all_settings() -> impl Iterator<Item = Privacy> {
    (0..16).flat_map(|lists| [0, 64].map(|private| Privacy::from_bits(lists | private)))
}

async fn a_list_is_seen_as_the_rule_says_for_all_settings(store: &dyn Store) {
    four_users(store).await;
    // Bob follows alice, carol does not, and alice has a list each.
    follow(store, BOB, ALICE, 1).await;
    follow(store, DAVE, ALICE, 2).await;
    follow(store, ALICE, DAVE, 3).await;
    let counts = FollowCounts { followers: 2, following: 1 };
    let audiences = [
        (Audience::EVERYBODY, false),
        (Audience::viewer(CAROL, false, false), false),
        (Audience::viewer(BOB, false, false), true),
        (Audience::viewer(ALICE, false, false), false),
        (Audience::viewer(CAROL, true, false), false),
    ];
    for privacy in all_settings() {
        set_privacy(store, ALICE, privacy).await;
        for (audience, follows) in audiences {
            let reader = audience.reader_of(ALICE);
            let keys = LISTS.map(|list| reading(reader, newest(list, ALICE, 10)));
            let oldest = keys.map(|key| {
                let request = PageRequest { direction: OrderDirection::Asc, ..key.request };
                FollowPageKey { request, ..key }
            });
            let seen = store.lists_by_ids(audience, &[ALICE]).await.unwrap()[&ALICE];
            assert_eq!((seen.counts, seen.is_private), (counts, privacy.is_private()));
            for key in keys.into_iter().chain(oldest) {
                let page = &store.pages_of_follows(audience, &[key]).await.unwrap()[&key];
                let is_seen = reader.sees(privacy, key.list, follows);
                assert_eq!(page.lists, seen, "{privacy:?} {audience:?}");
                assert_eq!(seen.is_hidden(key.list), !is_seen, "{privacy:?} {audience:?}");
                let length = i64::try_from(page.page.items.len()).unwrap();
                let total = if is_seen { counts.of(key.list) } else { 0 };
                assert_eq!((length, seen.total(key.list)), (total, total), "{privacy:?}");
            }
            // Both lists in one statement.
            let both = store.pages_of_follows(audience, &keys).await.unwrap();
            for key in keys {
                let is_seen = reader.sees(privacy, key.list, follows);
                assert_eq!(both[&key].page.items.is_empty(), !is_seen, "{privacy:?}");
            }
        }
    }
}

async fn a_hidden_page_is_empty_whatever_it_asks_for(store: &dyn Store) {
    users(store, 6).await;
    for id in 2..=6 {
        follow(store, UserId(id), ALICE, id).await;
    }
    let hidden =
        PrivacyChange { followers: Some(Some(ListVisibility::Nobody)), ..PrivacyChange::default() };
    store.update_privacy(ALICE, hidden).await.unwrap();
    let whole = reading(ListReader::Everything, newest(FollowList::Followers, ALICE, 9));
    let all = page(store, whole).await.page.items;
    assert_eq!(all.len(), 5);

    let mut keys = Vec::new();
    for window in [Window::First(2), Window::Last(2), Window::First(0)] {
        for direction in [OrderDirection::Asc, OrderDirection::Desc] {
            for (after, before) in
                [(None, None), (Some(all[3]), None), (Some(all[3]), Some(all[1]))]
            {
                let request = PageRequest {
                    direction,
                    window,
                    after: after.map(|item| item.position()),
                    before: before.map(|item| item.position()),
                    ends: Ends::BOTH,
                };
                keys.push(FollowPageKey { request, ..newest(FollowList::Followers, ALICE, 1) });
            }
        }
    }
    for (key, page) in pages(store, &keys).await {
        assert!(page.lists.is_hidden(FollowList::Followers));
        assert_eq!(
            (page.page.items.len(), page.page.has_next, page.page.has_previous),
            (0, false, false),
            "{key:?}"
        );
    }
}

async fn a_user_is_absent_for_those_whom_they_block(store: &dyn Store) {
    four_users(store).await;
    follow(store, CAROL, DAVE, 1).await;
    follow(store, ALICE, DAVE, 2).await;
    follow(store, ALICE, CAROL, 3).await;
    follow(store, CAROL, ALICE, 4).await;
    change(store, ALICE, BOB, BLOCK).await;
    assert!(store.find_account(BOB).await.unwrap().unwrap().is_blocked);
    assert!(store.find_account(ALICE).await.unwrap().unwrap().is_blocking);
    let bob = Audience::viewer(BOB, false, true);
    let moderator = Audience::viewer(BOB, true, true);

    for (audience, sees_alice) in [(bob, false), (moderator, true), (Audience::EVERYBODY, true)] {
        let by_id = store.users_by_ids(audience, &[ALICE, CAROL]).await.unwrap();
        assert_eq!(by_id.contains_key(&ALICE), sees_alice);
        assert!(by_id.contains_key(&CAROL));
        let key = UsernameKey::parse("alice").unwrap();
        let by_name = store.users_by_usernames(audience, std::slice::from_ref(&key)).await.unwrap();
        assert_eq!(by_name.contains_key(&key), sees_alice);

        for (text, all) in [("", 4), ("a", 1)] {
            let search = UserSearch::parse(text).unwrap();
            let expected = all - i64::from(!sees_alice);
            assert_eq!(store.count_users(audience, &search).await.unwrap(), expected, "{text:?}");
            for order in [UserOrderField::Username, UserOrderField::CreatedAt] {
                for direction in [OrderDirection::Asc, OrderDirection::Desc] {
                    let page = PageRequest {
                        direction,
                        window: Window::First(10),
                        after: None,
                        before: None,
                        ends: Ends::BOTH,
                    };
                    let request = UserListRequest { order, page, search: search.clone() };
                    let found = store.page_of_users(audience, &request).await.unwrap();
                    assert_eq!(
                        i64::try_from(found.items.len()),
                        Ok(expected),
                        "{text:?} {order:?}"
                    );
                }
            }
        }

        let reader = audience.reader_of(DAVE);
        let key = reading(reader, newest(FollowList::Followers, DAVE, 10));
        let page = &store.pages_of_follows(audience, &[key]).await.unwrap()[&key].page;
        let expected = if sees_alice { vec![ALICE, CAROL] } else { vec![CAROL] };
        assert_eq!(super::ids(&page.items), expected);
        let lists = store.lists_by_ids(audience, &[DAVE, CAROL]).await.unwrap();
        let less = i64::from(!sees_alice);
        assert_eq!(lists[&DAVE].counts, FollowCounts { followers: 2 - less, following: 0 });
        assert_eq!(lists[&CAROL].counts, FollowCounts { followers: 1 - less, following: 2 - less });
    }
    assert_sound(store).await;
}

/// Walks a list in pages of three, and returns its users.
async fn walk(store: &dyn Store, audience: Audience, key: FollowPageKey) -> Vec<UserId> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let request = PageRequest { window: Window::First(3), after, ..key.request };
        let key = FollowPageKey { request, reader: audience.reader_of(key.user), ..key };
        let page =
            store.pages_of_follows(audience, &[key]).await.unwrap().remove(&key).unwrap().page;
        found.extend(super::ids(&page.items));
        after = page.items.last().map(FollowItem::position);
        if !page.has_next {
            return found;
        }
    }
}

async fn lists_without_blockers_are_walked_to_their_length(store: &dyn Store) {
    // Users 3 to 42 follow alice and are followed by her; bob reads.
    users(store, 42).await;
    for id in 3..=42 {
        follow(store, UserId(id), ALICE, id % 7).await;
        follow(store, ALICE, UserId(id), id % 5).await;
    }
    let mut blockers = 0;
    for (first, last) in [(0, 0), (9, 9), (10, 39)] {
        for id in first..=last {
            if id > 0 {
                change(store, UserId(id), BOB, BLOCK).await;
                blockers += 1;
            }
        }
        let audience = Audience::viewer(BOB, false, blockers > 0);
        let lists = store.lists_by_ids(audience, &[ALICE]).await.unwrap()[&ALICE];
        for list in LISTS {
            let key = newest(list, ALICE, 1);
            let oldest = PageRequest { direction: OrderDirection::Asc, ..key.request };
            let mut backwards =
                walk(store, audience, FollowPageKey { request: oldest, ..key }).await;
            let forwards = walk(store, audience, key).await;
            backwards.reverse();
            assert_eq!(forwards, backwards);
            assert_eq!(i64::try_from(forwards.len()), Ok(lists.total(list)));
            assert_eq!(lists.total(list), 40 - blockers);
        }
    }
    assert_sound(store).await;
}

async fn a_mute_is_made_extended_and_ended(store: &dyn Store) {
    four_users(store).await;
    let (now, later) = (at(10), at(10) + TimeDelta::days(1));
    let forever = Mute { until: None };
    let ends = Mute { until: Some(later) };
    let tie = async || store.ties(ALICE, &[BOB]).await.unwrap().remove(&BOB);
    let muted = async || store.own_lengths(Audience::EVERYBODY, ALICE).await.unwrap().muted;

    assert_eq!(store.mute(ALICE, BOB, forever, now, 10).await.unwrap(), MuteOutcome::Muted);
    assert_eq!(tie().await.unwrap().mute, Some(forever));
    assert_eq!(store.mute(ALICE, BOB, ends, later, 10).await.unwrap(), MuteOutcome::Muted);
    assert_eq!(tie().await.unwrap().mute, Some(ends));
    assert!(ends.holds(now) && !ends.holds(later), "it lapses when it ends");
    assert_eq!(muted().await, 1);
    let page = newest(FollowList::Followers, ALICE, 5).request;
    let page = store.page_of_own(Audience::EVERYBODY, ALICE, OwnList::Muted, &page).await.unwrap();
    let entries: Vec<_> = page.items.iter().map(|i| (i.user, i.since, i.until)).collect();
    assert_eq!(entries, [(BOB, now, Some(later))], "the time of the mute stays");
    assert_eq!(store.ties(BOB, &[ALICE]).await.unwrap().len(), 0, "bob cannot see it");

    assert!(store.unmute(ALICE, BOB).await.unwrap());
    assert!(!store.unmute(ALICE, BOB).await.unwrap());
    assert_eq!((tie().await, muted().await), (None, 0));
    assert_sound(store).await;
}

async fn mutes_are_limited(store: &dyn Store) {
    four_users(store).await;
    let mute = async |user| store.mute(ALICE, user, Mute { until: None }, at(1), 2).await.unwrap();
    assert_eq!(mute(BOB).await, MuteOutcome::Muted);
    assert_eq!(mute(CAROL).await, MuteOutcome::Muted);
    assert_eq!(mute(DAVE).await, MuteOutcome::LimitReached);
    assert_eq!(mute(BOB).await, MuteOutcome::Muted, "a change of a mute is no new one");
    assert_eq!(store.own_lengths(Audience::EVERYBODY, ALICE).await.unwrap().muted, 2);
    assert_sound(store).await;
}

async fn a_mute_needs_two_users(store: &dyn Store) {
    four_users(store).await;
    for (muter, muted) in [(ALICE, NOBODY), (NOBODY, ALICE)] {
        let outcome = store.mute(muter, muted, Mute { until: None }, at(1), 9).await.unwrap();
        assert_eq!(outcome, MuteOutcome::NotFound);
    }
    assert_sound(store).await;
}

async fn own_lists_are_paged_in_both_directions(store: &dyn Store) {
    users(store, 9).await;
    let private = PrivacyChange { is_private: Some(true), ..PrivacyChange::default() };
    store.update_privacy(ALICE, private).await.unwrap();
    for id in 2..=9 {
        // Two at a time of the same moment.
        let (follower, action) = (UserId(id), FollowAction::Follow(FollowLimits::NONE));
        let change = FollowChange { follower, followee: ALICE, at: at(id / 2), action };
        store.change_follow(change).await.unwrap();
    }
    let request = newest(FollowList::Followers, ALICE, 3).request;
    let read = async |request: &PageRequest<_>| {
        let list = OwnList::RequestsReceived;
        store.page_of_own(Audience::EVERYBODY, ALICE, list, request).await.unwrap()
    };
    let first = read(&request).await;
    assert_eq!(first.items.iter().map(|item| item.user.0).collect::<Vec<_>>(), [9, 8, 7]);
    assert_eq!((first.has_previous, first.has_next), (false, true));
    let last = first.items.last().unwrap();
    let position = entourage::domain::FollowPosition { followed_at: last.since, user: last.user };
    let next = read(&PageRequest { after: Some(position), ..request }).await;
    assert_eq!(next.items.iter().map(|item| item.user.0).collect::<Vec<_>>(), [6, 5, 4]);
    assert_eq!((next.has_previous, next.has_next), (true, true));
    let rest = PageRequest { window: Window::Last(2), before: Some(position), ..request };
    let rest = read(&rest).await;
    assert_eq!(rest.items.iter().map(|item| item.user.0).collect::<Vec<_>>(), [9, 8]);
    assert_eq!((rest.has_previous, rest.has_next), (false, true));
    assert_eq!(user(store, ALICE).await.id, ALICE);
    assert_sound(store).await;
}

async fn settings_of_a_missing_user_are_missing(store: &dyn Store) {
    assert_eq!(store.find_privacy(NOBODY).await.unwrap(), None);
    assert_eq!(store.update_privacy(NOBODY, PrivacyChange::default()).await.unwrap(), None);
}
