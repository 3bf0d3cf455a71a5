//! Limits over time: on follows, and on what the operations of one caller cost.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use entourage::{
    app::Settings,
    domain::{FollowLimits, Limits},
    service::{Parts, Service, Session, SystemRandom, Viewer},
};
use serde_json::{Value, json};

use super::{code, data};
use crate::support::{
    app::{TestApp, settings, tokens},
    clock::Stopped,
    database::{Database, Engine},
    graph::{beginning, draw},
};

const FOLLOW: &str = "mutation ($name: String!) {
    follow(input: { user: { username: $name } }) { outcome userErrors { code field message retryAt } } }";
const QUOTA: &str = "{ viewer { followQuota {
    limit remaining resetAt totalLimit totalRemaining } } }";
/// An operation that costs 7: as many followers as it may return.
const SEVEN: &str = "{ user(username: \"alice\") { followers(first: 7) { nodes { id } } }
    rateLimit { cost limit remaining resetAt } }";

/// A server whose clock stands still, with these limits.
async fn limited(limits: Limits) -> TestApp {
    let clock = Arc::new(Stopped(beginning()));
    let settings = Settings { limits, rate_limits: true, clock, ..settings() };
    let app = TestApp::on(Database::migrated(Engine::Sqlite).await, settings).await;
    draw(&*app.store, "alice\nbob\ncarol").await;
    app
}

async fn follow(app: &TestApp, token: &str, name: &str) -> Value {
    data(&app.graphql(FOLLOW, json!({ "name": name }), Some(token)).await)["follow"].clone()
}

/// What a minute may cost a viewer and an address. A request costs its address 100 by itself.
fn cost_per_minute(viewer: u32, address: u32) -> Limits {
    let [cost_per_minute_max, cost_per_address_max] =
        [viewer, address].map(|cost| NonZeroU32::new(cost).expect("not zero"));
    Limits { cost_per_minute_max, cost_per_address_max, ..Limits::default() }
}

#[tokio::test]
async fn the_quota_shows_when_follows_will_be_refused() {
    let follows = FollowLimits { per_day: 1, total: 50, ..Limits::default().follows };
    let app = limited(Limits { follows, ..Limits::default() }).await;
    let token = app.token("alice", None).await;
    let quota = |remaining, total_remaining| {
        json!({ "limit": 1, "remaining": remaining, "resetAt": "2025-06-16T00:00:00.000000Z",
            "totalLimit": 50, "totalRemaining": total_remaining })
    };
    let seen = app.graphql(QUOTA, json!({}), Some(&token)).await;
    assert_eq!(data(&seen)["viewer"]["followQuota"], quota(1, 50));

    assert_eq!(follow(&app, &token, "bob").await["outcome"], "FOLLOWED");
    let refused = follow(&app, &token, "carol").await;

    let error = json!({ "code": "DAILY_LIMIT_REACHED", "field": null, "retryAt": "2025-06-16T00:00:00.000000Z",
        "message": "You have followed enough users for today." });
    assert_eq!(refused, json!({ "outcome": null, "userErrors": [error] }));
    assert_eq!(follow(&app, &token, "bob").await["outcome"], "ALREADY_FOLLOWING");
    let seen = app.graphql(QUOTA, json!({}), Some(&token)).await;
    assert_eq!(data(&seen)["viewer"]["followQuota"], quota(0, 49));
}

/// The flags of bob and carol.
async fn flags(app: &TestApp, token: Option<&str>) -> Value {
    let query = "{ users(first: 2, orderBy: { direction: DESC }) { nodes {
        viewerCanFollow viewerCannotFollowReasons } } }";
    let answer = app.graphql(query, json!({}), token).await;
    let nodes = data(&answer)["users"]["nodes"].as_array().expect("a list").iter().rev();
    let flags = nodes.map(|node| {
        assert_eq!(node["viewerCanFollow"], node["viewerCannotFollowReasons"] == json!([]));
        node["viewerCannotFollowReasons"].clone()
    });
    flags.collect()
}

