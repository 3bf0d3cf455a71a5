//! Accounts: signing up and in, profiles, and leaving.

use std::sync::Arc;

use entourage::app::Settings;
use serde_json::{Value, json};

use super::{code, data, on_both_engines};
use crate::support::{
    app::{TestApp, settings},
    clock::Stopped,
    database::{Database, Engine},
    graph::{beginning, draw},
};

on_both_engines! {
    signing_up_gives_a_token_that_works,
    a_username_is_taken_in_whatever_case,
    a_username_with_dots_and_hyphens_is_found_followed_and_paged_past,
    a_field_that_breaks_a_rule_has_a_code,
    a_form_has_all_its_errors_at_once,
    signing_in_takes_the_right_password,
    a_profile_keeps_what_is_left_out_or_refused,
    deleting_an_account_takes_its_edges_and_its_token,
}

const SIGN_UP: &str = "mutation ($in: SignUpInput!) { signUp(input: $in) { token
    userErrors { code field } viewer { user { username name } role { name } permissions } } }";
const SIGN_IN: &str = "mutation ($in: SignInInput!) { signIn(input: $in) { token
    userErrors { code field message } viewer { user { username } } } }";
const PASSWORD: &str = "correct horse";

async fn sign_up(app: &TestApp, username: &str) -> Value {
    let input = json!({ "username": username, "password": PASSWORD, "name": "Somebody" });
    data(&app.graphql(SIGN_UP, json!({ "in": input }), None).await)["signUp"].clone()
}

async fn signing_up_gives_a_token_that_works(app: TestApp) {
    let signed_up = sign_up(&app, "Alice").await;
    let viewer = json!({ "user": { "username": "Alice", "name": "Somebody" },
        "role": { "name": "user" }, "permissions": ["FOLLOW"] });
    assert_eq!(signed_up["viewer"], viewer);
    assert_eq!(signed_up["userErrors"], json!([]));

    let token = signed_up["token"].as_str().expect("a token");
    let response = app.graphql("{ viewer { user { username } } }", json!({}), Some(token)).await;
    assert_eq!(data(&response)["viewer"]["user"]["username"], "Alice");
}

async fn a_username_is_taken_in_whatever_case(app: TestApp) {
    sign_up(&app, "alice").await;
    let taken = sign_up(&app, "ALICE").await;
    let error = json!({ "code": "TAKEN", "field": ["input", "username"] });
    assert_eq!(taken, json!({ "token": null, "userErrors": [error], "viewer": null }));
}

async fn a_username_with_dots_and_hyphens_is_found_followed_and_paged_past(app: TestApp) {
    let names = ["_a", "ann", "ann-lee", "ann.b-c.", "ann_lee"];
    for name in names {
        assert_eq!(sign_up(&app, name).await["userErrors"], json!([]), "{name}");
    }
    let query = "query ($after: String) { users(first: 1, after: $after) {
        nodes { username } pageInfo { endCursor hasNextPage } } }";
    let (mut listed, mut after) = (Vec::new(), Value::Null);
    loop {
        let response = app.graphql(query, json!({ "after": after }), None).await;
        let users = &data(&response)["users"];
        listed.push(users["nodes"][0]["username"].as_str().expect("a user").to_owned());
        after = users["pageInfo"]["endCursor"].clone();
        if users["pageInfo"]["hasNextPage"] == false {
            break;
        }
    }
    // In the order of their bytes.
    assert_eq!(listed, ["_a", "ann", "ann-lee", "ann.b-c.", "ann_lee"]);

    let ann = app.token("ann", None).await;
    let follow = "mutation ($name: String!) {
        follow(input: { user: { username: $name } }) { outcome } }";
    let search = "query ($text: String!) { users(query: $text) { nodes { username } } }";
    let found = async |text: &str| {
        let response = app.graphql(search, json!({ "text": text }), None).await;
        let nodes = data(&response)["users"]["nodes"].as_array().expect("a list").clone();
        nodes.iter().map(|user| user["username"].as_str().expect("one").to_owned()).collect()
    };
    for name in ["ann-lee", "ann.b-c.", "ann_lee"] {
        let response = app.graphql(follow, json!({ "name": format!("@{name}") }), Some(&ann)).await;
        assert_eq!(data(&response)["follow"]["outcome"], "FOLLOWED", "{name}");
        let found: Vec<String> = found(name).await;
        assert!(found.contains(&name.to_owned()), "{name}: {found:?}");
    }
    let by_words: [Vec<String>; 2] = [found("lee").await, found("c b").await];
    assert_eq!(by_words, [vec!["ann-lee".to_owned()], vec!["ann.b-c.".to_owned()]]);
}

