//! The server as a subgraph of a federation: its SDL, and the users that other subgraphs refer to.

use std::sync::Arc;

use entourage::{
    app::Settings,
    domain::{ExternalId, FollowAction, FollowChange, FollowLimits, NewUser, UserId, Username},
    graphql,
};
use reqwest::Method;
use serde_json::{Value, json};

use super::{code, data, on_both_engines};
use crate::support::{
    app::{TestApp, settings, uncached},
    graph::beginning,
};

on_both_engines! {
    entities_are_answered_in_their_order,
    entities_take_one_statement_for_each_key,
    members_see_external_ids_of_the_users_they_see,
}

fn federated() -> Settings {
    Settings { federation: true, ..settings() }
}

/// Creates the users `user_1` to `user_N`, whose external ids are `h1` to `hN`. Each follows the
/// next one.
async fn draw(app: &TestApp, count: i64) {
    for n in 1..=count {
        let username = Username::parse(&format!("user_{n}")).expect("a username");
        let mut user = NewUser::bare(UserId(n), username, beginning());
        user.external_id = Some(ExternalId::parse(&format!("h{n}")).expect("an external id"));
        app.store.create_user(&user).await.expect("the store works");
    }
    for n in 1..=count {
        let followee = UserId(n % count + 1);
        let action = FollowAction::Follow(FollowLimits::NONE);
        let change = FollowChange { follower: UserId(n), followee, at: beginning(), action };
        app.store.change_follow(change).await.expect("the store works");
    }
}

fn id(n: i64) -> String {
    graphql::GlobalId::User(UserId(n)).text()
}

fn by_id(n: i64) -> Value {
    json!({ "__typename": "User", "id": id(n) })
}

fn by_external_id(n: i64) -> Value {
    json!({ "__typename": "User", "externalId": format!("h{n}") })
}

/// What a gateway sends for these fields of users.
fn query(fields: &str) -> String {
    format!(
        "query ($representations: [_Any!]!) {{
            _entities(representations: $representations) {{ ... on User {{ {fields} }} }} }}"
    )
}

async fn entities(app: &TestApp, representations: impl Into<Value>) -> Value {
    let variables = json!({ "representations": representations.into() });
    app.graphql(&query("username"), variables, None).await
}

async fn entities_are_answered_in_their_order(app: TestApp) {
    draw(&app, 3).await;
    let representations = json!([
        by_external_id(2),
        by_id(1),
        by_id(9),
        { "__typename": "User", "externalId": "h1", "email": ["of", "another", "subgraph"] },
        by_external_id(9),
        { "__typename": "User", "id": "x" },
        { "__typename": "User", "externalId": "h\0" },
        { "__typename": "User", "externalId": null },
        { "__typename": "User", "id": id(3), "externalId": "h1" },
        by_id(1),
    ]);
    let (first, second, third) = (Some("user_1"), Some("user_2"), Some("user_3"));
    let expected = [second, first, None, first, None, None, None, None, third, first];
    let expected = expected.map(|name| name.map(|name| json!({ "username": name })));

    for projection in [true, false] {
        let settings = Settings { projection, ..federated() };
        let app = TestApp::over(Arc::clone(&app.store), settings).await;
        let answer = entities(&app, representations.clone()).await;
        assert_eq!(data(&answer)["_entities"], json!(expected), "projection: {projection}");
    }
}

#[tokio::test]
async fn entities_are_asked_for_as_any_field_is() {
    let app = TestApp::with(federated()).await;
    draw(&app, 2).await;
    let token = app.token("user_1", None).await;
    let literal = r#"{ _entities(representations: [{ __typename: "User", externalId: "h2" }]) {
        __typename ... on Node { id } ...Name } } fragment Name on User { name: username }"#;
    let answer = app.graphql(literal, json!({}), None).await;
    let second = json!({ "__typename": "User", "id": id(2), "name": "user_2" });
    assert_eq!(data(&answer)["_entities"], json!([second]));

    let answer = entities(&app, json!([])).await;
    assert_eq!(data(&answer)["_entities"], json!([]));
    let answer = entities(&app, by_id(2)).await;
    assert_eq!(data(&answer)["_entities"], json!([{ "username": "user_2" }]), "a list of one");

    let payload = r#"mutation { unfollow(input: { user: { externalId: "h2" } }) { query {
        _entities(representations: [{ __typename: "User", externalId: "h2" }]) {
            ... on User { viewerIsFollowing } } } } }"#;
    let answer = app.graphql(payload, json!({}), Some(&token)).await;
    let entities = &data(&answer)["unfollow"]["query"]["_entities"];
    assert_eq!(*entities, json!([{ "viewerIsFollowing": false }]));
}