#[tokio::test]
async fn the_flags_know_the_limits() {
    let unfollow = "mutation { unfollow(input: { user: { username: \"bob\" } }) { outcome } }";
    for (limits, after_one, after_two, retry_at) in [
        (
            (1, 50, 10),
            "DAILY_LIMIT_REACHED",
            "DAILY_LIMIT_REACHED",
            json!("2025-06-16T00:00:00.000000Z"),
        ),
        ((50, 1, 10), "TOTAL_LIMIT_REACHED", "", Value::Null),
        ((50, 50, 2), "", "PAIR_LIMIT_REACHED", json!("2025-06-16T00:00:00.000000Z")),
    ] {
        let (per_day, total, pair_changes_per_day) = limits;
        let follows = FollowLimits { per_day, total, pair_changes_per_day };
        let app = limited(Limits { follows, ..Limits::default() }).await;
        let token = app.token("alice", None).await;
        let reasons = |code: &str| if code.is_empty() { json!([]) } else { json!([code]) };
        assert_eq!(flags(&app, Some(&token)).await, json!([[], []]));

        assert_eq!(follow(&app, &token, "bob").await["outcome"], "FOLLOWED");
        // Bob is followed already, which is no denial.
        assert_eq!(flags(&app, Some(&token)).await, json!([[], reasons(after_one)]));

        app.graphql(unfollow, json!({}), Some(&token)).await;
        assert_eq!(flags(&app, Some(&token)).await[0], reasons(after_two), "{limits:?}");
        let again = follow(&app, &token, "bob").await;
        if after_two.is_empty() {
            assert_eq!(again["outcome"], "FOLLOWED");
            let refused = follow(&app, &token, "carol").await;
            assert_eq!(refused["userErrors"][0]["code"], after_one);
            assert_eq!(refused["userErrors"][0]["retryAt"], retry_at);
        } else {
            let error = &again["userErrors"][0];
            assert_eq!((&error["code"], &error["field"]), (&after_two.into(), &Value::Null));
            assert_eq!(error["retryAt"], retry_at);
        }
        assert_eq!(flags(&app, None).await, json!([["UNAUTHENTICATED"], ["UNAUTHENTICATED"]]));
    }
}

#[tokio::test]
async fn operations_are_charged_to_the_viewer() {
    let app = limited(cost_per_minute(20, 10_000)).await;
    let (alice, bob) = (app.token("alice", None).await, app.token("bob", None).await);
    let left = |remaining, reset_at| json!({ "cost": 7, "limit": 20, "remaining": remaining, "resetAt": reset_at });

    let first = app.graphql(SEVEN, json!({}), Some(&alice)).await;
    assert_eq!(data(&first)["rateLimit"], left(13, "2025-06-15T15:07:01.000000Z"));
    let second = app.graphql(SEVEN, json!({}), Some(&alice)).await;
    assert_eq!(data(&second)["rateLimit"], left(6, "2025-06-15T15:07:22.000000Z"));
    let third = app.graphql(SEVEN, json!({}), Some(&alice)).await;
    assert_eq!(code(&third), "RATE_LIMITED");
    assert_eq!(third["errors"][0]["extensions"]["retryAfter"], 3);
    assert_eq!(third.get("data"), None, "nothing was executed");

    // What costs less still fits, and others have budgets of their own.
    assert!(data(&app.graphql("{ __typename }", json!({}), Some(&alice)).await).is_object());
    let other = app.graphql(SEVEN, json!({}), Some(&bob)).await;
    assert_eq!(data(&other)["rateLimit"]["remaining"], 13);
}

#[tokio::test]
async fn accounts_at_one_address_share_a_budget() {
    let app = limited(cost_per_minute(20, 4 * 107 + 50)).await;
    let mut seen = Vec::new();
    for name in [Some("alice"), None, Some("bob"), Some("carol")] {
        let token = match name {
            Some(name) => Some(app.token(name, None).await),
            None => None,
        };
        let reply = app.graphql(SEVEN, json!({}), token.as_deref()).await;
        let limit = data(&reply)["rateLimit"].clone();
        assert_eq!(limit["cost"], 7);
        seen.push((limit["limit"].clone(), limit["remaining"].clone()));
    }
    // Signed-out callers have the budget of their address; viewers see the one with less left.
    assert_eq!(seen, [(20, 13), (478, 264), (20, 13), (20, 13)].map(|(l, r)| (l.into(), r.into())));

    for name in ["alice", "bob", "carol"] {
        let token = app.token(name, None).await;
        let refused = app.graphql(SEVEN, json!({}), Some(&token)).await;
        assert_eq!(code(&refused), "RATE_LIMITED", "{name} has 13 left, and the address has not");
    }
}

