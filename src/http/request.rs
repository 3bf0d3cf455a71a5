//! What happens around every request: its id, its log line and measurement, what it is refused for,
//! what each reply has, and its panic.

use std::{any::Any, panic::AssertUnwindSafe, sync::Arc};

use axum::{
    Extension,
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use hyper::{
    HeaderMap, Method, StatusCode,
    header::{HeaderName, HeaderValue},
};
use tokio::time::Instant;
use tracing::{Instrument, Span, info, info_span};

use super::{failure::Failure, host, metrics, security};
use crate::{graphql::Code, service::Random};

/// The header that carries the id of a request, in both directions.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is taken from a client, and the longest path that is logged.
const ID_BYTES_MAX: usize = 64;
const PATH_BYTES_MAX: usize = 256;

/// The id of a request: in its reply, in every line that it logs, and in what a client is told
/// of a failure.
#[derive(Clone, Debug)]
pub(super) struct RequestId(Arc<str>);

impl RequestId {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The id that the client gave, if it is fit for a log line, or else a new one.
    fn of(headers: &HeaderMap, random: &dyn Random) -> Self {
        let is_fit = |id: &&str| {
            let is_harmless = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
            (1..=ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(is_harmless)
        };
        let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()).filter(is_fit);
        Self(given.map_or_else(|| unguessable(random), str::to_owned).into())
    }

    fn header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).expect("an id is letters, digits, dots, `_` and `-`")
    }
}

/// 128 random bits in hexadecimal.
pub(super) fn unguessable(random: &dyn Random) -> String {
    let bits = (0..4).fold(0_u128, |bits, _| bits << 32 | u128::from(random.next_u32()));
    format!("{bits:032x}")
}

/// The code of the first error in a response to an operation, on its way to the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct FirstError(pub(super) Option<Code>);

/// Runs a request under its id, if it is for one host, adds the headers that every reply has, and
/// tells the log and the metrics what became of it.
pub(super) async fn observe(
    State(state): State<Arc<super::State>>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = RequestId::of(request.headers(), &*state.random);
    request.extensions_mut().insert(id.clone());
    let span = info_span!("request", id = id.as_str());
    let mut observation = Observation::begin(&request, span.clone());

    let answer = async {
        match host::expect_one(request.version(), request.headers()) {
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

/// Makes a panic of the handler a reply like any other, instead of a connection that breaks off.
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

/// One request, told of when it is dropped: so it is told of once, also when the client leaves
/// and the request is never finished.
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
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a word")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Sevens;

    impl Random for Sevens {
        fn next_u32(&self) -> u32 {
            7
        }
    }

    #[test]
    fn an_id_is_taken_over_only_when_it_is_fit_for_a_log_line() {
        let id = |given: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, HeaderValue::from_str(given).expect("a header"));
            RequestId::of(&headers, &Sevens).as_str().to_owned()
        };
        let new = "00000007".repeat(4);

        assert_eq!(id("aZ09._-"), "aZ09._-");
        assert_eq!(id(&"x".repeat(64)), "x".repeat(64));
        for unfit in ["", "a b", "a\"b", &"x".repeat(65)] {
            assert_eq!(id(unfit), new, "{unfit:?}");
        }
        assert_eq!(RequestId::of(&HeaderMap::new(), &Sevens).as_str().to_owned(), new);
    }
}