#[tokio::test]
async fn a_malformed_representation_is_bad_input() {
    let app = TestApp::with(federated()).await;
    draw(&app, 1).await;
    for (malformed, argument) in [
        (json!("VXNlcjox"), ""),
        (json!([by_id(1)]), ""),
        (json!({}), ".__typename"),
        (json!({ "id": id(1) }), ".__typename"),
        (json!({ "__typename": "Viewer", "id": id(1) }), ".__typename"),
        (json!({ "__typename": 1, "id": id(1) }), ".__typename"),
        (json!({ "__typename": "User" }), ""),
        (json!({ "__typename": "User", "username": "user_1" }), ""),
        (json!({ "__typename": "User", "id": null, "externalId": "h1" }), ".id"),
        (json!({ "__typename": "User", "id": 1 }), ".id"),
        (json!({ "__typename": "User", "externalId": 1 }), ".externalId"),
        (json!({ "__typename": "User", "externalId": ["h1"] }), ".externalId"),
    ] {
        let before = app.statements();
        let refused = entities(&app, json!([by_id(1), malformed])).await;
        assert_eq!(code(&refused), "BAD_USER_INPUT", "{malformed}");
        let expected = format!("_entities.representations.1{argument}");
        assert_eq!(refused["errors"][0]["extensions"]["argument"], expected, "{malformed}");
        assert_eq!((refused.get("data"), app.statements()), (None, before), "{malformed}");
    }
    for null in [json!(null), json!([null])] {
        assert_eq!(code(&entities(&app, null).await), "BAD_USER_INPUT");
    }
}

#[tokio::test]
async fn entities_are_limited_like_users_by_reference() {
    let app = TestApp::with(federated()).await;
    draw(&app, 1).await;
    let refused = entities(&app, vec![by_id(1); 101]).await;
    assert_eq!(code(&refused), "BAD_USER_INPUT");
    let error = &refused["errors"][0];
    assert_eq!(error["message"], "representations must be at most 100");
    assert_eq!(error["extensions"]["argument"], "_entities.representations");

    let fields = "followers(first: 100) { nodes { following(first: 10) { nodes { id } } } }";
    let representations = vec![by_external_id(1); 100];
    let variables = json!({ "representations": representations });
    let refused = app.graphql(&query(fields), variables, None).await;
    let refs = vec![json!({ "externalId": "h1" }); 100];
    let by_ref = format!("query ($refs: [UserRef!]!) {{ usersByRef(refs: $refs) {{ {fields} }} }}");
    let by_ref = app.graphql(&by_ref, json!({ "refs": refs }), None).await;
    assert_eq!(code(&refused), "COST_LIMIT_EXCEEDED");
    assert_eq!(refused["errors"][0]["extensions"], by_ref["errors"][0]["extensions"]);
}

/// A statement for each key, and then one for each kind of data at each level.
async fn entities_take_one_statement_for_each_key(app: TestApp) {
    draw(&app, 100).await;
    let settings = Settings { federation: true, ..uncached() };
    let app = TestApp::over(Arc::clone(&app.store), settings).await;
    let statements = async |representations: Vec<Value>, fields: &str| {
        let before = app.statements();
        let variables = json!({ "representations": representations });
        let answer = app.graphql(&query(fields), variables, None).await;
        let found = data(&answer)["_entities"].as_array().expect("a list");
        assert!(found.iter().all(Value::is_object), "{answer}");
        app.statements() - before
    };
    let mixed = |count| {
        (1..=count).map(|n| if n % 2 == 0 { by_id(n) } else { by_external_id(n) }).collect()
    };
    for count in [2, 100] {
        assert_eq!(statements((1..=count).map(by_id).collect(), "username").await, 1);
        assert_eq!(statements((1..=count).map(by_external_id).collect(), "username").await, 1);
        assert_eq!(statements(mixed(count), "username").await, 2);
        let counts = "username followers { totalCount }";
        assert_eq!(statements(mixed(count), counts).await, 3);
        // The page and its users.
        let pages = "followers(first: 10) { totalCount nodes { username } }";
        assert_eq!(statements(mixed(count), pages).await, 4);
    }
}

