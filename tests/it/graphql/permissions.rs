//! Who may do what: the guard, the flags and the directive say the same.

use serde_json::{Value, json};

use super::{code, data, on_both_engines};
use crate::support::{admin::give_role, app::TestApp, graph::draw};

on_both_engines! {
    without_a_token_a_change_is_unauthenticated,
    a_restricted_role_is_forbidden_and_nothing_runs,
    a_scope_narrows_the_role_and_never_widens_it,
    a_revoked_role_counts_at_once,
    the_flags_say_what_the_mutation_does,
    a_forbidden_field_stops_the_whole_operation,
    the_viewer_sees_role_and_permissions,
}

const FOLLOW: &str = r#"mutation { follow(input: { user: { username: "bob" } }) { outcome } }"#;

async fn role(app: &TestApp, id: i64, role: &str) {
    give_role(&*app.store, entourage::domain::UserId(id), role).await;
}

async fn without_a_token_a_change_is_unauthenticated(app: TestApp) {
    draw(&*app.store, "alice\nbob").await;
    let before = app.statements();
    for change in [
        FOLLOW,
        r#"mutation { unfollow(input: { user: { username: "bob" } }) { outcome } }"#,
        r#"mutation { updateProfile(input: { name: "x" }) { user { name } } }"#,
        "mutation { deleteAccount(input: {}) { deletedUserId } }",
        "mutation { signOutEverywhere { userErrors { code } } }",
        r#"mutation { changePassword(input: { currentPassword: "a", newPassword: "b" }) { token } }"#,
    ] {
        let response = app.graphql(change, json!({}), None).await;
        assert_eq!(code(&response), "UNAUTHENTICATED", "{change}");
        assert_eq!(response.get("data"), None);
    }
    assert_eq!(app.statements(), before, "nothing ran");
}

async fn a_restricted_role_is_forbidden_and_nothing_runs(app: TestApp) {
    draw(&*app.store, "alice\nbob").await;
    role(&app, 1, "restricted").await;
    let token = app.token("alice", None).await;

    let before = app.statements();
    let response = app.graphql(FOLLOW, json!({}), Some(&token)).await;

    assert_eq!(code(&response), "FORBIDDEN");
    assert_eq!(response["errors"][0]["extensions"]["requiredPermissions"], json!(["FOLLOW"]));
    assert_eq!(response.get("data"), None);
    assert_eq!(app.statements() - before, 1, "authentication alone");
}

async fn a_scope_narrows_the_role_and_never_widens_it(app: TestApp) {
    draw(&*app.store, "alice\nbob").await;
    for scope in ["", "read", "admin", "followers"] {
        let token = app.token("alice", Some(scope)).await;
        assert_eq!(
            code(&app.graphql(FOLLOW, json!({}), Some(&token)).await),
            "FORBIDDEN",
            "{scope}"
        );
    }
    role(&app, 1, "restricted").await;
    let token = app.token("alice", Some("follow")).await;
    assert_eq!(code(&app.graphql(FOLLOW, json!({}), Some(&token)).await), "FORBIDDEN");

    role(&app, 1, "user").await;
    let response = app.graphql(FOLLOW, json!({}), Some(&token)).await;
    assert_eq!(data(&response)["follow"]["outcome"], "FOLLOWED");
}

async fn a_revoked_role_counts_at_once(app: TestApp) {
    draw(&*app.store, "alice\nbob").await;
    let token = app.token("alice", None).await;

    let first = app.graphql(FOLLOW, json!({}), Some(&token)).await;
    role(&app, 1, "restricted").await;
    let second = app.graphql(FOLLOW, json!({}), Some(&token)).await;

    assert_eq!(data(&first)["follow"]["outcome"], "FOLLOWED");
    assert_eq!(code(&second), "FORBIDDEN");
}

async fn the_flags_say_what_the_mutation_does(app: TestApp) {
    draw(&*app.store, "alice -> bob\nbob -> alice\ncarol").await;
    let query = "{ users { nodes { username isViewer viewerCanFollow viewerCannotFollowReasons
        viewerIsFollowing viewerFollowedAt isFollowingViewer } } }";
    let flags = |response: &Value, user: usize| {
        let node = &data(response)["users"]["nodes"][user];
        json!([
            node["isViewer"],
            node["viewerCanFollow"],
            node["viewerCannotFollowReasons"],
            node["viewerIsFollowing"],
            node["viewerFollowedAt"],
            node["isFollowingViewer"]
        ])
    };

    let signed_out = app.graphql(query, json!({}), None).await;
    let unauthenticated = json!([false, false, ["UNAUTHENTICATED"], false, null, false]);
    for user in 0..3 {
        assert_eq!(flags(&signed_out, user), unauthenticated);
    }

    let token = app.token("alice", None).await;
    let signed_in = app.graphql(query, json!({}), Some(&token)).await;
    assert_eq!(flags(&signed_in, 0), json!([true, false, ["YOURSELF"], false, null, false]));
    let since = "2025-06-15T15:06:40.000000Z";
    assert_eq!(flags(&signed_in, 1), json!([false, true, [], true, since, true]));
    assert_eq!(flags(&signed_in, 2), json!([false, true, [], false, null, false]));

    role(&app, 1, "restricted").await;
    let restricted = app.graphql(query, json!({}), Some(&token)).await;
    let reasons = json!([true, false, ["MISSING_PERMISSION", "YOURSELF"], false, null, false]);
    assert_eq!(flags(&restricted, 0), reasons);
    assert_eq!(
        flags(&restricted, 2),
        json!([false, false, ["MISSING_PERMISSION"], false, null, false])
    );
}

async fn a_forbidden_field_stops_the_whole_operation(app: TestApp) {
    draw(&*app.store, "alice\nbob").await;
    let token = app.token("alice", Some("")).await;
    let query = r#"mutation { updateProfile(input: { name: "New" }) { user { name } }
        ...F } fragment F on Mutation { follow(input: { user: { username: "bob" } }) { outcome } }"#;

    let response = app.graphql(query, json!({}), Some(&token)).await;
    assert_eq!(code(&response), "FORBIDDEN");

    let alice = app.graphql(r#"{ user(username: "alice") { name } }"#, json!({}), None).await;
    assert_eq!(data(&alice)["user"]["name"], Value::Null, "nothing ran");
}

async fn the_viewer_sees_role_and_permissions(app: TestApp) {
    draw(&*app.store, "alice\nbob").await;
    role(&app, 1, "moderator").await;
    let query = "{ viewer { user { username } role { name permissions } permissions } }";

    let token = app.token("alice", None).await;
    let whole = app.graphql(query, json!({}), Some(&token)).await;
    let expected = json!({ "user": { "username": "alice" },
        "role": { "name": "moderator", "permissions": ["FOLLOW", "MODERATE"] },
        "permissions": ["FOLLOW", "MODERATE"] });
    assert_eq!(data(&whole)["viewer"], expected);

    let token = app.token("alice", Some("follow")).await;
    let narrowed = app.graphql(query, json!({}), Some(&token)).await;
    assert_eq!(data(&narrowed)["viewer"]["permissions"], json!(["FOLLOW"]));
    assert_eq!(data(&app.graphql(query, json!({}), None).await)["viewer"], Value::Null);
}
