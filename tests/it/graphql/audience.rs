//! Answers that depend on the reader: a rule hides a list and a user from one viewer, and every way
//! to read obeys it. Other viewers read at the same time, with a warm cache, and see everything.

use std::sync::Arc;

use entourage::{
    app::Settings,
    domain::{Audience, UsernameKey},
    service::Visibility,
};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::data;
use crate::support::{
    app::{TestApp, settings, uncached},
    database::{Database, Engine},
    graph::draw,
    hiding::{Hidden, Hiding},
};

/// Alice is followed by everybody and follows bob; bob must not see who follows alice, and must
/// not see dave at all.
const GRAPH: &str = "alice -> bob\nbob -> alice\ncarol -> alice dave\ndave -> alice bob carol";

/// Makes a test of each case on each engine.
macro_rules! on_both_engines {
    ($($case:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $case() {
                super::run(super::Engine::Sqlite, async |app| super::$case(app).await).await;
            })+
        }
        mod postgres {
            $(#[tokio::test]
            async fn $case() {
                super::run(super::Engine::Postgres, async |app| super::$case(app).await).await;
            })+
        }
    };
}

on_both_engines! {
    a_hidden_list_is_empty_for_its_viewer_only,
    a_hidden_user_is_absent_for_their_viewer_only,
    nothing_leaks_between_requests_at_the_same_time,
    statements_depend_on_the_shape_for_one_viewer_too,
}

/// The same database served twice: with all fast paths, and without projection, shared look-ups and
/// the cache of users.
struct Apps {
    projected: TestApp,
    resolved: TestApp,
}

impl Apps {
    /// The data that an operation answers, which both servers agree on.
    async fn ask(&self, query: &str, username: Option<&str>) -> Value {
        let token = match username {
            Some(username) => Some(self.projected.token(username, None).await),
            None => None,
        };
        let projected = self.projected.graphql(query, json!({}), token.as_deref()).await;
        let resolved = self.resolved.graphql(query, json!({}), token.as_deref()).await;
        assert_eq!(projected, resolved, "{query}");
        data(&projected).clone()
    }
}

async fn run(engine: Engine, case: impl AsyncFnOnce(Apps)) {
    let database = Database::migrated(engine).await;
    database
        .run(async |database| {
            draw(database.store(), GRAPH).await;
            let [alice, bob, dave] =
                ["alice", "bob", "dave"].map(|name| UsernameKey::parse(name).expect("a username"));
            let names = [alice.clone(), bob.clone(), dave.clone()];
            let users = database.store().users_by_usernames(Audience::Everybody, &names).await;
            let users = users.expect("the store works");
            let hidden = Hidden {
                viewer: users[&bob].id,
                followers_of: users[&alice].id,
                absent: users[&dave].id,
            };
            let hiding = |inner| Arc::new(Hiding { inner, hidden });
            let fast = Settings { visibility: Visibility::PerViewer, ..settings() };
            let plain =
                Settings { projection: false, visibility: Visibility::PerViewer, ..uncached() };
            let projected = TestApp::over(hiding(Arc::clone(&database.store)), fast).await;
            let unshared = database.store_without_shared_lookups().await;
            let resolved = TestApp::over(hiding(unshared), plain).await;
            case(Apps { projected, resolved }).await;
        })
        .await;
}

/// Every way to read alice's followers.
const FOLLOWERS: &str = r#"{ user(username: "alice") {
    followers(first: 1) { totalCount edges { cursor followedAt node { username } }
        nodes { username } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } }
    last: followers(last: 2, orderBy: { direction: ASC }) { nodes { username } totalCount
        pageInfo { hasPreviousPage } }
    count: followers { totalCount }
    following { totalCount nodes { username followers { totalCount nodes { username } } } } } }"#;