async fn members_see_external_ids_of_the_users_they_see(app: TestApp) {
    draw(&app, 3).await;
    let action = FollowAction::Block { limit: 100 };
    let (follower, followee) = (UserId(1), UserId(2));
    let change = FollowChange { follower, followee, at: beginning(), action };
    app.store.change_follow(change).await.expect("the store works");
    let app = TestApp::over(Arc::clone(&app.store), federated()).await;
    let blocked = app.token("user_2", None).await;
    let other = app.token("user_3", None).await;
    let representations = json!([by_id(1), by_external_id(1), by_id(2)]);

    for (token, seen) in [(None, true), (Some(&other), true), (Some(&blocked), false)] {
        let variables = json!({ "representations": representations });
        let token = token.map(String::as_str);
        let answer = app.graphql(&query("externalId"), variables, token).await;
        let first = seen.then(|| json!({ "externalId": "h1" }));
        let expected = json!([first, first, { "externalId": "h2" }]);
        assert_eq!(data(&answer)["_entities"], expected);
    }
}

async fn text(app: &TestApp, path: &str) -> String {
    let response = app.request(Method::GET, path).send().await.expect("the server answers");
    response.text().await.expect("a text")
}

const TYPES: &str = "{ __schema { queryType { fields { name } } types { name } }
    __type(name: \"_Entity\") { possibleTypes { name } } }";

/// The names that begin with one underscore.
fn names(list: &Value) -> Vec<&str> {
    let names = list.as_array().expect("a list").iter().filter_map(|item| item["name"].as_str());
    names.filter(|name| name.starts_with('_') && !name.starts_with("__")).collect()
}

#[tokio::test]
async fn a_subgraph_publishes_its_keys() {
    let app = TestApp::with(federated()).await;
    let answer = app.graphql("{ _service { sdl } }", json!({}), None).await;
    let sdl = data(&answer)["_service"]["sdl"].as_str().expect("a text");
    assert_eq!(sdl, graphql::subgraph_sdl());
    assert_eq!(sdl, text(&app, "/schema.graphql").await);

    // All that differs from the schema without federation.
    let plain = graphql::sdl();
    let added: Vec<_> =
        sdl.lines().filter(|line| !plain.lines().any(|other| other == *line)).collect();
    let expected = [
        r#"extend schema @link(url: "https://specs.apollo.dev/federation/v2.0", import: ["@key", "@shareable"])"#,
        "type PageInfo @shareable {",
        r#"type User implements Node @key(fields: "id") @key(fields: "externalId") {"#,
    ];
    assert_eq!(added, expected);

    let answer = app.graphql(TYPES, json!({}), None).await;
    let schema = &data(&answer)["__schema"];
    assert_eq!(names(&schema["queryType"]["fields"]), ["_entities", "_service"]);
    assert_eq!(names(&schema["types"]), ["_Any", "_Entity", "_Service"]);
    assert_eq!(answer["data"]["__type"], json!({ "possibleTypes": [{ "name": "User" }] }));
}

#[tokio::test]
async fn a_subgraph_without_sign_up_does_not_publish_it() {
    let app = TestApp::with(Settings { sign_up: false, ..federated() }).await;
    let answer = app.graphql("{ _service { sdl } }", json!({}), None).await;
    let sdl = data(&answer)["_service"]["sdl"].as_str().expect("a text");
    assert!(sdl.contains("@key") && !sdl.contains("signUp"), "{sdl}");
}

#[tokio::test]
async fn without_federation_there_is_no_subgraph() {
    let app = TestApp::start().await;
    draw(&app, 1).await;
    for field in ["_service { sdl }", "_entities(representations: []) { __typename }"] {
        let refused = app.graphql(&format!("{{ {field} }}"), json!({}), None).await;
        assert_eq!(code(&refused), "GRAPHQL_VALIDATION_FAILED", "{field}");
    }
    let answer = app.graphql(TYPES, json!({}), None).await;
    let schema = &data(&answer)["__schema"];
    assert_eq!(names(&schema["queryType"]["fields"]), [""; 0]);
    assert_eq!(names(&schema["types"]), [""; 0]);
    assert_eq!(answer["data"]["__type"], Value::Null);
    assert_eq!(text(&app, "/schema.graphql").await, graphql::sdl());
}
