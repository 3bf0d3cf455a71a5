//! CORS: the sites whose scripts may call the server. By default there are none.
//!
//! Tokens travel in a header and never in a cookie, so credentials are never allowed, and a site
//! that may call the server may send any header. Without a configured origin no CORS header is
//! sent.

use std::{str::FromStr, time::Duration};

use axum::extract::Request;
use hyper::{
    HeaderMap, Method, StatusCode,
    header::{
        ACCESS_CONTROL_REQUEST_METHOD, HOST, HeaderValue, ORIGIN, RETRY_AFTER, WWW_AUTHENTICATE,
    },
};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};
use url::{Host, Url};

use super::{failure::Failure, request_id::REQUEST_ID};
use crate::graphql::Code;

/// How long a browser may cache a preflight.
const PREFLIGHT_MAX_AGE: Duration = Duration::from_hours(1);

/// A site whose scripts may call the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `*`: any site.
    Any,
    /// `development`: this machine's own addresses, with any port.
    Development,
    /// The origin of one site, such as `https://app.example.com` or `capacitor://localhost`.
    Site(HeaderValue),
}

impl Origin {
    /// Whether it covers the origin that a browser names.
    fn allows(&self, origin: &HeaderValue) -> bool {
        match self {
            Self::Any => true,
            Self::Development => origin.to_str().is_ok_and(is_local),
            Self::Site(site) => site == origin,
        }
    }
}

impl FromStr for Origin {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const RULE: &str = "write an origin such as https://app.example.com or \
                            capacitor://localhost, without a path; `development` for every port of \
                            localhost; or * for any site";
        match text {
            "*" => Ok(Self::Any),
            "development" => Ok(Self::Development),
            _ if is_origin(text) => HeaderValue::from_str(text).map(Self::Site).map_err(|_| RULE),
            _ => Err(RULE),
        }
    }
}

/// Whether this is an origin as a browser writes it: a scheme, a host, and a port unless it is the
/// default one. Apps in a web view have schemes of their own, such as `capacitor` and `tauri`.
fn is_origin(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    let Some(host) = url.host_str().filter(|host| is_name(host)) else { return false };
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{host}{port}", url.scheme()) == text
}

/// Whether it is one host: no pattern.
fn is_name(host: &str) -> bool {
    !host.is_empty() && !host.contains('*')
}

/// Whether an origin is an address of the machine that the browser runs on.
fn is_local(origin: &str) -> bool {
    let Ok(url) = Url::parse(origin) else { return false };
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    is_loopback && matches!(url.scheme(), "http" | "https") && is_origin(origin)
}

/// The layer that answers preflights and adds CORS headers; `None` without an origin.
pub(super) fn layer(origins: &[Origin]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let allowed = if origins.contains(&Origin::Any) {
        AllowOrigin::any()
    } else {
        let origins = origins.to_vec();
        AllowOrigin::predicate(move |origin, _| origins.iter().any(|site| site.allows(origin)))
    };
    Some(
        CorsLayer::new()
            .allow_origin(allowed)
            .allow_methods([Method::GET, Method::POST])
            .allow_headers(AllowHeaders::mirror_request())
            .expose_headers([REQUEST_ID, RETRY_AFTER, WWW_AUTHENTICATE])
            .max_age(PREFLIGHT_MAX_AGE),
    )
}

/// Refuses the preflight of a site that may not call the server. The browser refuses anyway, but
/// does not say what to do; its list of requests shows this message.
///
/// # Errors
/// Status 403.
pub(super) fn expect_allowed(request: &Request, origins: &[Origin]) -> Result<(), Failure> {
    let headers = request.headers();
    let is_preflight =
        request.method() == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let Some(origin) = headers.get(ORIGIN).filter(|_| is_preflight) else { return Ok(()) };
    if origins.iter().any(|site| site.allows(origin)) {
        return Ok(());
    }
    let message = "Scripts of this origin may not call the server: its operator can add the origin \
                   to ENTOURAGE_CORS_ORIGINS, or \"development\" for every port of localhost.";
    Err(Failure::new(StatusCode::FORBIDDEN, Code::Forbidden, message))
}

/// Whether a WebSocket may be opened by the page that asks for it. No preflight protects a
/// WebSocket, so the server has to look: at `Origin`, which every browser sends. Other clients send
/// none.
pub(super) fn may_open_socket(headers: &HeaderMap, origins: &[Origin]) -> bool {
    let Some(origin) = headers.get(ORIGIN) else { return true };
    let is_own = || {
        let host = headers.get(HOST)?.to_str().ok()?;
        let (_scheme, origin) = origin.to_str().ok()?.split_once("://")?;
        Some(origin.eq_ignore_ascii_case(host))
    };
    origins.iter().any(|site| site.allows(origin)) || is_own() == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(list: &str, origin: &'static str) -> bool {
        list.parse::<Origin>().expect(list).allows(&HeaderValue::from_static(origin))
    }

    #[test]
    fn origins_of_apps_and_extensions_are_origins() {
        for good in [
            "https://app.example.com",
            "http://192.0.2.1:8080",
            "http://[2001:db8::1]:8080",
            "capacitor://localhost",
            "ionic://localhost",
            "tauri://localhost",
            "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
            "moz-extension://6b2d9c52-5a44-4d0f-9f61-f0a0c3c6f1d2",
        ] {
            assert!(good.parse::<Origin>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "null",
            "localhost:3000",
            "app.example.com",
            "https://app.example.com/",
            "https://app.example.com:443",
            "https://App.example.com",
            "https://bob@app.example.com",
            "https://app.example.com?a",
            "capacitor://",
            "capacitor://localhost/",
            "file:///index.html",
            "https://*.example.com",
        ] {
            assert!(bad.parse::<Origin>().is_err(), "{bad}");
        }
    }

    #[test]
    fn development_is_every_port_of_this_machine() {
        for local in [
            "http://localhost",
            "http://localhost:5173",
            "https://localhost:3000",
            "http://127.0.0.1:8080",
            "http://[::1]:4200",
        ] {
            assert!(allows("development", local), "{local}");
        }
        for foreign in [
            "null",
            "http://localhost.example.com",
            "http://example.com:5173",
            "http://192.168.0.7:5173",
            "http://localhost:5173/",
            "http://localhost@example.com",
            "capacitor://localhost",
        ] {
            assert!(!allows("development", foreign), "{foreign}");
        }
    }
}
