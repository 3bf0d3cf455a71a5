//! `follow` and `unfollow`: every outcome.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{data, on_both_engines};
use crate::support::{
    app::{TestApp, uncached},
    database::Engine,
    graph::draw,
};

on_both_engines! {
    a_follow_raises_both_counts_and_shows_both_edges,
    following_twice_changes_nothing,
    users_cannot_follow_themselves,
    a_missing_user_is_always_not_found,
    an_unfollow_lowers_both_counts,
    unfollowing_twice_changes_nothing,
    a_second_follow_has_a_new_time,
    an_id_does_as_well_as_a_username,
    of_simultaneous_follows_one_says_followed,
    a_field_that_is_spread_twice_runs_once,
    a_deleted_viewer_is_unauthenticated_at_once,
    a_payload_has_the_root_of_queries_after_the_change,
}

const FOLLOW: &str = "mutation ($user: UserRef!) { follow(input: { user: $user }) { outcome
    userErrors { code field message }
    user { username viewerIsFollowing viewerFollowedAt followers { totalCount } }
    viewer { user { username following { totalCount } } }
    followerEdge { followedAt cursor node { username } }
    followingEdge { followedAt cursor node { username } } } }";

const UNFOLLOW: &str = "mutation ($user: UserRef!) { unfollow(input: { user: $user }) { outcome
    userErrors { code field message }
    user { username viewerIsFollowing followers { totalCount } }
    viewer { user { following { totalCount } } } } }";

async fn follow(app: &TestApp, token: &str, username: &str) -> Value {
    let variables = json!({ "user": { "username": username } });
    data(&app.graphql(FOLLOW, variables, Some(token)).await)["follow"].clone()
}

async fn unfollow(app: &TestApp, token: &str, username: &str) -> Value {
    let variables = json!({ "user": { "username": username } });
    data(&app.graphql(UNFOLLOW, variables, Some(token)).await)["unfollow"].clone()
}

async fn a_follow_raises_both_counts_and_shows_both_edges(app: TestApp) {
    draw(&*app.store, "alice\nbob").await;
    let token = app.token("alice", None).await;

    let done = follow(&app, &token, "BOB").await;

    assert_eq!(done["outcome"], "FOLLOWED");
    assert_eq!(done["userErrors"], json!([]));
    assert_eq!(done["user"]["username"], "bob");
    assert_eq!(done["user"]["viewerIsFollowing"], true);
    assert_eq!(done["user"]["followers"]["totalCount"], 1);
    assert_eq!(done["viewer"]["user"]["following"]["totalCount"], 1);
    assert_eq!(done["followerEdge"]["node"]["username"], "alice");
    assert_eq!(done["followingEdge"]["node"]["username"], "bob");
    let followed_at = &done["user"]["viewerFollowedAt"];
    assert!(followed_at.is_string());
    assert_eq!(
        (&done["followerEdge"]["followedAt"], &done["followingEdge"]["followedAt"]),
        (followed_at, followed_at)
    );

    let lists = r#"{ alice: user(username: "alice") { following { edges { cursor } } }
        bob: user(username: "bob") { followers { edges { cursor } } } }"#;
    let lists = app.graphql(lists, json!({}), None).await;
    let cursor = |user: &str, list: &str| data(&lists)[user][list]["edges"][0]["cursor"].clone();
    assert_eq!(done["followingEdge"]["cursor"], cursor("alice", "following"));
    assert_eq!(done["followerEdge"]["cursor"], cursor("bob", "followers"));
}

async fn following_twice_changes_nothing(app: TestApp) {
    draw(&*app.store, "alice -> bob").await;
    let token = app.token("alice", None).await;

    let done = follow(&app, &token, "bob").await;

    assert_eq!(done["outcome"], "ALREADY_FOLLOWING");
    assert_eq!(done["userErrors"], json!([]));
    assert_eq!(done["user"]["followers"]["totalCount"], 1);
    assert_eq!(done["user"]["viewerFollowedAt"], "2025-06-15T15:06:40.000000Z");
}

