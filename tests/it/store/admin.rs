//! Loading a graph, opening a database, and pings.

use std::sync::Mutex;

use chrono::{DateTime, Utc};
use entourage::{
    domain::{Audience, FollowCounts, FollowList, NewUser, UserId},
    store::{self, ConnectError, Error, Graph, LoadOutcome, Options, Progress, Store},
};

use super::{
    ALICE, BOB, CAROL, DAVE, NOBODY, assert_sound, at, cases, counts, create, edge,
    faults::on_postgres, list, new_user, user,
};

cases! {
    a_loaded_graph_is_sound_and_complete,
    a_graph_is_loaded_only_into_an_empty_database,
    users_have_the_roles_they_were_created_with,
    a_failed_load_leaves_nothing,
    an_empty_graph_can_be_loaded,
    a_graph_with_a_time_of_five_digit_years_is_refused,
    progress_rises_to_its_total,
    the_database_answers_a_ping,
}

#[tokio::test]
async fn a_loaded_graph_has_statistics() {
    on_postgres(async |database| {
        database.store().load(three(), &|_| {}).await.unwrap();
        let rows =
            "SELECT reltuples::bigint FROM pg_class WHERE relname = ANY($1) ORDER BY relname";
        let rows = sqlx::query_scalar(rows).bind(vec!["followers", "follows", "users"]);
        let rows: Vec<i64> =
            rows.fetch_all(&mut database.postgres_connection().await).await.unwrap();
        assert_eq!(rows, [3, 3, 3]);
    })
    .await;
}

fn three() -> Graph {
    let alice = NewUser { name: Some("Al \"\u{1f980}".to_owned()), ..new_user(ALICE, "Alice") };
    Graph {
        users: vec![new_user(CAROL, "carol"), alice, new_user(BOB, "bob")],
        follows: vec![edge(CAROL, ALICE, at(3)), edge(ALICE, BOB, at(2)), edge(BOB, ALICE, at(1))],
    }
}

async fn a_loaded_graph_is_sound_and_complete(store: &dyn Store) {
    assert_eq!(store.load(three(), &|_| {}).await.unwrap(), LoadOutcome::Loaded);

    assert_eq!(counts(store, ALICE).await, FollowCounts { followers: 2, following: 1 });
    assert_eq!(list(store, FollowList::Followers, ALICE).await, [CAROL, BOB]);
    assert_eq!(list(store, FollowList::Following, ALICE).await, [BOB]);
    assert_eq!(user(store, ALICE).await.name.as_deref(), Some("Al \"\u{1f980}"));
    let account = store.find_account(BOB).await.unwrap().expect("he is there");
    assert_eq!(account.role.name, "user");
    assert_sound(store).await;
}

async fn a_graph_is_loaded_only_into_an_empty_database(store: &dyn Store) {
    create(store, NOBODY, "somebody").await;

    assert_eq!(store.load(three(), &|_| {}).await.unwrap(), LoadOutcome::NotEmpty);

    assert!(
        store.users_by_ids(Audience::EVERYBODY, &[ALICE, BOB, CAROL]).await.unwrap().is_empty()
    );
}

async fn users_have_the_roles_they_were_created_with(store: &dyn Store) {
    let with_role =
        |id, name: &str, role: &'static str| NewUser { role: role.into(), ..new_user(id, name) };
    let mut graph = three();
    graph.users.push(with_role(DAVE, "dave", "king"));
    let refused = store.load(graph, &|_| {}).await;
    assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");

    let mut graph = three();
    graph.users.push(with_role(DAVE, "dave", "admin"));
    store.load(graph, &|_| {}).await.unwrap();
    store.create_user(&with_role(UserId(50), "erin", "moderator")).await.unwrap();
    let refused = store.create_user(&with_role(UserId(51), "frank", "king")).await;
    assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");

    for (id, role) in [(DAVE, "admin"), (UserId(50), "moderator"), (ALICE, "user")] {
        assert_eq!(store.find_account(id).await.unwrap().expect("is there").role.name, role);
    }
    assert_sound(store).await;
}

async fn a_failed_load_leaves_nothing(store: &dyn Store) {
    let mut graph = three();
    graph.follows.push(edge(ALICE, NOBODY, at(1)));

    let refused = store.load(graph, &|_| {}).await;

    assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
    assert!(
        store.users_by_ids(Audience::EVERYBODY, &[ALICE, BOB, CAROL]).await.unwrap().is_empty()
    );
    store.load(three(), &|_| {}).await.unwrap();
    assert_sound(store).await;
}

