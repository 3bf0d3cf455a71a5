//! Servers that start simultaneously on an empty database.

use std::time::Instant;

use serde_json::json;
use tokio::task::JoinSet;

use crate::support::{
    answer::Caller,
    database::{Database, Engine},
    figures::tell,
    process::{KEY, Server},
};

/// The number of servers.
const SERVERS: usize = 8;

const SIGN_UP: &str = "mutation($username: String!) {
    signUp(input: {username: $username, password: \"a good one\"}) { token }
}";

/// Starts the servers, and lets each one serve what another has written. A server that migrated
/// after another would find the tables and fail.
pub(crate) async fn run(database: &Database) {
    let began = Instant::now();
    let folder = tempfile::tempdir().expect("a folder");
    let starts = (0..SERVERS).map(|_| {
        let mut variables = vec![("DATABASE_URL", database.url.clone())];
        // On SQLite the key is a file, which is also missing for all of them.
        if database.engine() == Engine::Postgres {
            variables.push(("ENTOURAGE_JWT_SECRET", KEY.to_owned()));
        }
        let folder = folder.path().to_owned();
        move || {
            let variables: Vec<_> = variables.iter().map(|(k, v)| (*k, v.as_str())).collect();
            let arguments = ["--migrate", "--sign-up", "open", "--rate-limits", "off"];
            Server::with(Some(&folder), &arguments, &variables)
        }
    });
    let mut tasks = JoinSet::new();
    for start in starts {
        tasks.spawn_blocking(start);
    }
    let servers = tasks.join_all().await;
    let took = began.elapsed();

    let mut tokens = Vec::new();
    for (n, server) in servers.iter().enumerate() {
        let caller = Caller::of(&server.address);
        assert_eq!(caller.status("/readyz").await, Some(200));
        let answer = caller.ask(None, SIGN_UP, json!({ "username": format!("user{n}") })).await;
        tokens.push(answer.data()["signUp"]["token"].as_str().expect("a token").to_owned());
    }
    for server in &servers {
        let caller = Caller::of(&server.address);
        for (n, token) in tokens.iter().enumerate() {
            let query = "{ viewer { user { username } } }";
            let data = caller.ask(Some(token), query, json!({})).await.data();
            assert_eq!(data["viewer"]["user"]["username"], format!("user{n}"));
        }
    }
    tell(&format!(
        "{SERVERS} servers started at once on an empty database: all serve after {took:.1?}"
    ));
}
