//! Paging, as clients see it.

use serde_json::{Value, json};

use super::{code, data, on_both_engines};
use crate::support::{app::TestApp, graph::draw};

on_both_engines! {
    a_walk_sees_every_follow_once_in_both_directions,
    an_empty_page_has_null_cursors,
    sizes_out_of_bounds_are_bad_input,
    cursors_of_something_else_are_invalid,
    a_cursor_outlives_its_edge,
    users_are_listed_by_name_or_age_and_by_search,
    bounds_from_both_sides_make_one_page,
}

const PAGE: &str = r#"query ($first: Int, $last: Int, $after: String, $before: String, $by: FollowOrder) {
    user(username: "star") { followers(first: $first, last: $last, after: $after, before: $before,
        orderBy: $by) { totalCount edges { cursor node { username } } nodes { username }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }"#;

async fn page(app: &TestApp, variables: Value) -> Value {
    data(&app.graphql(PAGE, variables, None).await)["user"]["followers"].clone()
}

fn names(page: &Value) -> Vec<&str> {
    let edges = page["edges"].as_array().expect("a list");
    edges.iter().map(|edge| edge["node"]["username"].as_str().expect("a name")).collect()
}

fn neighbours(page: &Value) -> (bool, bool) {
    let flag = |name: &str| page["pageInfo"][name].as_bool().expect("a flag");
    (flag("hasPreviousPage"), flag("hasNextPage"))
}

async fn star_with(app: &TestApp, followers: usize) {
    let lines: String = (0..followers).map(|i| format!("u{i} -> star\n")).collect();
    draw(&*app.store, &format!("star\n{lines}")).await;
}

async fn a_walk_sees_every_follow_once_in_both_directions(app: TestApp) {
    star_with(&app, 7).await;
    let newest_first = ["u6", "u5", "u4", "u3", "u2", "u1", "u0"];
    let oldest_first: Vec<_> = newest_first.iter().rev().copied().collect();

    for (by, expected) in [("DESC", &newest_first[..]), ("ASC", &oldest_first[..])] {
        let by = json!({ "direction": by });

        let (mut seen, mut after) = (Vec::<String>::new(), Value::Null);
        loop {
            let page = page(&app, json!({ "first": 3, "after": after, "by": by })).await;
            assert_eq!(page["totalCount"], 7);
            assert_eq!(neighbours(&page), (!seen.is_empty(), seen.len() + 3 < 7));
            seen.extend(names(&page).into_iter().map(str::to_owned));
            after = page["pageInfo"]["endCursor"].clone();
            if !neighbours(&page).1 {
                break;
            }
        }
        assert_eq!(seen, expected);

        let (mut seen, mut before) = (Vec::<String>::new(), Value::Null);
        loop {
            let page = page(&app, json!({ "last": 3, "before": before, "by": by })).await;
            assert_eq!(neighbours(&page), (seen.len() + 3 < 7, !seen.is_empty()));
            seen.splice(0..0, names(&page).into_iter().map(str::to_owned));
            before = page["pageInfo"]["startCursor"].clone();
            if !neighbours(&page).0 {
                break;
            }
        }
        assert_eq!(seen, expected);
    }
}

async fn an_empty_page_has_null_cursors(app: TestApp) {
    star_with(&app, 2).await;
    let none = page(&app, json!({ "first": 0 })).await;
    assert_eq!(none["edges"], json!([]));
    assert_eq!(none["nodes"], json!([]));
    assert_eq!(none["totalCount"], 2);
    assert_eq!(neighbours(&none), (false, true));
    assert_eq!(none["pageInfo"]["startCursor"], Value::Null);
    assert_eq!(none["pageInfo"]["endCursor"], Value::Null);

    let none = page(&app, json!({ "last": 0 })).await;
    assert_eq!(neighbours(&none), (true, false));
}

async fn sizes_out_of_bounds_are_bad_input(app: TestApp) {
    star_with(&app, 1).await;
    for (bad, argument) in [
        (json!({ "first": -1 }), "first"),
        (json!({ "first": 101 }), "first"),
        (json!({ "last": -1 }), "last"),
        (json!({ "last": 101 }), "last"),
        (json!({ "first": 1, "last": 1 }), "last"),
        (json!({ "first": i32::MAX }), "first"),
    ] {
        let before = app.statements();
        let response = app.graphql(PAGE, bad.clone(), None).await;
        assert_eq!(code(&response), "BAD_USER_INPUT", "{bad}");
        let path = format!("user.followers.{argument}");
        assert_eq!(response["errors"][0]["extensions"]["argument"], path);
        assert_eq!(app.statements(), before, "nothing ran");
    }
    for good in [json!({ "first": 0 }), json!({ "last": 100 }), json!({}), json!({ "first": null })]
    {
        page(&app, good).await;
    }
}

async fn cursors_of_something_else_are_invalid(app: TestApp) {
    star_with(&app, 3).await;
    let cursor = page(&app, json!({})).await["edges"][0]["cursor"].clone();
    let of_users = app.graphql("{ users { edges { cursor } } }", json!({}), None).await;
    let of_users = &data(&of_users)["users"]["edges"][0]["cursor"];

    for bad in [
        json!({ "after": "nonsense" }),
        json!({ "before": "" }),
        json!({ "after": of_users }),
        json!({ "after": cursor, "by": { "direction": "ASC" } }),
    ] {
        let before = app.statements();
        assert_eq!(code(&app.graphql(PAGE, bad.clone(), None).await), "INVALID_CURSOR", "{bad}");
        assert_eq!(app.statements(), before, "nothing ran");
    }
    let following = r#"query ($after: String) { user(username: "star") { following(after: $after) { totalCount } } }"#;
    let response = app.graphql(following, json!({ "after": cursor }), None).await;
    assert_eq!(code(&response), "INVALID_CURSOR");
}

async fn a_cursor_outlives_its_edge(app: TestApp) {
    star_with(&app, 4).await;
    let all = page(&app, json!({})).await;
    let cursor = all["edges"][1]["cursor"].clone();
    let token = app.token("u2", None).await;
    let gone = r#"mutation { unfollow(input: { user: { username: "star" } }) { outcome } }"#;
    assert_eq!(
        data(&app.graphql(gone, json!({}), Some(&token)).await)["unfollow"]["outcome"],
        "UNFOLLOWED"
    );

    let after = page(&app, json!({ "after": cursor })).await;
    assert_eq!(names(&after), ["u1", "u0"]);
    assert_eq!(neighbours(&after), (true, false));
    let before = page(&app, json!({ "before": cursor, "last": 5 })).await;
    assert_eq!(names(&before), ["u3"]);
    assert_eq!(neighbours(&before), (false, true));
}

async fn users_are_listed_by_name_or_age_and_by_search(app: TestApp) {
    draw(&*app.store, "Bob\nalice\nann_b\nALEX").await;
    let query = "query ($by: UserOrder, $query: String, $after: String, $last: Int) {
        users(orderBy: $by, query: $query, after: $after, last: $last) { totalCount
            edges { cursor } nodes { username } pageInfo { hasNextPage hasPreviousPage } } }";
    let list = async |variables: Value| {
        let response = app.graphql(query, variables, None).await;
        let nodes = data(&response)["users"]["nodes"].as_array().expect("a list").clone();
        let names = nodes.iter().map(|node| node["username"].as_str().expect("a name").to_owned());
        (names.collect::<Vec<_>>(), data(&response)["users"].clone())
    };

    assert_eq!(list(json!({})).await.0, ["ALEX", "alice", "ann_b", "Bob"]);
    let by_age = json!({ "by": { "field": "CREATED_AT", "direction": "DESC" } });
    assert_eq!(list(by_age).await.0, ["ALEX", "ann_b", "alice", "Bob"]);
    let (names, page) = list(json!({ "query": "AL" })).await;
    assert_eq!((names, &page["totalCount"]), (vec!["ALEX".into(), "alice".into()], &2.into()));

    let after = &page["edges"][0]["cursor"];
    assert_eq!(list(json!({ "query": "a", "after": after })).await.0, ["alice", "ann_b"]);
    let (names, page) = list(json!({ "last": 1 })).await;
    assert_eq!((names, &page["pageInfo"]["hasPreviousPage"]), (vec!["Bob".into()], &true.into()));
    for nobody in ["z", "%", "a b", "é"] {
        let (names, page) = list(json!({ "query": nobody })).await;
        assert_eq!((names.len(), &page["totalCount"]), (0, &0.into()), "{nobody}");
    }
}

async fn bounds_from_both_sides_make_one_page(app: TestApp) {
    star_with(&app, 5).await;
    let all = page(&app, json!({})).await;
    let cursor = |i: usize| all["edges"][i]["cursor"].clone();

    let between = page(&app, json!({ "after": cursor(0), "before": cursor(4) })).await;
    assert_eq!(names(&between), ["u3", "u2", "u1"]);
    assert_eq!(neighbours(&between), (true, true));
    let first = page(&app, json!({ "first": 1, "after": cursor(0), "before": cursor(4) })).await;
    assert_eq!(names(&first), ["u3"]);
    let crossed = page(&app, json!({ "after": cursor(4), "before": cursor(0) })).await;
    assert_eq!(names(&crossed), [] as [&str; 0]);
}
