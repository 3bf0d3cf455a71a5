//! The backends of `tests/clients/tokens`, whose tokens the binary accepts.

use std::{fs, path::Path, process::Command};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::file;
use crate::support::process::{KEY, Server, run};

/// What a script prints that runs in this folder.
fn printed(folder: &Path, script: &str, arguments: &[&str]) -> String {
    let mut node = Command::new("node");
    node.arg(file(script)).args(arguments).env("ENTOURAGE_JWT_SECRET_FILE", "key");
    let output = node.current_dir(folder).output().expect("there is Node");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

async fn viewer(server: &Server, token: &str) -> Value {
    let query = "{ viewer { user { username } permissions } }";
    let reply = server.graphql(query, json!({}), Some(token)).await;
    reply["data"]["viewer"].clone()
}

#[tokio::test]
async fn a_backend_signs_with_the_key_of_the_server() {
    let folder = TempDir::new().expect("a folder");
    let folder = folder.path();
    fs::write(folder.join("key"), format!("{KEY}\n")).expect("writes");
    let variables = [("ENTOURAGE_JWT_SECRET_FILE", "key")];
    let added = run(folder, ["user", "add", "carol", "--no-password"], &variables).success();
    let id = String::from_utf8(added.get_output().stdout.clone()).expect("text");
    let server = Server::with(Some(folder), &[], &variables);
    let token = || printed(folder, "tokens/shared.mjs", &[id.trim_end()]);

    let carol = json!({ "user": { "username": "carol" }, "permissions": ["FOLLOW"] });
    let first = token();
    assert_eq!(viewer(&server, &first).await, carol);
    run(folder, ["user", "sign-out", "carol"], &variables).success();
    assert_eq!(viewer(&server, &first).await, Value::Null);
    assert_eq!(viewer(&server, &token()).await, carol, "a later token is valid");
    let unknown = printed(folder, "tokens/shared.mjs", &["7"]);
    assert_eq!(viewer(&server, &unknown).await, Value::Null, "its user does not exist");
}

#[tokio::test]
async fn a_backend_with_its_own_key_creates_its_users() {
    let folder = TempDir::new().expect("a folder");
    let folder = folder.path();
    printed(folder, "tokens/own.mjs", &["keys"]);
    let variables = [
        ("ENTOURAGE_JWKS", "jwks.json"),
        ("ENTOURAGE_JWT_ISSUER", "backend"),
        ("ENTOURAGE_JWT_AUDIENCE", "entourage"),
    ];
    run(folder, ["user", "add", "carol", "--no-password"], &[]).success();
    let server = Server::with(Some(folder), &[], &variables);

    let zoe = json!({ "user": { "username": "zoe" }, "permissions": ["FOLLOW"] });
    for name in ["zoe", "other"] {
        let token = printed(folder, "tokens/own.mjs", &["user-4711", name]);
        assert_eq!(viewer(&server, &token).await, zoe, "the subject identifies the user");
    }
    let token = printed(folder, "tokens/own.mjs", &["user-4712", "carol"]);
    let username = &viewer(&server, &token).await["user"]["username"];
    assert_ne!(*username, "carol", "an account of `user add` is not linked");
    assert!(username.as_str().is_some_and(|name| name.starts_with("carol_")), "{username}");
}
