//! The `Host` of a request. If it is missing, repeated or malformed, this server and a proxy in
//! front of it could read two different requests, so the request is refused.

use hyper::{
    HeaderMap, Version,
    header::{HOST, HeaderValue},
    http::uri::Authority,
};

use super::failure::Failure;

/// Refuses an HTTP/1.1 request without exactly one `Host` (RFC 9112, 3.2). HTTP/1.0 does not
/// require one, and HTTP/2 uses `:authority` instead.
pub(super) fn expect_one(version: Version, headers: &HeaderMap) -> Result<(), Failure> {
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(Failure::bad_request("Host is there twice."));
    }
    match host {
        None if version == Version::HTTP_11 => Err(Failure::bad_request("Host is missing.")),
        Some(host) if !is_host(host) => Err(Failure::bad_request("Host is no name or address.")),
        None | Some(_) => Ok(()),
    }
}

/// Whether this is a name or an address, with or without a port. It is empty if the request's
/// target has no authority.
fn is_host(host: &HeaderValue) -> bool {
    let is_authority = || Authority::try_from(host.as_bytes()).is_ok();
    host.is_empty() || (!host.as_bytes().contains(&b'@') && is_authority())
}
