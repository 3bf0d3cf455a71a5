//! The log of the viewer as a list.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use chrono::TimeDelta;
use entourage::{
    domain::{Audience, EventCause, EventKind, Limits, UserId, UsernameKey},
    graphql::{Api, Caller, Code, Request, Subscription, encode_event},
    service::{Parts, Service, Session, SystemRandom, Viewer},
    store::{EventSweep, Store},
};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{code, data, on_both_engines};
use crate::support::{
    app::{TestApp, settings, tokens},
    clock::Stopped,
    database::{Database, Engine},
    graph::{beginning, draw},
};

on_both_engines! {
    the_log_is_a_list_newest_first,
    the_latest_cursor_is_the_end_of_the_log,
    the_list_reads_on_from_a_cursor,
    a_cursor_of_another_log_is_invalid,
    a_cursor_before_deleted_events_has_expired,
    a_user_who_is_gone_or_blocks_the_viewer_is_null,
    a_session_that_ends_between_two_parts_ends_the_events,
    a_block_between_two_parts_hides_the_user,
    events_are_paid_before_they_are_delivered,
    without_events_there_is_no_log,
    a_page_takes_as_many_statements_for_any_number_of_events,
}

async fn ask(app: &TestApp, user: &str, operation: &str) -> Value {
    let token = app.token(user, None).await;
    app.graphql(operation, json!({}), Some(&token)).await
}

/// The page of a user's log with these arguments.
async fn page(app: &TestApp, user: &str, arguments: &str) -> Value {
    let operation = format!(
        "{{ viewer {{ followEvents{arguments} {{
            edges {{ cursor node {{ kind cause isRepeat cursor at user {{ username }} }} }}
            nodes {{ cursor }} pageInfo {{
                startCursor endCursor hasNextPage hasPreviousPage }} }} }} }}"
    );
    let mut answer = ask(app, user, &operation).await;
    assert_eq!(answer["errors"], Value::Null, "{answer}");
    answer["data"]["viewer"]["followEvents"].take()
}

fn usernames(page: &Value) -> Vec<&str> {
    let edges = page["edges"].as_array().expect("a list").iter();
    edges.map(|edge| edge["node"]["user"]["username"].as_str().unwrap_or("null")).collect()
}

async fn latest(app: &TestApp, user: &str) -> String {
    let answer = ask(app, user, "{ viewer { latestEventCursor } }").await;
    data(&answer)["viewer"]["latestEventCursor"].as_str().expect("a cursor").to_owned()
}

async fn the_log_is_a_list_newest_first(app: TestApp) {
    draw(&*app.store, "bob -> ada\ncid -> ada\ndee -> ada").await;

    let list = page(&app, "ada", "(first: 2)").await;

    assert_eq!(usernames(&list), ["dee", "cid"]);
    let newest = &list["edges"][0];
    assert_eq!(newest["node"]["kind"], "FOLLOWED");
    assert_eq!(newest["node"]["cause"], "USER");
    assert_eq!(newest["node"]["isRepeat"], false);
    assert_eq!(newest["cursor"], newest["node"]["cursor"]);
    assert_eq!(list["nodes"][0]["cursor"], newest["cursor"]);
    let info = &list["pageInfo"];
    assert_eq!(info["startCursor"], newest["cursor"]);
    assert_eq!((&info["hasNextPage"], &info["hasPreviousPage"]), (&json!(true), &json!(false)));

    let end = info["endCursor"].as_str().expect("a cursor");
    let rest = page(&app, "ada", &format!("(first: 2, after: \"{end}\")")).await;
    assert_eq!(usernames(&rest), ["bob"]);
    assert_eq!(rest["pageInfo"]["hasNextPage"], false);
    assert_eq!(rest["pageInfo"]["hasPreviousPage"], true);
}

