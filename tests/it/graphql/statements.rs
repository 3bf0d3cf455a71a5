//! The promise against N+1: SQL statements depend on the shape of an operation, not on the rows.

use serde_json::{Value, json};

use super::{data, on_both_engines};
use crate::support::{app::TestApp, database::Engine, graph::draw};

on_both_engines! {
    users_with_both_lists_cost_two_statements,
    three_levels_cost_three_statements,
    aliases_with_different_pages_cost_no_more_than_one,
    what_is_not_selected_costs_nothing,
    flags_of_many_users_cost_one_statement,
    a_count_alone_costs_one_statement,
    exact_page_info_costs_nothing_more,
    a_change_costs_the_same_whoever_it_is_about,
}

/// A ring of users, each following the next `degree`.
fn ring(users: usize, degree: usize) -> String {
    let line = |i: usize| {
        let next: Vec<_> = (1..=degree).map(|d| format!("u{:02}", (i + d) % users)).collect();
        format!("u{i:02} -> {}\n", next.join(" "))
    };
    (0..users).map(line).collect()
}

/// How many statements an operation costs, and what it answers.
async fn cost(app: &TestApp, query: &str, variables: Value, token: Option<&str>) -> (u64, Value) {
    let before = app.statements();
    let response = app.graphql(query, variables, token).await;
    (app.statements() - before, data(&response).clone())
}

async fn users_with_both_lists_cost_two_statements(app: TestApp) {
    draw(&*app.store, &ring(60, 12)).await;
    let query = "query ($n: Int) { users(first: $n) { nodes { username
        followers(first: 10) { totalCount edges { followedAt node { username } } }
        following(first: 10) { totalCount nodes { username } } } } }";

    for n in [5, 50] {
        let (statements, answer) = cost(&app, query, json!({ "n": n }), None).await;
        let nodes = answer["users"]["nodes"].as_array().expect("a list");
        assert_eq!(nodes.len(), n);
        for node in nodes {
            assert_eq!(node["followers"]["totalCount"], 12);
            assert_eq!(node["followers"]["edges"].as_array().expect("a list").len(), 10);
            assert_eq!(node["following"]["nodes"].as_array().expect("a list").len(), 10);
        }
        assert_eq!(statements, 2, "for {n} users");
    }
}

async fn three_levels_cost_three_statements(app: TestApp) {
    draw(&*app.store, &ring(60, 25)).await;
    let query = r#"query ($n: Int) { user(username: "u00") { followers(first: $n) { nodes {
        following(first: 10) { nodes { username } } } } } }"#;

    for n in [2, 20] {
        let (statements, answer) = cost(&app, query, json!({ "n": n }), None).await;
        let nodes = answer["user"]["followers"]["nodes"].as_array().expect("a list");
        assert_eq!(nodes.len(), n);
        assert!(
            nodes.iter().all(|n| n["following"]["nodes"].as_array().expect("a list").len() == 10)
        );
        assert_eq!(statements, 3, "for {n} followers");
    }
}

async fn aliases_with_different_pages_cost_no_more_than_one(app: TestApp) {
    draw(&*app.store, &ring(60, 12)).await;
    let one = "{ users(first: 50) { nodes { a: followers(first: 3) { nodes { username } } } } }";
    let two = "{ users(first: 50) { nodes { a: followers(first: 3) { nodes { username } }
        b: followers(last: 5, orderBy: { direction: ASC }) { nodes { username } } } } }";

    let (cost_of_one, first) = cost(&app, one, json!({}), None).await;
    let (cost_of_two, both) = cost(&app, two, json!({}), None).await;

    assert_eq!((cost_of_one, cost_of_two), (2, 2));
    let list = |answer: &Value, of: &str| answer["users"]["nodes"][0][of]["nodes"].clone();
    assert_eq!(list(&first, "a"), list(&both, "a"));
    let mut newest_last = list(&both, "b").as_array().expect("a list").clone();
    newest_last.reverse();
    assert_eq!(newest_last[..3], list(&both, "a").as_array().expect("a list")[..]);
}

async fn what_is_not_selected_costs_nothing(app: TestApp) {
    let token = app.sign_up("alice").await;
    let authentication = 1;

    let (nothing, _) = cost(&app, "{ __typename }", json!({}), None).await;
    let (viewer, _) = cost(
        &app,
        "{ viewer { role { name } permissions user { username viewerCanFollow
            viewerCannotFollowReasons isViewer } } }",
        json!({}),
        Some(&token),
    )
    .await;

    assert_eq!((nothing, viewer), (0, authentication));
}

async fn flags_of_many_users_cost_one_statement(app: TestApp) {
    draw(&*app.store, &ring(60, 3)).await;
    let token = app.token("u00", None).await;
    let query =
        "{ users(first: 50) { nodes { viewerIsFollowing viewerFollowedAt isFollowingViewer } } }";

    let (signed_in, answer) = cost(&app, query, json!({}), Some(&token)).await;
    let (signed_out, _) = cost(&app, query, json!({}), None).await;

    let count = |flag: &str| {
        let nodes = answer["users"]["nodes"].as_array().expect("a list");
        nodes.iter().filter(|node| node[flag] == true).count()
    };
    assert_eq!(count("viewerIsFollowing"), 3);
    assert_eq!(count("isFollowingViewer"), 0, "those three come after the first 50");
    assert_eq!((signed_in, signed_out), (3, 1), "authentication, users, relations; users");
}

async fn a_count_alone_costs_one_statement(app: TestApp) {
    draw(&*app.store, &ring(20, 3)).await;
    let query = "{ users { nodes { followers { totalCount } following { totalCount } } } }";
    let (statements, answer) = cost(&app, query, json!({}), None).await;
    assert_eq!(answer["users"]["nodes"][0]["followers"]["totalCount"], 3);
    assert_eq!(statements, 2, "users and counts");
}

async fn exact_page_info_costs_nothing_more(app: TestApp) {
    draw(&*app.store, &ring(20, 5)).await;
    let query = r#"query ($after: String) { user(username: "u00") { followers(first: 2, after: $after) {
        pageInfo { hasNextPage hasPreviousPage endCursor } } } }"#;

    let (_, first) = cost(&app, query, json!({}), None).await;
    let after = &first["user"]["followers"]["pageInfo"]["endCursor"];
    let (statements, second) = cost(&app, query, json!({ "after": after }), None).await;

    let page_info = &second["user"]["followers"]["pageInfo"];
    assert_eq!(
        (&page_info["hasNextPage"], &page_info["hasPreviousPage"]),
        (&true.into(), &true.into())
    );
    assert_eq!(statements, 2, "the user and the page");
}

async fn a_change_costs_the_same_whoever_it_is_about(app: TestApp) {
    draw(&*app.store, &format!("{}\nalice", ring(40, 20))).await;
    let token = app.token("alice", None).await;
    let query = "mutation ($of: String!) { follow(input: { user: { username: $of } }) {
        outcome user { followers(first: 10) { totalCount nodes { username } } } } }";

    let mut costs = Vec::new();
    for of in ["u00", "u01"] {
        let (statements, answer) = cost(&app, query, json!({ "of": of }), Some(&token)).await;
        assert_eq!(answer["follow"]["user"]["followers"]["totalCount"], 21);
        costs.push(statements);
    }
    let to_follow = if app.engine() == Engine::Sqlite { 4 } else { 2 };
    assert_eq!(costs, [3 + to_follow; 2], "authentication, target, the follow, page");
}
