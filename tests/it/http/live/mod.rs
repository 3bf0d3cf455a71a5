//! Subscriptions: `graphql-transport-ws` and GraphQL over server-sent events.

mod client;
mod hostile;
mod limits;
mod protocol;
mod servers;
mod sessions;
mod sse;
mod stopping;

use entourage::{
    app::Settings,
    http::{Patience, Timeouts},
};
use serde_json::{Value, json};

use crate::support::app::{TestApp, settings};

/// A subscription to everything that plain data can say.
const EVENTS: &str =
    "subscription { followEvents { cursor kind cause isRepeat user { username } } }";

/// The same from now on, for the holder of a token. Without a cursor a subscription begins when it is
/// opened, and no message says when that was.
async fn from_now(app: &TestApp, token: &str) -> String {
    let query = "{ viewer { latestEventCursor } }";
    let reply = app.graphql(query, json!({}), Some(token)).await;
    let cursor = &reply["data"]["viewer"]["latestEventCursor"];
    EVENTS.replace("followEvents", &format!("followEvents(after: {cursor})"))
}

/// Makes the holder of a token follow a user.
async fn follow(app: &TestApp, token: &str, username: &str) {
    let query = "mutation($name: String!) {
        follow(input: {user: {username: $name}}) { userErrors { message } } }";
    let reply = app.graphql(query, json!({ "name": username }), Some(token)).await;
    assert_eq!(reply["data"]["follow"]["userErrors"], json!([]), "{reply}");
}

/// Makes the holder of a token unfollow a user.
async fn unfollow(app: &TestApp, token: &str, username: &str) {
    let query = "mutation($name: String!) {
        unfollow(input: {user: {username: $name}}) { userErrors { message } } }";
    let reply = app.graphql(query, json!({ "name": username }), Some(token)).await;
    assert_eq!(reply["data"]["unfollow"]["userErrors"], json!([]), "{reply}");
}

/// A server that waits only so long for the other end.
async fn patient(live: Patience) -> TestApp {
    let timeouts = Timeouts { live, ..Timeouts::default() };
    TestApp::with(Settings { timeouts, ..settings() }).await
}

/// The event in a message `next`.
fn event(message: &Value) -> &Value {
    &message["payload"]["data"]["followEvents"]
}
