//! HTTP: the router, and everything around a GraphQL operation.
//!
//! One file per concern. This layer turns bytes into a [`graphql::Request`] and a viewer, and a
//! reply into a status; it knows no SQL and decides nothing about follows.
//!
//! **Invariant:** nothing of a request but its method, path and id reaches the log: no document,
//! variable or token.
//!
//! **Invariant:** every request gets exactly one id, one access log line and one measurement,
//! also when its handler panics or its client leaves.
//!
//! **Invariant:** the pages for the browser have no way in of their own. They are files, and ask
//! the same endpoint as everybody.
//!
//! [`graphql::Request`]: crate::graphql::Request

mod auth;
mod body;
mod client;
mod cors;
mod encoding;
mod failure;
mod graphql;
mod health;
mod host;
mod media;
mod metrics;
mod pages;
mod params;
mod request;
mod security;
mod server;

use std::sync::Arc;

use axum::{Router, extract, middleware, routing::get};
use hyper::{HeaderMap, StatusCode, header::ETAG};
use tokio::sync::{Semaphore, watch};
use tower::util::option_layer;
use tower_http::compression::{
    CompressionLayer, CompressionLevel,
    predicate::{Predicate, SizeAbove},
};

use self::failure::Failure;
pub use self::{
    client::{ProxyNet, ProxyNetError},
    cors::{Origin, OriginError},
    metrics::Metrics,
    pages::{BuiltFile, Playground},
    server::{Timeouts, serve},
};
use crate::{
    domain::Limits,
    graphql::{Api, Code},
    service::{Random, Service},
    store::Store,
};

/// Replies of fewer bytes are sent as they are: they fit into one packet anyway.
const COMPRESSED_BYTES_MIN: u64 = 1_024;

/// What the routes share.
pub struct State {
    /// Answers operations.
    pub api: Api,
    /// Knows whose tokens are whose.
    pub service: Arc<Service>,
    /// Is asked whether it is ready.
    pub store: Arc<dyn Store>,
    /// Where the ids of requests come from.
    pub random: Arc<dyn Random>,
    /// What a body may weigh.
    pub limits: Limits,
    /// The proxies that are believed about whose request it is.
    pub proxies: Vec<ProxyNet>,
    /// A place for each operation that is worked on.
    pub places: Semaphore,
    /// How long a client may take.
    pub timeouts: Timeouts,
    /// The pages for the browser, where they are wanted.
    pub playground: Option<Playground>,
    /// The measurements of the process.
    pub metrics: Metrics,
    /// Turns true when the server is about to stop: it is alive then, but no longer ready.
    pub draining: watch::Sender<bool>,
}

/// What a listener serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Everything.
    All,
    /// Everything but the metrics.
    Public,
    /// The metrics only.
    Metrics,
}

/// The routes of a part. `origins` are the sites whose scripts may read replies.
pub fn router(state: Arc<State>, part: Part, origins: &[Origin]) -> Router {
    let public = || {
        let api = Router::new()
            .route("/graphql", get(graphql::endpoint).post(graphql::endpoint))
            .route("/schema.graphql", get(schema))
            .route("/healthz", get(health::alive))
            .route("/readyz", get(health::ready));
        match &state.playground {
            Some(playground) => api.merge(pages::routes(playground.clone())),
            None => api,
        }
    };
    let metrics = || Router::new().route("/metrics", get(metrics::render));
    let routes = match part {
        Part::All => public().merge(metrics()),
        Part::Public => public(),
        Part::Metrics => metrics(),
    };
    layered(routes, state, origins)
}

/// Puts around the routes what all of them share; the first layer is the outermost. They are layers
/// of one service, since each service costs allocations for every request.
fn layered(routes: Router<Arc<State>>, state: Arc<State>, origins: &[Origin]) -> Router {
    // A strong tag promises the bytes as they are, so what has one is compressed already, or not
    // worth it.
    let is_open = |_, _, headers: &HeaderMap, _: &_| !headers.contains_key(ETAG);
    let compression = CompressionLayer::new()
        .quality(CompressionLevel::Fastest)
        .compress_when(SizeAbove::new(COMPRESSED_BYTES_MIN).and(is_open));
    let layers = (
        middleware::from_fn_with_state(Arc::clone(&state), request::observe),
        option_layer(cors::layer(origins)),
        compression,
        middleware::from_fn(request::catch_panic),
    );
    routes
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
        .layer(layers)
        .with_state(state)
}

/// `GET /schema.graphql`, as text so that browsers show it.
async fn schema(extract::State(state): extract::State<Arc<State>>) -> String {
    state.api.sdl().to_owned()
}

async fn not_found() -> Failure {
    Failure::new(StatusCode::NOT_FOUND, Code::BadUserInput, "There is nothing at this path.")
}

async fn wrong_method() -> Failure {
    Failure::new(
        StatusCode::METHOD_NOT_ALLOWED,
        Code::BadUserInput,
        "This path does not take this method.",
    )
}