async fn a_graph_with_a_time_of_five_digit_years_is_refused(store: &dyn Store) {
    let (before, after) = (DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC);
    for time in [before, after] {
        let (mut of_user, mut of_follow) = (three(), three());
        of_user.users[0].created_at = time;
        of_follow.follows[0].followed_at = time;
        for graph in [of_user, of_follow] {
            let refused = store.load(graph, &|_| {}).await;
            assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
        }
    }
    store.load(three(), &|_| {}).await.unwrap();
}

async fn an_empty_graph_can_be_loaded(store: &dyn Store) {
    store.load(Graph::default(), &|_| {}).await.unwrap();
    assert_sound(store).await;
}

async fn progress_rises_to_its_total(store: &dyn Store) {
    let reported: Mutex<Vec<Progress>> = Mutex::default();
    let report = |progress| reported.lock().unwrap().push(progress);

    store.load(three(), &report).await.unwrap();
    let loaded = std::mem::take(&mut *reported.lock().unwrap());
    store.find_drift(&report).await.unwrap();
    let checked = std::mem::take(&mut *reported.lock().unwrap());

    for reported in [loaded, checked] {
        let last = reported.last().expect("progress is reported");
        assert_eq!(last.done, last.total);
        assert!(reported.is_sorted_by_key(|progress| progress.done), "{reported:?}");
    }
}

async fn the_database_answers_a_ping(store: &dyn Store) {
    store.ping().await.unwrap();
    store.close().await;
    let closed = store.ping().await;
    assert!(matches!(closed, Err(Error::Unavailable(_))), "{closed:?}");
}

#[tokio::test]
async fn a_url_of_an_unknown_engine_is_refused() {
    for url in ["", "mysql://localhost/x", "entourage.db", "/tmp/entourage.db"] {
        let refused = store::connect(url, Options::default()).await.unwrap_err();
        assert!(matches!(refused, ConnectError::UnknownScheme), "{url}: {refused}");
    }
}

#[tokio::test]
async fn a_file_that_is_not_a_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("notes.db");
    std::fs::write(&file, "Dear diary, ".repeat(100)).unwrap();

    let url = format!("sqlite://{}", file.display());
    let refused = store::connect(&url, Options::default()).await.unwrap_err();

    assert!(matches!(refused, ConnectError::NotADatabase(_)), "{refused}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "Dear diary, ".repeat(100));
}

#[tokio::test]
async fn a_missing_folder_is_reported_in_one_line() {
    let url = "sqlite:///no/such/folder/entourage.db";
    let refused = store::connect(url, Options::default()).await.unwrap_err();

    assert!(matches!(refused, ConnectError::Refused(_)), "{refused}");
    assert_eq!(refused.to_string().lines().count(), 1);
}

#[tokio::test]
async fn a_database_in_memory_is_refused() {
    for url in ["sqlite::memory:", "sqlite://:memory:", "sqlite://x.db?mode=%6demory"] {
        let refused = store::connect(url, Options::default()).await.unwrap_err();
        assert!(matches!(refused, ConnectError::BadUrl(_)), "{url}: {refused}");
    }
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/:memory:mode=memory.db", folder.path().display());
    store::connect(&url, Options::default()).await.unwrap().close().await;
}

#[tokio::test]
async fn a_url_without_a_file_or_with_a_strange_parameter_is_refused() {
    for url in ["sqlite:", "sqlite://", "sqlite://?mode=rwc", "sqlite://x.db?foo=1"] {
        let refused = store::connect(url, Options::default()).await.unwrap_err();
        assert!(matches!(refused, ConnectError::BadUrl(_)), "{url}: {refused}");
    }
}

#[tokio::test]
async fn an_unreachable_server_is_reported_without_its_password() {
    let url = "postgres://someone:hunter2@127.0.0.1:1/entourage";
    let refused = store::connect(url, Options::default()).await.unwrap_err();

    assert!(matches!(refused, ConnectError::Unreachable(_)), "{refused}");
    let text = format!("{refused} {refused:?}");
    assert!(!text.contains("hunter2") && refused.to_string().lines().count() == 1, "{text}");
}