async fn the_latest_cursor_is_the_end_of_the_log(app: TestApp) {
    draw(&*app.store, "bob -> ada").await;
    let before = latest(&app, "ada").await;
    assert_eq!(page(&app, "ada", "").await["pageInfo"]["startCursor"], before);

    let follow = "mutation { follow(input: { user: { username: \"ada\" } }) { outcome } }";
    app.sign_up("cid").await;
    ask(&app, "cid", follow).await;

    let new = page(&app, "ada", &format!("(before: \"{before}\")")).await;
    assert_eq!(usernames(&new), ["cid"]);
    assert_eq!(new["pageInfo"]["startCursor"], latest(&app, "ada").await);
}

async fn the_list_reads_on_from_a_cursor(app: TestApp) {
    draw(&*app.store, "u1 -> u9\nu2 -> u9\nu3 -> u9\nu4 -> u9\nu5 -> u9").await;
    let all = page(&app, "u9", "").await;
    let oldest = all["edges"][4]["cursor"].as_str().expect("a cursor");

    // Two events at a time, oldest first.
    let next = page(&app, "u9", &format!("(last: 2, before: \"{oldest}\")")).await;
    assert_eq!(usernames(&next), ["u3", "u2"]);
    let newest = next["pageInfo"]["startCursor"].as_str().expect("a cursor");
    let next = page(&app, "u9", &format!("(last: 2, before: \"{newest}\")")).await;
    assert_eq!(usernames(&next), ["u5", "u4"]);
}

async fn a_cursor_of_another_log_is_invalid(app: TestApp) {
    draw(&*app.store, "bob -> ada").await;
    let of_bob = latest(&app, "bob").await;
    for argument in ["after", "before"] {
        for cursor in [of_bob.as_str(), "x", "AWZkAAYKJBgeQAEAAAAAAAAAKg"] {
            let query = format!(
                "{{ viewer {{ followEvents({argument}: \"{cursor}\") {{ nodes {{ kind }} }} }} }}"
            );
            assert_eq!(code(&ask(&app, "ada", &query).await), "INVALID_CURSOR", "{query}");
        }
    }
}

async fn a_cursor_before_deleted_events_has_expired(app: TestApp) {
    app.sign_up("ada").await;
    let start = latest(&app, "ada").await;
    draw(&*app.store, "u1 -> u9\nu2 -> u9\nu3 -> u9").await;
    let all = page(&app, "u9", "").await;
    let oldest = all["edges"][2]["cursor"].as_str().expect("a cursor");
    // The follows are a second apart.
    let before = beginning() + TimeDelta::milliseconds(1_500);
    let sweep = EventSweep { before, crowded_before: before };
    let swept = app.store.sweep_events(sweep, (UserId::MIN, 0)).await.expect("it works");
    assert_eq!(swept.deleted, 2);

    let query = |cursor: &str| {
        format!("{{ viewer {{ followEvents(before: \"{cursor}\") {{ nodes {{ cursor }} }} }} }}")
    };
    let answer = ask(&app, "u9", &query(oldest)).await;
    assert_eq!(code(&answer), "EVENTS_EXPIRED");
    let go_on = answer["errors"][0]["extensions"]["oldestCursor"].as_str().expect("a cursor");
    let answer = ask(&app, "u9", &query(go_on)).await;
    let kept = &data(&answer)["viewer"]["followEvents"]["nodes"];
    assert_eq!(kept[0]["cursor"], all["edges"][0]["cursor"]);
    assert_eq!(kept.as_array().map(Vec::len), Some(1));
    // Paging back past the oldest event is the end of the list.
    let back = format!("(after: \"{oldest}\")");
    assert_eq!(page(&app, "u9", &back).await["edges"], json!([]));
    assert_eq!(code(&ask(&app, "u9", &query(&start)).await), "INVALID_CURSOR");
}

