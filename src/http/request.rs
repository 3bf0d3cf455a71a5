//! The middleware around every request: its id, its log line and measurement, the check of its
//! `Host`, the security headers of its reply, and panics.

use std::{
    any::Any,
    net::IpAddr,
    num::NonZeroU32,
    panic::AssertUnwindSafe,
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::{
    Extension,
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use hyper::{Method, StatusCode};
use tokio::time::Instant;
use tracing::{Instrument, Span, debug, field, info, info_span, warn};

use super::{
    cors,
    failure::Failure,
    host, metrics,
    request_id::{REQUEST_ID, RequestId},
    security,
    server::Connection,
    state,
};
use crate::{
    domain::UserId,
    graphql::{Code, OperationLabel},
    store::Calls,
};

/// The longest path that is logged.
const PATH_BYTES_MAX: usize = 256;

/// What the log says of a reply besides its status, passed on as an extension of the response.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outcome {
    /// Why the request was refused, or the code of the operation's first error.
    pub(super) code: Option<Code>,
    /// Whether the cost of the operation was charged.
    pub(super) is_charged: bool,
}

impl Outcome {
    /// The request was refused, before any operation was executed.
    pub(super) const fn refused(code: Code) -> Self {
        Self { code: Some(code), is_charged: false }
    }
}

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
    let mut observation = Observation::begin(&request, &state, span.clone());
    let findings = Arc::clone(&observation.findings);
    request.extensions_mut().insert(Arc::clone(&findings));

    let answer = async {
        let host = host::expect_one(request.version(), request.headers());
        match host.and_then(|()| cors::expect_allowed(&request, &state.cors_origins)) {
            Ok(()) => next.run(request).await,
            Err(failure) => IntoResponse::into_response(failure),
        }
    };
    let mut response = findings.calls.clone().record(answer).instrument(span).await;

    security::add_headers(response.headers_mut());
    observation.status = Some(response.status());
    observation.outcome = response.extensions().get::<Outcome>().copied();
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

/// What is found out about a request while it is handled. The handler shares it with the log, so that
/// a request whose client has left is logged with what was known by then.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// The address of the client; behind a trusted proxy not that of the connection.
    pub(super) client: Option<IpAddr>,
    operation: OnceLock<(OperationLabel, Instant)>,
    viewer: OnceLock<UserId>,
    calls: Calls,
}

impl Findings {
    /// Takes the operation, whose execution begins now unless it was refused.
    pub(super) fn set_operation(&self, label: OperationLabel) {
        // It is set once: a request has one operation.
        let _ = self.operation.set((label, Instant::now()));
    }

    pub(super) fn set_viewer(&self, id: UserId) {
        let _ = self.viewer.set(id);
    }
}

/// Logs and measures the request on drop: exactly once, even if the client disconnects.
struct Observation {
    method: Method,
    path: String,
    route: String,
    began: Instant,
    status: Option<StatusCode>,
    outcome: Option<Outcome>,
    findings: Arc<Findings>,
    slow_operation: Option<Duration>,
    span: Span,
}

impl Observation {
    fn begin(request: &Request, state: &state::State, span: Span) -> Self {
        let connection = request.extensions().get::<Arc<Connection>>();
        let client = connection.map(|from| from.peer.client(request.headers(), &state.proxies));
        let path = request.uri().path();
        let route = request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str);
        Self {
            method: request.method().clone(),
            path: path.get(..PATH_BYTES_MAX).unwrap_or(path).to_owned(),
            route: route.to_owned(),
            began: Instant::now(),
            status: None,
            outcome: None,
            findings: Arc::new(Findings { client, ..Findings::default() }),
            slow_operation: state.slow_operation,
            span,
        }
    }
}

impl Drop for Observation {
    fn drop(&mut self) {
        let took = self.began.elapsed();
        let status = self.status.map_or("aborted".to_owned(), |status| status.as_str().to_owned());
        metrics::count_request(&self.route, &status, took);

        self.span.in_scope(|| self.log(&status, took));
    }
}

impl Observation {
    fn log(&self, status: &str, took: Duration) {
        let Findings { client, operation, viewer, calls } = &*self.findings;
        let (client, viewer) = (client.map(field::display), viewer.get().map(field::display));
        let label = operation.get().map(|(label, _)| label);
        let name = label.and_then(|label| label.name.as_deref());
        let kind = label.map(|label| label.kind);
        // Without a reply the client has left, most likely while the operation was running.
        let is_charged = self.outcome.is_none_or(|outcome| outcome.is_charged);
        let price = label.and_then(|label| label.cost).map(NonZeroU32::get);
        let cost = price.filter(|_| is_charged);
        let code = self.outcome.and_then(|outcome| outcome.code).map(Code::as_str);
        let ms = milliseconds(took);
        /// The access line, at a level.
        macro_rules! line {
            ($log:ident) => {
                $log!(
                    method = %self.method, path = self.path, status, code, ms,
                    operation = name, kind, cost, viewer, client,
                )
            };
        }
        // Probes come every few seconds, for ever.
        if matches!(&*self.route, "/healthz" | "/readyz" | "/metrics") {
            line!(debug);
        } else {
            line!(info);
        }

        let took = operation.get().map(|(_, began)| began.elapsed()).unwrap_or_default();
        if price.is_some() && self.slow_operation.is_some_and(|limit| took >= limit) {
            let ms = milliseconds(took);
            let message = "a slow operation";
            warn!(operation = name, kind, cost, viewer, client, ms, store = %calls, message);
        }
    }
}

pub(super) fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}
