//! Reading a body, within bounds on bytes and on time.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use http_body_util::BodyExt;
use hyper::{StatusCode, header::CONNECTION};
use tokio::time::timeout;

use super::failure::Failure;
use crate::graphql::Code;

/// How much of a body that is too large is still taken from the wire, as a multiple of the
/// limit: a client that is still sending when the connection closes would never see why.
const DISCARDED_TIMES_MAX: usize = 4;

/// Reads a body whole, however it is framed.
///
/// # Errors
/// Status 413 when it has more than `bytes_max` bytes, 408 when it takes longer than `time_max`,
/// 400 when it breaks off.
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
    // A length that is told beforehand needs no waiting for.
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
