//! Operations that are refused as a whole, before anything is executed.

use entourage::domain::Limits;
use serde_json::{Value, json};

use super::{code, data};
use crate::support::app::TestApp;

/// The code with which a query is refused. Nothing may be executed.
async fn refusal(app: &TestApp, query: &str) -> String {
    let before = app.statements();
    let response = app.graphql(query, json!({}), None).await;
    assert_eq!(app.statements(), before, "something ran: {query}");
    assert_eq!(response.get("data"), None, "{response}");
    code(&response).to_owned()
}

#[tokio::test]
async fn what_is_not_graphql_does_not_parse() {
    let app = TestApp::start().await;
    for bad in ["", "{", "{ user(", "query }", "\"", "{ a: }", "type A { b: Int }"] {
        let response = app.graphql(bad, json!({}), None).await;
        let code = &response["errors"][0]["extensions"]["code"];
        assert!(
            ["GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED"]
                .contains(&code.as_str().expect("a code"))
        );
        assert!(response["errors"][0]["locations"].is_array() || bad.is_empty(), "{response}");
    }
}

#[tokio::test]
async fn what_does_not_fit_the_schema_is_refused() {
    let app = TestApp::start().await;
    for bad in [
        "{ nothing }",
        "{ node { id } }",
        "{ user(username: 1) { id } }",
        "{ viewer }",
        "query ($x: Int) { viewer { role { name } } }",
        "{ ...F }",
        "mutation { follow(input: { user: {} }) { outcome } }",
        r#"mutation { follow(input: { user: { id: "a", username: "b" } }) { outcome } }"#,
        "mutation ($id: ID) { follow(input: { user: { id: $id } }) { outcome } }",
    ] {
        assert_eq!(refusal(&app, bad).await, "GRAPHQL_VALIDATION_FAILED", "{bad}");
    }
}

#[tokio::test]
async fn variables_that_do_not_fit_are_bad_input() {
    let app = TestApp::start().await;
    let query = "query ($name: String!) { user(username: $name) { id } }";
    let follow = "mutation ($user: UserRef!) { follow(input: { user: $user }) { outcome } }";
    for bad in [json!({}), json!({ "id": "a", "username": "b" }), json!({ "id": null })] {
        let response = app.graphql(follow, json!({ "user": bad }), None).await;
        assert_eq!(code(&response), "BAD_USER_INPUT", "{bad}");
    }
    for bad in [json!({}), json!({ "name": null }), json!({ "name": 1 }), json!({ "name": ["a"] })]
    {
        assert_eq!(code(&app.graphql(query, bad, None).await), "BAD_USER_INPUT");
    }
}

#[tokio::test]
async fn depth_is_limited_to_the_field() {
    let app = TestApp::start().await;
    let nested = |levels: usize| {
        let open = "followers { nodes { ".repeat(levels);
        format!(r#"{{ user(username: "a") {{ {open} id {} }} }}"#, "} }".repeat(levels))
    };
    assert_eq!(data(&app.graphql(&nested(2), json!({}), None).await)["user"], Value::Null);
    assert_eq!(refusal(&app, &nested(6)).await, "QUERY_TOO_DEEP");

    let deep = "{ ... on Query".repeat(70) + " { __typename }" + &" }".repeat(70);
    assert_eq!(refusal(&app, &deep).await, "QUERY_TOO_DEEP");
    let chain: String =
        (0..70).map(|i| format!("fragment f{i} on Query {{ ...f{} }} ", i + 1)).collect();
    let chain = format!("{{ ...f0 }} {chain} fragment f70 on Query {{ __typename }}");
    assert_eq!(refusal(&app, &chain).await, "QUERY_TOO_DEEP");
}

#[tokio::test]
async fn width_is_limited() {
    let app = TestApp::start().await;
    let aliases = |n: usize| (0..n).map(|i| format!("a{i}: __typename ")).collect::<String>();
    let within = format!("{{ users {{ {} }} }}", aliases(30));
    assert_eq!(app.graphql(&within, json!({}), None).await.get("errors"), None);
    let beyond = format!("{{ users {{ {} }} }}", aliases(31));
    assert_eq!(refusal(&app, &beyond).await, "QUERY_TOO_WIDE");
    assert_eq!(refusal(&app, &format!("{{ {} }}", aliases(21))).await, "QUERY_TOO_WIDE");
}

#[tokio::test]
async fn tokens_are_limited() {
    let app = TestApp::start().await;
    let long = format!("{{ {} }}", "__typename ".repeat(2_001));
    assert_eq!(refusal(&app, &long).await, "QUERY_TOO_LARGE");
}

#[tokio::test]
async fn nodes_that_pages_multiply_to_are_limited() {
    let app = TestApp::start().await;
    let query = "{ users(first: 100) { nodes { followers(first: 100) { nodes {
        following(first: 10) { nodes { id } } } } } } }";
    let response = app.graphql(query, json!({}), None).await;
    assert_eq!(code(&response), "COST_LIMIT_EXCEEDED");
    let extensions = &response["errors"][0]["extensions"];
    assert_eq!((&extensions["cost"], &extensions["limit"]), (&110_100.into(), &50_000.into()));
}

