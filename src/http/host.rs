//! Whom a request is for. Where it is not said once and clearly, this server and a proxy in front
//! of it could take the request for two different ones, so it is refused.

use hyper::{
    HeaderMap, Version,
    header::{HOST, HeaderValue},
    http::uri::Authority,
};

use super::failure::Failure;

/// Refuses a request of HTTP/1.1 without exactly one host (RFC 9112, 3.2). One of HTTP/1.0 may do
/// without, and one of HTTP/2 has another place for it.
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

/// Whether this is a name or an address, perhaps with a port. It is empty where nobody has one.
fn is_host(host: &HeaderValue) -> bool {
    let is_authority = || Authority::try_from(host.as_bytes()).is_ok();
    host.is_empty() || (!host.as_bytes().contains(&b'@') && is_authority())
}
