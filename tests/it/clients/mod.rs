//! Clients of `schema.graphql`, generated or with a cache, each against its own server.
//!
//! All do the same: read the profile of ada page by page, follow her, and report the result.
//! `make clients` builds those in `tests/clients`.

mod federation;
mod live;
mod moving_in;
mod rust;
mod tokens;
mod webhooks;

use std::{
    ffi::OsStr,
    path::PathBuf,
    process::{Command, Stdio},
};

use entourage::{
    app::Settings,
    domain::Limits,
    graphql::{DocumentRules, Features, Manifest},
};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use crate::support::{
    app::{TestApp, settings},
    graph::draw,
};

/// The server of a client, with a token of emily.
struct Host {
    app: TestApp,
    url: String,
    token: String,
}

impl Host {
    async fn start() -> Self {
        Self::with(settings()).await
    }

    async fn with(settings: Settings) -> Self {
        let app = TestApp::with(settings).await;
        draw(&*app.store, "ada -> emily\n bob -> ada\n carol -> ada\n dave -> ada").await;
        let rename = r#"mutation { updateProfile(input: {name: "Ada Lovelace"}) { userErrors { message } } }"#;
        let ada = app.token("ada", None).await;
        app.graphql(rename, json!({}), Some(&ada)).await;

        let url = app.url("/graphql");
        let token = app.token("emily", None).await;
        Self { app, url, token }
    }

    /// Runs a script of `tests/clients` and returns its output.
    async fn run(&self, interpreter: impl AsRef<OsStr>, script: &str) -> Value {
        let mut client = Command::new(interpreter);
        client.arg(file(script)).stdin(Stdio::null());
        client.env("ENTOURAGE_URL", &self.url).env("ENTOURAGE_TOKEN", &self.token);
        let client = spawn_blocking(move || client.output()).await.expect("it does not panic");
        let client = client.expect("there is an interpreter after `make clients`");
        let complaints = String::from_utf8_lossy(&client.stderr);
        assert!(
            client.status.success(),
            "{script} fails (`make clients` rebuilds it):\n{complaints}"
        );
        serde_json::from_slice(&client.stdout).expect("it prints JSON")
    }

    /// Checks the client's report and the state of the server.
    async fn assert_followed(&self, report: Value) {
        let expected = json!({
            "name": "Ada Lovelace",
            "followers": 3,
            "following": 1,
            "followedBy": [
                ["dave", "2025-06-15T15:06:43.000000Z"],
                ["carol", "2025-06-15T15:06:42.000000Z"],
                ["bob", "2025-06-15T15:06:41.000000Z"],
            ],
            "viewerIsFollowing": false,
            "isFollowingViewer": true,
            "viewerCanFollow": true,
            "outcome": "FOLLOWED",
            "userErrors": [],
            "followersAfterwards": 4,
            "followingAfterwards": 1,
        });
        assert_eq!(report, expected);

        let query = r#"{ user(username: "ada") { followers { nodes { username } } } }"#;
        let answer = self.app.graphql(query, json!({}), None).await;
        let followers = &answer["data"]["user"]["followers"]["nodes"];
        assert_eq!(followers[0]["username"], "emily", "{answer}");
    }
}

/// A file of `tests/clients`.
fn file(path: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "clients", path].iter().collect()
}

#[tokio::test]
async fn a_client_without_a_library_reads_and_follows() {
    let host = Host::start().await;
    let report = host.run("node", "fetch.mjs").await;
    host.assert_followed(report).await;
}

#[tokio::test]
async fn a_typescript_client_of_graphql_codegen_reads_and_follows() {
    let host = Host::start().await;
    let report = host.run("node", "dist/typescript/client.js").await;
    host.assert_followed(report).await;
}

#[tokio::test]
async fn a_relay_client_reads_follows_and_keeps_its_list() {
    // The client sends no texts, only the ids that its compiler wrote into a manifest.
    let manifest = std::fs::read_to_string(file("dist/relay/documents.json"));
    let manifest =
        Manifest { name: "relay".to_owned(), json: manifest.expect("`make clients` writes it") };
    let mut documents = DocumentRules::default();
    documents.registers = false;
    let features = Features { sign_up: true, ..Features::default() };
    documents.trust(&[manifest], features, Limits::default()).expect("it fits the schema");
    let host = Host::with(Settings { documents, ..settings() }).await;

    let mut report = host.run("node", "dist/relay/Profile.js").await;
    let store = report.as_object_mut().and_then(|saw| saw.remove("store")).expect("a store");

    let pages = "ProfileFollowersPaginationQuery";
    let viewer = "ProfileViewerQuery";
    let requests = [viewer, "ProfileQuery", viewer, pages, "ProfileFollowMutation"];
    assert_eq!(store["requests"], json!(requests));
    assert_eq!(store["follows"], json!([[], ["ada"]]));
    assert_eq!((&store["warnings"], &store["viewerIsFollowing"]), (&json!([]), &json!(true)));
    // Relay's store has the new edge before those of both pages.
    let followers = store["followedBy"].as_array().expect("a list");
    assert_eq!(followers[0][0], "emily");
    assert_eq!(json!(followers[1..]), report["followedBy"]);
    host.assert_followed(report).await;
}

/// Runs a client with a cache, which must send `requests`: those without a text end in `#`.
async fn assert_cache_follows(script: &str, requests: Value) {
    let host = Host::start().await;
    let mut report = host.run("node", script).await;
    let cache = report.as_object_mut().and_then(|report| report.remove("cache")).expect("a cache");

    assert_eq!(cache["warnings"], json!([]));
    assert_eq!(cache["requests"], requests);
    assert_eq!(cache["viewerIsFollowing"], true);
    assert_eq!(cache["followingBefore"], 0);
    assert_eq!(cache["follows"], json!([[], ["ada"]]));
    let followers = cache["followedBy"].as_array().expect("a list");
    assert_eq!(followers[0][0], "emily");
    assert_eq!(json!(followers[1..]), report["followedBy"]);
    host.assert_followed(report).await;
}

#[tokio::test]
async fn apollo_client_shows_follows_without_a_refetch() {
    let mut requests = vec!["Profile#", "Profile", "Viewer#", "Viewer", "Profile#"];
    requests.extend(["Follow#", "Follow", "Unfollow#", "Unfollow", "Follow#"]);
    assert_cache_follows("caches/apollo.mjs", json!(requests)).await;
}

#[tokio::test]
async fn urql_graphcache_shows_a_follow_without_a_refetch() {
    let requests = ["Profile#", "Profile", "Viewer#", "Viewer", "Profile#", "Follow"];
    assert_cache_follows("caches/urql.mjs", json!(requests)).await;
}

#[tokio::test]
async fn a_rust_client_of_graphql_client_reads_and_follows() {
    let host = Host::start().await;
    let report = rust::run(&host.url, &host.token).await;
    host.assert_followed(report).await;
}

#[tokio::test]
async fn a_python_client_of_ariadne_codegen_reads_and_follows() {
    let host = Host::start().await;
    let report = host.run(file("python/.venv/bin/python"), "python/client.py").await;
    host.assert_followed(report).await;
}
