//! Queries that only read: lookups, profiles, and the rules of the specification.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{code, data, on_both_engines};
use crate::support::{
    app::{TestApp, settings},
    graph::draw,
};

on_both_engines! {
    users_are_found_by_name_in_whatever_case_and_by_id,
    a_user_who_does_not_exist_is_null,
    a_user_is_named_in_exactly_one_way,
    nodes_come_in_the_order_of_their_ids,
    a_viewer_is_a_node_for_themselves_only,
    counts_of_a_user_need_no_list,
    a_user_without_a_picture_gets_a_drawn_one,
    answers_keep_the_order_of_the_question,
    directives_and_defaults_of_variables_count,
    text_with_a_nul_is_bad_input,
    introspection_works,
}

async fn users_are_found_by_name_in_whatever_case_and_by_id(app: TestApp) {
    draw(&*app.store, "Alice").await;
    let query = r#"{ user(username: "aLICE") { id username name bio createdAt isViewer } }"#;
    let response = app.graphql(query, json!({}), None).await;
    let user = &data(&response)["user"];
    assert_eq!(user["username"], "Alice");
    assert_eq!(user["createdAt"], "2025-06-15T15:06:40.000000Z");
    assert_eq!((&user["name"], &user["bio"]), (&Value::Null, &Value::Null));

    let query = "query ($id: ID!) { node(id: $id) { __typename id ... on User { username } } }";
    let response = app.graphql(query, json!({ "id": user["id"] }), None).await;
    let expected = json!({ "__typename": "User", "id": user["id"], "username": "Alice" });
    assert_eq!(data(&response)["node"], expected);
}

async fn a_user_who_does_not_exist_is_null(app: TestApp) {
    let query =
        "query ($id: ID!, $name: String!) { node(id: $id) { id } user(username: $name) { id } }";
    for bad in ["", "nobody", "VXNlcjo5OTk", "Rm9sbG93OjE", "é", &"x".repeat(5_000)] {
        let response = app.graphql(query, json!({ "id": bad, "name": bad }), None).await;
        assert_eq!(data(&response), &json!({ "node": null, "user": null }), "{bad}");
    }
}

async fn a_user_is_named_in_exactly_one_way(app: TestApp) {
    draw(&*app.store, "alice").await;
    let query = "query ($by: UserRef, $username: String) {
        user(by: $by, username: $username) { id username } }";
    let user = async |variables: Value| app.graphql(query, variables, None).await;
    let by_name = data(&user(json!({ "username": "ALICE" })).await)["user"].clone();
    assert_eq!(by_name["username"], "alice");

    for by in [json!({ "id": by_name["id"] }), json!({ "username": "Alice" })] {
        for username in [json!({ "by": by }), json!({ "by": by, "username": null })] {
            assert_eq!(data(&user(username).await)["user"], by_name);
        }
    }
    for nobody in [json!({ "id": "nobody" }), json!({ "username": "bob" })] {
        assert_eq!(data(&user(json!({ "by": nobody })).await)["user"], Value::Null);
    }

    let both = user(json!({ "by": { "username": "alice" }, "username": "alice" })).await;
    let message = "username cannot be given together with by";
    for (refused, argument, message) in [
        (both, "user.username", message),
        (user(json!({})).await, "user.by", "by or username must be given"),
        (
            app.graphql("{ user { id } }", json!({}), None).await,
            "user.by",
            "by or username must be given",
        ),
    ] {
        assert_eq!(code(&refused), "BAD_USER_INPUT");
        assert_eq!(refused["errors"][0]["extensions"]["argument"], argument);
        assert_eq!(refused["errors"][0]["message"], message);
    }
}

async fn nodes_come_in_the_order_of_their_ids(app: TestApp) {
    draw(&*app.store, "alice\nbob\ncarol").await;
    let users = app.graphql("{ users { nodes { id } } }", json!({}), None).await;
    let ids = &data(&users)["users"]["nodes"];
    let ids = [&ids[2]["id"], &json!("nobody"), &ids[0]["id"], &ids[2]["id"]];
    let query = "query ($ids: [ID!]!) { nodes(ids: $ids) { ... on User { username } } }";

    let cold = TestApp::over(Arc::clone(&app.store), settings()).await;
    let response = cold.graphql(query, json!({ "ids": ids }), None).await;

    let [alice, carol] = ["alice", "carol"].map(|name| json!({ "username": name }));
    assert_eq!(data(&response)["nodes"], json!([carol, null, alice, carol]));
    assert_eq!(cold.statements(), 1);

    let many = vec!["x"; 101];
    assert_eq!(code(&app.graphql(query, json!({ "ids": many }), None).await), "BAD_USER_INPUT");
}