#[tokio::test]
async fn the_budget_with_less_left_is_shown() {
    let app = limited(cost_per_minute(200, 210)).await;
    let token = app.token("alice", None).await;
    let reply = app.graphql(SEVEN, json!({}), Some(&token)).await;
    let expected = json!({ "cost": 7, "limit": 210, "remaining": 103,
        "resetAt": "2025-06-15T15:07:10.571000Z" });
    assert_eq!(data(&reply)["rateLimit"], expected);
}

#[tokio::test]
async fn without_rate_limits_budget_and_quota_are_null() {
    let app = TestApp::start().await;
    draw(&*app.store, "alice").await;
    let token = app.token("alice", None).await;

    let seen = app.graphql(QUOTA, json!({}), Some(&token)).await;
    assert_eq!(data(&seen)["viewer"]["followQuota"], Value::Null);
    let seen = app.graphql("{ rateLimit { cost } }", json!({}), None).await;
    assert_eq!(data(&seen)["rateLimit"], Value::Null);
}

#[tokio::test]
async fn the_cost_is_returned_on_request() {
    let app = TestApp::start().await;
    let cost = async |query: &str, extensions: Value| {
        let body = json!({ "query": query, "extensions": extensions });
        let reply = app.post(body.to_string()).send().await.expect("the server answers");
        let reply: Value = reply.json().await.expect("JSON");
        assert!(data(&reply).is_object());
        reply["extensions"].clone()
    };
    let followers = "{ users(first: 2) { nodes { followers(first: 40) { nodes { id } } } } }";
    let asked = json!({ "cost": true });

    assert_eq!(cost(followers, json!({ "cost": false })).await, Value::Null);
    assert_eq!(cost(followers, json!({})).await, Value::Null);
    for (query, expected) in [
        ("{ __typename }", 1),
        (followers, 82),
        ("{ users(first: 0) { totalCount } }", 1_000),
        (
            "{ a: users(first: 3) { totalCount } b: users(first: 4) { ...C } }
          fragment C on UserConnection { totalCount }",
            2_000,
        ),
        ("{ users(first: 100) { nodes { followerCount } } }", 200),
        ("{ users(first: 100) { nodes { id followers { totalCount __typename } } } }", 200),
        ("{ users(first: 10) { nodes { followers(first: 5) { totalCount nodes { id } } } } }", 60),
        (
            "{ nodes(ids: [\"a\", \"b\"]) { ... on User { followerCount following { totalCount } } } }",
            6,
        ),
        ("{ users(query: \"a\") { nodes { id } } }", 20),
        ("{ users(query: \"a\", orderBy: { field: CREATED_AT }) { nodes { id } } }", 1_020),
        ("{ users(query: \" \", orderBy: { field: CREATED_AT }) { nodes { id } } }", 20),
        ("mutation { signIn(input: { username: \"x\", password: \"y\" }) { token } }", 10),
    ] {
        assert_eq!(cost(query, asked.clone()).await, json!({ "cost": expected }), "{query}");
    }
}

#[tokio::test]
async fn a_budget_that_is_refused_charges_neither_caller() {
    let database = Database::migrated(Engine::Sqlite).await;
    let users = draw(database.store(), "ada").await;
    let service = Service::new(Parts {
        store: Arc::clone(&database.store),
        tokens: tokens(),
        clock: Arc::new(Stopped(beginning())),
        random: Arc::new(SystemRandom),
        sign_up: true,
        federation: false,
        rate_limits: true,
        events_kept: Duration::ZERO,
        webhook: None,
        limits: cost_per_minute(1_000, 1_000),
    });
    let account = database.store.find_account(users["ada"]).await.expect("it answers");
    let account = account.expect("the user is there");
    let permissions = account.role.permissions;
    let ada = Viewer { account, permissions, session: Session::default() };
    let [empty, full] = ["192.0.2.1", "192.0.2.2"].map(|text| text.parse().ok());
    let charge = |viewer, address, cost| {
        let cost = NonZeroU32::new(cost).expect("not zero");
        service.charge(viewer, address, cost).map(|budget| budget.expect("limited").remaining)
    };

    assert_eq!(charge(None, empty, 1_000).expect("enough"), 0);
    for _ in 0..10 {
        assert!(charge(Some(&ada), empty, 900).is_err());
    }
    assert_eq!(charge(Some(&ada), None, 1_000).expect("the viewer has not paid"), 0);
    for _ in 0..10 {
        assert!(charge(Some(&ada), full, 900).is_err());
    }
    assert_eq!(charge(None, full, 1_000).expect("the address has not paid"), 0);
}