/// Fragments that spread the next one twice: `2^levels` selections in a few hundred bytes.
fn doubling(on: &str, leaf: &str, levels: usize) -> String {
    let fragment = |i: usize| format!("fragment f{i} on {on} {{ ...f{0} ...f{0} }} ", i + 1);
    let fragments: String = (0..levels).map(fragment).collect();
    format!("{fragments} fragment f{levels} on {on} {{ {leaf} }}")
}

#[tokio::test]
async fn fragment_bombs_are_refused() {
    let app = TestApp::start().await;
    let follow = r#"follow(input: { user: { username: "bob" } }) { outcome }"#;
    for (what, head, on, leaf) in [
        ("in a list", "{ users { nodes { ...f0 } } }", "User", "id"),
        ("at the root", "mutation { ...f0 }", "Mutation", follow),
        ("of what is skipped", "{ users { nodes { ...f0 } } }", "User", "id @skip(if: true)"),
        ("below what is skipped", "{ users @skip(if: true) { nodes { ...f0 } } }", "User", "id"),
        ("in another operation", "query A { __typename } query B { ...f0 }", "Query", "__typename"),
        ("in no operation", "{ __typename }", "User", "id"),
    ] {
        let bomb = format!("{head} {}", doubling(on, leaf, 40));
        assert_eq!(refusal(&app, &bomb).await, "QUERY_TOO_LARGE", "{what}");
    }
}

#[tokio::test]
async fn fragments_that_spread_themselves_are_invalid() {
    let app = TestApp::start().await;
    let cycle = "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }";
    let response = app.graphql(cycle, json!({}), None).await;
    assert_eq!(response["errors"][0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED");
}

#[tokio::test]
async fn values_that_nest_without_end_are_refused() {
    let app = TestApp::start().await;
    let lists = format!("{{ nodes(ids: {}{}) {{ id }} }}", "[".repeat(5_000), "]".repeat(5_000));
    assert!(["QUERY_TOO_DEEP", "QUERY_TOO_LARGE"].contains(&refusal(&app, &lists).await.as_str()));
}

#[tokio::test]
async fn the_page_of_a_payload_is_checked_before_the_change() {
    let app = TestApp::start().await;
    let token = app.sign_up("alice").await;
    app.sign_up("bob").await;
    for bad in ["first: 101", "after: \"x\""] {
        let query = format!(
            r#"mutation {{ follow(input: {{ user: {{ username: "bob" }} }}) {{
                user {{ followers({bad}) {{ totalCount }} }} }} }}"#
        );
        let response = app.graphql(&query, json!({}), Some(&token)).await;
        assert!(["BAD_USER_INPUT", "INVALID_CURSOR"].contains(&code(&response)));
    }
    let bob = app
        .graphql(r#"{ user(username: "bob") { followers { totalCount } } }"#, json!({}), None)
        .await;
    assert_eq!(data(&bob)["user"]["followers"]["totalCount"], 0, "nothing changed");
}

#[tokio::test]
async fn what_a_directive_leaves_out_is_not_counted() {
    let app = TestApp::start().await;
    let query = "{ users(first: 101) @skip(if: true) { totalCount } __typename }";
    let response = app.graphql(query, json!({}), None).await;
    assert_eq!(data(&response), &json!({ "__typename": "Query" }));
}

#[tokio::test]
async fn the_usual_introspection_query_is_within_the_limits() {
    let limits = Limits::default();
    let of_type = "ofType { kind name ".repeat(9);
    let query = format!(
        "{{ __schema {{ types {{ fields(includeDeprecated: true) {{ args {{ type {{ kind name {of_type} {} }} }} }} }} }} }}",
        "}".repeat(9)
    );
    assert!(query.matches('{').count() > limits.depth_max);
    let app = TestApp::start().await;
    assert_eq!(app.graphql(&query, json!({}), None).await.get("errors"), None);
}

#[tokio::test]
async fn one_of_several_operations_is_chosen_by_name() {
    let app = TestApp::start().await;
    let document = "query A { a: __typename } query B { b: __typename }";
    let send = async |name: Value| {
        let body = json!({ "query": document, "operationName": name }).to_string();
        let response = app.post(body).send().await.expect("the server answers");
        response.json::<Value>().await.expect("JSON")
    };
    assert_eq!(data(&send(json!("B")).await), &json!({ "b": "Query" }));
    assert_eq!(code(&send(json!("C")).await), "BAD_USER_INPUT");
    assert_eq!(code(&send(Value::Null).await), "BAD_USER_INPUT");
}
