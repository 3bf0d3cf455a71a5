//! The pages for the browser: paths, codings, caching and content policies.

use std::collections::BTreeSet;

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use entourage::{
    app::Settings,
    http::{BuiltFile, Playground},
};
use reqwest::{
    Method, RequestBuilder,
    header::{ACCEPT, ACCEPT_ENCODING, IF_NONE_MATCH},
    redirect,
};

use super::{Read, TYPENAME, send};
use crate::support::app::{TestApp, settings};

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
const SCRIPT: &str = "/assets/app-B2xyz_-9.js";

/// A minimal build. The content of a variant is its name, so that a test can tell them apart; it is
/// never decoded.
fn built() -> Playground {
    let files = [
        ".gitignore",
        "index.html",
        "index.html.br",
        "index.html.gz",
        "graphiql.html",
        "graphiql.html.gz",
        "favicon.svg",
        "assets/app-B2xyz_-9.js",
        "assets/app-B2xyz_-9.js.br",
        "assets/app-B2xyz_-9.js.gz",
        "assets/app-CcCc1234.css",
        "assets/codicon-DdDd1234.ttf",
        "assets/large-EeEe1234.png",
    ];
    Playground::new(files.map(|path| {
        let bytes = if path.contains("large") { "x".repeat(4_096) } else { path.to_owned() };
        let sha256 = digest(&SHA256, bytes.as_bytes()).as_ref().try_into().expect("32 bytes");
        BuiltFile { path: path.to_owned(), bytes: bytes.into_bytes().into(), sha256 }
    }))
}

async fn serving(playground: Option<Playground>) -> TestApp {
    TestApp::with(Settings { playground, ..settings() }).await
}

fn accepting(app: &TestApp, path: &str, encodings: &str) -> RequestBuilder {
    app.request(Method::GET, path).header(ACCEPT_ENCODING, encodings)
}

async fn get(app: &TestApp, path: &str) -> Read {
    send(app.request(Method::GET, path)).await
}

#[tokio::test]
async fn each_path_serves_the_app_or_graphiql() {
    let app = serving(Some(built())).await;
    for path in [
        "/",
        "/?after=abc",
        "/users/ada",
        "/users/ada/followers",
        "/users/ada/following?after=abc",
        "/sign-in",
        "/sign-up",
        "/settings",
        "/settings/blocked",
        "/settings/muted?after=abc",
        "/requests",
        "/requests/sent?after=abc",
    ] {
        let page = get(&app, path).await;
        assert_eq!((page.status, page.body.as_str()), (200, "index.html"), "{path}");
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    }
    let page = get(&app, "/graphiql").await;
    assert_eq!((page.status, page.body.as_str()), (200, "graphiql.html"));
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
}

#[tokio::test]
async fn files_have_their_media_type() {
    let app = serving(Some(built())).await;
    for (path, expected) in [
        ("/favicon.svg", "image/svg+xml; charset=utf-8"),
        (SCRIPT, "text/javascript; charset=utf-8"),
        ("/assets/app-CcCc1234.css", "text/css; charset=utf-8"),
        ("/assets/codicon-DdDd1234.ttf", "font/ttf"),
        ("/assets/large-EeEe1234.png", "image/png"),
    ] {
        let file = get(&app, path).await;
        assert_eq!((file.status, file.header("content-type")), (200, expected), "{path}");
        assert_eq!(file.header("x-content-type-options"), "nosniff", "{path}");
    }
}

#[tokio::test]
async fn a_file_has_the_coding_the_client_prefers() {
    let app = serving(Some(built())).await;
    for (path, accepted, encoding, body) in [
        ("/", "gzip, deflate, br, zstd", Some("br"), "index.html.br"),
        ("/", "*", Some("br"), "index.html.br"),
        ("/", "identity;q=0, *", Some("br"), "index.html.br"),
        ("/", "br;q=0.5, gzip", Some("gzip"), "index.html.gz"),
        ("/", "br;q=0.5, gzip;q=0.8", Some("gzip"), "index.html.gz"),
        ("/", "br;q=0, *", Some("gzip"), "index.html.gz"),
        ("/", "br;q=high, gzip ; q=0.1", Some("gzip"), "index.html.gz"),
        ("/", "GZIP;Q=0.5", Some("gzip"), "index.html.gz"),
        ("/", "gzip;q=0.5, identity", None, "index.html"),
        ("/", "br;q=0, gzip;q=0", None, "index.html"),
        ("/", "zstd", None, "index.html"),
        ("/", "", None, "index.html"),
        ("/graphiql", "br, gzip;q=0.5", Some("gzip"), "graphiql.html.gz"),
        (SCRIPT, "br", Some("br"), "assets/app-B2xyz_-9.js.br"),
        ("/favicon.svg", "br, gzip", None, "favicon.svg"),
    ] {
        // Compare raw bytes: they are not really coded.
        let file = send(accepting(&app, path, accepted)).await;
        assert_eq!((file.status, file.body.as_str()), (200, body), "{path} {accepted}");
        let coded = file.headers.get("content-encoding").map(|name| name.to_str().expect("text"));
        assert_eq!(coded, encoding, "{path} {accepted}");
        assert_eq!(file.header("content-length"), body.len().to_string());
        assert_eq!(file.headers.get_all("vary").iter().collect::<Vec<_>>(), ["accept-encoding"]);
    }
}

