//! Persisted documents: registered by their hashes, trusted by a manifest, and nothing else.

use std::slice;

use aws_lc_rs::digest::{SHA256, digest};
use entourage::{
    app::Settings,
    domain::{Audience, Limits, UsernameKey},
    graphql::{DocumentRules, Features, Manifest, ManifestError},
    http::{BuiltFile, Playground},
};
use reqwest::{Method, header::ACCEPT};
use serde_json::{Value, json};

use super::{Read, send};
use crate::support::app::{TestApp, settings};

const GRAPHQL: &str = "application/graphql-response+json";
const PROFILE: &str = "query Profile($name: String!) { user(username: $name) { username } }";

/// The SHA-256 of a text, in lower-case hexadecimal digits.
fn sha256(text: &str) -> String {
    let hash = digest(&SHA256, text.as_bytes());
    hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The extension of Apollo's protocol.
fn by_hash(hash: &str) -> Value {
    json!({ "persistedQuery": { "version": 1, "sha256Hash": hash } })
}

async fn post(app: &TestApp, body: &Value) -> Read {
    send(app.post(body.to_string()).header(ACCEPT, GRAPHQL)).await
}

async fn get(app: &TestApp, parameters: &[(&str, &str)]) -> Read {
    let query =
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    send(app.request(Method::GET, &format!("/graphql?{query}")).header(ACCEPT, GRAPHQL)).await
}

#[track_caller]
fn assert_refused(reply: &Read, code: &str) {
    assert_eq!((reply.status, reply.code().as_str()), (400, code), "{}", reply.body);
}

#[track_caller]
fn assert_typename(reply: &Read) {
    assert_eq!((reply.status, reply.json()), (200, json!({ "data": { "__typename": "Query" } })));
}

fn rules(change: impl FnOnce(&mut DocumentRules)) -> Settings {
    let mut documents = DocumentRules::default();
    change(&mut documents);
    Settings { documents, ..settings() }
}

/// Settings with a trusted manifest; `only` if nothing else may run.
fn trusting(json: &Value, only: bool) -> Settings {
    rules(|rules| {
        rules.only_trusted = only;
        let manifest = Manifest { name: "client.json".to_owned(), json: json.to_string() };
        let features = Features { sign_up: true, ..Features::default() };
        rules.trust(&[manifest], features, Limits::default()).expect("it fits the schema");
    })
}

#[tokio::test]
async fn a_hash_is_found_once_its_text_has_followed() {
    let app = TestApp::start().await;
    let extensions = by_hash(&sha256("{ __typename }"));
    let alone = json!({ "extensions": extensions });

    for (media, status) in [(GRAPHQL, 400), ("application/json", 200)] {
        let reply = send(app.post(alone.to_string()).header(ACCEPT, media)).await;
        assert_eq!(reply.status, status, "{media}");
        assert_eq!(reply.code(), "PERSISTED_QUERY_NOT_FOUND", "{media}");
        assert_eq!(reply.json()["errors"][0]["message"], "PersistedQueryNotFound");
    }
    let both = json!({ "query": "{ __typename }", "extensions": extensions });
    assert_typename(&post(&app, &both).await);

    assert_typename(&post(&app, &alone).await);
    let text = extensions.to_string();
    assert_typename(&get(&app, &[("extensions", &text), ("variables", "{}")]).await);
    let id = format!("sha256:{}", sha256("{ __typename }"));
    assert_typename(&post(&app, &json!({ "documentId": id })).await);

    let metrics = send(app.request(Method::GET, "/metrics")).await.body;
    for result in ["unknown", "registered"] {
        let metric = format!("entourage_persisted_documents_total{{result=\"{result}\"}}");
        assert!(metrics.contains(&metric), "{metrics}");
    }
}

#[tokio::test]
async fn a_hash_of_another_text_registers_nothing() {
    let app = TestApp::start().await;
    let extensions = by_hash(&sha256("{ viewer { id } }"));

    let body = json!({ "query": "{ __typename }", "extensions": extensions });
    let reply = post(&app, &body).await;
    assert_refused(&reply, "BAD_USER_INPUT");
    let error = &reply.json()["errors"][0];
    assert_eq!(error["message"], "provided sha does not match query");
    assert_eq!(error["extensions"]["argument"], "extensions.persistedQuery.sha256Hash");
    let reply = post(&app, &json!({ "extensions": extensions })).await;
    assert_refused(&reply, "PERSISTED_QUERY_NOT_FOUND");
}

#[tokio::test]
async fn an_invalid_document_is_not_registered() {
    let app = TestApp::start().await;
    for (query, code) in
        [("{", "GRAPHQL_PARSE_FAILED"), ("{ nothing }", "GRAPHQL_VALIDATION_FAILED")]
    {
        let extensions = by_hash(&sha256(query));
        let reply = post(&app, &json!({ "query": query, "extensions": extensions })).await;
        assert_refused(&reply, code);
        let reply = post(&app, &json!({ "extensions": extensions })).await;
        assert_refused(&reply, "PERSISTED_QUERY_NOT_FOUND");
    }
}

#[tokio::test]
async fn a_malformed_extension_is_refused() {
    let app = TestApp::start().await;
    for persisted in [
        json!(1),
        json!([]),
        json!({}),
        json!({ "version": 2, "sha256Hash": "x" }),
        json!({ "version": "1", "sha256Hash": "x" }),
        json!({ "version": 1 }),
        json!({ "version": 1, "sha256Hash": 1 }),
    ] {
        let body = json!({ "extensions": { "persistedQuery": persisted } });
        assert_refused(&post(&app, &body).await, "BAD_USER_INPUT");
    }
    for body in [json!({ "extensions": { "persistedQuery": null } }), json!({ "documentId": 1 })] {
        assert_refused(&post(&app, &body).await, "BAD_USER_INPUT");
    }
}

#[tokio::test]
async fn registration_can_be_switched_off() {
    let app = TestApp::with(rules(|rules| rules.registers = false)).await;
    let extensions = by_hash(&sha256("{ __typename }"));

    for _ in 0..2 {
        let reply = post(&app, &json!({ "extensions": extensions })).await;
        assert_refused(&reply, "PERSISTED_QUERY_NOT_SUPPORTED");
        assert_eq!(reply.json()["errors"][0]["message"], "PersistedQueryNotSupported");
        let body = json!({ "query": "{ __typename }", "extensions": extensions });
        assert_typename(&post(&app, &body).await);
    }
}

#[tokio::test]
async fn a_document_of_each_kind_of_manifest_runs_by_its_id() {
    let apollo = json!({
        "format": "apollo-persisted-query-manifest",
        "version": 1,
        "operations": [{ "id": "abc", "name": "Profile", "type": "query", "body": PROFILE }],
    });
    let relay = json!({ "abc": PROFILE });
    let codegen = json!({ "sha256:abc": PROFILE });

    for manifest in [apollo, relay, codegen] {
        let app = TestApp::with(trusting(&manifest, true)).await;
        app.sign_up("ada").await;
        let expected = json!({ "data": { "user": { "username": "ada" } } });
        let variables = json!({ "name": "ada" });

        for id in ["abc", "sha256:abc"] {
            let body = json!({ "documentId": id, "variables": variables });
            assert_eq!(post(&app, &body).await.json(), expected, "{manifest} {id}");
            let text = variables.to_string();
            let reply = get(&app, &[("documentId", id), ("variables", &text)]).await;
            assert_eq!(reply.json(), expected, "{manifest} {id}");
            let body = json!({ "extensions": by_hash(id), "variables": variables });
            assert_eq!(post(&app, &body).await.json(), expected, "{manifest} {id}");
        }
        let reply = post(&app, &json!({ "documentId": "abd" })).await;
        assert_refused(&reply, "PERSISTED_QUERY_NOT_FOUND");
    }
}

#[tokio::test]
async fn a_get_runs_no_mutation_by_its_id() {
    let manifest =
        json!({ "abc": "mutation F($to: UserRef!) { follow(input: {user: $to}) { outcome } }" });
    let app = TestApp::with(trusting(&manifest, false)).await;
    let variables = r#"{"to": {"username": "ada"}}"#;
    let reply = get(&app, &[("documentId", "abc"), ("variables", variables)]).await;
    assert_eq!((reply.status, reply.header("allow")), (405, "POST"));
}

#[tokio::test]
async fn other_documents_are_refused_if_only_trusted_ones_run() {
    let app = TestApp::with(trusting(&json!({ "abc": PROFILE }), true)).await;
    app.sign_up("ada").await;

    for query in [
        "{ user(username: \"ada\") { username } }",
        "query Profile($name: String!) { user(username: $name) { username name } }",
        "mutation { signOutEverywhere { __typename } }",
        "{ usr }",
        "{",
    ] {
        let reply = post(&app, &json!({ "query": query })).await;
        assert_refused(&reply, "PERSISTED_QUERY_ONLY");
        assert!(!reply.body.contains("Did you mean"), "{}", reply.body);
        let extensions = by_hash(&sha256(query));
        let reply = post(&app, &json!({ "query": query, "extensions": extensions })).await;
        assert_refused(&reply, "PERSISTED_QUERY_ONLY");
        let reply = post(&app, &json!({ "extensions": extensions })).await;
        assert_refused(&reply, "PERSISTED_QUERY_NOT_FOUND");
    }
}

#[tokio::test]
async fn the_text_of_a_trusted_document_is_trusted() {
    let app = TestApp::with(trusting(&json!({ "abc": PROFILE }), true)).await;
    app.sign_up("ada").await;
    let as_apollo_sends_it = "query Profile($name: String!) {\n  user(username: $name) {
    username\n    __typename\n  }\n}";
    let expected = json!({ "username": "ada", "__typename": "User" });

    let extensions = by_hash(&sha256(as_apollo_sends_it));
    let variables = json!({ "name": "ada" });
    let body =
        json!({ "query": as_apollo_sends_it, "variables": variables, "extensions": extensions });
    assert_eq!(post(&app, &body).await.json()["data"]["user"], expected);
    let body = json!({ "extensions": extensions, "variables": variables });
    assert_eq!(post(&app, &body).await.json()["data"]["user"], expected);
}

