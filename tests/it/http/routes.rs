//! The other routes, and the headers of every reply.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use entourage::{app::Settings, domain::Clock};
use reqwest::{
    Method,
    header::{ACCEPT_ENCODING, HeaderName, ORIGIN},
};
use tokio::net::TcpListener;

use super::{TYPENAME, send};
use crate::support::{
    app::{TestApp, settings},
    database::{Database, Engine},
};

#[tokio::test]
async fn a_healthy_server_is_alive_and_ready() {
    let app = TestApp::start().await;
    for path in ["/healthz", "/readyz"] {
        assert_eq!(send(app.request(Method::GET, path)).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn without_its_database_a_server_is_alive_but_not_ready() {
    let app = TestApp::start().await;
    app.store.close().await;

    assert_eq!(send(app.request(Method::GET, "/healthz")).await.status, 200);
    let reply = send(app.request(Method::GET, "/readyz")).await;
    assert_eq!((reply.status, reply.body.as_str()), (503, "database\n"));
}

#[tokio::test]
async fn without_its_tables_a_server_is_not_ready() {
    let app = TestApp::on(Database::empty(Engine::Sqlite).await, settings()).await;
    let reply = send(app.request(Method::GET, "/readyz")).await;
    assert_eq!((reply.status, reply.body.as_str()), (503, "schema\n"));

    app.store.migrate().await.expect("migrates");
    assert_eq!(send(app.request(Method::GET, "/readyz")).await.status, 200);
}

#[tokio::test]
async fn the_schema_is_served() {
    let app = TestApp::start().await;
    let reply = send(app.request(Method::GET, "/schema.graphql")).await;
    assert_eq!((reply.status, reply.header("content-type")), (200, "text/plain; charset=utf-8"));
    assert!(reply.body.contains("type Query"), "{}", reply.body);
}

#[tokio::test]
async fn a_drawn_picture_is_small_and_immutable() {
    let app = TestApp::start().await;
    let reply = send(app.request(Method::GET, "/avatars/VXNlcjox.svg")).await;
    assert_eq!((reply.status, reply.header("content-type")), (200, "image/svg+xml"));
    assert_eq!(reply.header("cache-control"), "public, max-age=31536000, immutable");
    assert!(reply.body.starts_with("<svg ") && reply.body.len() < 300, "{}", reply.body);
    let other = send(app.request(Method::GET, "/avatars/VXNlcjoy.svg")).await;
    assert_ne!(reply.body, other.body);

    for path in ["VXNlcjox", "VXNlcjox.png", "Vmlld2VyOjE.svg", "x.svg", ".svg", "..%2fx.svg"] {
        let reply = send(app.request(Method::GET, &format!("/avatars/{path}"))).await;
        assert_eq!((reply.status, reply.code().as_str()), (404, "NOT_FOUND"), "{path}");
    }
}

#[tokio::test]
async fn requests_and_statements_are_measured() {
    let app = TestApp::start().await;
    send(app.post(TYPENAME)).await;
    send(app.request(Method::GET, "/readyz")).await;
    send(app.request(Method::GET, "/nowhere/at/all")).await;

    let reply = send(app.request(Method::GET, "/metrics")).await;
    assert_eq!(reply.status, 200);
    assert!(reply.header("content-type").starts_with("text/plain; version=0.0.4"));
    for expected in [
        r#"entourage_http_requests_total{route="/graphql",status="200"}"#,
        r#"entourage_http_requests_total{route="other",status="404"}"#,
        r#"entourage_http_seconds_bucket{route="/graphql",le="0.005"}"#,
        r#"entourage_store_statements_total{method="ping"}"#,
        r#"entourage_store_seconds_bucket{method="ping",le="0.005"}"#,
    ] {
        assert!(reply.body.contains(expected), "{expected}\n{}", reply.body);
    }
    assert!(!reply.body.contains("nowhere"), "labels must not come from clients");
}

#[tokio::test]
async fn metrics_can_move_to_a_listener_of_their_own() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let metrics = listener.local_addr().expect("it is bound");
    let database = Database::migrated(Engine::Sqlite).await;
    let app = TestApp::arranged(database, settings(), |app| app.with_metrics_on(listener)).await;

    assert_eq!(send(app.request(Method::GET, "/metrics")).await.status, 404);
    let get = |path: &str| reqwest::Client::new().get(format!("http://{metrics}{path}"));
    assert_eq!(send(get("/metrics")).await.status, 200);
    assert_eq!(send(get("/graphql?query={__typename}")).await.status, 404);
}

#[tokio::test]
async fn unknown_paths_and_methods_are_answered_in_json() {
    let app = TestApp::start().await;
    let reply = send(app.request(Method::GET, "/nothing")).await;
    assert_eq!((reply.status, reply.code().as_str()), (404, "NOT_FOUND"));

    let reply = send(app.request(Method::POST, "/healthz")).await;
    assert_eq!((reply.status, reply.header("allow")), (405, "GET,HEAD"));
    assert_eq!(reply.code(), "BAD_USER_INPUT");
}

#[tokio::test]
async fn every_reply_has_the_id_of_its_request() {
    let app = TestApp::start().await;
    let get = |path: &str| app.request(Method::GET, path);

    for good in ["aZ09._-", &"x".repeat(64)] {
        let reply = send(get("/healthz").header("x-request-id", good)).await;
        assert_eq!(reply.header("x-request-id"), good);
    }
    for path in ["/healthz", "/nothing", "/graphql"] {
        for bad in ["", "not a good one", "a\"b", &"x".repeat(65)] {
            let one = send(get(path).header("x-request-id", bad)).await;
            let two = send(get(path)).await;
            let (one, two) = (one.header("x-request-id"), two.header("x-request-id"));
            assert!(one.len() == 32 && two.len() == 32 && one != two, "{path}: {one} {two}");
        }
    }
}

#[tokio::test]
async fn every_reply_has_security_and_cache_headers() {
    let app = TestApp::start().await;
    for path in ["/healthz", "/nothing", "/graphql", "/schema.graphql"] {
        let reply = send(app.request(Method::GET, path)).await;
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(reply.header("x-frame-options"), "DENY", "{path}");
        assert_eq!(reply.header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(reply.header("cache-control"), "no-store", "{path}");
        assert!(reply.header("content-security-policy").starts_with("default-src 'none'"));
    }
}

#[tokio::test]
async fn large_replies_are_compressed_on_request() {
    let app = TestApp::start().await;
    for encoding in ["gzip", "br"] {
        let get = |path: &str| app.request(Method::GET, path).header(ACCEPT_ENCODING, encoding);
        let large = get("/schema.graphql").send().await.expect("answers");
        assert_eq!(large.headers()["content-encoding"], encoding);
        let small = get("/healthz").send().await.expect("answers");
        assert!(small.headers().get("content-encoding").is_none());
    }
    let plain = send(app.request(Method::GET, "/schema.graphql")).await;
    assert!(plain.headers.get("content-encoding").is_none());
}

#[tokio::test]
async fn other_sites_are_refused_unless_configured() {
    let ask = |app: &TestApp, origin: &str| send(app.post(TYPENAME).header(ORIGIN, origin));
    let preflight = |app: &TestApp, origin: &str| {
        let request = app.request(Method::OPTIONS, "/graphql").header(ORIGIN, origin);
        send(request.header("access-control-request-method", "POST"))
    };

    let closed = TestApp::start().await;
    for reply in [
        ask(&closed, "https://app.example.com").await,
        preflight(&closed, "https://app.example.com").await,
    ] {
        let names = reply.headers.keys().map(HeaderName::as_str);
        assert!(!names.into_iter().any(|name| name.starts_with("access-control-")));
    }

    let origins = ["https://app.example.com", "http://localhost:5173"];
    let cors_origins = origins.map(|origin| origin.parse().expect("an origin")).into();
    let open = TestApp::with(Settings { cors_origins, ..settings() }).await;
    for reply in [
        ask(&open, "https://app.example.com").await,
        preflight(&open, "https://app.example.com").await,
    ] {
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("access-control-allow-origin"), "https://app.example.com");
        assert!(reply.headers.get("access-control-allow-credentials").is_none());
    }
    let stranger = ask(&open, "https://evil.example.com").await;
    assert!(stranger.headers.get("access-control-allow-origin").is_none());
    for app in [&closed, &open] {
        let refused = preflight(app, "http://localhost:3000").await;
        assert_eq!((refused.status, refused.code().as_str()), (403, "FORBIDDEN"));
        for word in ["ENTOURAGE_CORS_ORIGINS", "development"] {
            assert!(refused.body.contains(word), "{}", refused.body);
        }
        assert!(refused.headers.get("access-control-allow-origin").is_none());
    }

    let cors_origins = vec!["*".parse().expect("an origin")];
    let public = TestApp::with(Settings { cors_origins, ..settings() }).await;
    let anybody = ask(&public, "https://evil.example.com").await;
    assert_eq!(anybody.header("access-control-allow-origin"), "*");
}

#[tokio::test]
async fn an_allowed_site_may_send_any_header() {
    for (allowed, origin) in [
        ("https://app.example.com", "https://app.example.com"),
        ("capacitor://localhost", "capacitor://localhost"),
        ("development", "http://localhost:5173"),
        ("development", "http://127.0.0.1:3000"),
        ("development", "http://[::1]:4200"),
        ("*", "https://anywhere.example.com"),
    ] {
        let cors_origins = vec![allowed.parse().expect("an origin")];
        let app = TestApp::with(Settings { cors_origins, ..settings() }).await;
        let headers = "authorization,content-type,apollographql-client-name,x-trace";
        let preflight = app
            .request(Method::OPTIONS, "/graphql")
            .header(ORIGIN, origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", headers);
        let reply = send(preflight).await;
        assert_eq!((reply.status, reply.header("access-control-allow-headers")), (200, headers));
        assert_eq!(reply.header("access-control-allow-methods"), "GET,POST");

        let reply = send(app.post(TYPENAME).header(ORIGIN, origin)).await;
        let expected = if allowed == "*" { "*" } else { origin };
        assert_eq!(reply.header("access-control-allow-origin"), expected);
        let exposed = reply.header("access-control-expose-headers");
        assert!(exposed.contains("www-authenticate"), "{exposed}");
    }
}

/// A clock that panics, to make a handler panic.
#[derive(Debug)]
pub(super) struct Broken;

impl Clock for Broken {
    fn now(&self) -> DateTime<Utc> {
        panic!("the clock is broken")
    }
}

#[tokio::test]
async fn a_panic_is_an_internal_error_with_the_request_id() {
    let app = TestApp::with(Settings { clock: Arc::new(Broken), ..settings() }).await;

    let reply = send(app.post(TYPENAME).bearer_auth("x").header("x-request-id", "mine")).await;
    assert_eq!((reply.status, reply.code().as_str()), (500, "INTERNAL"));
    assert!(reply.body.contains("mine") && !reply.body.contains("clock"), "{}", reply.body);
    assert_eq!(reply.header("x-content-type-options"), "nosniff");
    assert_eq!(send(app.post(TYPENAME)).await.status, 200, "the server goes on");
}
