//! One file of the build: its headers, its codings, and the reply to a request for it.

use std::borrow::Cow;

use axum::{
    body::{Body, Bytes},
    response::Response,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use hyper::{
    HeaderMap, StatusCode,
    header::{
        CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderName,
        HeaderValue, IF_NONE_MATCH, VARY,
    },
};

use crate::{
    graphql::Code,
    http::{encoding::Encoding, failure::Failure},
};

/// For names that contain a hash of the content.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// For stable names: may be stored, must be revalidated each time.
const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");

/// A file in one or more codings.
#[derive(Clone)]
pub(super) struct Asset {
    content_type: HeaderValue,
    cache_control: HeaderValue,
    policy: Option<HeaderValue>,
    variants: Vec<Variant>,
}

impl Asset {
    /// A file without variants. The build puts a hash into every name in `assets/`.
    pub(super) fn new(path: &str, policy: Option<&'static str>) -> Self {
        Self {
            content_type: HeaderValue::from_static(content_type(path)),
            cache_control: if path.starts_with("assets/") { IMMUTABLE } else { REVALIDATE },
            policy: policy.map(HeaderValue::from_static),
            variants: Vec::new(),
        }
    }

    /// Adds the file's bytes in one coding. The digest becomes its `ETag`.
    pub(super) fn add(&mut self, encoding: Encoding, bytes: Cow<'static, [u8]>, sha256: [u8; 32]) {
        let bytes = match bytes {
            Cow::Borrowed(bytes) => Bytes::from_static(bytes),
            Cow::Owned(bytes) => Bytes::from(bytes),
        };
        let etag = format!("\"{}\"", BASE64.encode(sha256));
        let etag = HeaderValue::from_str(&etag).expect("base64 is valid in a header");
        self.variants.push(Variant { encoding, bytes, etag });
    }

    /// The bytes of the file itself.
    pub(super) fn plain(&self) -> Option<&[u8]> {
        let plain = self.variants.iter().find(|variant| variant.encoding == Encoding::Identity);
        plain.map(|variant| &*variant.bytes)
    }

    /// The coding that the client prefers, or 304 if the client already has exactly that.
    ///
    /// # Errors
    /// Status 406 if the client accepts none of the codings.
    pub(super) fn respond(&self, headers: &HeaderMap) -> Result<Response, Failure> {
        let available = self.variants.iter().map(|variant| variant.encoding);
        let encoding = Encoding::negotiate(headers, available);
        let Some(variant) = self.variants.iter().find(|v| Some(v.encoding) == encoding) else {
            let message = "Nothing at this path is coded as accept-encoding wants it.";
            return Err(Failure::new(StatusCode::NOT_ACCEPTABLE, Code::BadUserInput, message)
                .with(VARY, "accept-encoding"));
        };

        let mut response = Response::new(Body::empty());
        let mut insert = |name: HeaderName, value: &HeaderValue| {
            response.headers_mut().insert(name, value.clone());
        };
        insert(CACHE_CONTROL, &self.cache_control);
        insert(ETAG, &variant.etag);
        insert(VARY, &HeaderValue::from_static("accept-encoding"));
        if let Some(policy) = &self.policy {
            insert(CONTENT_SECURITY_POLICY, policy);
        }
        if is_cached(headers, &variant.etag) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return Ok(response);
        }

        insert(CONTENT_TYPE, &self.content_type);
        if let Some(name) = variant.encoding.name() {
            insert(CONTENT_ENCODING, &HeaderValue::from_static(name));
        }
        *response.body_mut() = Body::from(variant.bytes.clone());
        Ok(response)
    }
}

/// The bytes of a file in one coding.
#[derive(Clone)]
struct Variant {
    encoding: Encoding,
    bytes: Bytes,
    etag: HeaderValue,
}

/// The media type of a file, by its extension.
fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" => "application/json",
        "svg" => "image/svg+xml; charset=utf-8",
        "png" => "image/png",
        "ttf" => "font/ttf",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}

/// Whether the client has this version already (RFC 9110, 13.1.2).
fn is_cached(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let values = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = values.flat_map(|value| value.split(',')).map(str::trim);
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == *etag)
}
