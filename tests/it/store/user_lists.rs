//! Lists of users: their orders, prefixes and pages.

use entourage::{
    domain::{
        Audience, Ends, NewUser, OrderDirection, Page, PageRequest, UserId, UserListRequest,
        UserOrderField, UserPosition, UsernamePrefix, Window,
    },
    store::{Error, Store},
};

use super::{
    at, cases, new_user,
    pages::{expected, requests},
};

cases! {
    every_page_by_username_is_right,
    every_page_by_age_is_right,
    a_prefix_ignores_case_and_has_no_wildcards,
    a_page_never_looks_beyond_its_prefix,
    users_are_counted_by_prefix,
    a_position_of_another_order_is_refused,
}

/// Names whose case, digits and underscores sort differently in most collations.
const NAMES: [&str; 8] = ["bob", "Alice", "al_ice", "alz", "ALBERT", "_x", "9lives", "Zoe"];

/// Creates the users, three of them with each time. Returns (created at, id, key) of each.
async fn some_users(store: &dyn Store) -> Vec<(i64, i64, String)> {
    let mut made = Vec::new();
    for (number, name) in (0..).zip(NAMES) {
        let (micros, id) = (number / 3, 100 - number);
        let user = NewUser { created_at: at(micros), ..new_user(UserId(id), name) };
        store.create_user(&user).await.unwrap();
        made.push((micros, id, name.to_lowercase()));
    }
    made
}

fn prefix(text: &str) -> UsernamePrefix {
    UsernamePrefix::parse(text).expect("a good prefix")
}

fn first(n: u32) -> PageRequest<UserPosition<'static>> {
    PageRequest {
        direction: OrderDirection::Asc,
        window: Window::First(n),
        after: None,
        before: None,
        ends: Ends::BOTH,
    }
}

async fn keys(store: &dyn Store, start: &str) -> Vec<String> {
    let order = UserOrderField::Username;
    let request = UserListRequest { order, page: first(100), prefix: prefix(start) };
    let page = store.page_of_users(Audience::Everybody, &request).await.unwrap();
    page.items.iter().map(|user| user.username.to_lowercase()).collect()
}

fn map<'a, P: Copy>(
    request: &PageRequest<P>,
    position: impl Fn(P) -> UserPosition<'a>,
) -> PageRequest<UserPosition<'a>> {
    PageRequest {
        direction: request.direction,
        window: request.window,
        after: request.after.map(&position),
        before: request.before.map(&position),
        ends: request.ends,
    }
}

async fn every_page_by_username_is_right(store: &dyn Store) {
    let users = some_users(store).await;
    for start in ["", "al", "q"] {
        let mut keys: Vec<_> = users.iter().map(|(_, _, key)| key.as_str()).collect();
        keys.retain(|key| key.starts_with(start));
        keys.sort_unstable();
        for request in requests(&[0, 1, 3, 50], &["al", "alice", "bob", "zzz"]) {
            let page = map(&request, UserPosition::Username);
            let order = UserOrderField::Username;
            let asked = UserListRequest { order, page, prefix: prefix(start) };

            let page = store.page_of_users(Audience::Everybody, &asked).await.unwrap();

            let Page { items, has_next, has_previous } = page;
            let items: Vec<_> = items.iter().map(|user| user.username.to_lowercase()).collect();
            let items = items.iter().map(String::as_str).collect();
            let page = Page { items, has_next, has_previous };
            assert_eq!(page, expected(&keys, &request), "{start} {request:?}");
        }
    }
}

async fn every_page_by_age_is_right(store: &dyn Store) {
    let users = some_users(store).await;
    let mut list: Vec<_> = users.iter().map(|(micros, id, _)| (*micros, *id)).collect();
    list.sort_unstable();
    for request in requests(&[0, 1, 3, 50], &[(0, 99), (1, 0), (2, 93), (9, 9)]) {
        let page = map(&request, |(micros, id)| UserPosition::CreatedAt(at(micros), UserId(id)));
        let order = UserOrderField::CreatedAt;
        let asked = UserListRequest { order, page, prefix: UsernamePrefix::default() };

        let page = store.page_of_users(Audience::Everybody, &asked).await.unwrap();

        let Page { items, has_next, has_previous } = page;
        let position = |micros: chrono::TimeDelta| micros.num_microseconds().expect("small");
        let items = items.iter().map(|user| (position(user.created_at - at(0)), user.id.0));
        let page = Page { items: items.collect(), has_next, has_previous };
        assert_eq!(page, expected(&list, &request), "{request:?}");
    }
}

async fn a_prefix_ignores_case_and_has_no_wildcards(store: &dyn Store) {
    some_users(store).await;

    assert_eq!(keys(store, "AL").await, ["al_ice", "albert", "alice", "alz"]);
    assert_eq!(keys(store, "al_").await, ["al_ice"]);
    assert_eq!(keys(store, "_").await, ["_x"]);
    assert_eq!(keys(store, "alice").await, ["alice"]);
    assert_eq!(keys(store, "alicex").await, [""; 0]);
    assert_eq!(keys(store, "").await.len(), NAMES.len());
}

async fn a_page_never_looks_beyond_its_prefix(store: &dyn Store) {
    some_users(store).await;
    let bounds = ("al", "am");
    let page = PageRequest {
        after: Some(UserPosition::Username(bounds.0)),
        before: Some(UserPosition::Username(bounds.1)),
        ..first(100)
    };
    let by_name = UserListRequest { order: UserOrderField::Username, page, prefix: prefix("al") };
    let by_age = UserListRequest {
        order: UserOrderField::CreatedAt,
        page: PageRequest {
            after: Some(UserPosition::CreatedAt(at(0), UserId(100))),
            ..first(100)
        },
        prefix: prefix("al"),
    };

    let by_name = store.page_of_users(Audience::Everybody, &by_name).await.unwrap();
    let by_age = store.page_of_users(Audience::Everybody, &by_age).await.unwrap();

    assert_eq!(by_name.items.len(), 4);
    assert!(!by_name.has_next && !by_name.has_previous);
    let names: Vec<_> = by_age.items.iter().map(|user| user.username.as_str()).collect();
    assert_eq!(names, ["ALBERT", "alz"]);
    assert!(
        by_age.has_previous && !by_age.has_next,
        "al_ice and Alice are older, bob has another prefix"
    );
}

async fn users_are_counted_by_prefix(store: &dyn Store) {
    some_users(store).await;

    for (start, count) in [("", 8), ("AL", 4), ("al_", 1), ("x", 0)] {
        assert_eq!(
            store.count_users(Audience::Everybody, &prefix(start)).await.unwrap(),
            count,
            "{start}"
        );
    }
}

async fn a_position_of_another_order_is_refused(store: &dyn Store) {
    let page = PageRequest { after: Some(UserPosition::Username("a")), ..first(1) };
    let order = UserOrderField::CreatedAt;
    let request = UserListRequest { order, page, prefix: UsernamePrefix::default() };

    let refused = store.page_of_users(Audience::Everybody, &request).await;

    assert!(matches!(refused, Err(Error::Corrupt(_))), "{refused:?}");
}
