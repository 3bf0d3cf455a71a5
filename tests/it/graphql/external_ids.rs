//! The ids of the host: how documents that know no others find users, follow them and page.

use entourage::domain::{ExternalId, NewUser, UserId, Username};
use serde_json::{Value, json};

use super::{code, data, on_both_engines};
use crate::support::{app::TestApp, graph::beginning};

on_both_engines! {
    a_user_is_found_by_the_very_bytes_of_an_external_id,
    references_are_answered_in_their_order,
    references_of_a_kind_take_one_statement,
    a_document_that_knows_external_ids_only_follows_and_pages,
    an_external_id_is_seen_by_its_user_and_by_administrators,
    a_user_who_blocks_the_viewer_is_not_found_by_external_id,
}

/// Creates a user whom the host knows, with a token.
async fn host_user(app: &TestApp, id: i64, username: &str, external_id: &str) -> String {
    let username = Username::parse(username).expect("a username");
    let mut user = NewUser::bare(UserId(id), username.clone(), beginning());
    user.external_id = Some(ExternalId::parse(external_id).expect("an external id"));
    app.store.create_user(&user).await.expect("the store works");
    app.token(username.as_str(), None).await
}

const USER: &str = "query ($id: String!) { user(by: { externalId: $id }) { username } }";

async fn a_user_is_found_by_the_very_bytes_of_an_external_id(app: TestApp) {
    host_user(&app, 1, "ada", "Auth0|é 1").await;
    let response = app.graphql(USER, json!({ "id": "Auth0|é 1" }), None).await;
    assert_eq!(data(&response)["user"]["username"], "ada");
    let long = "x".repeat(256);
    for other in ["auth0|é 1", "Auth0|e\u{301} 1", " Auth0|é 1", "", "a\nb", &long] {
        let response = app.graphql(USER, json!({ "id": other }), None).await;
        assert_eq!(data(&response)["user"], Value::Null, "{other:?}");
    }
}

const REFS: &str = "query ($refs: [UserRef!]!) { usersByRef(refs: $refs) { id username } }";

async fn references_are_answered_in_their_order(app: TestApp) {
    host_user(&app, 1, "ada", "h1").await;
    host_user(&app, 2, "bob", "h2").await;
    let by_name = app.graphql(REFS, json!({ "refs": [{ "username": "ada" }] }), None).await;
    let id = &data(&by_name)["usersByRef"][0]["id"];
    let refs = json!([
        { "externalId": "h2" }, { "username": "nobody" }, { "id": id }, { "externalId": "h3" },
        { "username": "@Bob" }, { "id": "x" }, { "externalId": "h2" },
    ]);
    let response = app.graphql(REFS, json!({ "refs": refs }), None).await;
    let users = data(&response)["usersByRef"].as_array().expect("a list");
    let names: Vec<_> = users.iter().map(|user| user["username"].as_str()).collect();
    assert_eq!(names, [Some("bob"), None, Some("ada"), None, Some("bob"), None, Some("bob")]);

    let none = app.graphql(REFS, json!({ "refs": [] }), None).await;
    assert_eq!(data(&none)["usersByRef"], json!([]));
    let many = vec![json!({ "username": "ada" }); 101];
    let refused = app.graphql(REFS, json!({ "refs": many }), None).await;
    assert_eq!(code(&refused), "BAD_USER_INPUT");
    assert_eq!(refused["errors"][0]["extensions"]["argument"], "usersByRef.refs");
}

async fn references_of_a_kind_take_one_statement(app: TestApp) {
    for n in 1..=40 {
        host_user(&app, n, &format!("user_{n}"), &format!("h{n}")).await;
    }
    let statements = async |refs: Vec<Value>| {
        let before = app.statements();
        let response = app.graphql(REFS, json!({ "refs": refs }), None).await;
        assert!(data(&response)["usersByRef"][0]["id"].is_string(), "{response}");
        app.statements() - before
    };
    let refs = |count: i64| (1..=count).map(|n| json!({ "externalId": format!("h{n}") })).collect();
    assert_eq!(statements(refs(1)).await, 1);
    assert_eq!(statements(refs(40)).await, 1);
}

