//! HTTP: the router, and everything around a GraphQL operation.
//!
//! One file per concern. This layer turns bytes into a [`graphql::Request`] and a viewer, and a
//! reply into a status. It contains no SQL and decides nothing about follows.
//!
//! **Invariant:** of a request, the log gets the method, path, id and address, the name, type and cost
//! of the operation, and the viewer's id: no document, variable, token or name of a user.
//!
//! **Invariant:** every request gets exactly one id, one access log line and one measurement,
//! even if its handler panics or its client disconnects.
//!
//! **Invariant:** the pages for the browser have no private API. They are static files that call
//! the same endpoint as every client.
//!
//! [`graphql::Request`]: crate::graphql::Request

mod account;
mod auth;
mod avatar;
mod base_path;
mod body;
mod client;
mod cors;
mod element;
mod encoding;
mod failure;
mod graphql;
mod health;
mod host;
mod live;
mod media;
mod metrics;
mod not_ready;
mod pace;
mod pages;
mod params;
mod request;
mod request_id;
mod security;
mod server;
mod state;
mod surrogates;

use std::sync::Arc;

use axum::{Router, extract, middleware, response::Response, routing::get};
use hyper::{HeaderMap, Method, header::ETAG};
use tower::util::option_layer;
use tower_http::compression::{
    CompressionLayer, CompressionLevel,
    predicate::{Predicate, SizeAbove},
};

use self::failure::Failure;
pub use self::{
    account::EXPORTS_MAX,
    base_path::BasePath,
    client::ProxyNet,
    cors::Origin,
    live::{Patience, Seats},
    metrics::Metrics,
    not_ready::not_ready,
    pages::{BuiltFile, Playground},
    server::{Timeouts, serve},
    state::State,
};

/// Smaller replies are not compressed: they fit into one packet anyway.
const COMPRESSED_BYTES_MIN: u64 = 1_024;

/// What a listener serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Everything.
    All,
    /// Everything except the metrics.
    Public,
    /// The metrics only.
    Metrics,
}

/// The routes of a part.
pub fn router(state: Arc<State>, part: Part) -> Router {
    let public = || {
        let api = Router::new()
            .route("/graphql", get(graphql::endpoint).post(graphql::endpoint))
            .route("/schema.graphql", get(schema))
            .route("/account/export", get(account::file).head(account::no_head))
            .route("/avatars/{file}", get(avatar::picture))
            .route("/healthz", get(health::alive))
            .route("/readyz", get(health::ready));
        match &state.playground {
            Some(playground) => api.merge(pages::routes(playground.clone())),
            None => api,
        }
    };
    let metrics = || {
        let metrics = state.metrics.clone();
        Router::new().route("/metrics", get(async move || metrics.render()))
    };
    let routes = match part {
        Part::All => public().merge(metrics()),
        Part::Public => public(),
        Part::Metrics => metrics(),
    };
    layered(routes.fallback(not_found), state)
}

/// Wraps the routes in the layers that all of them share, outermost first. They are layers of one
/// service, because each service costs allocations for every request.
fn layered(routes: Router<Arc<State>>, state: Arc<State>) -> Router {
    // A strong ETag promises these exact bytes: such a reply is already compressed, or not worth
    // compressing.
    // An event stream must not wait for its next event before this one is sent.
    let may_be_compressed = |_, _, headers: &HeaderMap, _: &_| {
        !headers.contains_key(ETAG) && !live::sse::is_stream(headers)
    };
    let compression = CompressionLayer::new()
        .quality(CompressionLevel::Fastest)
        .compress_when(SizeAbove::new(COMPRESSED_BYTES_MIN).and(may_be_compressed));
    let layers = (
        middleware::from_fn_with_state(Arc::clone(&state), request::observe),
        option_layer(cors::layer(&state.cors_origins)),
        compression,
        middleware::from_fn(request::catch_panic),
    );
    routes
        .method_not_allowed_fallback(async || {
            Failure::wrong_method("This path does not take this method.")
        })
        .layer(layers)
        .with_state(state)
}

/// A path without a route.
async fn not_found(
    extract::State(state): extract::State<Arc<State>>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    if method != Method::GET && method != Method::HEAD {
        return Err(Failure::not_found());
    }
    pages::not_found(state.playground.as_ref(), &headers)
}

/// `GET /schema.graphql`, as text so that browsers display it.
async fn schema(extract::State(state): extract::State<Arc<State>>) -> String {
    state.api.sdl().to_owned()
}