#[tokio::test]
async fn only_admins_introspect_if_only_trusted_documents_run() {
    let app = TestApp::with(trusting(&json!({ "abc": PROFILE }), true)).await;
    let user = app.sign_up("ada").await;
    let admin = app.sign_up("grace").await;
    let key = UsernameKey::parse("grace").expect("a username");
    let found = app.store.users_by_usernames(Audience::EVERYBODY, slice::from_ref(&key)).await;
    let grace = found.expect("a read").remove(&key).expect("grace");
    crate::support::admin::give_role(&*app.store, grace.id, "admin").await;
    let body = json!({ "query": "{ __schema { queryType { name } } }" }).to_string();
    let introspect = || app.post(body.clone()).header(ACCEPT, GRAPHQL);

    let reply = send(introspect()).await;
    assert_eq!((reply.status, reply.code().as_str()), (401, "UNAUTHENTICATED"));
    let reply = send(introspect().bearer_auth(user)).await;
    assert_eq!((reply.status, reply.code().as_str()), (403, "FORBIDDEN"));
    let required = &reply.json()["errors"][0]["extensions"]["requiredPermissions"];
    assert_eq!(*required, json!(["ADMIN"]));
    let reply = send(introspect().bearer_auth(admin)).await;
    assert_eq!(reply.json()["data"]["__schema"]["queryType"]["name"], "Query");
}

