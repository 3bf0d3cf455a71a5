//! Documents are cached by their text: each request is still answered with its own variables.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{code, data};
use crate::support::{
    app::{TestApp, settings},
    graph::draw,
};

/// Sends requests with one document, all of them twice, and compares each answer with that of a
/// server that has not cached the document. Returns the answers. The requests must change nothing.
async fn compare(document: &str, requests: impl IntoIterator<Item = Value>) -> Vec<Value> {
    let warm = TestApp::start().await;
    draw(&*warm.store, "ann -> bob cid\nbob -> ann\ncid -> ann bob\ndan ->").await;
    let token = warm.token("ann", None).await;
    let requests = requests.into_iter().map(|variables| {
        json!({ "query": document, "variables": variables, "extensions": { "cost": true } })
    });
    let requests: Vec<_> = requests.map(|request| request.to_string()).collect();

    let mut answers = Vec::new();
    for request in [&requests[..], &requests].concat() {
        let ask = async |app: &TestApp| {
            let answer = app.post(request.clone()).bearer_auth(&token).send().await;
            let answer: Value = answer.expect("it answers").json().await.expect("JSON");
            answer
        };
        let cold = TestApp::over(Arc::clone(&warm.store), settings()).await;
        let answer = ask(&warm).await;
        assert_eq!(answer, ask(&cold).await, "{request}");
        answers.push(answer);
    }
    answers.truncate(requests.len());
    answers
}

/// How many of the answers have no error.
fn good(answers: &[Value]) -> usize {
    answers.iter().filter(|answer| answer.get("errors").is_none()).count()
}

#[tokio::test]
async fn each_request_is_answered_with_its_own_texts() {
    let document = "query ($name: String!) { user(username: $name) { username } }";
    let names = ["ann", "bob", "nobody", "cid"];
    let answers = compare(document, names.map(|name| json!({ "name": name }))).await;
    let found: Vec<_> = answers.iter().map(|answer| &data(answer)["user"]["username"]).collect();
    assert_eq!(json!(found), json!(["ann", "bob", null, "cid"]));
}

#[tokio::test]
async fn a_text_that_does_not_fit_is_refused_after_one_that_did() {
    let name = "query ($name: String!) { user(username: $name) { username } }";
    let names = [json!("ann"), json!("a\0"), json!(null), json!(1), json!(["ann"]), json!("bob")];
    let answers = compare(name, names.map(|name| json!({ "name": name }))).await;
    assert_eq!(good(&answers), 2);

    let change = "mutation ($user: UserRef!) { unfollow(input: { user: $user }) { outcome } }";
    let users = [
        json!({ "username": "dan" }),
        json!({ "username": "dan", "id": "a" }),
        json!({ "username": null }),
        json!({ "username": "d\0" }),
        json!({}),
        json!({ "id": "nothing" }),
        json!({ "username": "dan" }),
    ];
    let answers = compare(change, users.map(|user| json!({ "user": user }))).await;
    assert_eq!(good(&answers), 3, "{answers:?}");
}

#[tokio::test]
async fn a_default_replaces_a_missing_variable_but_not_null() {
    let document = r#"query ($name: String = "bob", $size: Int = 20) {
        user(username: $name) { username followers(first: $size) { nodes { id } } } }"#;
    let sizes = [json!({ "size": 20 }), json!({ "size": 30 }), json!({ "size": 5_000 })];
    let names = [json!({}), json!({ "name": "ann" }), json!({ "name": null }), json!({})];
    assert_eq!(good(&compare(document, names.into_iter().chain(sizes)).await), 5);
}

#[tokio::test]
async fn variables_are_filled_in_at_any_depth() {
    let change = "mutation ($name: String!, $bio: String) { \
        unfollow(input: { user: { username: $name } }) { outcome } \
        updateProfile(input: { bio: $bio }) { user { bio } } }";
    let requests = [
        json!({ "name": "dan", "bio": "one" }),
        json!({ "name": "dan", "bio": "two" }),
        json!({ "name": "dan" }),
        json!({ "name": "dan", "bio": null }),
    ];
    let answers = compare(change, requests).await;
    let bios = answers.iter().map(|answer| &data(answer)["updateProfile"]["user"]["bio"]);
    assert_eq!(json!(bios.collect::<Vec<_>>()), json!(["one", "two", "two", null]));

    let users = "{ ann: user(username: \"ann\") { id } bob: user(username: \"bob\") { id } }";
    let users = compare(users, [json!({})]).await;
    let [ann, bob] = ["ann", "bob"].map(|name| &data(&users[0])[name]["id"]);
    let list = "query ($a: ID!, $b: ID!) { nodes(ids: [$a, \"no id\", $b]) { id } }";
    let requests = [
        json!({ "a": ann, "b": bob }),
        json!({ "a": bob, "b": ann }),
        json!({ "a": 99_999_999_999_i64, "b": ann }),
    ];
    let answers = compare(list, requests).await;
    let expected = [
        json!([{ "id": ann }, null, { "id": bob }]),
        json!([{ "id": bob }, null, { "id": ann }]),
        json!([null, null, { "id": ann }]),
    ];
    for (answer, expected) in answers.iter().zip(expected) {
        assert_eq!(data(answer)["nodes"], expected);
    }
}

