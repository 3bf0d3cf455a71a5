//! Pages of follows, against a model that knows the whole list.

use entourage::{
    domain::{
        Ends, FollowItem, FollowList, FollowPageKey, FollowPosition, ListReader, OrderDirection,
        Page, PageRequest, UserId, Window,
    },
    store::Store,
};

use crate::support::follow::FollowOne;

use super::{
    ALICE, BOB, CAROL, NOBODY, assert_entries, assert_sound, at, cases, follow, four_users, ids,
    list, page, pages, users,
};

cases! {
    every_page_of_both_lists_is_right,
    many_pages_of_many_users_are_one_batch,
    first_pages_of_both_lists_fit_into_one_batch,
    ties_in_time_are_ordered_by_id_in_the_same_direction,
    times_a_microsecond_apart_are_different_positions,
    a_cursor_stays_valid_when_its_edge_is_gone,
    bounds_beyond_all_positions_have_no_effect,
    swapped_bounds_give_an_empty_page,
    the_page_of_an_empty_list_is_empty,
    a_missing_user_has_no_page,
    a_walk_sees_every_unchanged_edge_exactly_once,
    a_page_includes_both_counts_of_its_owner,
}

/// The page of a list as the contract defines it. `list` is in ascending order.
pub(super) fn expected<P: Copy + Ord>(list: &[P], request: &PageRequest<P>) -> Page<P> {
    let mut list = list.to_vec();
    let after_in_list = |a: P, b: P| match request.direction {
        OrderDirection::Asc => a > b,
        OrderDirection::Desc => a < b,
    };
    if request.direction == OrderDirection::Desc {
        list.reverse();
    }
    let inside = |p: &P| {
        request.after.is_none_or(|after| after_in_list(*p, after))
            && request.before.is_none_or(|before| after_in_list(before, *p))
    };
    let between: Vec<_> = list.iter().copied().filter(inside).collect();
    let items = match request.window {
        Window::First(n) => between.iter().take(n as usize).copied().collect::<Vec<_>>(),
        Window::Last(n) => between[between.len().saturating_sub(n as usize)..].to_vec(),
    };

    // The items before and after the page; for an empty page, its bounds and window decide.
    let dropped = between.len() > items.len();
    let (dropped_before, dropped_after) = match request.window {
        Window::First(_) => (false, dropped),
        Window::Last(_) => (dropped, false),
    };
    let not_after = |p: &P| request.after.is_some_and(|after| !after_in_list(*p, after));
    let not_before = |p: &P| request.before.is_some_and(|before| !after_in_list(before, *p));
    Page {
        items,
        has_next: request.ends.next && (dropped_after || list.iter().any(not_before)),
        has_previous: request.ends.previous && (dropped_before || list.iter().any(not_after)),
    }
}

/// All requests with these sizes and bounds.
pub(super) fn requests<P: Copy>(sizes: &[u32], bounds: &[P]) -> Vec<PageRequest<P>> {
    let bounds: Vec<_> = std::iter::once(None).chain(bounds.iter().copied().map(Some)).collect();
    let mut requests = Vec::new();
    for direction in [OrderDirection::Asc, OrderDirection::Desc] {
        for window in sizes.iter().flat_map(|n| [Window::First(*n), Window::Last(*n)]) {
            for &after in &bounds {
                for &before in &bounds {
                    for (next, previous) in
                        [(false, false), (true, false), (false, true), (true, true)]
                    {
                        let ends = Ends { next, previous };
                        requests.push(PageRequest { direction, window, after, before, ends });
                    }
                }
            }
        }
    }
    requests
}

fn position(micros: i64, user: i64) -> FollowPosition {
    FollowPosition { followed_at: at(micros), user: UserId(user) }
}

fn key(user: UserId, request: PageRequest<FollowPosition>) -> FollowPageKey {
    FollowPageKey { user, list: FollowList::Followers, reader: ListReader::Other(None), request }
}

fn first(n: u32) -> PageRequest<FollowPosition> {
    PageRequest {
        direction: OrderDirection::Asc,
        window: Window::First(n),
        after: None,
        before: None,
        ends: Ends::BOTH,
    }
}

/// User 1 follows 2 to 9 and is followed by them, with ties in time and times a microsecond
/// apart. Returns the positions of both lists, in ascending order.
async fn a_list_with_ties(store: &dyn Store) -> Vec<FollowPosition> {
    users(store, 9).await;
    let times = [(2, 10), (3, 10), (4, 11), (5, 11), (6, 11), (7, 12), (8, 5), (9, 500)];
    for (user, micros) in times {
        follow(store, ALICE, UserId(user), micros).await;
        follow(store, UserId(user), ALICE, micros).await;
    }
    let mut list: Vec<_> = times.map(|(user, micros)| position(micros, user)).to_vec();
    list.sort();
    list
}

