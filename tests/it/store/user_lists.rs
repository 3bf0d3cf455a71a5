//! Lists of users: their orders, searches and pages.

use entourage::{
    domain::{
        AdminChange, Audience, DisplayName, Ends, NewUser, OrderDirection, Page, PageRequest,
        ProfileChange, Standing, UserId, UserListRequest, UserOrderField, UserPosition, UserSearch,
        Window,
    },
    store::{Error, Graph, Store},
};

use super::{
    ALICE, BOB, CAROL, assert_sound, at, cases, create, new_user,
    pages::{expected, requests},
};

use crate::support::admin::{administer, give_role};

cases! {
    every_page_by_username_is_right,
    every_page_by_age_is_right,
    a_search_ignores_case_and_has_no_wildcards,
    a_search_finds_words_of_names_without_accents,
    a_user_found_twice_is_listed_and_counted_once,
    all_words_of_a_search_must_match,
    a_page_never_looks_beyond_its_search,
    users_are_counted_by_search,
    a_search_follows_the_name_of_a_user,
    a_loaded_graph_can_be_searched,
    a_position_of_another_order_is_refused,
    suspended_users_and_roles_are_listed_by_themselves,
}

/// Usernames whose case, digits and underscores sort differently in most collations, and names.
const USERS: [(&str, &str); 10] = [
    ("bob", "Al Bobson"),
    ("Alice", "Alice Liddell"),
    ("al_ice", ""),
    ("alz", "Bo Al"),
    ("ALBERT", ""),
    ("_x", "alma"),
    ("9lives", "X 9"),
    ("Zoe", "zoe"),
    ("q", "Al Alba"),
    ("yan", "Lidl Al"),
];
const SEARCHES: [&str; 9] = ["", "al", "AL ", "b", "zoe", "_", "9", "al b", "nothing"];

/// What is expected of a user: created at, id and key.
type Expected = (i64, i64, String);

/// Creates the users, three of them with each time.
async fn some_users(store: &dyn Store) -> Vec<Expected> {
    let mut users = Vec::new();
    for (number, (username, name)) in (0..).zip(USERS) {
        let (micros, id) = (number / 3, 100 - number);
        let name = (!name.is_empty()).then(|| name.to_owned());
        let user = NewUser { created_at: at(micros), name, ..new_user(UserId(id), username) };
        store.create_user(&user).await.unwrap();
        users.push((micros, id, username.to_lowercase()));
    }
    users
}

/// Whether a user of [`USERS`] matches a search of [`SEARCHES`], which are all ASCII.
fn matches((.., key): &Expected, text: &str) -> bool {
    let user = USERS.iter().find(|(username, _)| username.to_lowercase() == *key);
    let name = user.expect("one of those").1.to_lowercase();
    text.to_lowercase().split_whitespace().all(|word| {
        key.starts_with(word) || name.split(' ').any(|of_name| of_name.starts_with(word))
    })
}

