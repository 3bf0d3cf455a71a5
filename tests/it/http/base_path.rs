//! A server below a path of its address.

use entourage::{
    app::Settings,
    http::{BasePath, BuiltFile, Playground},
};
use reqwest::{
    Method,
    header::{ACCEPT, ACCEPT_ENCODING, IF_NONE_MATCH},
};
use serde_json::json;

use super::{Read, TYPENAME, send};
use crate::support::app::{TestApp, settings};

pub(super) const BROWSER: &str = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8";
const BASE: &str = "<base href=\"/\" />";

/// A build whose pages have a base, as the real ones do.
fn build() -> Playground {
    let files = [
        ("index.html", format!("{BASE}the app")),
        ("index.html.br", "coded".to_owned()),
        ("graphiql.html", format!("{BASE}GraphiQL")),
        ("favicon.svg", "the icon".to_owned()),
        ("assets/app-1.js", "the script".to_owned()),
    ];
    Playground::new(files.map(|(path, text)| BuiltFile {
        path: path.to_owned(),
        bytes: text.into_bytes().into(),
        sha256: [0; 32],
    }))
}

/// A server that is published below `/social`.
pub(super) async fn social() -> TestApp {
    let base_path: BasePath = "/social".parse().expect("a path");
    TestApp::with(Settings { base_path, playground: Some(build()), ..settings() }).await
}

/// A server that has its address to itself.
async fn at_the_root() -> TestApp {
    TestApp::with(Settings { playground: Some(build()), ..settings() }).await
}

async fn get(app: &TestApp, path: &str) -> Read {
    send(app.request(Method::GET, path)).await
}

/// The path of alice's picture.
async fn picture(app: &TestApp) -> String {
    app.sign_up("alice").await;
    let query = "{ user(username: \"alice\") { avatarUrl } }";
    let reply = app.graphql(query, json!({}), None).await;
    let url = reply["data"]["user"]["avatarUrl"].as_str();
    url.unwrap_or_else(|| panic!("no picture: {reply}")).to_owned()
}

#[tokio::test]
async fn every_route_works_with_and_without_the_base_path() {
    let app = social().await;
    for prefix in ["", "/social"] {
        for (path, expected) in [
            ("/", "<base href=\"/social/\" />the app"),
            ("/users/ada/followers", "<base href=\"/social/\" />the app"),
            ("/graphiql", "<base href=\"/social/\" />GraphiQL"),
            ("/favicon.svg", "the icon"),
            ("/assets/app-1.js", "the script"),
            ("/graphql?query=%7B__typename%7D", r#"{"data":{"__typename":"Query"}}"#),
            ("/healthz", "ok\n"),
            ("/readyz", "ready\n"),
        ] {
            let reply = get(&app, &format!("{prefix}{path}")).await;
            assert_eq!((reply.status, reply.body.as_str()), (200, expected), "{prefix}{path}");
        }
        assert!(get(&app, &format!("{prefix}/schema.graphql")).await.body.contains("type Query"));
        assert!(get(&app, &format!("{prefix}/metrics")).await.body.contains("route=\"/graphql\""));
    }
    assert_eq!(get(&app, "/social").await.status, 200);
    assert_eq!(get(&app, "/socialist").await.status, 404);
    assert_eq!(get(&app, "/social/social/healthz").await.status, 404);
}

#[tokio::test]
async fn pages_below_a_base_path_are_cached_and_confined() {
    let app = social().await;
    for path in ["/social/", "/social/graphiql"] {
        let page = send(app.request(Method::GET, path).header(ACCEPT_ENCODING, "br, gzip")).await;
        assert!(page.body.starts_with("<base href=\"/social/\" />"), "{}", page.body);
        assert!(page.headers.get("content-encoding").is_none(), "{path}");
        assert_eq!(page.header("cache-control"), "no-cache", "{path}");
        assert!(page.header("content-security-policy").contains("base-uri 'self'"), "{path}");

        let etag = page.header("etag");
        let again = send(app.request(Method::GET, path).header(IF_NONE_MATCH, etag)).await;
        assert_eq!(again.status, 304, "{path}");
    }
    assert!(
        get(&app, "/social/assets/app-1.js").await.header("cache-control").contains("immutable")
    );

    let base_path = "/a/b".parse().expect("a path");
    let unbuilt = Settings { base_path, playground: Some(Playground::new([])), ..settings() };
    let page = get(&TestApp::with(unbuilt).await, "/a/b/").await;
    assert!(page.body.contains("<base href=\"/a/b/\" />"), "{}", page.body);
    assert!(!page.body.contains("href=\"/schema"), "{}", page.body);
}

#[tokio::test]
async fn a_drawn_picture_has_a_url_below_the_base_path() {
    let app = social().await;
    let projected = picture(&app).await;
    assert!(projected.starts_with("/social/avatars/"), "{projected}");
    assert_eq!(get(&app, &projected).await.header("content-type"), "image/svg+xml");

    let base_path = "/social".parse().expect("a path");
    let app = TestApp::with(Settings { base_path, projection: false, ..settings() }).await;
    assert_eq!(
        picture(&app).await.rsplit_once('/').map(|(folder, _)| folder),
        Some("/social/avatars")
    );
}

#[tokio::test]
async fn a_slash_at_the_end_of_a_path_makes_no_difference() {
    let app = at_the_root().await;
    let post = app.request(Method::POST, "/graphql/").header("content-type", "application/json");
    assert_eq!(send(post.body(TYPENAME)).await.status, 200);
    for path in ["/graphql/?query=%7B__typename%7D", "/graphiql/", "/users/ada/", "/healthz/"] {
        assert_eq!(get(&app, path).await.status, 200, "{path}");
    }
    let wrong = send(app.request(Method::PUT, "/graphql/")).await;
    assert_eq!((wrong.status, wrong.header("allow")), (405, "GET,HEAD,POST"));

    // The redirect to GraphiQL is relative, to a path that ends in another folder.
    let query = "query=%7B__typename%7D";
    for path in ["/graphql", "/graphql/", "/social/graphql", "/social/graphql/"] {
        let app = if path.starts_with("/social") { social().await } else { at_the_root().await };
        let request = app.request(Method::GET, &format!("{path}?{query}")).header(ACCEPT, BROWSER);
        let page = request.send().await.expect("it answers");
        let expected = path.trim_end_matches('/').replace("graphql", "graphiql");
        assert_eq!((page.url().path(), page.url().query()), (expected.as_str(), Some(query)));
        assert!(page.text().await.expect("text").ends_with("GraphiQL"), "{path}");
    }
}