/// Asserts that the store returns the right pages of user 1 for one batch of keys.
async fn assert_pages(
    store: &dyn Store,
    list: FollowList,
    positions: &[FollowPosition],
    requests: &[PageRequest<FollowPosition>],
) {
    let key = |request| FollowPageKey { list, ..key(ALICE, request) };
    let keys: Vec<_> = requests.iter().copied().map(key).collect();
    let pages = pages(store, &keys).await;
    for key in keys {
        let (page, right) = (&pages[&key].page, expected(positions, &key.request));
        assert_entries(&key, &page.items, &right.items);
        let ends = (page.has_next, page.has_previous);
        assert_eq!(ends, (right.has_next, right.has_previous), "{key:?}");
    }
}

async fn every_page_of_both_lists_is_right(store: &dyn Store) {
    let list = a_list_with_ties(store).await;
    // On items, between items, within ties, before and after all items.
    let bounds =
        [position(0, 5), position(10, 2), position(11, 1), position(11, 5), position(600, 0)];

    for of in [FollowList::Followers, FollowList::Following] {
        for size in [0, 1, 3, 8, 100] {
            let requests = requests(&[size], &bounds);
            assert_pages(store, of, &list, &requests).await;
            // A page is the same alone and in a batch.
            for request in requests.iter().step_by(17) {
                assert_pages(store, of, &list, &[*request]).await;
            }
        }
    }
}

async fn many_pages_of_many_users_are_one_batch(store: &dyn Store) {
    let list = a_list_with_ties(store).await;
    let every = requests(&[0, 2, 5], &[position(11, 3), position(12, 7)]);
    let mut keys: Vec<_> = every.iter().map(|request| key(ALICE, *request)).collect();
    for user in 2..=9 {
        keys.extend([1, 2, 50].map(|n| key(UserId(user), first(n))));
    }
    keys.push(key(NOBODY, first(3)));
    keys.extend_from_within(..10);

    let following = |key: &FollowPageKey| FollowPageKey { list: FollowList::Following, ..*key };
    keys.extend(keys.iter().map(following).collect::<Vec<_>>());

    let pages = pages(store, &keys).await;

    assert_eq!(pages.len(), 2 * (every.len() + 8 * 3));
    for key in every.iter().map(|request| key(ALICE, *request)) {
        for key in [key, following(&key)] {
            let page = &pages[&key].page;
            let items: Vec<_> = page.items.iter().map(FollowItem::position).collect();
            assert_eq!(items, expected(&list, &key.request).items);
        }
    }
    for key in (2..=9).map(|user| key(UserId(user), first(1))) {
        for key in [key, following(&key)] {
            assert_eq!(ids(&pages[&key].page.items), [ALICE]);
        }
    }
}

async fn first_pages_of_both_lists_fit_into_one_batch(store: &dyn Store) {
    let list = a_list_with_ties(store).await;
    let newest: Vec<_> = list.iter().rev().map(|position| position.user).collect();
    let page_of = |list, user, n, ends| {
        let request = PageRequest { ends, direction: OrderDirection::Desc, ..first(n) };
        FollowPageKey { list, ..key(user, request) }
    };
    let (followers, following) = (FollowList::Followers, FollowList::Following);
    // Both lists of one user, one of them twice, and one list of the others.
    let keys = [
        page_of(following, BOB, 1, Ends::BOTH),
        page_of(followers, ALICE, 3, Ends::BOTH),
        page_of(following, ALICE, 8, Ends::BOTH),
        page_of(followers, ALICE, 5, Ends::NONE),
        page_of(followers, CAROL, 2, Ends::BOTH),
    ];

    for keys in [&keys[..], &keys[..1], &keys[1..2], &keys[2..], &[keys[3], keys[4], keys[1]]] {
        let pages = pages(store, keys).await;

        assert_eq!(pages.len(), keys.len());
        for key in keys {
            let page = &pages[key];
            let others = if key.user == ALICE { &newest[..] } else { &[ALICE] };
            let size = others.len().min(key.request.window.size() as usize);
            assert_eq!(ids(&page.page.items), others[..size], "{key:?}");
            let has_next = key.request.ends.next && size < others.len();
            assert_eq!((page.page.has_previous, page.page.has_next), (false, has_next), "{key:?}");
            assert_eq!(page.lists.counts.of(key.list), i64::try_from(others.len()).unwrap());
        }
    }
}

async fn ties_in_time_are_ordered_by_id_in_the_same_direction(store: &dyn Store) {
    four_users(store).await;
    follow(store, CAROL, ALICE, 7).await;
    follow(store, BOB, ALICE, 7).await;

    let oldest = page(store, key(ALICE, first(9))).await;

    assert_eq!(ids(&oldest.page.items), [BOB, CAROL]);
    assert_eq!(list(store, FollowList::Followers, ALICE).await, [CAROL, BOB]);
}

