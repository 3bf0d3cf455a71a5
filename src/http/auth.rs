//! Authentication of a request by `Authorization: Bearer` (RFC 6750). Without the header the
//! request is anonymous.
//!
//! **Invariant:** a request with a token is answered for that viewer or refused. A bad token never
//! makes a request anonymous.

use hyper::{
    HeaderMap, StatusCode,
    header::{AUTHORIZATION, WWW_AUTHENTICATE},
};

use super::{failure::Failure, request_id::RequestId};
use crate::{
    graphql::Code,
    service::{Error, Service, Viewer},
};

/// The challenge in `WWW-Authenticate`, required with every status 401 (RFC 9110, 11.6.1).
pub(super) const CHALLENGE: &str = "Bearer";

/// The bearer token of a request, if it has one. The scheme is case-insensitive.
///
/// # Errors
/// Status 400 if the header is repeated, 401 for another scheme or an empty token.
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

/// The viewer that the token identifies.
///
/// # Errors
/// Status 401 if the token is not valid, 503 or 500 if the store fails.
pub(super) async fn viewer(
    service: &Service,
    token: &str,
    id: &RequestId,
) -> Result<Viewer, Failure> {
    service.authenticate(token).await.map_err(|error| {
        let (failure, cause) = match error {
            Error::Unauthenticated | Error::Forbidden { .. } | Error::RateLimited { .. } => {
                return unauthenticated();
            }
            Error::Unavailable(cause) => (Failure::unavailable(id), cause),
            Error::Internal(cause) => (Failure::internal(id), cause),
        };
        tracing::error!(cause, "cannot look up the viewer");
        failure
    })
}

fn unauthenticated() -> Failure {
    let message = "The bearer token is not valid.";
    Failure::new(StatusCode::UNAUTHORIZED, Code::Unauthenticated, message)
        .with(WWW_AUTHENTICATE, CHALLENGE)
}
