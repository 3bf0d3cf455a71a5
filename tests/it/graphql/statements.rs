//! The promise against N+1: SQL statements depend on the shape of an operation, not on the rows.
//!
//! The default settings have a cache of users. Each operation runs twice on a server of its own:
//! first the cache is cold, then it is warm.

use std::sync::Arc;

use entourage::{
    app::Settings,
    domain::{FollowAction, FollowChange, ListVisibility, PrivacyChange, UserId},
};
use serde_json::{Value, json};

use super::{data, on_both_engines};
use crate::support::{
    app::{TestApp, settings, uncached},
    database::Engine,
    graph::{beginning, draw},
};

on_both_engines! {
    users_with_both_lists_take_two_statements,
    users_with_both_lists_take_three_without_the_cache,
    three_levels_take_a_statement_for_each_level,
    aliases_with_different_pages_take_no_more_statements,
    what_is_not_selected_costs_nothing,
    flags_of_many_users_cost_one_statement,
    limits_on_follows_cost_one_statement_a_level,
    wide_levels_take_no_more_statements,
    fields_that_resolvers_answer_take_no_more_statements,
    a_count_alone_costs_one_statement,
    exact_page_info_costs_nothing_more,
    a_follow_costs_the_same_for_every_user,
    settings_and_blocks_cost_the_same_for_every_user,
    own_lists_cost_the_same_for_every_length,
}

/// Users whose lists are all for followers, or who block `u59`, by their number in the ring.
async fn arrange(app: &TestApp, users: &[UserId], hidden: usize, blockers: usize) {
    let change = PrivacyChange {
        is_private: Some(true),
        followers: Some(Some(ListVisibility::Followers)),
        ..PrivacyChange::default()
    };
    for user in &users[..hidden] {
        app.store.update_privacy(*user, change).await.expect("it works");
    }
    for user in &users[..blockers] {
        let change = FollowChange {
            follower: *user,
            followee: users[59],
            at: beginning(),
            action: FollowAction::Block { limit: 100 },
        };
        app.store.change_follow(change).await.expect("it works");
    }
}

/// The statements are those of the account, the users, their pages, the users on these and the
/// relations; for a viewer whom others block, one more counts the lists of the level.
async fn settings_and_blocks_cost_the_same_for_every_user(app: TestApp) {
    let users = draw(&*app.store, &ring(60, 12)).await;
    let users: Vec<_> = (0..60).map(|i| users[&format!("u{i:02}")]).collect();
    let query = "query ($n: Int) { users(last: $n) { nodes { isPrivate followerCount
        viewerIsFollowing viewerHasRequested viewerIsBlocking
        followers(first: 5) { isHidden totalCount nodes { username } }
        following(first: 5) { isHidden totalCount nodes { username } } } } }";
    let token = app.token("u59", None).await;
    for (hidden, blockers, expected) in [(0, 0, 6), (30, 0, 6), (60, 0, 6), (60, 1, 7), (60, 40, 7)]
    {
        arrange(&app, &users, hidden, blockers).await;
        for n in [2, 15] {
            let (cost, _) =
                cost_with(uncached(), &app, query, json!({ "n": n }), Some(&token)).await;
            let what = format!("{n} users, {hidden} hide their lists, {blockers} block the viewer");
            assert_eq!(cost, Cost { cold: expected, warm: expected }, "{what}");
        }
    }
}

/// The account, and for each list its page, its length, and the users on it with their counts.
async fn own_lists_cost_the_same_for_every_length(app: TestApp) {
    let users = draw(&*app.store, &ring(60, 1)).await;
    let users: Vec<_> = (0..60).map(|i| users[&format!("u{i:02}")]).collect();
    let query = "{ viewer { blockedUsers(first: 50) { totalCount nodes { followerCount } } } }";
    let token = app.token("u59", None).await;
    for blocked in [2, 50] {
        for user in &users[..blocked] {
            let change = FollowChange {
                follower: users[59],
                followee: *user,
                at: beginning(),
                action: FollowAction::Block { limit: 100 },
            };
            app.store.change_follow(change).await.expect("it works");
        }
        let (cost, answer) = cost_with(uncached(), &app, query, json!({}), Some(&token)).await;
        assert_eq!(answer["viewer"]["blockedUsers"]["totalCount"], blocked);
        assert_eq!(cost, Cost { cold: 5, warm: 5 }, "{blocked} blocked users");
    }
}

/// A ring of users, each following the next `degree`.
fn ring(users: usize, degree: usize) -> String {
    let line = |i: usize| {
        let next: Vec<_> = (1..=degree).map(|d| format!("u{:02}", (i + d) % users)).collect();
        format!("u{i:02} -> {}\n", next.join(" "))
    };
    (0..users).map(line).collect()
}