#[tokio::test]
async fn the_documents_of_the_pages_are_always_trusted() {
    let documents = json!({ "1": PROFILE, "2": "{ gone }" }).to_string();
    let file = BuiltFile {
        path: "documents/app.json".to_owned(),
        bytes: documents.into_bytes().into(),
        sha256: [0; 32],
    };
    let mut settings = rules(|rules| rules.only_trusted = true);
    settings.playground = Some(Playground::new([file]));
    let app = TestApp::with(settings).await;

    let variables = json!({ "name": "ada" });
    let reply = post(&app, &json!({ "query": PROFILE, "variables": variables })).await;
    assert_eq!(reply.json(), json!({ "data": { "user": null } }));
    let reply = post(&app, &json!({ "query": "{ __typename viewer { id } }" })).await;
    assert_refused(&reply, "PERSISTED_QUERY_ONLY");
    assert_eq!(send(app.request(Method::GET, "/documents/app.json")).await.status, 404);
}

#[tokio::test]
async fn a_flood_of_hashes_keeps_at_most_8_mib_of_texts() {
    const TEXT_BYTES: usize = 200_000;
    let app = TestApp::start().await;
    let padding = "x".repeat(TEXT_BYTES);
    let texts = (0..60).map(|i| format!("{{ __typename }} # {i} {padding}"));
    let extensions: Vec<_> = texts.clone().map(|text| by_hash(&sha256(&text))).collect();
    for (text, extensions) in texts.zip(&extensions) {
        assert_typename(&post(&app, &json!({ "query": text, "extensions": extensions })).await);
    }

    let mut kept = 0;
    for extensions in &extensions {
        kept += usize::from(post(&app, &json!({ "extensions": extensions })).await.status == 200);
    }
    assert!((1..=8 * 1024 * 1024 / TEXT_BYTES).contains(&kept), "{kept}");
}

