//! A request that is answered without an operation being looked at.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use hyper::{
    StatusCode,
    header::{CONTENT_TYPE, HeaderName, HeaderValue},
};

use super::{media::MediaType, request::RequestId};
use crate::graphql::{Code, Reply};

/// A status that is not 2xx, with an error for the body in the shape of GraphQL's.
#[derive(Debug)]
pub(super) struct Failure {
    status: StatusCode,
    body: Vec<u8>,
    header: Option<(HeaderName, &'static str)>,
}

impl Failure {
    pub(super) fn new(status: StatusCode, code: Code, message: &str) -> Self {
        Self { status, body: Reply::refusal(code, message).body, header: None }
    }

    /// Something about the request that a client has to mend.
    pub(super) fn bad_request(message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Code::BadUserInput, message)
    }

    /// The database does not answer. The client is told where to find it in the log, and no more.
    pub(super) fn unavailable(id: &RequestId) -> Self {
        let body = Reply::failure(Code::Unavailable, id.as_str()).body;
        Self { status: StatusCode::SERVICE_UNAVAILABLE, body, header: None }
    }

    /// A bug. The client is told where to find it in the log, and no more.
    pub(super) fn internal(id: &RequestId) -> Self {
        let body = Reply::failure(Code::Internal, id.as_str()).body;
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, body, header: None }
    }

    /// Adds the one header that goes with the status.
    pub(super) fn with(mut self, name: HeaderName, value: &'static str) -> Self {
        self.header = Some((name, value));
        self
    }

    /// The response in a media type of the client's choice.
    pub(super) fn into_response(self, media: MediaType) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        response.headers_mut().insert(CONTENT_TYPE, media.header());
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        self.into_response(MediaType::Json)
    }
}