async fn a_document_that_knows_external_ids_only_follows_and_pages(app: TestApp) {
    let ada = host_user(&app, 1, "ada", "h1").await;
    for n in 2..=4 {
        let token = host_user(&app, n, &format!("user_{n}"), &format!("h{n}")).await;
        let query = "mutation { follow(input: { user: { externalId: \"h1\" } }) { outcome } }";
        let response = app.graphql(query, json!({}), Some(&token)).await;
        assert_eq!(data(&response)["follow"]["outcome"], "FOLLOWED");
    }
    let query = "query ($after: String) { user(by: { externalId: \"h1\" }) {
        followers(first: 2, after: $after) { nodes { username } pageInfo { endCursor } } } }";
    let first = app.graphql(query, json!({}), None).await;
    let cursor = &data(&first)["user"]["followers"]["pageInfo"]["endCursor"];
    let rest = app.graphql(query, json!({ "after": cursor }), None).await;
    let nodes = &data(&rest)["user"]["followers"]["nodes"];
    assert_eq!(*nodes, json!([{ "username": "user_2" }]));

    let query = "query { usersByRef(refs: [{ externalId: \"h2\" }, { externalId: \"h9\" }]) {
        isFollowingViewer } }";
    let relations = app.graphql(query, json!({}), Some(&ada)).await;
    let expected = json!([{ "isFollowingViewer": true }, null]);
    assert_eq!(data(&relations)["usersByRef"], expected);

    let query = "mutation { follow(input: { user: { externalId: \"h9\" } }) {
        userErrors { code field } } }";
    let refused = app.graphql(query, json!({}), Some(&ada)).await;
    let error = json!({ "code": "NOT_FOUND", "field": ["input", "user", "externalId"] });
    assert_eq!(data(&refused)["follow"]["userErrors"], json!([error]));
}

async fn an_external_id_is_seen_by_its_user_and_by_administrators(app: TestApp) {
    let ada = host_user(&app, 1, "ada", "h1").await;
    let bob = host_user(&app, 2, "bob", "h2").await;
    let query = "{ user(username: \"ada\") { externalId } }";
    let seen = async |token: Option<&str>| {
        data(&app.graphql(query, json!({}), token).await)["user"]["externalId"].clone()
    };
    assert_eq!(seen(None).await, Value::Null);
    assert_eq!(seen(Some(&bob)).await, Value::Null);
    assert_eq!(seen(Some(&ada)).await, "h1");
    for (role, expected) in [("moderator", Value::Null), ("admin", json!("h1"))] {
        crate::support::admin::give_role(&*app.store, UserId(2), role).await;
        assert_eq!(seen(Some(&bob)).await, expected, "{role}");
    }
    // A token whose scope leaves the permission out.
    let narrowed = app.token("bob", Some("follow")).await;
    assert_eq!(seen(Some(&narrowed)).await, Value::Null);
}

async fn a_user_who_blocks_the_viewer_is_not_found_by_external_id(app: TestApp) {
    let ada = host_user(&app, 1, "ada", "h1").await;
    let bob = host_user(&app, 2, "bob", "h2").await;
    let query = "mutation { block(input: { user: { externalId: \"h2\" } }) { outcome } }";
    let response = app.graphql(query, json!({}), Some(&ada)).await;
    assert_eq!(data(&response)["block"]["outcome"], "BLOCKED");
    let response = app.graphql(USER, json!({ "id": "h1" }), Some(&bob)).await;
    assert_eq!(data(&response)["user"], Value::Null);
    let response = app.graphql(USER, json!({ "id": "h1" }), None).await;
    assert_eq!(data(&response)["user"]["username"], "ada");
}
