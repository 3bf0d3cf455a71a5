//! What a person finds with a browser: the front page and the schema.

use std::sync::Arc;

use axum::{
    extract::State,
    response::{Html, IntoResponse},
};
use hyper::header::CONTENT_SECURITY_POLICY;

use super::request::unguessable;

/// The front page. Its style is inline, so that it needs no second request.
const INDEX: &str = include_str!("index.html");

/// `GET /`. A nonce that is new in each reply lets the page's own style through the policy, and
/// nothing else.
pub(super) async fn index(State(state): State<Arc<super::State>>) -> impl IntoResponse {
    let nonce = unguessable(&*state.random);
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    ([(CONTENT_SECURITY_POLICY, policy)], Html(INDEX.replace("{nonce}", &nonce)))
}

/// `GET /schema.graphql`, as text so that browsers show it.
pub(super) async fn schema(State(state): State<Arc<super::State>>) -> String {
    state.api.sdl().to_owned()
}