async fn a_user_who_is_gone_or_blocks_the_viewer_is_null(app: TestApp) {
    for name in ["ada", "bob", "cid"] {
        app.sign_up(name).await;
    }
    let follow = "mutation { follow(input: { user: { username: \"ada\" } }) { outcome } }";
    ask(&app, "bob", follow).await;
    ask(&app, "cid", follow).await;
    let block = "mutation { block(input: { user: { username: \"ada\" } }) { outcome } }";
    assert_eq!(data(&ask(&app, "bob", block).await)["block"]["outcome"], "BLOCKED");
    let cid = UsernameKey::parse("cid").expect("a username");
    let found = app.store.users_by_usernames(Audience::EVERYBODY, std::slice::from_ref(&cid)).await;
    let id = found.expect("it answers")[&cid].id;
    assert!(app.store.delete_user(id, beginning()).await.expect("it works"));

    let list = page(&app, "ada", "").await;
    let edges = list["edges"].as_array().expect("a list").iter();
    let kinds: Vec<_> = edges.map(|edge| edge["node"]["kind"].as_str().unwrap_or("")).collect();
    assert_eq!(kinds, ["FOLLOWER_LOST", "FOLLOWED", "FOLLOWED"]);
    assert_eq!(usernames(&list), ["null", "null", "null"]);
}

/// A subscription of ada to four events, each of which costs 40, with the service and the viewer.
async fn of_four_events(
    app: &TestApp,
    limits: Limits,
    rate_limits: bool,
) -> (Subscription, Arc<Service>, Viewer) {
    draw(&*app.store, "bob -> ada\ncid -> ada\ndee -> ada\neve -> ada").await;
    let service = service(&app.store, limits, rate_limits);
    let token = app.token("ada", None).await;
    let viewer = service.authenticate(&token).await.expect("the token is valid");
    let start = encode_event(viewer.id(), 0);
    let query = format!(
        "subscription {{ followEvents(after: \"{start}\") {{
            user {{ username followers(first: 40) {{ nodes {{ id }} }} }} }} }}"
    );
    let api = Api::new(Arc::clone(&service), limits);
    let operation = api.prepare(Request { query: Some(query), ..Request::default() });
    let operation = operation.unwrap_or_else(|reply| panic!("refused: {reply:?}"));
    let caller = Caller { viewer: Some(viewer.clone()), address: None, request_id: String::new() };
    let subscribed = api.subscribe(operation, caller, None).await;
    let subscription = subscribed.unwrap_or_else(|reply| panic!("refused: {reply:?}"));
    (subscription, service, viewer)
}

/// A subscription of ada to four events, which are executed in two parts: those that were read together
/// cost more than one operation may. The first part has been taken.
async fn halfway(app: &TestApp) -> Subscription {
    let limits = Limits { nodes_max: 100, ..Limits::default() };
    let (mut subscription, ..) = of_four_events(app, limits, false).await;
    for name in ["bob", "cid"] {
        assert_eq!(next_user(&mut subscription).await.expect("an event"), name);
    }
    subscription
}

/// The user of the next event, or the code of the end.
async fn next_user(subscription: &mut Subscription) -> Result<Value, Option<Code>> {
    let delivery = subscription.next().await.map_err(|reply| reply.refused)?;
    let answer: Value = serde_json::from_slice(&delivery.body).expect("JSON");
    Ok(data(&answer)["followEvents"]["user"]["username"].clone())
}

async fn a_session_that_ends_between_two_parts_ends_the_events(app: TestApp) {
    let mut subscription = halfway(&app).await;
    ask(&app, "ada", "mutation { signOutEverywhere { userErrors { message } } }").await;
    assert_eq!(next_user(&mut subscription).await, Err(Some(Code::Unauthenticated)));
}

async fn a_block_between_two_parts_hides_the_user(app: TestApp) {
    let mut subscription = halfway(&app).await;
    let block = "mutation { block(input: { user: { username: \"ada\" } }) { outcome } }";
    assert_eq!(data(&ask(&app, "dee", block).await)["block"]["outcome"], "BLOCKED");
    assert_eq!(next_user(&mut subscription).await, Ok(Value::Null));
    assert_eq!(next_user(&mut subscription).await, Ok(json!("eve")));
}