/// The number of statements of an operation.
#[derive(Debug, PartialEq, Eq)]
struct Cost {
    cold: u64,
    warm: u64,
}

/// The cost of a query, and its answer.
async fn cost(app: &TestApp, query: &str, variables: Value, token: Option<&str>) -> (Cost, Value) {
    cost_with(settings(), app, query, variables, token).await
}

async fn cost_with(
    settings: Settings,
    app: &TestApp,
    query: &str,
    variables: Value,
    token: Option<&str>,
) -> (Cost, Value) {
    let server = TestApp::over(Arc::clone(&app.store), settings).await;
    let run = async || {
        let before = server.statements();
        let response = server.graphql(query, variables.clone(), token).await;
        (server.statements() - before, data(&response).clone())
    };
    let (cold, first) = run().await;
    let (warm, second) = run().await;
    assert_eq!(first, second);
    (Cost { cold, warm }, second)
}

const BOTH_LISTS: &str = "query ($n: Int) { users(first: $n) { nodes { username
    followers(first: 10) { totalCount edges { followedAt node { username } } }
    following(first: 10) { totalCount nodes { username } } } } }";

fn check_both_lists(answer: &Value, users: usize) {
    let nodes = answer["users"]["nodes"].as_array().expect("a list");
    assert_eq!(nodes.len(), users);
    for node in nodes {
        assert_eq!(node["followers"]["totalCount"], 12);
        assert_eq!(node["followers"]["edges"].as_array().expect("a list").len(), 10);
        assert_eq!(node["following"]["nodes"].as_array().expect("a list").len(), 10);
    }
}

/// The users and their pages; a third statement reads users on the pages that are not cached.
async fn users_with_both_lists_take_two_statements(app: TestApp) {
    draw(&*app.store, &ring(60, 12)).await;
    for n in [5, 50] {
        let (cost, answer) = cost(&app, BOTH_LISTS, json!({ "n": n }), None).await;
        check_both_lists(&answer, n);
        assert_eq!(cost, Cost { cold: 3, warm: 2 }, "for {n} users");
    }
}

async fn users_with_both_lists_take_three_without_the_cache(app: TestApp) {
    draw(&*app.store, &ring(60, 12)).await;
    for n in [5, 50] {
        let variables = json!({ "n": n });
        let (cost, answer) = cost_with(uncached(), &app, BOTH_LISTS, variables, None).await;
        check_both_lists(&answer, n);
        assert_eq!(cost, Cost { cold: 3, warm: 3 }, "for {n} users");
    }
}

async fn three_levels_take_a_statement_for_each_level(app: TestApp) {
    draw(&*app.store, &ring(60, 25)).await;
    let query = r#"query ($n: Int) { user(username: "u00") { followers(first: $n) { nodes {
        following(first: 10) { nodes { username } } } } } }"#;

    for n in [2, 20] {
        let (cost, answer) = cost(&app, query, json!({ "n": n }), None).await;
        let nodes = answer["user"]["followers"]["nodes"].as_array().expect("a list");
        assert_eq!(nodes.len(), n);
        assert!(
            nodes.iter().all(|n| n["following"]["nodes"].as_array().expect("a list").len() == 10)
        );
        // The user, and for both pages below the page itself and its users; warm the pages only.
        assert_eq!(cost, Cost { cold: 5, warm: 2 }, "for {n} followers");
    }
}

async fn aliases_with_different_pages_take_no_more_statements(app: TestApp) {
    draw(&*app.store, &ring(60, 12)).await;
    let one = "{ users(first: 50) { nodes { a: followers(first: 3) { nodes { username } } } } }";
    let two = "{ users(first: 50) { nodes { a: followers(first: 3) { nodes { username } }
        b: followers(last: 5, orderBy: { direction: ASC }) { nodes { username } } } } }";

    let (cost_of_one, first) = cost(&app, one, json!({}), None).await;
    let (cost_of_two, both) = cost(&app, two, json!({}), None).await;

    assert_eq!(cost_of_one, Cost { cold: 3, warm: 2 });
    assert_eq!(cost_of_two, cost_of_one);
    let list = |answer: &Value, alias: &str| answer["users"]["nodes"][0][alias]["nodes"].clone();
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

    assert_eq!(nothing, Cost { cold: 0, warm: 0 });
    assert_eq!(viewer, Cost { cold: authentication, warm: authentication });
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
    assert_eq!(signed_in, Cost { cold: 3, warm: 3 }, "authentication, users, relations");
    assert_eq!(signed_out, Cost { cold: 1, warm: 1 }, "users");
}

