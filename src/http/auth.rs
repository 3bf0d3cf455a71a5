//! Who sends a request: `Authorization: Bearer` (RFC 6750), or nobody.
//!
//! **Invariant:** a request that says who sends it is answered for that viewer or not at all. A
//! bad token never makes a request anonymous.

use hyper::{
    HeaderMap, StatusCode,
    header::{AUTHORIZATION, WWW_AUTHENTICATE},
};

use super::{failure::Failure, request::RequestId};
use crate::{
    graphql::Code,
    service::{Error, Service, Viewer},
};

/// What a client is told to send (RFC 9110, 11.6.1): every status 401 says it.
pub(super) const CHALLENGE: &str = "Bearer";

/// The bearer token of a request, if it has one. The scheme is matched without regard to case.
///
/// # Errors
/// Status 400 for two headers, 401 for another scheme or nothing after it.
pub(super) fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Failure> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Failure::bad_request("Authorization is there twice."));
    }

    let token = value
        .to_str()
        .ok()
        .and_then(|value| value.trim().split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Bearer"))
        .map(|(_, token)| token.trim_start());
    token.ok_or_else(unauthenticated).map(Some)
}

/// Whom the token names.
///
/// # Errors
/// Status 401 when the token names nobody, 503 or 500 when the store fails.
pub(super) async fn viewer(
    service: &Service,
    token: &str,
    id: &RequestId,
) -> Result<Viewer, Failure> {
    service.authenticate(token).await.map_err(|error| match error {
        Error::Unauthenticated
        | Error::Forbidden { .. }
        | Error::BadInput { .. }
        | Error::RateLimited { .. } => unauthenticated(),
        Error::Unavailable(cause) => {
            tracing::error!(cause, "the viewer could not be looked up");
            Failure::unavailable(id)
        }
        Error::Internal(cause) => {
            tracing::error!(cause, "the viewer could not be looked up");
            Failure::internal(id)
        }
    })
}

fn unauthenticated() -> Failure {
    let message = "The bearer token is not valid.";
    Failure::new(StatusCode::UNAUTHORIZED, Code::Unauthenticated, message)
        .with(WWW_AUTHENTICATE, CHALLENGE)
}
