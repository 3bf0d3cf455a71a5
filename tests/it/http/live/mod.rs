//! Subscriptions: `graphql-transport-ws` and GraphQL over server-sent events.

mod client;
mod protocol;

use serde_json::json;

use crate::support::app::TestApp;

/// A subscription to everything that plain data can say.
const EVENTS: &str =
    "subscription { followEvents { cursor kind cause isRepeat user { username } } }";

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