async fn a_field_that_breaks_a_rule_has_a_code(app: TestApp) {
    for (input, code, field) in [
        (json!({ "username": "", "password": PASSWORD }), "TOO_SHORT", "username"),
        (json!({ "username": "a b", "password": PASSWORD }), "INVALID", "username"),
        (json!({ "username": "a\0", "password": PASSWORD }), "INVALID", "username"),
        (json!({ "username": "x".repeat(65), "password": PASSWORD }), "TOO_LONG", "username"),
        (json!({ "username": "bob", "password": "short" }), "TOO_SHORT", "password"),
        (json!({ "username": "bob", "password": "x".repeat(257) }), "TOO_LONG", "password"),
        (json!({ "username": "bob", "password": "long enough\0" }), "INVALID", "password"),
        (json!({ "username": "bob", "password": PASSWORD, "name": " " }), "TOO_SHORT", "name"),
        (json!({ "username": "bob", "password": PASSWORD, "name": "a\u{7}" }), "INVALID", "name"),
        (
            json!({ "username": "bob", "password": PASSWORD, "name": "x".repeat(101) }),
            "TOO_LONG",
            "name",
        ),
    ] {
        let response = app.graphql(SIGN_UP, json!({ "in": input }), None).await;
        let error = json!({ "code": code, "field": ["input", field] });
        let payload = json!({ "token": null, "userErrors": [error], "viewer": null });
        assert_eq!(data(&response)["signUp"], payload, "{input}");
    }
    let nobody = app.graphql("{ users { totalCount } }", json!({}), None).await;
    assert_eq!(data(&nobody)["users"]["totalCount"], 0);
}

async fn a_form_has_all_its_errors_at_once(app: TestApp) {
    sign_up(&app, "alice").await;
    let query = "mutation ($in: SignUpInput!) { signUp(input: $in) {
        userErrors { code field message } } }";
    let error = |code: &str, field: &str, message: &str| json!({ "code": code, "field": ["input", field], "message": message });
    let name = error("TOO_LONG", "name", "The name must have at most 100 characters.");
    let short = "The password must have at least 8 characters.";
    let password = error("TOO_SHORT", "password", short);
    let rule =
        "The username must be 1 to 64 of a-z, A-Z, 0-9, _, . and -, and not begin with . or -.";

    for (username, first) in [
        ("a!", error("INVALID", "username", rule)),
        ("ALICE", error("TAKEN", "username", "That username is taken.")),
    ] {
        let input = json!({ "username": username, "password": "x", "name": "x".repeat(101) });
        let response = app.graphql(query, json!({ "in": input }), None).await;
        let expected = json!([first, name, password]);
        assert_eq!(data(&response)["signUp"]["userErrors"], expected);
    }
}

async fn signing_in_takes_the_right_password(app: TestApp) {
    sign_up(&app, "alice").await;
    draw(&*app.store, "without_password").await;

    let sign_in = async |username: &str, password: &str| {
        let input = json!({ "username": username, "password": password });
        data(&app.graphql(SIGN_IN, json!({ "in": input }), None).await)["signIn"].clone()
    };
    let right = sign_in("aLiCe", PASSWORD).await;
    assert_eq!(right["viewer"]["user"]["username"], "alice");
    assert!(right["token"].is_string());

    let wrong = json!({ "code": "WRONG_CREDENTIALS", "field": null, "message": "Wrong username or password." });
    let wrong = json!({ "token": null, "userErrors": [wrong], "viewer": null });
    let long = "x".repeat(10_000);
    for (username, password) in [
        ("alice", "wrong horse"),
        ("alice", ""),
        ("alice", &long),
        ("nobody", PASSWORD),
        ("nobody", "decoy password"),
        ("without_password", "decoy password"),
        ("not a name", PASSWORD),
        ("without_password", ""),
        ("without_password", "nobody has this one"),
    ] {
        assert_eq!(sign_in(username, password).await, wrong, "{username}");
    }
}

async fn a_profile_keeps_what_is_left_out_or_refused(app: TestApp) {
    let token = app.sign_up("alice").await;
    let update = async |input: Value| {
        let query = "mutation ($in: UpdateProfileInput!) { updateProfile(input: $in) {
            user { name bio avatarUrl } userErrors { code field message } } }";
        app.graphql(query, json!({ "in": input }), Some(&token)).await
    };

    let url = "https://example.com/a.png";
    let all = update(json!({ "name": "Alice", "bio": "Hello\nthere", "avatarUrl": url })).await;
    let expected = json!({ "name": "Alice", "bio": "Hello\nthere", "avatarUrl": url });
    assert_eq!(data(&all)["updateProfile"]["user"], expected);

    let one = update(json!({ "bio": null })).await;
    let expected = json!({ "name": "Alice", "bio": null, "avatarUrl": url });
    assert_eq!(data(&one)["updateProfile"]["user"], expected);

    let bad = json!({ "name": "", "bio": "x".repeat(501), "avatarUrl": "javascript:alert(1)" });
    let refused = update(bad).await;
    let error = |code: &str, field: &str, message: &str| json!({ "code": code, "field": ["input", field], "message": message });
    let url = "The URL of the picture must be an absolute http or https URL.";
    let expected = json!([
        error("TOO_SHORT", "name", "The name must not be blank."),
        error("TOO_LONG", "bio", "The bio must have at most 500 characters."),
        error("INVALID", "avatarUrl", url),
    ]);
    assert_eq!(data(&refused)["updateProfile"]["userErrors"], expected);
    let one_bad = update(json!({ "name": "a\0", "bio": "not stored" })).await;
    assert_eq!(data(&one_bad)["updateProfile"]["userErrors"][0]["code"], "INVALID");
    let after = update(json!({})).await;
    assert_eq!(data(&after)["updateProfile"]["user"]["bio"], Value::Null, "nothing was changed");
}

