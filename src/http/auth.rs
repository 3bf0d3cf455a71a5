//! Authentication of a request by `Authorization: Bearer` (RFC 6750).
//!
//! A request without a bearer token is signed out. That includes credentials of another scheme, such
//! as the `Basic` of a proxy: they are not meant for this server, and RFC 6750 counts them as a lack
//! of authentication (3.1). It also includes what clients send by accident when they have no token:
//! an empty header, an empty token, `null` and `undefined`.
//!
//! **Invariant:** a request with a token is answered for that viewer or refused. A bad token never
//! makes a request signed out, unless the request signs in anyway.

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
/// The challenge to a request with a bad token (RFC 6750, 3).
const BAD_TOKEN: &str = "Bearer error=\"invalid_token\", \
                         error_description=\"The token is malformed, expired or revoked\"";
/// The challenge to credentials that name no scheme.
const NO_SCHEME: &str = "Bearer error=\"invalid_token\", \
                         error_description=\"Write the scheme before the token: Bearer TOKEN\"";

/// The credentials of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Credentials<'a> {
    /// None for this server.
    Absent,
    /// A bearer token, good or bad.
    Bearer(&'a str),
    /// One word that is no scheme: most likely a token without its scheme.
    NoScheme,
}

/// The credentials in the headers of a request. The scheme is case-insensitive.
///
/// # Errors
/// Status 400 if the header is repeated.
pub(super) fn credentials(headers: &HeaderMap) -> Result<Credentials<'_>, Failure> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(Credentials::Absent) };
    if values.next().is_some() {
        return Err(Failure::bad_request("Authorization is there twice."));
    }

    let Ok(value) = value.to_str() else { return Ok(Credentials::NoScheme) };
    Ok(parse(value))
}

/// The credentials in the value of the header.
pub(super) fn parse(value: &str) -> Credentials<'_> {
    let value = value.trim();
    let is_bearer = |scheme: &str| scheme.eq_ignore_ascii_case(CHALLENGE);
    match value.split_once(' ') {
        Some((scheme, token)) if is_bearer(scheme) && !is_accident(token.trim()) => {
            Credentials::Bearer(token.trim())
        }
        None if !is_bearer(value) && !is_accident(value) => Credentials::NoScheme,
        Some(_) | None => Credentials::Absent,
    }
}

/// Whether this is what a client writes in place of a token that it does not have.
fn is_accident(token: &str) -> bool {
    matches!(token, "" | "null" | "undefined")
}

/// The viewer that the credentials identify; `None` when signed out.
///
/// # Errors
/// Status 401 if there is a token that is not valid, 503 or 500 if the store fails.
pub(super) async fn viewer(
    service: &Service,
    credentials: Credentials<'_>,
    id: &RequestId,
) -> Result<Option<Viewer>, Failure> {
    let token = match credentials {
        Credentials::Absent => return Ok(None),
        Credentials::Bearer(token) => token,
        Credentials::NoScheme => return Err(unauthenticated(NO_SCHEME)),
    };
    service.authenticate(token).await.map(Some).map_err(|error| {
        let (failure, cause) = match error {
            Error::Unauthenticated | Error::Forbidden { .. } | Error::RateLimited { .. } => {
                return unauthenticated(BAD_TOKEN);
            }
            Error::Unavailable(cause) => (Failure::unavailable(id), cause),
            Error::Internal(cause) => (Failure::internal(id), cause),
        };
        tracing::error!(cause, "cannot look up the viewer");
        failure
    })
}

/// Status 401 for a request that needs a viewer and has no token.
pub(super) fn signed_out() -> Failure {
    let message = "Sign in first: the request needs a bearer token.";
    Failure::new(StatusCode::UNAUTHORIZED, Code::Unauthenticated, message)
        .with(WWW_AUTHENTICATE, CHALLENGE)
}

fn unauthenticated(challenge: &'static str) -> Failure {
    let message = "The bearer token is not valid.";
    Failure::new(StatusCode::UNAUTHORIZED, Code::Unauthenticated, message)
        .with(WWW_AUTHENTICATE, challenge)
}
