//! Documents as the specification allows and forbids them, where parsers and validators were found
//! to differ from it, and the documents of the playground.

use std::{fs, path::Path};

use reqwest::header::ACCEPT;
use serde_json::{Value, json};

use super::{code, data};
use crate::support::{admin::give_role, app::TestApp, graph::draw};

#[tokio::test]
async fn every_document_of_the_playground_runs_as_it_is() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("playground/documents");
    let mut seen = 0;
    for file in fs::read_dir(folder).expect("the folder is there") {
        let document = fs::read_to_string(file.expect("a file").path()).expect("text");
        // A graph for each: some delete the account or revoke its tokens.
        let app = TestApp::start().await;
        let users = draw(&*app.store, "ada\nemily").await;
        give_role(&*app.store, users["emily"], "admin").await;
        let token = app.token("emily", None).await;
        if document.contains("\nsubscription ") {
            assert_streams(&app, &document, &token).await;
        } else {
            let response = app.graphql(&document, json!({}), Some(&token)).await;
            assert!(data(&response).is_object() && response.get("errors").is_none(), "{response}");
        }
        seen += 1;
    }
    assert_eq!(seen, 28);
}

/// Opens a stream where the log ends, has ada follow emily, and reads the event.
async fn assert_streams(app: &TestApp, document: &str, token: &str) {
    let end = "{ viewer { latestEventCursor } }";
    let end = app.graphql(end, json!({}), Some(token)).await;
    let after = &data(&end)["viewer"]["latestEventCursor"];
    let body = json!({ "query": document, "variables": { "after": after } }).to_string();
    let request = app.post(body).bearer_auth(token).header(ACCEPT, "text/event-stream");
    let mut stream = request.send().await.expect("answered");

    let follow = r#"mutation { follow(input: { user: { username: "emily" } }) { outcome } }"#;
    let ada = app.token("ada", None).await;
    app.graphql(follow, json!({}), Some(&ada)).await;
    let mut text = String::new();
    while !text.contains("\n\n") {
        let chunk = stream.chunk().await.expect("a chunk").expect("no end");
        text += &String::from_utf8_lossy(&chunk);
    }
    assert!(text.contains(r#""data":{"followEvents":{"#), "{text}");
}

#[tokio::test]
async fn ignored_tokens_are_ignored() {
    let app = TestApp::start().await;
    for document in [
        "\u{feff}{ __typename }",
        "{,...,{,__typename,},}",
        "{ ... # a comment\n{ __typename } }",
        "{ ...on#\nQuery{ __typename } }",
        "{ __typename # a comment\r}",
        "{ __typename\r\n,, , }",
        "{ a\n,:,__typename nodes(ids:,[,]),{,id,} }",
        "query ( $ a : [ ID\n! ] ! = [ ] ) { nodes ( ids : $ a ) { id } __typename }",
        "\"It asks.\" query A { ...F } \"\"\"It is asked.\"\"\" fragment F on Query { __typename }",
    ] {
        let response = app.graphql(document, json!({}), None).await;
        assert!(data(&response).is_object(), "{document:?}");
    }
}

#[tokio::test]
async fn what_only_looks_like_graphql_is_not_parsed() {
    let app = TestApp::start().await;
    for document in [
        "{ users(first) { totalCount } }",
        "{ users(first 1) { totalCount } }",
        "{ users(first: 1 last) { totalCount } }",
        "\"\\x\" query A { __typename }",
        "\"twice\" \"described\" query A { __typename }",
    ] {
        let response = app.graphql(document, json!({}), None).await;
        assert_eq!(code_of_first(&response), "GRAPHQL_PARSE_FAILED", "{document}");
    }
}

fn code_of_first(response: &Value) -> &str {
    response["errors"][0]["extensions"]["code"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn variables_stand_only_where_their_types_fit() {
    let app = TestApp::start().await;
    for document in [
        "query ($f: [UserOrderField!]) { users(orderBy: { field: $f }) { totalCount } }",
        "query ($f: OrderDirection) { users(orderBy: { field: $f }) { totalCount } }",
        "query ($id: ID) { nodes(ids: [$id]) { id } }",
        "query ($if: Boolean = null) { __typename @skip(if: $if) }",
        "query A { __typename } query B($if: Boolean) { __typename @skip(if: $if) }",
        "mutation ($u: UserRef) { follow(input: { user: $u }) { outcome } }",
        "mutation ($id: ID) { follow(input: { user: { id: $id } }) { outcome } }",
    ] {
        let response = app.graphql(document, json!({}), None).await;
        assert_eq!(code_of_first(&response), "GRAPHQL_VALIDATION_FAILED", "{document}");
    }
    let document = "query ($f: UserOrderField) { users(orderBy: { field: $f }) { totalCount } }";
    let response = app.graphql(document, json!({}), None).await;
    assert_eq!(data(&response), &json!({ "users": { "totalCount": 0 } }), "it has a default");
}

#[tokio::test]
async fn input_objects_are_validated_at_any_depth() {
    let app = TestApp::start().await;
    for document in [
        "{ users(orderBy: { field: USERNAME, field: USERNAME }) { totalCount } }",
        "mutation ($i: FollowInput! = { user: {} }) { follow(input: $i) { outcome } }",
        "query A { __typename } mutation B { follow(input: { user: {} }) { outcome } }",
    ] {
        let response = app.graphql(document, json!({}), None).await;
        assert_eq!(code_of_first(&response), "GRAPHQL_VALIDATION_FAILED", "{document}");
    }
}

#[tokio::test]
async fn fields_that_share_a_response_key_must_have_the_same_lists() {
    let app = TestApp::start().await;
    for document in [
        "query ($x: ID!) { nodes(ids: []) { id } nodes(ids: [$x]) { id } }",
        "{ nodes(ids: [\"a\"]) { id } nodes(ids: [\"a\", \"b\"]) { id } }",
        "{ n: nodes(ids: []) { id } ...F } fragment F on Query { n: nodes(ids: [\"a\"]) { id } }",
        "{ ... { nodes(ids: []) { id } } ... on Query { nodes(ids: [\"a\"]) { id } } }",
        "query A { __typename } query B { nodes(ids: []) { id } nodes(ids: [\"a\"]) { id } }",
    ] {
        let response = app.graphql(document, json!({ "x": "a" }), None).await;
        assert_eq!(code_of_first(&response), "GRAPHQL_VALIDATION_FAILED", "{document}");
    }
    for document in [
        "{ nodes(ids: []) { id } nodes(ids: []) { __typename } n: nodes(ids: [\"a\"]) { id } }",
        "{ nodes(ids: [\"a\"]) { id } ...F } fragment F on Query { nodes(ids: [\"a\"]) { id } }",
    ] {
        let response = app.graphql(document, json!({}), None).await;
        assert!(data(&response).is_object(), "{document}");
    }
}

#[tokio::test]
async fn a_null_that_a_default_lets_in_is_bad_input() {
    let app = TestApp::start().await;
    for document in [
        "query ($v: Boolean = true) { __typename @skip(if: $v) }",
        "query ($v: String = \"a\") { user(username: $v) { id } }",
        "query ($v: OrderDirection) { users(orderBy: { direction: $v }) { totalCount } }",
    ] {
        let response = app.graphql(document, json!({ "v": null }), None).await;
        assert_eq!(code(&response), "BAD_USER_INPUT", "{document}");
    }
}

#[tokio::test]
async fn introspection_takes_null_for_no_argument() {
    let app = TestApp::start().await;
    let query =
        "{ __type(name: \"OrderDirection\") { enumValues(includeDeprecated: null) { name } } }";
    let response = app.graphql(query, json!({}), None).await;
    assert_eq!(data(&response)["__type"]["enumValues"][0]["name"], "ASC");
}

#[tokio::test]
async fn an_id_may_be_a_number_of_any_length() {
    let app = TestApp::start().await;
    let response = app.graphql("{ node(id: 99999999999999999999) { id } }", json!({}), None).await;
    assert_eq!(data(&response), &json!({ "node": null }));
}
