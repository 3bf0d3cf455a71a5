//! The pages for the browser: the example app and GraphiQL, as `playground/` builds them.
//!
//! The build writes `NAME.br` and `NAME.gz` next to each file that compresses well, and a content
//! hash into every name in `assets/`. All addresses in a page are relative to its `<base>`, which is
//! the path below which a proxy publishes the server.
//!
//! **Invariant:** files are served from a table that is built at startup. A path in a request never
//! becomes a path in the file system.

mod asset;
mod policy;

use std::{borrow::Cow, collections::HashMap, fmt, sync::Arc};

use aws_lc_rs::digest::{SHA256, digest};
use axum::{
    Router,
    extract::State,
    response::{Html, IntoResponse, Response},
    routing::get,
};
use hyper::{
    HeaderMap, StatusCode, Uri,
    header::{CONTENT_SECURITY_POLICY, IF_NONE_MATCH},
};
use rust_embed::RustEmbed;

use self::asset::Asset;
use super::{base_path::BasePath, encoding::Encoding, failure::Failure, media, request::Outcome};
use crate::graphql::Code;

/// The page of the example app, and the paths of its router.
const APP: &str = "index.html";
const APP_ROUTES: [&str; 11] = [
    "/",
    "/requests",
    "/requests/sent",
    "/settings",
    "/settings/blocked",
    "/settings/muted",
    "/users/{username}",
    "/users/{username}/followers",
    "/users/{username}/following",
    "/sign-in",
    "/sign-up",
];
/// The page of GraphiQL.
const GRAPHIQL: &str = "graphiql.html";
/// The folder with the documents of both pages.
const DOCUMENTS: &str = "documents/";
/// Served instead of both if the playground was not built.
const UNBUILT: &str = include_str!("unbuilt.html");
/// The base of each page, as its source has it.
const BASE: &str = "<base href=\"/\" />";

/// The output folder of the build, empty without Node. A release binary embeds the files; a debug
/// binary reads them from the folder where it was compiled.
#[derive(RustEmbed)]
#[folder = "playground/dist"]
#[allow_missing = true]
struct Dist;

/// A file that the build wrote.
#[derive(Clone, Debug)]
pub struct BuiltFile {
    /// Its path in the output folder, separated by `/`.
    pub path: String,
    /// Its content.
    pub bytes: Cow<'static, [u8]>,
    /// The digest of the content.
    pub sha256: [u8; 32],
}

/// The files of a build, ready to be served.
#[derive(Clone)]
pub struct Playground {
    files: Arc<HashMap<String, Asset>>,
    unbuilt: Arc<str>,
}

impl Playground {
    /// The build in this binary. A debug binary reads it here, once: restart the server to see a
    /// newer build.
    pub fn embedded() -> Self {
        Self::new(Dist::iter().filter_map(|path| {
            let file = Dist::get(&path)?;
            let sha256 = file.metadata.sha256_hash();
            Some(BuiltFile { path: path.into_owned(), bytes: file.data, sha256 })
        }))
    }

    /// A build with these files. If a page is missing, `unbuilt.html` is served instead.
    pub fn new(files: impl IntoIterator<Item = BuiltFile>) -> Self {
        let mut assets: HashMap<String, Asset> = HashMap::new();
        for BuiltFile { path, bytes, sha256 } in files {
            let (path, encoding) = match path.rsplit_once('.') {
                Some((name, "br")) => (name.to_owned(), Encoding::Brotli),
                Some((name, "gz")) => (name.to_owned(), Encoding::Gzip),
                _ => (path, Encoding::Identity),
            };
            let asset =
                assets.entry(path).or_insert_with_key(|path| Asset::new(path, policy_for(path)));
            asset.add(encoding, bytes, sha256);
        }
        Self { files: Arc::new(assets), unbuilt: UNBUILT.into() }
    }