async fn events_are_paid_before_they_are_delivered(app: TestApp) {
    let limits = Limits::default();
    let (mut subscription, service, viewer) = of_four_events(&app, limits, true).await;
    let remaining = || {
        let budget = service.charge(Some(&viewer), None, NonZeroU32::MIN);
        budget.expect("enough").expect("it is limited").remaining
    };
    let before = remaining();
    assert_eq!(next_user(&mut subscription).await, Ok(json!("bob")));

    // A client that leaves now has paid for all that were executed together.
    drop(subscription);
    assert_eq!(before - remaining(), 4 * 40 + 1);
}

async fn without_events_there_is_no_log(app: TestApp) {
    app.sign_up("ada").await;
    let token = app.token("ada", None).await;
    let off = entourage::app::Settings { events_kept: Duration::ZERO, ..settings() };
    let server = TestApp::over(Arc::clone(&app.store), off).await;
    let query = "{ viewer { user { username } followEvents { nodes { kind } } } }";
    let answer = server.graphql(query, json!({}), Some(&token)).await;
    assert_eq!(code(&answer), "UNAVAILABLE");
}

async fn a_page_takes_as_many_statements_for_any_number_of_events(app: TestApp) {
    let fans = (0..40).map(|n| format!("u{n:02} -> ada\n")).collect::<String>();
    draw(&*app.store, &fans).await;
    let token = app.token("ada", None).await;
    let mut costs = Vec::new();
    for first in [2, 40] {
        let server = TestApp::over(Arc::clone(&app.store), settings()).await;
        let query = format!(
            "{{ viewer {{ latestEventCursor followEvents(first: {first}) {{
                nodes {{ user {{ username followerCount }} }} }} }} }}"
        );
        let answer = server.graphql(&query, json!({}), Some(&token)).await;
        assert_eq!(answer["errors"], Value::Null);
        costs.push(server.statements());
    }
    assert_eq!(costs, [4; 2], "authentication, page, users, lists");
}

#[test]
fn events_have_the_names_of_the_schema() {
    let schema =
        apollo_compiler::Schema::parse_and_validate(entourage::graphql::sdl(), "schema.graphql");
    let schema = schema.expect("the schema is valid");
    let names = |ty| -> Vec<String> {
        let values = &schema.get_enum(ty).expect("an enum").values;
        let mut names: Vec<_> = values.keys().map(ToString::to_string).collect();
        names.sort_unstable();
        names
    };
    let mut kinds = EventKind::ALL.map(EventKind::name);
    kinds.sort_unstable();
    assert_eq!(names("FollowEventKind"), kinds);
    let mut causes = EventCause::ALL.map(EventCause::name);
    causes.sort_unstable();
    assert_eq!(names("FollowEventCause"), causes);
}

fn service(store: &Arc<dyn Store>, limits: Limits, rate_limits: bool) -> Arc<Service> {
    Service::new(Parts {
        store: Arc::clone(store),
        tokens: tokens(),
        clock: Arc::new(Stopped(beginning())),
        random: Arc::new(SystemRandom),
        sign_up: true,
        rate_limits,
        events_kept: Duration::from_hours(1),
        webhook: None,
        limits,
    })
}

/// As many as a server has after a poll, and more than the store's queue of look-ups holds.
#[tokio::test]
async fn thousands_of_feeds_read_at_once() {
    let database = Database::migrated(Engine::Postgres).await;
    database
        .run(async |database| {
            let users = draw(database.store(), "bob -> ada").await;
            let service = service(&database.store, Limits::default(), false);
            let account = database.store.find_account(users["ada"]).await.expect("it answers");
            let account = account.expect("the user is there");
            let permissions = account.role.permissions;
            let viewer = Viewer { account, permissions, session: Session::default() };
            let seen_by = service.seen_by(Some(Arc::new(viewer)));
            let mut feeds = JoinSet::new();
            for _ in 0..3_000 {
                let mut feed = seen_by.follow_events(Some(0)).await.expect("it subscribes");
                feeds.spawn(async move { feed.next().await.map(|batch| batch.events.len()) });
            }

            for events in feeds.join_all().await {
                assert_eq!(events.expect("they are read"), 1);
            }
        })
        .await;
}
