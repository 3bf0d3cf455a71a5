//! The answers of a server that waits for its database.

use axum::{Router, routing::get};
use hyper::{StatusCode, header::RETRY_AFTER};

use super::{failure::Failure, health};
use crate::graphql::Code;

/// The routes until the server is ready: it is alive, and everything else is not available yet.
pub fn not_ready() -> Router {
    let ready = async || (StatusCode::SERVICE_UNAVAILABLE, "starting\n");
    let other = async || {
        let message = "The service is starting. Try again in a moment.";
        let failure = Failure::new(StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, message);
        ([(RETRY_AFTER, "1")], failure)
    };
    Router::new().route("/healthz", get(health::alive)).route("/readyz", get(ready)).fallback(other)
}