async fn deleting_an_account_takes_its_edges_and_its_token(app: TestApp) {
    let token = sign_up(&app, "leaver").await["token"].as_str().expect("a token").to_owned();
    for (follower, followee) in [("leaver", "bob"), ("bob", "leaver")] {
        if follower == "leaver" {
            app.sign_up("bob").await;
        }
        let token = app.token(follower, None).await;
        let query = "mutation ($name: String!) { follow(input: { user: { username: $name } }) { outcome } }";
        let response = app.graphql(query, json!({ "name": followee }), Some(&token)).await;
        assert_eq!(data(&response)["follow"]["outcome"], "FOLLOWED");
    }
    let delete = async |password: Value| {
        let query = "mutation ($in: DeleteAccountInput!) { deleteAccount(input: $in) {
            deletedUserId userErrors { code field } } }";
        let variables = json!({ "in": { "password": password } });
        data(&app.graphql(query, variables, Some(&token)).await)["deleteAccount"].clone()
    };

    for wrong in [json!("wrong horse"), Value::Null] {
        let error = json!({ "code": "WRONG_PASSWORD", "field": ["input", "password"] });
        assert_eq!(delete(wrong).await, json!({ "deletedUserId": null, "userErrors": [error] }));
    }
    assert!(delete(json!(PASSWORD)).await["deletedUserId"].is_string());

    let bob = r#"{ user(username: "bob") { followers { totalCount } following { totalCount } } }"#;
    let bob = app.graphql(bob, json!({}), None).await;
    let expected = json!({ "followers": { "totalCount": 0 }, "following": { "totalCount": 0 } });
    assert_eq!(data(&bob)["user"], expected);
    let gone = app.post(json!({ "query": "{ viewer { user { id } } }" }).to_string());
    let gone = gone.bearer_auth(&token).send().await.expect("the server answers");
    assert_eq!(gone.status(), 401);
}

#[tokio::test]
async fn a_closed_server_has_no_sign_up() {
    let closed = Settings { sign_up: false, ..settings() };
    let app = TestApp::on(Database::migrated(Engine::Sqlite).await, closed).await;

    let input = json!({ "username": "alice", "password": PASSWORD });
    let response = app.graphql(SIGN_UP, json!({ "in": input }), None).await;
    let codes = response["errors"].as_array().expect("errors").iter();
    assert!(codes.clone().all(|error| error["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"));

    let query = r#"{ __type(name: "Mutation") { fields { name } } }"#;
    let names = data(&app.graphql(query, json!({}), None).await)["__type"]["fields"].to_string();
    assert!(names.contains("signOutEverywhere"), "{names}");
    for hidden in ["signUp", "signIn", "changePassword"] {
        assert!(!names.contains(hidden), "{names}");
    }
    let sdl = reqwest::get(app.url("/schema.graphql")).await.expect("it answers");
    assert!(!sdl.text().await.expect("text").contains("SignUp"));
}

#[tokio::test]
async fn attempts_to_sign_in_are_limited() {
    let clock = Arc::new(Stopped(beginning()));
    let app = TestApp::with(Settings { rate_limits: true, clock, ..settings() }).await;
    let attempt = async |username: &str| {
        let input = json!({ "username": username, "password": "wrong horse" });
        app.graphql(SIGN_IN, json!({ "in": input }), None).await
    };

    for _ in 0..10 {
        let response = attempt("alice").await;
        assert_eq!(data(&response)["signIn"]["userErrors"][0]["code"], "WRONG_CREDENTIALS");
    }
    let limited = attempt("alice").await;
    assert_eq!(code(&limited), "RATE_LIMITED");
    assert_eq!(limited["errors"][0]["extensions"]["retryAfter"], 6);

    for _ in 11..30 {
        assert_eq!(attempt("not a name").await.get("errors"), None);
    }
    assert_eq!(code(&attempt("not a name").await), "RATE_LIMITED", "the address is counted");
    let input = json!({ "username": "bob", "password": PASSWORD });
    let sign_up = app.graphql(SIGN_UP, json!({ "in": input }), None).await;
    assert_eq!(code(&sign_up), "RATE_LIMITED", "so are its sign-ups");
}
