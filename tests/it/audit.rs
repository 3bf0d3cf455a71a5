//! Third-party checks of the server and its schema: the audit of the npm package `graphql-http`,
//! graphql-js, and graphql-eslint.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use tokio::task::spawn_blocking;

use crate::support::app::TestApp;

const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.graphql");

/// Runs a script of `tests/audit` and panics with its output if it finds anything.
async fn run(script: &str, argument: &str) {
    let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "audit"].iter().collect();
    assert!(
        folder.join("node_modules").is_dir(),
        "tests/audit/node_modules is missing: run `npm ci` in tests/audit, or `make test`"
    );

    let mut node = Command::new("node");
    node.arg(folder.join(script)).arg(argument).stdin(Stdio::null());
    let node = spawn_blocking(move || node.output()).await.expect("it does not panic");
    let node = node.expect("node must be installed, version 20 or newer");
    let [said, complained] =
        [node.stdout, node.stderr].map(|s| String::from_utf8_lossy(&s).into_owned());
    assert!(node.status.success(), "{script} is not content:\n{complained}{said}");
}

#[tokio::test]
async fn the_server_passes_every_audit_of_graphql_over_http() {
    let app = TestApp::start().await;
    run("audit.mjs", &app.url("/graphql")).await;
}

/// Runs for some seconds by default; `DIFFERENTIAL_DOCUMENTS` and `DIFFERENTIAL_SEED` set the number
/// of documents and the seed.
#[tokio::test]
async fn generated_requests_get_the_answers_of_graphql_js() {
    let app = TestApp::start().await;
    run("differential.mjs", &app.url("/graphql")).await;
}

#[tokio::test]
async fn graphql_js_accepts_the_schema() {
    run("schema.mjs", SCHEMA).await;
}

#[tokio::test]
async fn graphql_eslint_accepts_the_schema_for_relay() {
    run("lint.mjs", SCHEMA).await;
}