#[tokio::test]
async fn a_file_is_not_compressed_again_on_its_way() {
    let app = serving(Some(built())).await;
    let file = send(accepting(&app, "/assets/large-EeEe1234.png", "br, gzip")).await;
    assert_eq!((file.header("content-length"), file.body.len()), ("4096", 4_096));
    assert!(file.headers.get("content-encoding").is_none());
}

#[tokio::test]
async fn a_client_that_refuses_every_coding_gets_406() {
    let app = serving(Some(built())).await;
    for (path, accepted) in
        [("/", "identity;q=0"), ("/", "*;q=0"), ("/favicon.svg", "br, identity;q=0")]
    {
        let reply = send(accepting(&app, path, accepted)).await;
        assert_eq!((reply.status, reply.code().as_str()), (406, "BAD_USER_INPUT"), "{path}");
        assert_eq!(
            (reply.header("vary"), reply.header("cache-control")),
            ("accept-encoding", "no-store")
        );
    }
    assert_eq!(send(accepting(&app, "/", "br, identity;q=0")).await.status, 200);
}

#[tokio::test]
async fn hashed_names_are_immutable_and_others_revalidate() {
    let app = serving(Some(built())).await;
    for path in [SCRIPT, "/assets/codicon-DdDd1234.ttf"] {
        let cached = get(&app, path).await;
        assert_eq!(cached.header("cache-control"), "public, max-age=31536000, immutable");
    }
    for path in ["/", "/users/ada", "/graphiql", "/favicon.svg"] {
        assert_eq!(get(&app, path).await.header("cache-control"), "no-cache", "{path}");
    }
}

