//! A server that is killed in the middle of its work: whatever it acknowledged is there.

use serde_json::json;

use super::{Server, on, on_both_engines, said};
use crate::support::database::Database;

on_both_engines! { every_acknowledged_follow_survives_a_kill }

const FOLLOWS: usize = 1_000;

const FOLLOW: &str = "mutation($username: String!) {
    follow(input: {user: {username: $username}}) { outcome }
}";

async fn follow(server: &Server, token: &str, n: usize) -> Option<String> {
    let body = json!({ "query": FOLLOW, "variables": { "username": username(n) } });
    let url = format!("http://{}/graphql", server.address);
    let request = server.client.post(url).bearer_auth(token).body(body.to_string());
    let reply = request.header("content-type", "application/json").send().await.ok()?;
    let reply: serde_json::Value = reply.json().await.ok()?;
    Some(reply["data"]["follow"]["outcome"].as_str().unwrap_or(&reply.to_string()).to_owned())
}

fn username(n: usize) -> String {
    format!("user{n:06}")
}

async fn every_acknowledged_follow_survives_a_kill(database: &Database) {
    database.store().migrate().await.expect("migrates");
    let users = (FOLLOWS + 2).to_string();
    said(on(database, &["seed", "--users", &users, "--follows", "0"]));
    let token = said(on(database, &["token", &username(1)]));
    let token = token.trim();

    let server = Server::start(database, &["--rate-limits", "off"]);
    for n in 2..FOLLOWS + 2 {
        assert_eq!(follow(&server, token, n).await.as_deref(), Some("FOLLOWED"));
    }
    // One more is under way when the server is killed: nobody can say what becomes of it.
    let last = follow(&server, token, FOLLOWS + 2);
    tokio::join!(last, async { server.signal("KILL") });
    drop(server);

    let server = Server::start(database, &["--rate-limits", "off"]);
    let count = "{ viewer { user { following { totalCount } } } }";
    let reply = server.graphql(count, json!({}), Some(token)).await;
    let following = reply["data"]["viewer"]["user"]["following"]["totalCount"].as_u64();
    let following = following.unwrap_or_else(|| panic!("no count: {reply}"));
    assert!((1_000..=1_001).contains(&following), "{following} follows are left");
    for n in 2..FOLLOWS + 2 {
        let again = follow(&server, token, n).await;
        assert_eq!(again.as_deref(), Some("ALREADY_FOLLOWING"), "{}", username(n));
    }
    assert_eq!(said(on(database, &["check"])), "everything agrees\n");
}
