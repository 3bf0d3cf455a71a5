//! Every rule of `graphql-transport-ws`.

use serde_json::json;

use super::{EVENTS, client::Socket, follow};
use crate::support::app::TestApp;

#[tokio::test]
async fn a_follow_is_an_event_of_the_followed_user() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.sign_up("ada").await, app.sign_up("bob").await);
    let mut socket = Socket::ready(&app, &ada).await;
    socket.subscribe("1", EVENTS).await;
    assert_eq!(socket.ping().await, [] as [serde_json::Value; 0]);

    follow(&app, &bob, "ada").await;
    let message = socket.message().await;
    let event = &message["payload"]["data"]["followEvents"];
    assert_eq!((&message["type"], &message["id"]), (&json!("next"), &json!("1")));
    assert_eq!(
        (&event["kind"], &event["cause"]),
        (&json!("FOLLOWED"), &json!("USER")),
        "{message}"
    );
    assert_eq!(event["user"]["username"], "bob");
}