#[tokio::test]
async fn a_cached_file_is_not_sent_again() {
    let app = serving(Some(built())).await;
    for path in ["/", "/graphiql", "/favicon.svg", SCRIPT] {
        let first = send(accepting(&app, path, "gzip")).await;
        let etag = first.header("etag");
        assert!(etag.starts_with('"') && etag.ends_with('"'), "a strong one: {etag}");

        for known in [etag.to_owned(), format!("\"x\", W/{etag}"), "*".to_owned()] {
            let again = accepting(&app, path, "gzip").header(IF_NONE_MATCH, &known);
            let again = send(again).await;
            assert_eq!((again.status, again.body.as_str()), (304, ""), "{path} {known}");
            for name in ["etag", "cache-control", "vary", "content-security-policy"] {
                assert_eq!(again.header(name), first.header(name), "{path} {name}");
            }
        }
        let other = accepting(&app, path, "gzip").header(IF_NONE_MATCH, "\"x\"");
        assert_eq!(send(other).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn each_coding_has_its_own_etag() {
    let app = serving(Some(built())).await;
    let mut etags = BTreeSet::new();
    for encoding in ["br", "gzip", "identity"] {
        etags.insert(send(accepting(&app, "/", encoding)).await.header("etag").to_owned());
    }
    assert_eq!(etags.len(), 3, "{etags:?}");
}

#[tokio::test]
async fn head_has_the_headers_of_get() {
    let app = serving(Some(built())).await;
    for path in ["/", "/users/ada", "/graphiql", "/favicon.svg", SCRIPT] {
        let got = send(accepting(&app, path, "br")).await;
        let head = app.request(Method::HEAD, path).header(ACCEPT_ENCODING, "br");
        let head = send(head).await;
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
        let names = ["content-length", "content-type", "vary", "etag", "cache-control"];
        for name in names {
            assert_eq!(head.header(name), got.header(name), "{path} {name}");
        }
    }
}

#[tokio::test]
async fn a_page_has_the_narrowest_content_policy() {
    let app = serving(Some(built())).await;
    let common = "base-uri 'self'; form-action 'none'; frame-ancestors 'none'";
    let data = "default-src 'none'; frame-ancestors 'none'";
    for (path, policy) in [
        (
            "/users/ada",
            format!(
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                 connect-src 'self'; {common}"
            ),
        ),
        (
            "/graphiql",
            format!(
                "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                 font-src 'self'; img-src 'self' data:; connect-src 'self'; worker-src 'self'; \
                 {common}"
            ),
        ),
        (SCRIPT, "default-src 'none'; script-src 'self'; frame-ancestors 'none'".to_owned()),
        ("/assets/app-CcCc1234.css", data.to_owned()),
        ("/favicon.svg", data.to_owned()),
    ] {
        let reply = get(&app, path).await;
        assert_eq!(reply.header("content-security-policy"), policy, "{path}");
        assert_eq!(reply.header("x-frame-options"), "DENY", "{path}");
        assert_eq!(reply.header("referrer-policy"), "no-referrer", "{path}");
    }
}

#[tokio::test]
async fn files_outside_the_build_are_not_served() {
    let app = serving(Some(built())).await;
    for path in [
        "/assets/nothing.js",
        "/assets/app-B2xyz_-9.js.br",
        "/assets/",
        "/assets/%ff",
        "/assets/..%2findex.html",
        "/assets/..%2f..%2f..%2fCargo.toml",
        "/assets/%2e%2e%2f%2e%2e%2f%2e%2e%2fCargo.toml",
        "/assets/..%5c..%5cCargo.toml",
        "/index.html",
        "/.gitignore",
        "/users/ada/friends",
    ] {
        let reply = get(&app, path).await;
        assert_eq!((reply.status, reply.code().as_str()), (404, "NOT_FOUND"), "{path}");
        assert_eq!(reply.header("cache-control"), "no-store", "{path}");
    }
    // Unlike a browser, this client sends the dots unresolved.
    let plain = "GET /assets/../../Cargo.toml HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let reply = app.raw(plain.as_bytes()).await;
    assert!(reply.starts_with("HTTP/1.1 404 "), "{reply}");

    let reply = send(app.request(Method::POST, "/sign-in")).await;
    assert_eq!((reply.status, reply.code().as_str()), (405, "BAD_USER_INPUT"));
}

#[tokio::test]
async fn client_paths_do_not_become_metric_labels() {
    let app = serving(Some(built())).await;
    get(&app, "/users/somebody/followers").await;
    get(&app, "/assets/something.js").await;
    let metrics = get(&app, "/metrics").await.body;
    for route in ["/users/{username}/followers", "/assets/{file}"] {
        assert!(metrics.contains(&format!("{{route=\"{route}\",")), "{metrics}");
    }
    assert!(!metrics.contains("somebody") && !metrics.contains("something"), "{metrics}");
}

#[tokio::test]
async fn without_a_build_a_page_explains_how_to_build() {
    let app = serving(Some(Playground::new([]))).await;
    for path in ["/", "/users/ada", "/graphiql"] {
        let page = get(&app, path).await;
        assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
        assert!(page.body.contains("<code>make run</code>"), "{}", page.body);
        assert_eq!(page.header("cache-control"), "no-store");
    }
    for path in ["/favicon.svg", SCRIPT] {
        assert_eq!(get(&app, path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn an_incomplete_build_counts_as_none() {
    let half = Playground::new([BuiltFile {
        path: "index.html".to_owned(),
        bytes: b"half".into(),
        sha256: [0; 32],
    }]);
    assert!(!half.is_built() && built().is_built());
    assert!(get(&serving(Some(half)).await, "/").await.body.contains("make run"));
}

#[tokio::test]
async fn the_unbuilt_page_is_self_contained() {
    let app = serving(Some(Playground::new([]))).await;
    let page = get(&app, "/").await;
    for foreign in ["http:", "https:", "src=", "<script", "style="] {
        assert!(!page.body.contains(foreign), "{foreign}");
    }
    let (_, style) = page.body.split_once("<style>").expect("it has a style");
    let (style, _) = style.split_once("</style>").expect("it ends");
    let hash = BASE64.encode(digest(&SHA256, style.as_bytes()));
    assert_eq!(
        page.header("content-security-policy"),
        format!(
            "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'self'; form-action 'none'; \
             frame-ancestors 'none'"
        )
    );
}

#[tokio::test]
async fn switched_off_no_page_and_no_file_is_served() {
    let app = serving(None).await;
    for path in ["/", "/users/ada", "/sign-in", "/graphiql", "/favicon.svg", SCRIPT] {
        let reply = get(&app, path).await;
        assert_eq!((reply.status, reply.code().as_str()), (404, "NOT_FOUND"), "{path}");
    }
}

#[tokio::test]
async fn a_browser_at_the_endpoint_is_redirected_to_graphiql() {
    let client = reqwest::Client::builder().redirect(redirect::Policy::none()).build();
    let client = client.expect("a client");
    let open = async |app: &TestApp, path: &str, accept: &str| {
        send(client.get(app.url(path)).header(ACCEPT, accept)).await
    };

    let app = serving(Some(built())).await;
    for accept in [BROWSER, "Text/HTML"] {
        let reply = open(&app, "/graphql", accept).await;
        assert_eq!((reply.status, reply.header("location")), (303, "graphiql"), "{accept}");
    }
    let operation = "/graphql?query=%7B__typename%7D&variables=%7B%7D";
    let reply = open(&app, operation, BROWSER).await;
    let target = operation.replace("/graphql", "graphiql");
    assert_eq!((reply.status, reply.header("location")), (303, target.as_str()));

    for (path, accept, status) in [
        (operation, "*/*", 200),
        (operation, "application/json, text/html", 200),
        ("/graphql", "*/*", 400),
        ("/graphql", "application/json", 400),
        ("/graphql", "text/html;q=0, */*", 400),
    ] {
        assert_eq!(open(&app, path, accept).await.status, status, "{path} {accept}");
    }
    assert_eq!(send(app.post(TYPENAME).header(ACCEPT, BROWSER)).await.status, 200);

    let off = serving(None).await;
    assert_eq!(open(&off, "/graphql", BROWSER).await.status, 400);
}

#[tokio::test]
async fn an_unknown_path_is_a_page_for_browsers_only() {
    let app = serving(Some(built())).await;
    for path in [
        "/nowhere",
        "/users",
        "/users/ada/friends",
        "/graphiql/more",
        "/assets/old.js",
        "/avatars/nobody.svg",
    ] {
        let page = send(app.request(Method::GET, path).header(ACCEPT, BROWSER)).await;
        assert_eq!((page.status, page.body.as_str()), (404, "index.html"), "{path}");
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8", "{path}");

        let etag = page.header("etag").to_owned();
        let request = app.request(Method::GET, path).header(ACCEPT, BROWSER);
        assert_eq!(send(request.header(IF_NONE_MATCH, etag)).await.status, 404, "{path}");
    }
    for (method, accept) in [
        (Method::GET, "*/*"),
        (Method::GET, "application/json, text/html"),
        (Method::POST, BROWSER),
    ] {
        let reply = send(app.request(method.clone(), "/nowhere").header(ACCEPT, accept)).await;
        assert_eq!((reply.status, reply.code().as_str()), (404, "NOT_FOUND"), "{method}");
    }
    let head = send(app.request(Method::HEAD, "/nowhere").header(ACCEPT, BROWSER)).await;
    assert_eq!((head.status, head.header("content-type")), (404, "text/html; charset=utf-8"));
}

/// The names of the files in `assets/` that a page, a style sheet or a script refers to.
fn references(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for before in ["assets/", "\"./", "'./", "`./"] {
        for rest in text.split(before).skip(1) {
            let is_of_name = |c: &char| c.is_ascii_alphanumeric() || "-_.".contains(*c);
            let name: String = rest.chars().take_while(is_of_name).collect();
            if [".js", ".css", ".svg", ".png", ".ttf", ".woff2"].iter().any(|e| name.ends_with(e)) {
                names.insert(name);
            }
        }
    }
    names
}

#[tokio::test]
async fn built_pages_refer_only_to_existing_files() {
    let playground = Playground::embedded();
    assert!(playground.is_built(), "playground/dist has no pages: run `make playground` first");
    let assets = playground.paths().filter(|path| path.starts_with("assets/"));
    let assets: Vec<_> = assets.map(|path| format!("/{path}")).collect();
    let app = serving(Some(playground)).await;

    for path in ["/", "/graphiql"] {
        let page = get(&app, path).await.body;
        assert!(references(&page).iter().any(|name| name.contains(".js")), "{path}: {page}");
        // The server replaces the base; an address that begins with a slash would not follow it.
        assert_eq!(page.matches("<base href=\"/\" />").count(), 1, "{path}: {page}");
        let absolute = ["src=\"/", "href=\"/"].map(|begin| page.matches(begin).count());
        assert_eq!(absolute, [0, 1], "{path}: {page}");
    }
    for path in ["/", "/graphiql"].into_iter().chain(assets.iter().map(String::as_str)) {
        let file = get(&app, path).await;
        let content_type = file.header("content-type");
        assert_ne!(content_type, "application/octet-stream", "{path}");
        if content_type.ends_with("charset=utf-8") {
            for name in references(&file.body) {
                let found = assets.contains(&format!("/assets/{name}"));
                assert!(
                    found || name == "favicon.svg",
                    "{path} refers to {name}, which is not there"
                );
            }
        }
    }
}
