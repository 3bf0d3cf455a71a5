//! The middleware around every request: its id, its log line and measurement, the check of its
//! `Host`, the security headers of its reply, and panics.

use std::{any::Any, panic::AssertUnwindSafe, sync::Arc};

use axum::{
    Extension,
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use hyper::{Method, StatusCode};
use tokio::time::Instant;
use tracing::{Instrument, Span, info, info_span};

use super::{
    cors,
    failure::Failure,
    host, metrics,
    request_id::{REQUEST_ID, RequestId},
    security, state,
};
use crate::graphql::Code;

/// The longest path that is logged.
const PATH_BYTES_MAX: usize = 256;

/// Passes the code of an operation's first error to the log, as an extension of the response.
#[derive(Clone, Copy, Debug)]
pub(super) struct FirstError(pub(super) Option<Code>);

/// Runs a request in a span with its id, refuses it unless it names one host and may come from its
/// site, adds the headers that every reply has, and logs and measures the outcome.
pub(super) async fn observe(
    State(state): State<Arc<state::State>>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = RequestId::from_headers(request.headers(), &*state.random);
    request.extensions_mut().insert(id.clone());
    let span = info_span!("request", id = id.as_str());
    let mut observation = Observation::begin(&request, span.clone());

    let answer = async {
        let host = host::expect_one(request.version(), request.headers());
        match host.and_then(|()| cors::expect_allowed(&request, &state.cors_origins)) {
            Ok(()) => next.run(request).await,
            Err(failure) => IntoResponse::into_response(failure),
        }
    };
    let mut response = answer.instrument(span).await;

    security::add_headers(response.headers_mut());
    observation.status = Some(response.status());
    observation.error = response.extensions().get::<FirstError>().and_then(|error| error.0);
    response.headers_mut().insert(REQUEST_ID, id.header());
    response
}

/// Turns a panic of the handler into a reply, instead of dropping the connection.
pub(super) async fn catch_panic(
    Extension(id): Extension<RequestId>,
    request: Request,
    next: Next,
) -> Response {
    AssertUnwindSafe(next.run(request)).catch_unwind().await.unwrap_or_else(|panic| {
        tracing::error!(panic = panic_text(&*panic), "a handler panicked");
        IntoResponse::into_response(Failure::internal(&id))
    })
}

/// Logs and measures the request on drop: exactly once, even if the client disconnects.
struct Observation {
    method: Method,
    path: String,
    route: String,
    began: Instant,
    status: Option<StatusCode>,
    error: Option<Code>,
    span: Span,
}

impl Observation {
    fn begin(request: &Request, span: Span) -> Self {
        let path = request.uri().path();
        let route = request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str);
        Self {
            method: request.method().clone(),
            path: path.get(..PATH_BYTES_MAX).unwrap_or(path).to_owned(),
            route: route.to_owned(),
            began: Instant::now(),
            status: None,
            error: None,
            span,
        }
    }
}

impl Drop for Observation {
    fn drop(&mut self) {
        let took = self.began.elapsed();
        let status = self.status.map_or("aborted".to_owned(), |status| status.as_str().to_owned());
        metrics::count_request(&self.route, &status, took);

        let ms = (took.as_secs_f64() * 1e6).round() / 1e3;
        let code = self.error.map(Code::as_str);
        self.span.in_scope(|| info!(method = %self.method, path = self.path, status, code, ms));
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}