async fn users_cannot_follow_themselves(app: TestApp) {
    draw(&*app.store, "alice").await;
    let token = app.token("alice", None).await;

    for (payload, message) in [
        (follow(&app, &token, "alice").await, "You cannot follow yourself."),
        (unfollow(&app, &token, "alice").await, "You cannot unfollow yourself."),
    ] {
        assert_eq!(payload["outcome"], Value::Null);
        let field = ["input", "user", "username"];
        let error = json!({ "code": "YOURSELF", "field": field, "message": message });
        assert_eq!(payload["userErrors"], json!([error]));
        assert_eq!(payload["user"], Value::Null);
        assert_eq!(payload["viewer"]["user"]["following"]["totalCount"], 0);
    }
}

async fn a_missing_user_is_always_not_found(app: TestApp) {
    draw(&*app.store, "alice\nbob").await;
    // The test deletes a user behind the server's back, which a cache would not notice.
    let app = TestApp::over(Arc::clone(&app.store), uncached()).await;
    let token = app.token("alice", None).await;
    let bob = app.graphql(r#"{ user(username: "bob") { id } }"#, json!({}), None).await;
    let bob = data(&bob)["user"]["id"].as_str().expect("an id").to_owned();
    let bob_id = app.graphql("{ users { nodes { username } } }", json!({}), None).await;
    assert_eq!(data(&bob_id)["users"]["nodes"].as_array().expect("a list").len(), 2);
    assert!(
        app.store
            .delete_user(entourage::domain::UserId(2), chrono::DateTime::UNIX_EPOCH)
            .await
            .expect("it works")
    );

    let of_another_type = "Rm9sbG93OjE";
    for id in [&bob, "", "bob", "!!!", of_another_type] {
        for (query, name) in [(FOLLOW, "follow"), (UNFOLLOW, "unfollow")] {
            let response = app.graphql(query, json!({ "user": { "id": id } }), Some(&token)).await;
            let payload = &data(&response)[name];
            let message = "There is no such user.";
            let error = json!({ "code": "NOT_FOUND", "field": ["input", "user", "id"], "message": message });
            assert_eq!(payload["userErrors"], json!([error]), "{id:?}");
            assert_eq!((&payload["outcome"], &payload["user"]), (&Value::Null, &Value::Null));
        }
    }
    for name in ["nobody", "", "not a name", &"x".repeat(1_000)] {
        assert_eq!(
            follow(&app, &token, name).await["userErrors"][0]["code"],
            "NOT_FOUND",
            "{name}"
        );
    }
}

async fn an_unfollow_lowers_both_counts(app: TestApp) {
    draw(&*app.store, "alice -> bob\ncarol -> bob").await;
    let token = app.token("alice", None).await;

    let done = unfollow(&app, &token, "bob").await;

    assert_eq!(done["outcome"], "UNFOLLOWED");
    assert_eq!(done["userErrors"], json!([]));
    assert_eq!(done["user"]["viewerIsFollowing"], false);
    assert_eq!(done["user"]["followers"]["totalCount"], 1);
    assert_eq!(done["viewer"]["user"]["following"]["totalCount"], 0);
}

async fn unfollowing_twice_changes_nothing(app: TestApp) {
    draw(&*app.store, "carol -> bob\nalice").await;
    let token = app.token("alice", None).await;

    let done = unfollow(&app, &token, "bob").await;

    assert_eq!(done["outcome"], "NOT_FOLLOWING");
    assert_eq!(done["userErrors"], json!([]));
    assert_eq!(done["user"]["followers"]["totalCount"], 1);
}

async fn a_second_follow_has_a_new_time(app: TestApp) {
    draw(&*app.store, "alice -> bob").await;
    let token = app.token("alice", None).await;

    unfollow(&app, &token, "bob").await;
    let done = follow(&app, &token, "bob").await;

    assert_eq!(done["outcome"], "FOLLOWED");
    assert_ne!(done["user"]["viewerFollowedAt"], "2025-06-15T15:06:40.000000Z");
}

async fn an_id_does_as_well_as_a_username(app: TestApp) {
    draw(&*app.store, "alice\nbob").await;
    // The test deletes a user behind the server's back, which a cache would not notice.
    let app = TestApp::over(Arc::clone(&app.store), uncached()).await;
    let token = app.token("alice", None).await;
    let bob = app.graphql(r#"{ user(username: "bob") { id } }"#, json!({}), None).await;
    let variables = json!({ "user": { "id": data(&bob)["user"]["id"] } });

    let response = app.graphql(FOLLOW, variables, Some(&token)).await;

    assert_eq!(data(&response)["follow"]["outcome"], "FOLLOWED");
}

async fn of_simultaneous_follows_one_says_followed(app: TestApp) {
    draw(&*app.store, "alice\nbob").await;
    let token = app.token("alice", None).await;

    let all = (0..8).map(|_| follow(&app, &token, "bob"));
    let all = futures_util::future::join_all(all).await;

    let followed = all.iter().filter(|done| done["outcome"] == "FOLLOWED").count();
    let already = all.iter().filter(|done| done["outcome"] == "ALREADY_FOLLOWING").count();
    assert_eq!((followed, already), (1, 7));
    assert_eq!(unfollow(&app, &token, "bob").await["user"]["followers"]["totalCount"], 0);
}

async fn a_field_that_is_spread_twice_runs_once(app: TestApp) {
    draw(&*app.store, "alice\nbob").await;
    let token = app.token("alice", None).await;
    let query = r#"mutation ($yes: Boolean = true) {
        follow(input: { user: { username: "bob" } }) { outcome }
        ... on Mutation { follow(input: { user: { username: "bob" } }) { userErrors { code } } }
        ...F @include(if: $yes) ...F
        follow(input: { user: { username: "bob" } }) @skip(if: $yes) { query { viewer { id } } } }
        fragment F on Mutation { follow(input: { user: { username: "bob" } }) { user { username } } }"#;

    let before = app.statements();
    let response = app.graphql(query, json!({}), Some(&token)).await;

    let expected =
        json!({ "outcome": "FOLLOWED", "userErrors": [], "user": { "username": "bob" } });
    assert_eq!(data(&response)["follow"], expected);
    let to_follow = if app.engine() == Engine::Sqlite { 5 } else { 2 };
    assert_eq!(app.statements() - before, 2 + to_follow, "authentication, target, the follow");
}

async fn a_payload_has_the_root_of_queries_after_the_change(app: TestApp) {
    draw(&*app.store, "alice\nbob").await;
    let token = app.token("alice", None).await;
    let query = r#"mutation { follow(input: { user: { username: "bob" } }) { query {
        viewer { user { followingCount } } user(username: "bob") { followerCount } } } }"#;
    let response = app.graphql(query, json!({}), Some(&token)).await;
    let expected = json!({ "query": { "viewer": { "user": { "followingCount": 1 } },
        "user": { "followerCount": 1 } } });
    assert_eq!(data(&response)["follow"], expected);

    let query = r#"mutation { unfollow(input: { user: { username: "bob" } }) {
        query { __type(name: "User") { name } } } }"#;
    let response = app.graphql(query, json!({}), Some(&token)).await;
    assert_eq!(super::code(&response), "BAD_USER_INPUT");

    let query = "mutation { deleteAccount(input: {}) { query { viewer { id } } } }";
    let response = app.graphql(query, json!({}), Some(&token)).await;
    assert_eq!(data(&response)["deleteAccount"], json!({ "query": { "viewer": null } }));
}

async fn a_deleted_viewer_is_unauthenticated_at_once(app: TestApp) {
    draw(&*app.store, "alice\nbob").await;
    let token = app.token("alice", None).await;
    let query = r#"mutation { deleteAccount(input: {}) { deletedUserId }
        follow(input: { user: { username: "bob" } }) { outcome userErrors { code } } }"#;

    let response = app.graphql(query, json!({}), Some(&token)).await;

    assert!(response["data"]["deleteAccount"]["deletedUserId"].is_string());
    assert_eq!(response["data"]["follow"], Value::Null);
    assert_eq!(super::code(&response), "UNAUTHENTICATED");
}
