//! The status of a request that is refused or fails, and its response.
//!
//! Two cases: the request never reached an operation ([`Failure`], always its own status), or the
//! operation was refused ([`status`], by its error code).

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use hyper::{
    StatusCode,
    header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER},
};

use super::{auth, media::MediaType, request::Outcome, request_id::RequestId};
use crate::{
    graphql::{Code, Reply},
    service::Error,
};

/// The status of a reply to an operation. `application/json` is 200 for any well-formed request,
/// as its clients expect; `application/graphql-response+json` says by status why nothing was
/// executed.
pub(super) fn status(reply: &Reply, media: MediaType) -> StatusCode {
    let (MediaType::GraphqlResponse, Some(code)) = (media, reply.refused) else {
        return StatusCode::OK;
    };
    match code {
        Code::BadUserInput
        | Code::InvalidCursor
        | Code::EventsExpired
        | Code::ParseFailed
        | Code::ValidationFailed
        | Code::QueryTooLarge
        | Code::QueryTooDeep
        | Code::QueryTooWide
        | Code::CostLimitExceeded
        | Code::PersistedQueryNotFound
        | Code::PersistedQueryNotSupported
        | Code::PersistedQueryOnly => StatusCode::BAD_REQUEST,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::Forbidden => StatusCode::FORBIDDEN,
        Code::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::Timeout => StatusCode::GATEWAY_TIMEOUT,
    }
}

/// The answer to a batch.
const BATCH: &str = "Batching (a JSON array) is not supported: send each operation by itself, with \
                     HttpLink in place of BatchHttpLink.";
/// The most operations of a batch that are answered one by one. By default Apollo's client sends
/// at most ten.
const BATCH_MAX: usize = 100;

/// A status other than 2xx, with a body in the shape of a GraphQL error.
#[derive(Debug)]
pub(super) struct Failure {
    status: StatusCode,
    code: Code,
    body: Vec<u8>,
    header: Option<(HeaderName, HeaderValue)>,
}

impl Failure {
    pub(super) fn new(status: StatusCode, code: Code, message: &str) -> Self {
        Self { status, code, body: Reply::refusal(code, message).body, header: None }
    }

    /// The client has to change its request.
    pub(super) fn bad_request(message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Code::BadUserInput, message)
    }

    /// A batch of `count` operations. Apollo's `BatchHttpLink` shows an error to its caller only if
    /// the reply has as many entries as the batch, so every operation gets the same answer.
    pub(super) fn batch(count: usize) -> Self {
        let refused = Self::bad_request(BATCH);
        if !(2..=BATCH_MAX).contains(&count) {
            return refused;
        }
        let body = [b"[", &*vec![&*refused.body; count].join(&b','), b"]"].concat();
        Self { body, ..refused }
    }

    /// No route, or no such file.
    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, Code::NotFound, "Not found")
    }

    /// The route exists, but not for this method.
    pub(super) fn wrong_method(message: &str) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, Code::BadUserInput, message)
    }

    /// The database does not answer. The client sees the request's id; the cause is in the log.
    pub(super) fn unavailable(id: &RequestId) -> Self {
        Self::ours(StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, id)
    }

    /// A bug. The client sees the request's id; the cause is in the log.
    pub(super) fn internal(id: &RequestId) -> Self {
        Self::ours(StatusCode::INTERNAL_SERVER_ERROR, Code::Internal, id)
    }

    fn ours(status: StatusCode, code: Code, id: &RequestId) -> Self {
        Self { status, code, body: Reply::failure(code, id.as_str()).body, header: None }
    }

    /// Adds the one header that goes with the status.
    pub(super) fn with(mut self, name: HeaderName, value: &'static str) -> Self {
        self.header = Some((name, HeaderValue::from_static(value)));
        self
    }

    /// A use case that failed, of a viewer who is signed in.
    pub(super) fn of(error: Error, id: &RequestId) -> Self {
        match error {
            Error::RateLimited { retry_after } => {
                let body = Reply::from(error).body;
                let (status, code) = (StatusCode::TOO_MANY_REQUESTS, Code::RateLimited);
                let header = Some((RETRY_AFTER, retry_after.as_secs().into()));
                Self { status, code, body, header }
            }
            Error::Unauthenticated => auth::signed_out(),
            error @ Error::Forbidden { .. } => {
                Self::new(StatusCode::FORBIDDEN, Code::Forbidden, &error.to_string())
            }
            Error::Unavailable(cause) => {
                tracing::error!(cause, "the database is not available");
                Self::unavailable(id)
            }
            Error::Internal(cause) => {
                tracing::error!(cause, "a request failed");
                Self::internal(id)
            }
        }
    }

    /// The response, in the media type that the client prefers. The log has its code.
    pub(super) fn into_response(self, media: MediaType) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        response.extensions_mut().insert(Outcome::refused(self.code));
        response.headers_mut().insert(CONTENT_TYPE, media.header());
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        self.into_response(MediaType::Json)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(code: Code) -> Reply {
        let body = b"{}".to_vec();
        Reply {
            body,
            refused: Some(code),
            error: Some(code),
            is_charged: false,
            retry_after: None,
            operation: None,
        }
    }

    #[test]
    fn only_the_graphql_media_type_has_a_status_for_refusals() {
        let cases = [
            (Code::ParseFailed, 400),
            (Code::CostLimitExceeded, 400),
            (Code::Unauthenticated, 401),
            (Code::Forbidden, 403),
            (Code::RateLimited, 429),
            (Code::Internal, 500),
            (Code::Unavailable, 503),
            (Code::Timeout, 504),
        ];
        for (code, expected) in cases {
            assert_eq!(status(&refusal(code), MediaType::GraphqlResponse), expected, "{code:?}");
            assert_eq!(status(&refusal(code), MediaType::Json), 200, "{code:?}");
        }
    }

    #[test]
    fn an_executed_operation_is_200_whatever_its_errors() {
        let reply = Reply { refused: None, ..refusal(Code::Internal) };
        assert_eq!(status(&reply, MediaType::GraphqlResponse), 200);
    }
}
