//! The pages for the browser: the example app and GraphiQL, as `playground/` builds them.
//!
//! The build puts `NAME.br` and `NAME.gz` beside each file that they make smaller, and a hash of
//! its content into the name of everything in `assets/`.
//!
//! **Invariant:** what is served is chosen from a table that is made at the start. No path of a
//! client ever becomes a path of the file system.

use std::{borrow::Cow, collections::HashMap, fmt, sync::Arc};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    response::{Html, IntoResponse, Response},
    routing::get,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use hyper::{
    HeaderMap, StatusCode, Uri,
    header::{
        CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderName,
        HeaderValue, IF_NONE_MATCH, VARY,
    },
};
use rust_embed::RustEmbed;

use super::{encoding::Encoding, failure::Failure};
use crate::graphql::Code;

/// The page of the example app, and the paths that its router knows.
const APP: &str = "index.html";
const APP_ROUTES: [&str; 6] = [
    "/",
    "/users/{username}",
    "/users/{username}/followers",
    "/users/{username}/following",
    "/sign-in",
    "/sign-up",
];
/// The page of GraphiQL.
const GRAPHIQL: &str = "graphiql.html";
/// What stands in for both where the playground was not built.
const UNBUILT: &str = include_str!("unbuilt.html");

/// What the example app may do: nothing that is not our own.
const APP_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";
/// What GraphiQL may do besides: its editor writes styles into the page, brings a font for its
/// icons and works in workers.
const GRAPHIQL_POLICY: &str = "default-src 'none'; script-src 'self'; \
    style-src 'self' 'unsafe-inline'; font-src 'self'; img-src 'self' data:; connect-src 'self'; \
    worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// What a worker may do. It does not inherit the policy of its page: it is held to that of the
/// response in which its script came, and one for data would forbid it to import a script, as the
/// editor's can. They may import ours and do nothing else, not even connect. In a page, what came
/// with a script says nothing.
const SCRIPT_POLICY: &str = "default-src 'none'; script-src 'self'; frame-ancestors 'none'";
/// What the stand-in may do: use its own style, which is known by its hash.
const UNBUILT_POLICY: &str = "default-src 'none'; \
    style-src 'sha256-M4myzV9++wuE3Ge/Uw66kkI+8jVWbVLrQMgw9LwIwoI='; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

/// For names that change with the content.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// For names that stay: they may be kept, and have to be asked for again each time.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");

/// The folder that the build fills. A release binary contains the files of its day; a debug
/// binary reads those of the folder where it was compiled. Without Node the folder is empty.
#[derive(RustEmbed)]
#[folder = "playground/dist"]
#[allow_missing = true]
struct Dist;

/// A file of the build.
#[derive(Clone, Debug)]
pub struct BuiltFile {
    /// Its path in the folder, with `/` between names.
    pub path: String,
    /// What is in it.
    pub bytes: Cow<'static, [u8]>,
    /// The digest of the bytes.
    pub sha256: [u8; 32],
}

/// The files of a build, ready to be served.
#[derive(Clone)]
pub struct Playground(Arc<HashMap<String, Resource>>);

impl Playground {
    /// The build that the program contains. A debug binary reads it here, once: start the server
    /// again to see a newer one.
    pub fn embedded() -> Self {
        Self::new(Dist::iter().filter_map(|path| {
            let file = Dist::get(&path)?;
            let sha256 = file.metadata.sha256_hash();
            Some(BuiltFile { path: path.into_owned(), bytes: file.data, sha256 })
        }))
    }

    /// A build of these files. Without any, a page that says how to make them stands in.
    pub fn new(files: impl IntoIterator<Item = BuiltFile>) -> Self {
        let mut resources: HashMap<String, Resource> = HashMap::new();
        for BuiltFile { path, bytes, sha256 } in files {
            let (path, encoding) = match path.rsplit_once('.') {
                Some((name, "br")) => (name.to_owned(), Encoding::Brotli),
                Some((name, "gz")) => (name.to_owned(), Encoding::Gzip),
                _ => (path, Encoding::Identity),
            };
            let variant = Variant::new(encoding, bytes, sha256);
            let resource = resources.entry(path).or_insert_with_key(|path| Resource::at(path));
            resource.variants.push(variant);
        }
        Self(Arc::new(resources))
    }

    /// Whether both pages are there.
    pub fn is_built(&self) -> bool {
        [APP, GRAPHIQL].iter().all(|page| self.0.contains_key(*page))
    }