fn search(text: &str) -> UserSearch {
    UserSearch::parse(text).expect("it has words")
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

/// The keys of the users who are found, by username; also asserts their number.
async fn keys(store: &dyn Store, text: &str) -> Vec<String> {
    let order = UserOrderField::Username;
    let request = UserListRequest { order, page: first(100), search: search(text) };
    let page = store.page_of_users(Audience::EVERYBODY, &request).await.unwrap();
    let count = store.count_users(Audience::EVERYBODY, &request.search).await.unwrap();
    assert_eq!(usize::try_from(count).unwrap(), page.items.len(), "{text}");
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
    for text in SEARCHES {
        let found = users.iter().filter(|user| matches(user, text));
        let mut keys: Vec<_> = found.map(|(.., key)| key.as_str()).collect();
        keys.sort_unstable();
        for request in requests(&[0, 1, 3, 50], &["al", "alice", "bob", "zzz"]) {
            let page = map(&request, UserPosition::Username);
            let order = UserOrderField::Username;
            let asked = UserListRequest { order, page, search: search(text) };

            let page = store.page_of_users(Audience::EVERYBODY, &asked).await.unwrap();

            let Page { items, has_next, has_previous } = page;
            let items: Vec<_> = items.iter().map(|user| user.username.to_lowercase()).collect();
            let items = items.iter().map(String::as_str).collect();
            let page = Page { items, has_next, has_previous };
            assert_eq!(page, expected(&keys, &request), "{text} {request:?}");
        }
    }
}

async fn every_page_by_age_is_right(store: &dyn Store) {
    let users = some_users(store).await;
    for text in SEARCHES {
        let found = users.iter().filter(|user| matches(user, text));
        let mut list: Vec<_> = found.map(|(micros, id, _)| (*micros, *id)).collect();
        list.sort_unstable();
        for request in requests(&[0, 1, 3, 50], &[(0, 99), (1, 0), (2, 93), (9, 9)]) {
            let position = |(micros, id)| UserPosition::CreatedAt(at(micros), UserId(id));
            let (order, page) = (UserOrderField::CreatedAt, map(&request, position));
            let asked = UserListRequest { order, page, search: search(text) };

            let page = store.page_of_users(Audience::EVERYBODY, &asked).await.unwrap();

            let Page { items, has_next, has_previous } = page;
            let position = |micros: chrono::TimeDelta| micros.num_microseconds().expect("small");
            let items = items.iter().map(|user| (position(user.created_at - at(0)), user.id.0));
            let page = Page { items: items.collect(), has_next, has_previous };
            assert_eq!(page, expected(&list, &request), "{text} {request:?}");
        }
    }
}

async fn a_search_ignores_case_and_has_no_wildcards(store: &dyn Store) {
    some_users(store).await;

    assert_eq!(keys(store, "ALB").await, ["albert", "q"]);
    assert_eq!(keys(store, "al_").await, ["al_ice"]);
    assert_eq!(keys(store, "_").await, ["_x"]);
    assert_eq!(keys(store, "alice").await, ["alice"]);
    assert_eq!(keys(store, "alicex").await, [""; 0]);
    assert_eq!(keys(store, "l%").await, ["alice", "yan"], "Liddell and Lidl");
    assert_eq!(keys(store, "").await.len(), USERS.len());
}

async fn name_user(store: &dyn Store, id: UserId, username: &str, name: &str) {
    let user = NewUser { name: Some(name.to_owned()), ..new_user(id, username) };
    store.create_user(&user).await.unwrap();
}

async fn a_search_finds_words_of_names_without_accents(store: &dyn Store) {
    name_user(store, ALICE, "alice", "Émile ZOLA").await;
    name_user(store, BOB, "bob", "Jean-Luc Łukasz O'Brien").await;
    name_user(store, CAROL, "emil", "山田 太郎").await;

    assert_eq!(keys(store, "emil").await, ["alice", "emil"]);
    assert_eq!(keys(store, "ÉMILE").await, ["alice"]);
    assert_eq!(keys(store, "zöla").await, ["alice"]);
    for text in ["luc", "lukasz", "brien", "o'b"] {
        assert_eq!(keys(store, text).await, ["bob"], "{text}");
    }
    assert_eq!(keys(store, "太").await, ["emil"]);
    assert_eq!(keys(store, "ola").await, [""; 0], "not the beginning of a word");
}

async fn a_user_found_twice_is_listed_and_counted_once(store: &dyn Store) {
    name_user(store, ALICE, "anna", "Anna Annason").await;

    assert_eq!(keys(store, "an").await, ["anna"]);
    assert_eq!(keys(store, "an anna").await, ["anna"]);
}

async fn all_words_of_a_search_must_match(store: &dyn Store) {
    name_user(store, ALICE, "ann_l", "Zoe Quist").await;
    name_user(store, BOB, "bob", "Ann Quist").await;
    name_user(store, CAROL, "carol", "Ann Lee").await;

    assert_eq!(keys(store, "ann").await, ["ann_l", "bob", "carol"]);
    assert_eq!(keys(store, "Quist Ann").await, ["ann_l", "bob"]);
    assert_eq!(keys(store, "ann q b").await, ["bob"]);
    assert_eq!(keys(store, "ann lee x").await, [""; 0]);
}

async fn a_page_never_looks_beyond_its_search(store: &dyn Store) {
    some_users(store).await;
    let bounds = ("al", "am");
    let page = PageRequest {
        after: Some(UserPosition::Username(bounds.0)),
        before: Some(UserPosition::Username(bounds.1)),
        ..first(100)
    };
    let by_name = UserListRequest { order: UserOrderField::Username, page, search: search("ali") };
    let by_age = UserListRequest {
        order: UserOrderField::CreatedAt,
        page: PageRequest { after: Some(UserPosition::CreatedAt(at(0), UserId(99))), ..first(100) },
        search: search("ali"),
    };

    let by_name = store.page_of_users(Audience::EVERYBODY, &by_name).await.unwrap();
    let by_age = store.page_of_users(Audience::EVERYBODY, &by_age).await.unwrap();

    assert_eq!(by_name.items.len(), 1);
    assert!(!by_name.has_next && !by_name.has_previous);
    assert_eq!(by_age.items, []);
    assert!(by_age.has_previous && !by_age.has_next, "Alice herself is at the bound");
}

async fn users_are_counted_by_search(store: &dyn Store) {
    let users = some_users(store).await;

    for text in SEARCHES {
        let found = users.iter().filter(|user| matches(user, text)).count();
        let count = store.count_users(Audience::EVERYBODY, &search(text)).await.unwrap();
        assert_eq!(usize::try_from(count).unwrap(), found, "{text}");
    }
}

async fn a_search_follows_the_name_of_a_user(store: &dyn Store) {
    let rename = async |name: Option<&str>| {
        let name = Some(name.map(|name| DisplayName::parse(name).expect("a name")));
        let change = ProfileChange { name, ..ProfileChange::default() };
        store.update_profile(ALICE, &change).await.unwrap();
    };
    create(store, ALICE, "alice").await;
    create(store, BOB, "bob").await;

    rename(Some("Ada Byron")).await;
    assert_eq!(keys(store, "ad").await, ["alice"]);
    assert_eq!(keys(store, "byr").await, ["alice"]);

    rename(Some("Ada Lovelace")).await;
    assert_eq!(keys(store, "ada").await, ["alice"]);
    assert_eq!(keys(store, "love").await, ["alice"]);
    assert_eq!(keys(store, "byr").await, [""; 0]);
    assert_sound(store).await;

    rename(None).await;
    assert_eq!(keys(store, "ad").await, [""; 0]);

    rename(Some("Ada")).await;
    store.delete_user(ALICE, at(0)).await.unwrap();
    assert_eq!(keys(store, "ada").await, [""; 0]);
    assert_sound(store).await;
}

async fn a_loaded_graph_can_be_searched(store: &dyn Store) {
    let named = |name: &str, user| NewUser { name: Some(name.to_owned()), ..user };
    let users = vec![
        named("Ada Lovelace", new_user(BOB, "bob")),
        new_user(ALICE, "alice"),
        named("Lo", new_user(CAROL, "carol")),
    ];
    store.load(Graph { users, follows: Vec::new() }, &|_| {}).await.unwrap();

    assert_eq!(keys(store, "lo").await, ["bob", "carol"]);
    assert_sound(store).await;
}

async fn a_position_of_another_order_is_refused(store: &dyn Store) {
    let page = PageRequest { after: Some(UserPosition::Username("a")), ..first(1) };
    let order = UserOrderField::CreatedAt;
    let request = UserListRequest { order, page, search: UserSearch::default() };

    let refused = store.page_of_users(Audience::EVERYBODY, &request).await;

    assert!(matches!(refused, Err(Error::Corrupt(_))), "{refused:?}");
}

/// All beside each other: standing, role, words and order.
async fn suspended_users_and_roles_are_listed_by_themselves(store: &dyn Store) {
    some_users(store).await;
    let robot =
        Box::new(NewUser { standing: Standing::Service, ..new_user(UserId(7), "al_robot") });
    administer(store, AdminChange::Create(robot)).await;
    let (suspended, moderators) = (["alice", "q", "zoe"], ["alice", "albert", "yan"]);
    for (number, (username, _)) in (0..).zip(USERS) {
        let (id, key) = (UserId(100 - number), username.to_lowercase());
        if suspended.contains(&key.as_str()) {
            administer(store, AdminChange::Suspend(id, None)).await;
        }
        if moderators.contains(&key.as_str()) {
            give_role(store, id, "moderator").await;
        }
    }

    let roles = [None, Some("moderator"), Some("user"), Some("king")];
    for (text, role) in SEARCHES.into_iter().flat_map(|text| roles.map(|role| (text, role))) {
        for is_suspended in [false, true] {
            let has_role = |key: &str| match role {
                Some("moderator") => moderators.contains(&key),
                Some("user") => !moderators.contains(&key),
                _ => role.is_none(),
            };
            let is_found = |(username, _): &&(&str, &str)| {
                let key = username.to_lowercase();
                matches(&(0, 0, key.clone()), text)
                    && has_role(&key)
                    && suspended.contains(&key.as_str()) == is_suspended
            };
            let mut expected: Vec<_> = USERS
                .iter()
                .filter(is_found)
                .map(|(username, _)| username.to_lowercase())
                .collect();
            expected.sort_unstable();

            let search = search(text).narrowed(is_suspended, role.map(str::to_owned));
            for order in [UserOrderField::Username, UserOrderField::CreatedAt] {
                let request = UserListRequest { order, page: first(100), search: search.clone() };
                let page = store.page_of_users(Audience::EVERYBODY, &request).await.unwrap();
                let mut keys: Vec<_> =
                    page.items.iter().map(|user| user.username.to_lowercase()).collect();
                keys.sort_unstable();
                assert_eq!(keys, expected, "{search:?} {order:?}");
            }
            let count = store.count_users(Audience::EVERYBODY, &search).await.unwrap();
            assert_eq!(usize::try_from(count).unwrap(), expected.len(), "{search:?}");
        }
    }
}