#[test]
fn a_manifest_of_2000_documents_is_loaded() {
    let document = |i| (format!("{i}"), json!(format!("query Q{i} {{ __typename }}")));
    let manifest = Value::Object((0..2_000).map(document).collect());
    trusting(&manifest, true);
}

#[test]
fn a_manifest_that_cannot_be_used_is_refused() {
    let refusal = |json: &str| {
        let manifest = Manifest { name: "client.json".to_owned(), json: json.to_owned() };
        let mut rules = DocumentRules::default();
        rules.trust(&[manifest], Features::default(), Limits::default()).expect_err(json)
    };
    assert!(matches!(refusal("{"), ManifestError::NotJson { .. }));
    for json in [
        "[]",
        "{\"a\": 1}",
        r#"{"format": "apollo-persisted-query-manifest", "version": 2, "operations": []}"#,
        r#"{"format": "another", "version": 1, "operations": []}"#,
    ] {
        assert!(matches!(refusal(json), ManifestError::NotAManifest { .. }), "{json}");
    }

    let apollo = json!({
        "format": "apollo-persisted-query-manifest",
        "version": 1,
        "operations": [
            { "id": "a", "name": "Good", "type": "query", "body": "query Good { __typename }" },
            { "id": "b", "name": "Bad", "type": "query", "body": "query Bad {\n  nam\n}" },
        ],
    });
    let message = refusal(&apollo.to_string()).to_string();
    assert!(message.starts_with("client.json: the document \"Bad\" (b) "), "{message}");
    assert!(message.contains("nam") && message.contains("line 2"), "{message}");
    // Sign-up is closed, so the schema has no `signUp`.
    let sign_up = r#"{"a": "mutation($i: SignUpInput!) { signUp(input: $i) { token } }"}"#;
    assert!(matches!(refusal(sign_up), ManifestError::Invalid { .. }));
    let twice = r#"{"a": "{ __typename }", "sha256:a": "{ viewer { permissions } }"}"#;
    assert!(matches!(refusal(twice), ManifestError::Ambiguous { .. }));
}