async fn limits_on_follows_cost_one_statement_a_level(app: TestApp) {
    draw(&*app.store, &format!("{}\nalice", ring(60, 12))).await;
    let (viewer, nobody) = (app.token("u00", None).await, app.token("u00", Some("")).await);
    let flags = "viewerCanFollow viewerCannotFollowReasons";
    let query = format!(
        "{{ users(first: 50) {{ nodes {{ {flags} followers(first: 10) {{ nodes {{ {flags} }} }} }} }} }}"
    );
    let limited = || Settings { rate_limits: true, ..settings() };
    let mut costs = Vec::new();
    for (settings, token) in [
        (limited(), Some(&viewer)),
        (limited(), Some(&nobody)),
        (limited(), None),
        (settings(), Some(&viewer)),
    ] {
        let token = token.map(String::as_str);
        costs.push(cost_with(settings, &app, &query, json!({}), token).await.0.warm);
    }
    assert_eq!(costs, [5, 3, 2, 3], "authentication, users, their pages, limits for two levels");

    let alone = "{ viewer { user { username } } users { nodes { username } } }";
    let (cost, _) = cost_with(limited(), &app, alone, json!({}), Some(&viewer)).await;
    assert_eq!(cost.warm, 2, "authentication and users");
}

/// A level of 64 selections, each with look-ups of its own, is still one batch.
async fn wide_levels_take_no_more_statements(app: TestApp) {
    draw(&*app.store, &ring(60, 3)).await;
    let token = app.token("u00", None).await;
    let level = |name, below| {
        format!(
            "fragment {name} on User {{
                followers(first: 1) {{ nodes {{ ...{below} }} edges {{ node {{ ...{below} }} }} }}
                following(first: 1) {{ nodes {{ ...{below} }} edges {{ node {{ ...{below} }} }} }} }}"
        )
    };
    let query = format!(
        "{{ user(username: \"u00\") {{ ...A }} }} {} {} {}
         fragment D on User {{ viewerIsFollowing isFollowingViewer followers {{ totalCount }} }}",
        level("A", "B"),
        level("B", "C"),
        level("C", "D")
    );
    let (cost, _) = cost(&app, &query, json!({}), Some(&token)).await;
    assert_eq!(cost.warm, 6, "authentication, three levels of pages, counts, relations");
}

async fn fields_that_resolvers_answer_take_no_more_statements(app: TestApp) {
    draw(&*app.store, &ring(100, 3)).await;
    let token = app.token("u00", None).await;
    let query = "{ users(first: 100) { nodes { viewerIsFollowing viewerFollowedAt
        isFollowingViewer followers { totalCount } following { totalCount } } } }";
    let settings = Settings { projection: false, ..settings() };
    let (cost, _) = cost_with(settings, &app, query, json!({}), Some(&token)).await;
    assert_eq!(cost, Cost { cold: 4, warm: 4 }, "authentication, users, relations, counts");
}

async fn a_count_alone_costs_one_statement(app: TestApp) {
    draw(&*app.store, &ring(20, 3)).await;
    let query = "{ users { nodes { followers { totalCount } following { totalCount } } } }";
    let (cost, answer) = cost(&app, query, json!({}), None).await;
    assert_eq!(answer["users"]["nodes"][0]["followers"]["totalCount"], 3);
    assert_eq!(cost, Cost { cold: 2, warm: 2 }, "users and counts");
}

async fn exact_page_info_costs_nothing_more(app: TestApp) {
    draw(&*app.store, &ring(20, 5)).await;
    let query = r#"query ($after: String) { user(username: "u00") { followers(first: 2, after: $after) {
        pageInfo { hasNextPage hasPreviousPage endCursor } } } }"#;

    let (_, first) = cost(&app, query, json!({}), None).await;
    let after = &first["user"]["followers"]["pageInfo"]["endCursor"];
    let (cost, second) = cost(&app, query, json!({ "after": after }), None).await;

    let page_info = &second["user"]["followers"]["pageInfo"];
    assert_eq!(
        (&page_info["hasNextPage"], &page_info["hasPreviousPage"]),
        (&true.into(), &true.into())
    );
    assert_eq!(cost, Cost { cold: 3, warm: 1 }, "the user, the page, its users; the page");
}

async fn a_follow_costs_the_same_for_every_user(app: TestApp) {
    draw(&*app.store, &format!("{}\nalice", ring(40, 20))).await;
    let token = app.token("alice", None).await;
    let query = "mutation ($name: String!) { follow(input: { user: { username: $name } }) {
        outcome user { followers(first: 10) { totalCount nodes { username } } } } }";

    let mut costs = Vec::new();
    for name in ["u00", "u01"] {
        let server = TestApp::over(Arc::clone(&app.store), settings()).await;
        let answer = server.graphql(query, json!({ "name": name }), Some(&token)).await;
        assert_eq!(data(&answer)["follow"]["user"]["followers"]["totalCount"], 21);
        costs.push(server.statements());
    }
    let to_follow = if app.engine() == Engine::Sqlite { 5 } else { 2 };
    assert_eq!(costs, [4 + to_follow; 2], "authentication, target, the follow, page, its users");
}