async fn times_a_microsecond_apart_are_different_positions(store: &dyn Store) {
    four_users(store).await;
    follow(store, CAROL, ALICE, 1_000_000).await;
    follow(store, BOB, ALICE, 1_000_001).await;
    let after = FollowPosition { followed_at: at(1_000_000), user: UserId::MAX };

    let request = PageRequest { after: Some(after), ..first(9) };
    let page = page(store, key(ALICE, request)).await.page;

    assert_eq!(ids(&page.items), [BOB]);
    assert_eq!(page.items[0].followed_at, at(1_000_001));
    assert!(page.has_previous && !page.has_next);
}

async fn a_cursor_stays_valid_when_its_edge_is_gone(store: &dyn Store) {
    let mut list = a_list_with_ties(store).await;
    let gone = list.remove(3);
    store.unfollow(ALICE, gone.user, at(0)).await.unwrap();
    store.unfollow(gone.user, ALICE, at(0)).await.unwrap();

    for of in [FollowList::Followers, FollowList::Following] {
        assert_pages(store, of, &list, &requests(&[0, 2, 9], &[gone])).await;
    }
}

async fn bounds_beyond_all_positions_have_no_effect(store: &dyn Store) {
    use chrono::{DateTime, Utc};
    let list = a_list_with_ties(store).await;
    let ends = [
        FollowPosition { followed_at: DateTime::<Utc>::MIN_UTC, user: UserId::MIN },
        FollowPosition { followed_at: DateTime::<Utc>::MAX_UTC, user: UserId::MAX },
        FollowPosition { followed_at: DateTime::<Utc>::MAX_UTC, user: UserId(-1) },
    ];

    assert_pages(store, FollowList::Followers, &list, &requests(&[3, 20], &ends)).await;
}

async fn swapped_bounds_give_an_empty_page(store: &dyn Store) {
    let list = a_list_with_ties(store).await;
    let request =
        PageRequest { after: Some(position(12, 7)), before: Some(position(10, 2)), ..first(5) };

    assert_eq!(expected(&list, &request).items, []);
    assert_pages(store, FollowList::Following, &list, &[request]).await;
}

async fn the_page_of_an_empty_list_is_empty(store: &dyn Store) {
    users(store, 1).await;
    let requests = requests(&[0, 2], &[position(1, 1)]);
    assert_pages(store, FollowList::Followers, &[], &requests).await;
}

async fn a_missing_user_has_no_page(store: &dyn Store) {
    four_users(store).await;
    let keys = [key(NOBODY, first(3)), key(ALICE, first(3))];

    let pages = pages(store, &keys).await;

    assert_eq!(pages.keys().collect::<Vec<_>>(), [&keys[1]]);
}

async fn a_walk_sees_every_unchanged_edge_exactly_once(store: &dyn Store) {
    users(store, 60).await;
    for user in 2..=30 {
        follow(store, UserId(user), ALICE, 1_000 + user / 3).await;
    }
    let mut request = PageRequest { direction: OrderDirection::Desc, ..first(4) };

    let mut seen = Vec::new();
    let mut newcomers = 31..;
    loop {
        let page = page(store, key(ALICE, request)).await.page;
        seen.extend(ids(&page.items));
        request.after = page.items.last().map(FollowItem::position).or(request.after);
        // Meanwhile edges before, amid and behind the walk are added, and some of those that it has
        // seen are removed.
        for micros in [1, 1_005, 9_000] {
            let newcomer = newcomers.next().expect("endless");
            if newcomer <= 60 {
                follow(store, UserId(newcomer), ALICE, micros).await;
            }
        }
        store.unfollow(seen[seen.len() - 1], ALICE, at(0)).await.unwrap();
        if !page.has_next {
            break;
        }
    }

    let mut unchanged: Vec<_> = seen.into_iter().filter(|user| user.0 <= 30).collect();
    unchanged.sort();
    assert_eq!(unchanged, (2..=30).map(UserId).collect::<Vec<_>>());
    assert_sound(store).await;
}

async fn a_page_includes_both_counts_of_its_owner(store: &dyn Store) {
    four_users(store).await;
    follow(store, ALICE, BOB, 1).await;
    follow(store, ALICE, CAROL, 2).await;
    follow(store, CAROL, ALICE, 3).await;

    for list in [FollowList::Followers, FollowList::Following] {
        let page = page(store, FollowPageKey { list, ..key(ALICE, first(0)) }).await;
        assert_eq!((page.lists.counts.followers, page.lists.counts.following), (1, 2));
        assert!(page.page.items.is_empty() && page.page.has_next);
    }
}