async fn a_viewer_is_a_node_for_themselves_only(app: TestApp) {
    draw(&*app.store, "alice\nbob").await;
    let [alice, bob] = [app.token("alice", None).await, app.token("bob", None).await];
    let viewer = app.graphql("{ viewer { id user { id } } }", json!({}), Some(&alice)).await;
    let viewer = &data(&viewer)["viewer"];
    assert_ne!(viewer["id"], viewer["user"]["id"]);

    let query = "query ($ids: [ID!]!, $id: ID!) {
        nodes(ids: $ids) { __typename ... on Viewer { user { username } } ... on User { username } }
        node(id: $id) { id ...F } } fragment F on Viewer { role { id name } }";
    let variables = json!({ "id": viewer["id"], "ids": [viewer["id"], viewer["user"]["id"]] });
    let own = app.graphql(query, variables.clone(), Some(&alice)).await;
    let user = json!({ "__typename": "User", "username": "alice" });
    let as_viewer = json!({ "__typename": "Viewer", "user": { "username": "alice" } });
    assert_eq!(data(&own)["nodes"], json!([as_viewer, user]));
    assert_eq!(data(&own)["node"]["id"], viewer["id"]);
    assert_eq!(data(&own)["node"]["role"]["name"], "user");

    for token in [Some(&*bob), None] {
        let other = app.graphql(query, variables.clone(), token).await;
        assert_eq!(data(&other), &json!({ "nodes": [null, user], "node": null }));
    }
}

async fn counts_of_a_user_need_no_list(app: TestApp) {
    draw(&*app.store, "alice -> bob carol\nbob -> carol").await;
    let query = "{ users { nodes { followerCount followingCount } } }";
    let before = app.statements();
    let response = app.graphql(query, json!({}), None).await;
    let counts = [(0, 2), (1, 1), (2, 0)].map(
        |(followers, following)| json!({ "followerCount": followers, "followingCount": following }),
    );
    assert_eq!(data(&response)["users"]["nodes"], json!(counts));
    assert_eq!(app.statements() - before, 2, "the page and the counts");
}

async fn a_user_without_a_picture_gets_a_drawn_one(app: TestApp) {
    draw(&*app.store, "alice").await;
    let query = r#"{ user(username: "alice") { id avatarUrl } }"#;
    let response = app.graphql(query, json!({}), None).await;
    let user = &data(&response)["user"];
    let path = format!("/avatars/{}.svg", user["id"].as_str().expect("an id"));
    assert_eq!(user["avatarUrl"], path);
}

async fn answers_keep_the_order_of_the_question(app: TestApp) {
    draw(&*app.store, "alice -> bob").await;
    let query = r#"{ z: user(username: "bob") { username id } __typename
        a: user(username: "alice") { following { totalCount nodes { username } } name } }"#;
    let response = app.graphql(query, json!({}), None).await;
    let keys = |value: &Value| -> Vec<String> {
        value.as_object().expect("an object").keys().cloned().collect()
    };
    assert_eq!(keys(data(&response)), ["z", "__typename", "a"]);
    assert_eq!(keys(&data(&response)["z"]), ["username", "id"]);
    assert_eq!(keys(&data(&response)["a"]["following"]), ["totalCount", "nodes"]);
}

async fn directives_and_defaults_of_variables_count(app: TestApp) {
    draw(&*app.store, "alice").await;
    let query = r#"query ($yes: Boolean = true, $no: Boolean! = false, $name: String! = "alice") {
        user(username: $name) { username @include(if: $yes) id @include(if: $no)
            name @skip(if: $yes) ... @skip(if: $no) { bio } } }"#;
    let response = app.graphql(query, json!({}), None).await;
    assert_eq!(data(&response)["user"], json!({ "username": "alice", "bio": null }));
}

async fn text_with_a_nul_is_bad_input(app: TestApp) {
    let query = "query ($name: String!) { user(username: $name) { id } }";
    let response = app.graphql(query, json!({ "name": "a\0b" }), None).await;
    assert_eq!(code(&response), "BAD_USER_INPUT");
    assert_eq!(response["errors"][0]["extensions"]["argument"], "user.username");

    let response = app.graphql(r#"{ user(username: "a\u0000b") { id } }"#, json!({}), None).await;
    assert_eq!(code(&response), "BAD_USER_INPUT");
}

async fn introspection_works(app: TestApp) {
    let query = "{ __schema { queryType { name } directives { name args { name } } }
        __type(name: \"UserRef\") { kind isOneOf inputFields { name } } }";
    let response = app.graphql(query, json!({}), None).await;
    assert_eq!(data(&response)["__schema"]["queryType"]["name"], "Query");
    assert_eq!(data(&response)["__type"]["isOneOf"], true);
    let directives = data(&response)["__schema"]["directives"].as_array().expect("a list");
    assert!(directives.iter().any(|directive| directive["name"] == "hasPermission"));
}
