//! Texts as people type them on other systems, and what is stored and found.

use serde_json::{Value, json};

use super::{data, on_both_engines};
use crate::support::app::TestApp;

on_both_engines! {
    a_profile_is_stored_as_it_was_meant,
    a_user_is_found_as_people_write_the_username,
    a_new_username_is_trimmed_and_otherwise_taken_literally,
    a_password_is_the_same_from_every_keyboard,
}

async fn sign(app: &TestApp, field: &str, username: &str, password: &str) -> Option<String> {
    let ty = field.replace("sign", "Sign");
    let query = format!("mutation($in: {ty}Input!) {{ {field}(input: $in) {{ token }} }}");
    let input = json!({ "username": username, "password": password });
    let reply = app.graphql(&query, json!({ "in": input }), None).await;
    reply["data"][field]["token"].as_str().map(str::to_owned)
}

async fn a_profile_is_stored_as_it_was_meant(app: TestApp) {
    let token = app.sign_up("alice").await;
    let update = "mutation($in: UpdateProfileInput!) { updateProfile(input: $in) {
        user { name bio avatarUrl } } }";
    for (field, typed, meant) in [
        ("bio", "one\r\ntwo\rthree\u{2028}four\tfive", "one\ntwo\nthree\nfour\tfive"),
        ("bio", "Rene\u{301}", "Ren\u{e9}"),
        ("name", "\u{feff}Ada\u{a0}Lovelace \r\n", "Ada Lovelace"),
        ("name", "Ada\tLovelace", "Ada Lovelace"),
        ("name", "Rene\u{301}", "Ren\u{e9}"),
    ] {
        let mut input = serde_json::Map::new();
        input.insert(field.to_owned(), typed.into());
        let reply = app.graphql(update, json!({ "in": input }), Some(&token)).await;
        assert_eq!(data(&reply)["updateProfile"]["user"][field], meant, "{typed:?}");
        let query = format!("{{ user(username: \"alice\") {{ {field} }} }}");
        let reply = app.graphql(&query, json!({}), None).await;
        assert_eq!(data(&reply)["user"][field], meant, "{typed:?}");
    }
}

async fn a_user_is_found_as_people_write_the_username(app: TestApp) {
    app.sign_up("Alice").await;
    let bob = app.sign_up("bob").await;
    let query = "query($name: String!) {
        user(username: $name) { username } users(query: $name) { totalCount } }";
    let follow = "mutation($name: String!) {
        follow(input: {user: {username: $name}}) { user { username } } }";

    for typed in ["alice", " @alice", "ALICE\n", "\u{a0}alice", "ａｌｉｃｅ", "＠Ａｌｉｃｅ"]
    {
        let variables = json!({ "name": typed });
        let reply = app.graphql(query, variables.clone(), None).await;
        let expected = json!({ "user": { "username": "Alice" }, "users": { "totalCount": 1 } });
        assert_eq!(*data(&reply), expected, "{typed:?}");
        let reply = app.graphql(follow, variables, Some(&bob)).await;
        assert_eq!(data(&reply)["follow"]["user"]["username"], "Alice", "{typed:?}");
    }
    for typed in ["@@alice", "al ice", "alice!", "@"] {
        let reply = app.graphql(query, json!({ "name": typed }), None).await;
        assert_eq!(data(&reply)["user"], Value::Null, "{typed:?}");
    }
}

async fn a_new_username_is_trimmed_and_otherwise_taken_literally(app: TestApp) {
    const PASSWORD: &str = "correct horse";
    assert!(sign(&app, "signUp", " alice\u{a0}", PASSWORD).await.is_some());
    for typed in ["alice", "@alice ", "ＡＬＩＣＥ"] {
        assert!(sign(&app, "signIn", typed, PASSWORD).await.is_some(), "{typed}");
    }
    for typed in ["@bob", "ｂｏｂ", "b ob"] {
        assert_eq!(sign(&app, "signUp", typed, PASSWORD).await, None, "{typed}");
    }
}

async fn a_password_is_the_same_from_every_keyboard(app: TestApp) {
    assert!(sign(&app, "signUp", "alice", "caf\u{e9} cr\u{e8}me").await.is_some());
    for typed in ["cafe\u{301} cre\u{300}me", "caf\u{e9}\u{a0}cr\u{e8}me"] {
        assert!(sign(&app, "signIn", "alice", typed).await.is_some(), "{typed:?}");
    }
    for wrong in ["cafe creme", "caf\u{e9} cr\u{e8}me "] {
        assert_eq!(sign(&app, "signIn", "alice", wrong).await, None, "{wrong:?}");
    }
}
