//! Clients of subscriptions: npm `graphql-ws` and `graphql-sse`, Apollo, urql and Relay.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use super::{Host, file};

/// Runs a script whose other account is bob.
async fn script(host: &Host, name: &str) -> Child {
    let bob = host.app.token("bob", None).await;
    let mut client = Command::new("node");
    client.arg(file(name)).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    client.env("ENTOURAGE_URL", &host.url).env("ENTOURAGE_TOKEN", &host.token);
    client.env("ENTOURAGE_OTHER_TOKEN", bob);
    client.spawn().expect("there is node after `make clients`")
}

/// What a script has printed.
async fn report(client: Child) -> Value {
    let output = spawn_blocking(|| client.wait_with_output()).await.expect("it does not panic");
    let output = output.expect("it ends");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaints}");
    serde_json::from_slice(&output.stdout).expect("it prints JSON")
}

fn followed() -> Value {
    json!({ "kind": "FOLLOWED", "cause": "USER", "isRepeat": false, "user": { "username": "bob" } })
}

/// What every client sees. The second follow may be a repeat, if the server limits follows of a pair.
fn assert_seen(report: &Value) {
    assert_eq!(report["viewer"], "emily", "{report}");
    assert_eq!(report["refused"], json!(["GRAPHQL_VALIDATION_FAILED"]), "{report}");
    assert_eq!(report["events"][0], followed(), "{report}");
    for event in [&report["events"][1], &report["again"]] {
        assert_eq!(event["kind"], "FOLLOWED", "{report}");
        assert_eq!(event["user"]["username"], "bob", "{report}");
    }
}

#[tokio::test]
async fn graphql_ws_hears_of_follows_and_of_a_restart() {
    let mut host = Host::start().await;
    let mut client = script(&host, "live/ws.mjs").await;
    let stderr = client.stderr.take().expect("it is piped");
    let ready = spawn_blocking(|| {
        let mut lines = BufReader::new(stderr);
        let mut line = String::new();
        lines.read_line(&mut line).expect("it writes");
        let mut rest = String::new();
        if line != "READY\n" {
            lines.read_to_string(&mut rest).expect("it writes");
        }
        (line + &rest, lines)
    });
    let (ready, _stderr) = ready.await.expect("it does not panic");
    assert_eq!(ready, "READY\n");

    host.app.stop();
    host.app.stopped().await;
    let report = report(client).await;
    assert_seen(&report);
    // It tries to connect again, and finds no server.
    assert_eq!((&report["closed"], &report["retries"]), (&json!(1012), &json!(1)), "{report}");
    assert_eq!(report["over"], "over");
}

async fn hears_of_follows(name: &str) {
    let host = Host::start().await;
    let client = script(&host, name).await;
    assert_seen(&report(client).await);
}

#[tokio::test]
async fn graphql_sse_hears_of_follows() {
    hears_of_follows("live/sse.mjs").await;
}

#[tokio::test]
async fn apollo_hears_of_follows() {
    hears_of_follows("live/apollo.mjs").await;
}

#[tokio::test]
async fn urql_hears_of_follows() {
    hears_of_follows("live/urql.mjs").await;
}

#[tokio::test]
async fn relay_hears_of_follows() {
    hears_of_follows("live/relay.mjs").await;
}