async fn a_hidden_list_is_empty_for_its_viewer_only(apps: Apps) {
    for username in [None, Some("carol"), Some("alice"), Some("dave")] {
        let alice = &apps.ask(FOLLOWERS, username).await["user"];
        assert_eq!(alice["followers"]["totalCount"], 3, "{username:?}");
        assert_eq!(alice["followers"]["nodes"].as_array().map(Vec::len), Some(1));
        assert_eq!(alice["followers"]["pageInfo"]["hasNextPage"], true);
        assert_eq!(alice["last"]["nodes"].as_array().map(Vec::len), Some(2));
        assert_eq!(alice["last"]["pageInfo"]["hasPreviousPage"], true);
        assert_eq!(alice["count"]["totalCount"], 3);
    }

    // The cache and the shared look-ups are warm by now.
    let alice = &apps.ask(FOLLOWERS, Some("bob")).await["user"];
    let nothing = json!({ "hasNextPage": false, "hasPreviousPage": false,
        "startCursor": null, "endCursor": null });
    assert_eq!(
        alice["followers"],
        json!({ "totalCount": 0, "edges": [], "nodes": [], "pageInfo": nothing })
    );
    assert_eq!(
        alice["last"],
        json!({ "nodes": [], "totalCount": 0, "pageInfo": { "hasPreviousPage": false } })
    );
    assert_eq!(alice["count"], json!({ "totalCount": 0 }));
    assert_eq!(alice["following"]["totalCount"], 1, "another list is not hidden");
}

async fn a_hidden_user_is_absent_for_their_viewer_only(apps: Apps) {
    let id = apps.ask(r#"{ user(username: "dave") { id } }"#, None).await["user"]["id"].clone();
    let query = format!(
        r#"{{ node(id: {id}) {{ id }} nodes(ids: [{id}]) {{ id }}
            user(username: "DAVE") {{ id viewerIsFollowing isFollowingViewer }}
            users {{ totalCount nodes {{ username isFollowingViewer }} }}
            carol: user(username: "carol") {{ followers {{ nodes {{ username }} }}
                following {{ edges {{ node {{ username }} }} }} }} }}"#
    );

    let seen = apps.ask(&query, Some("carol")).await;
    assert_eq!(seen["user"]["viewerIsFollowing"], true);
    assert_eq!(seen["node"], json!({ "id": id }));
    assert_eq!(seen["users"]["totalCount"], 4);
    assert_eq!(seen["carol"]["followers"]["nodes"], json!([{ "username": "dave" }]));

    let unseen = apps.ask(&query, Some("bob")).await;
    assert_eq!(unseen["node"], Value::Null);
    assert_eq!(unseen["nodes"], json!([null]));
    assert_eq!(unseen["user"], Value::Null);
    assert_eq!(unseen["users"]["totalCount"], 3);
    let names: Vec<_> = unseen["users"]["nodes"].as_array().expect("a list").iter().collect();
    assert!(names.iter().all(|user| user["username"] != "dave"), "{names:?}");
    assert_eq!(unseen["carol"]["followers"]["nodes"], json!([]));
    assert_eq!(unseen["carol"]["following"]["edges"], json!([{ "node": { "username": "alice" } }]));
}

async fn nothing_leaks_between_requests_at_the_same_time(apps: Apps) {
    let count = async |username: Option<&str>| {
        let answer = apps.ask(FOLLOWERS, username).await;
        answer["user"]["followers"]["totalCount"].clone()
    };
    for _ in 0..10 {
        let readers = [Some("bob"), Some("carol"), None, Some("bob"), Some("alice"), Some("bob")];
        let counts = join_all(readers.map(count)).await;
        assert_eq!(counts, [0, 3, 3, 0, 3, 0]);
    }
}

async fn statements_depend_on_the_shape_for_one_viewer_too(apps: Apps) {
    let app = &apps.projected;
    let token = app.token("bob", None).await;
    let query = "query ($n: Int!) { users(first: $n) { nodes {
        followers { totalCount nodes { username } } viewerIsFollowing } } }";
    let mut costs = Vec::new();
    for n in [2, 3, 4] {
        let before = app.statements();
        data(&app.graphql(query, json!({ "n": n }), Some(&token)).await);
        costs.push(app.statements() - before);
    }
    // The account, the users, their pages, the users on the pages, the relations.
    assert_eq!(costs, [5; 3]);
}