#[tokio::test]
async fn permissions_are_checked_for_each_caller() {
    let app = TestApp::start().await;
    let (ann, _) = (app.sign_up("ann").await, app.sign_up("bob").await);
    let reader = app.token("ann", Some("")).await;
    let change = "mutation ($name: String!) { \
        follow(input: { user: { username: $name } }) { outcome } }";
    let variables = json!({ "name": "bob" });
    for _ in 0..2 {
        let followed = app.graphql(change, variables.clone(), Some(&ann)).await;
        assert!(data(&followed)["follow"]["outcome"].is_string(), "{followed}");
        let nobody = app.graphql(change, variables.clone(), None).await;
        assert_eq!(code(&nobody), "UNAUTHENTICATED");
        let narrow = app.graphql(change, variables.clone(), Some(&reader)).await;
        assert_eq!(code(&narrow), "FORBIDDEN");
    }
}

#[tokio::test]
async fn each_request_gets_its_own_page() {
    let document = "query ($n: Int, $after: String, $order: FollowOrder) { \
        user(username: \"cid\") { following(first: $n, after: $after, orderBy: $order) { \
            edges { cursor node { username } } } } }";
    let order = |direction| json!({ "order": { "field": "FOLLOWED_AT", "direction": direction } });
    let first = compare(document, [json!({ "n": 1 })]).await;
    let cursor = &data(&first[0])["user"]["following"]["edges"][0]["cursor"];
    let requests = [
        json!({ "n": 1, "after": null }),
        json!({ "n": 1, "after": cursor }),
        json!({ "n": 1, "after": "" }),
        json!({ "n": 2 }),
        json!({ "n": 0 }),
        json!({ "n": -1 }),
        json!({ "n": 101 }),
        json!({}),
        order("ASC"),
        order("DESC"),
    ];
    let answers = compare(document, requests).await;
    assert_eq!(good(&answers), 7, "{answers:?}");
    assert_ne!(data(&answers[8]), data(&answers[9]));
}

#[tokio::test]
async fn each_request_decides_which_fields_are_skipped() {
    let document = "query ($if: Boolean! = true, $name: String!) { \
        user(username: $name) { username name @include(if: $if) } \
        users @skip(if: $if) { totalCount } }";
    let requests = [
        json!({ "if": true, "name": "ann" }),
        json!({ "if": false, "name": "ann" }),
        json!({ "if": null, "name": "ann" }),
        json!({ "name": "bob" }),
    ];
    assert_eq!(good(&compare(document, requests).await), 3);
}

#[tokio::test]
async fn each_request_costs_what_its_variables_ask_for() {
    let document = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }";
    let requests = [1, 2, 101].map(|n| json!({ "ids": vec!["a"; n] }));
    let answers = compare(document, requests).await;
    let costs: Vec<_> = answers.iter().map(|answer| &answer["extensions"]["cost"]).collect();
    assert_ne!(costs[0], costs[1]);
    assert_eq!(good(&answers), 2);
}

#[tokio::test]
async fn operations_of_one_document_are_kept_apart() {
    let app = TestApp::start().await;
    draw(&*app.store, "ann ->\nbob ->").await;
    let query = "query A($name: String!) { user(username: $name) { username } } \
                 query B($name: String!) { user(username: $name) { followers { totalCount } } }";
    for (operation, name, expected) in [
        ("A", "ann", json!({ "username": "ann" })),
        ("B", "ann", json!({ "followers": { "totalCount": 0 } })),
        ("A", "bob", json!({ "username": "bob" })),
        ("B", "bob", json!({ "followers": { "totalCount": 0 } })),
    ] {
        let request = json!({
            "query": query, "operationName": operation, "variables": { "name": name },
        });
        let answer = app.post(request.to_string()).send().await.expect("it answers");
        let answer: Value = answer.json().await.expect("JSON");
        assert_eq!(data(&answer)["user"], expected, "{operation} {name}");
    }
}
