//! The gateway of `docs/federation.md`: composed from the binary and two subgraphs of a host, it
//! answers from all three.

use std::{fs, path::Path, process::Command};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::spawn_blocking;

use super::file;
use crate::support::process::{Server, run, said};

const USERS: usize = 101;

/// Imports the users `user_1` to `user_101`, whose external ids are `h1` to `h101`. Each follows the
/// next three. Adds zoe, whom the host does not know.
fn import(folder: &Path) {
    let users = (1..=USERS).map(|n| format!("user_{n},h{n}\n"));
    let users = format!("username,external_id\n{}", users.collect::<String>());
    fs::write(folder.join("users.csv"), users).expect("writes");
    let next = |n: usize| (1..=3).map(move |d| format!("h{n},h{}\n", (n + d - 1) % USERS + 1));
    let follows: String = (1..=USERS).flat_map(next).collect();
    fs::write(folder.join("follows.csv"), format!("follower,followee\n{follows}")).expect("writes");
    run(folder, ["import", "users", "users.csv"], &[]).success();
    run(folder, ["import", "follows", "follows.csv"], &[]).success();
    run(folder, ["user", "add", "zoe", "--no-password"], &[]).success();
}

/// What a client of the gateway gets.
async fn answers(server: &Server, token: &str) -> Value {
    let mut gateway = Command::new("node");
    gateway.arg(file("federation/gateway.mjs")).env("ENTOURAGE_TOKEN", token);
    gateway.env("APOLLO_TELEMETRY_DISABLED", "1");
    gateway.env("ENTOURAGE_URL", format!("http://{}/graphql", server.address));
    let output = spawn_blocking(move || gateway.output()).await.expect("it does not panic");
    let output = output.expect("there is Node");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("it prints JSON")
}

#[tokio::test]
async fn a_gateway_joins_the_users_of_three_subgraphs() {
    let folder = TempDir::new().expect("a folder");
    let folder = folder.path();
    import(folder);
    let variables = [("ENTOURAGE_FEDERATION", "on"), ("ENTOURAGE_TRUSTED_PROXIES", "127.0.0.1")];
    let server = Server::with(Some(folder), &[], &variables);
    let token = said(run(folder, ["token", "user_2"], &[]));
    let answers = answers(&server, token.trim_end()).await;

    // From posts to authors, who are all looked up at once.
    let author = |n: usize| {
        json!({ "title": format!("Post {n}"), "author": {
            "username": format!("user_{n}"), "name": format!("Number {n}"),
            "email": format!("h{n}@example.com"), "viewerIsFollowing": (3..=5).contains(&n),
            "followers": { "totalCount": 3 },
        } })
    };
    let posts: Vec<_> = (1..=100).map(author).collect();
    assert_eq!(answers["authors"], json!({ "data": { "posts": posts }, "requests": 1 }));

    let error = &answers["tooMany"]["errors"][0]["extensions"];
    let argument = "_entities.representations";
    assert_eq!((&error["code"], &error["argument"]), (&json!("BAD_USER_INPUT"), &json!(argument)));
    assert_eq!(answers["tooMany"]["data"]["posts"][0]["author"], Value::Null);

    // From users to what other subgraphs have about them.
    let follower = |n: usize| {
        json!({ "username": format!("user_{n}"), "email": format!("h{n}@example.com"), "posts": {
            "nodes": [{ "title": format!("Post {n}") }], "pageInfo": { "hasNextPage": false },
        } })
    };
    let followers = json!({
        "nodes": [follower(101), follower(100)], "pageInfo": { "hasNextPage": true },
    });
    let user = json!({ "name": "Number 1", "email": "h1@example.com", "followers": followers });
    assert_eq!(answers["followers"], json!({ "data": { "user": user }, "requests": 1 }));
    let followers = json!({ "nodes": [], "pageInfo": { "hasNextPage": false } });
    let user = json!({ "name": null, "email": null, "followers": followers });
    assert_eq!(answers["stranger"], json!({ "data": { "user": user }, "requests": 1 }));

    let user =
        json!({ "username": "user_9", "email": "h9@example.com", "viewerIsFollowing": true });
    let follow = json!({ "follow": { "outcome": "FOLLOWED", "user": user } });
    assert_eq!(answers["follow"], json!({ "data": follow, "requests": 1 }));
}
