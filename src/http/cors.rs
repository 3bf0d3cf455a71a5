//! CORS: the sites whose scripts may call the server. By default there are none.
//!
//! Without a configured origin no CORS header is sent. Tokens travel in a header and never in a
//! cookie, so credentials are never allowed.

use std::{str::FromStr, time::Duration};

use hyper::{
    Method,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER},
};
use tower_http::cors::{AllowOrigin, CorsLayer};
use url::Url;

use super::request_id::REQUEST_ID;

/// How long a browser may cache a preflight.
const PREFLIGHT_MAX_AGE: Duration = Duration::from_hours(1);

/// The origin of a site, such as `https://app.example.com`; `*` means any site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(HeaderValue);

impl FromStr for Origin {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const RULE: &str = "write an origin such as https://app.example.com, without a path, or *";
        let is_origin = || {
            let url = Url::parse(text).ok()?;
            let is_web = matches!(url.scheme(), "http" | "https");
            (is_web && url.origin().ascii_serialization() == text).then_some(())
        };
        if text != "*" {
            is_origin().ok_or(RULE)?;
        }
        HeaderValue::from_str(text).map(Self).map_err(|_| RULE)
    }
}

/// The layer that answers preflights and adds CORS headers; `None` without an origin.
pub(super) fn layer(origins: &[Origin]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let allowed = if origins.iter().any(|origin| origin.0 == "*") {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(origins.iter().map(|origin| origin.0.clone()))
    };
    Some(
        CorsLayer::new()
            .allow_origin(allowed)
            .allow_methods([Method::GET, Method::POST])
            .allow_headers([ACCEPT, AUTHORIZATION, CONTENT_TYPE, REQUEST_ID])
            .expose_headers([REQUEST_ID, RETRY_AFTER])
            .max_age(PREFLIGHT_MAX_AGE),
    )
}