    /// The paths of its files, in no order.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    fn page(&self, path: &str, headers: &HeaderMap) -> Result<Response, Failure> {
        match self.0.get(path) {
            Some(page) if self.is_built() => page.respond(headers),
            _ => Ok(([(CONTENT_SECURITY_POLICY, UNBUILT_POLICY)], Html(UNBUILT)).into_response()),
        }
    }
}

impl fmt::Debug for Playground {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.paths()).finish()
    }
}

/// The routes of the pages, and of what they load.
pub(super) fn routes<S>(playground: Playground) -> Router<S> {
    let app = APP_ROUTES.iter().fold(Router::new(), |routes, path| routes.route(path, get(app)));
    app.route("/graphiql", get(graphiql))
        .route("/favicon.svg", get(file))
        .route("/assets/{file}", get(file))
        .with_state(playground)
}

async fn app(
    State(playground): State<Playground>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    playground.page(APP, &headers)
}

async fn graphiql(
    State(playground): State<Playground>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    playground.page(GRAPHIQL, &headers)
}

/// A file by the path of the request, as it was sent: the names that the build gives need no
/// escapes, so one that has any is none of them.
async fn file(
    State(playground): State<Playground>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    match playground.0.get(uri.path().trim_start_matches('/')) {
        Some(resource) => resource.respond(&headers),
        None => Err(super::not_found().await),
    }
}

/// What is at a path, in one or several codings.
struct Resource {
    content_type: HeaderValue,
    cache_control: HeaderValue,
    policy: Option<HeaderValue>,
    variants: Vec<Variant>,
}

impl Resource {
    fn at(path: &str) -> Self {
        let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
        let policy = match (path, extension) {
            (APP, _) => Some(APP_POLICY),
            (GRAPHIQL, _) => Some(GRAPHIQL_POLICY),
            (_, "js") => Some(SCRIPT_POLICY),
            _ => None,
        };
        Self {
            content_type: HeaderValue::from_static(content_type(extension)),
            cache_control: if path.starts_with("assets/") { FOR_EVER } else { ASK_AGAIN },
            policy: policy.map(HeaderValue::from_static),
            variants: Vec::new(),
        }
    }

    /// The variant that the client likes best, or 304 when it has just that one.
    ///
    /// # Errors
    /// Status 406 when it takes none of them.
    fn respond(&self, headers: &HeaderMap) -> Result<Response, Failure> {
        let there = self.variants.iter().map(|variant| variant.encoding);
        let encoding = Encoding::negotiate(headers, there);
        let Some(variant) = self.variants.iter().find(|v| Some(v.encoding) == encoding) else {
            let message = "Nothing at this path is coded as accept-encoding wants it.";
            return Err(Failure::new(StatusCode::NOT_ACCEPTABLE, Code::BadUserInput, message)
                .with(VARY, "accept-encoding"));
        };

        let mut response = Response::new(Body::empty());
        let mut insert = |name: HeaderName, value: &HeaderValue| {
            response.headers_mut().insert(name, value.clone());
        };
        insert(CACHE_CONTROL, &self.cache_control);
        insert(ETAG, &variant.etag);
        insert(VARY, &HeaderValue::from_static("accept-encoding"));
        if let Some(policy) = &self.policy {
            insert(CONTENT_SECURITY_POLICY, policy);
        }
        if is_known(headers, &variant.etag) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return Ok(response);
        }

        insert(CONTENT_TYPE, &self.content_type);
        if let Some(name) = variant.encoding.name() {
            insert(CONTENT_ENCODING, &HeaderValue::from_static(name));
        }
        *response.body_mut() = Body::from(variant.bytes.clone());
        Ok(response)
    }
}

/// The bytes of a resource in one coding.
struct Variant {
    encoding: Encoding,
    bytes: Bytes,
    etag: HeaderValue,
}

impl Variant {
    fn new(encoding: Encoding, bytes: Cow<'static, [u8]>, sha256: [u8; 32]) -> Self {
        let bytes = match bytes {
            Cow::Borrowed(bytes) => Bytes::from_static(bytes),
            Cow::Owned(bytes) => Bytes::from(bytes),
        };
        let etag = format!("\"{}\"", BASE64.encode(sha256));
        let etag = HeaderValue::from_str(&etag).expect("base64 is fit for a header");
        Self { encoding, bytes, etag }
    }
}

/// The media type of the files that the build makes.
fn content_type(extension: &str) -> &'static str {
    match extension {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" => "application/json",
        "svg" => "image/svg+xml; charset=utf-8",
        "png" => "image/png",
        "ttf" => "font/ttf",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}

/// Whether the client has this already (RFC 9110, 13.1.2).
fn is_known(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|known| known.to_str().ok());
    let mut known = known.flat_map(|known| known.split(',')).map(str::trim);
    known.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == *etag)
}