    /// The same build with pages whose addresses begin with a path. They are small, so they are not
    /// compressed again.
    #[must_use]
    pub(crate) fn below(self, base_path: &BasePath) -> Self {
        let base = format!("<base href=\"{base_path}/\" />");
        if base == BASE {
            return self;
        }
        let Self { files, unbuilt } = self;
        let mut files = Arc::unwrap_or_clone(files);
        for page in [APP, GRAPHIQL] {
            let text = files.get(page).and_then(Asset::plain).map(String::from_utf8_lossy);
            let Some(text) = text.map(|text| text.replacen(BASE, &base, 1)) else { continue };
            let sha256 = digest(&SHA256, text.as_bytes()).as_ref().try_into();
            let mut asset = Asset::new(page, policy_for(page));
            let sha256 = sha256.expect("SHA-256 has 32 bytes");
            asset.add(Encoding::Identity, text.into_bytes().into(), sha256);
            files.insert(page.to_owned(), asset);
        }
        Self { files: Arc::new(files), unbuilt: unbuilt.replacen(BASE, &base, 1).into() }
    }

    /// Whether the build has both pages.
    pub fn is_built(&self) -> bool {
        [APP, GRAPHIQL].iter().all(|page| self.files.contains_key(*page))
    }

    /// The paths of its files, in no particular order.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// The texts of the documents that its pages send. The build writes them as objects of ids and
    /// texts, which are not served.
    pub fn documents(&self) -> Vec<String> {
        let manifests = self.files.iter().filter(|(path, _)| path.starts_with(DOCUMENTS));
        let texts = manifests.filter_map(|(_, manifest)| {
            let texts: HashMap<String, String> = serde_json::from_slice(manifest.plain()?).ok()?;
            Some(texts.into_values())
        });
        texts.flatten().collect()
    }

    fn page(&self, path: &str, headers: &HeaderMap) -> Result<Response, Failure> {
        match self.files.get(path) {
            Some(page) if self.is_built() => page.respond(headers),
            _ => {
                let page = Html(self.unbuilt.to_string());
                Ok(([(CONTENT_SECURITY_POLICY, policy::UNBUILT)], page).into_response())
            }
        }
    }
}

fn policy_for(path: &str) -> Option<&'static str> {
    match (path, path.rsplit_once('.')) {
        (APP, _) => Some(policy::APP),
        (GRAPHIQL, _) => Some(policy::GRAPHIQL),
        (_, Some((_, "js"))) => Some(policy::SCRIPT),
        _ => None,
    }
}

impl fmt::Debug for Playground {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.paths()).finish()
    }
}

/// The routes of the pages and of the files that they load.
pub(super) fn routes<S>(playground: Playground) -> Router<S> {
    let page = |name| {
        get(async move |State(playground): State<Playground>, headers: HeaderMap| {
            playground.page(name, &headers)
        })
    };
    let app = APP_ROUTES.iter().fold(Router::new(), |app, path| app.route(path, page(APP)));
    app.route("/graphiql", page(GRAPHIQL))
        .route("/favicon.svg", get(file))
        .route("/assets/{file}", get(file))
        .with_state(playground)
}

/// The answer to a GET of a path at which there is nothing: the app's own page for it, if a browser
/// opened the address.
pub(super) fn not_found(
    playground: Option<&Playground>,
    headers: &HeaderMap,
) -> Result<Response, Failure> {
    let Some(playground) = playground.filter(|_| media::names_html_first(headers)) else {
        return Err(Failure::not_found());
    };
    // The status is 404 even if the browser has these bytes already.
    let mut headers = headers.clone();
    headers.remove(IF_NONE_MATCH);
    let mut page = playground.page(APP, &headers)?;
    *page.status_mut() = StatusCode::NOT_FOUND;
    page.extensions_mut().insert(Outcome::refused(Code::NotFound));
    Ok(page)
}

/// A file by the raw path of the request. File names of the build need no escapes, so an escaped
/// path matches none of them.
async fn file(
    State(playground): State<Playground>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    match playground.files.get(uri.path().trim_start_matches('/')) {
        Some(asset) => asset.respond(&headers),
        None => not_found(Some(&playground), &headers),
    }
}
