//! The body of a request: its media type, and reading it within bounds on size and time.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use http_body_util::BodyExt;
use hyper::{
    HeaderMap, StatusCode,
    header::{ACCEPT, ACCEPT_ENCODING, CONNECTION, CONTENT_ENCODING, CONTENT_TYPE},
};
use tokio::time::timeout;

use super::{element::Element, failure::Failure};
use crate::graphql::Code;

/// How much of an oversized body is still read, as a multiple of the limit: a client that is
/// sending when the connection closes would never see the reply.
const DISCARDED_TIMES_MAX: usize = 4;

/// Accepts only uncompressed JSON in UTF-8. A compressed body could inflate past the limit on
/// bytes, and the content types of forms could be posted by other sites without a preflight.
///
/// # Errors
/// Status 415 for anything else.
pub(super) fn expect_json(headers: &HeaderMap) -> Result<(), Failure> {
    let refuse = |message: &'static str| {
        Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::BadUserInput, message)
    };

    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    if encodings.any(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        let failure = refuse("Bodies must not be compressed.");
        return Err(failure.with(ACCEPT_ENCODING, "identity"));
    }

    let names_json =
        |text| Element::parse(text).is_some_and(|media| media.is_named("application/json"));
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    match (types.next().and_then(|value| value.to_str().ok()), types.next()) {
        (Some(only), None) if names_json(only) => Ok(()),
        _ => Err(refuse("Bodies must be application/json in UTF-8.")
            .with(ACCEPT, "application/json; charset=utf-8")),
    }
}

/// Reads a whole body, with or without `Content-Length`.
///
/// # Errors
/// Status 413 if it has more than `bytes_max` bytes, 408 if it takes longer than `time_max`, 400
/// if it ends early.
pub(super) async fn read(
    body: Body,
    bytes_max: usize,
    time_max: Duration,
) -> Result<Vec<u8>, Failure> {
    timeout(time_max, collect(body, bytes_max)).await.unwrap_or_else(|_| {
        let message = "The body took too long to arrive.";
        Err(Failure::new(StatusCode::REQUEST_TIMEOUT, Code::BadUserInput, message)
            .with(CONNECTION, "close"))
    })
}

async fn collect(mut body: Body, bytes_max: usize) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let mut seen = 0_usize;
    let taken_max = bytes_max.saturating_mul(DISCARDED_TIMES_MAX);
    // A `Content-Length` past that is refused without reading.
    let is_hopeless = body.size_hint().lower() > taken_max as u64;
    while !is_hopeless && let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Failure::bad_request("The body broke off."))?;
        let Ok(data) = frame.into_data() else { continue };
        seen = seen.saturating_add(data.len());
        if seen <= bytes_max {
            bytes.extend_from_slice(&data);
        } else if seen > taken_max {
            break;
        }
    }

    if seen <= bytes_max && !is_hopeless {
        return Ok(bytes);
    }
    let message = format!("The body has more than {bytes_max} bytes.");
    Err(Failure::new(StatusCode::PAYLOAD_TOO_LARGE, Code::QueryTooLarge, &message))
}
