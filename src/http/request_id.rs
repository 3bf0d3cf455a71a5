//! The id of a request: in its reply, in every line that it logs, and in the message of a failure
//! on our side.

use std::sync::Arc;

use hyper::{
    HeaderMap,
    header::{HeaderName, HeaderValue},
};

use crate::service::Random;

/// The header that carries the id, in both directions.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is accepted from a client.
const ID_BYTES_MAX: usize = 64;

/// The id of a request: letters, digits, dots, `_` and `-`.
#[derive(Clone, Debug)]
pub(super) struct RequestId(Arc<str>);

impl RequestId {
    /// The client's own id if it is safe in a log line, else 128 random bits in hexadecimal.
    pub(super) fn from_headers(headers: &HeaderMap, random: &dyn Random) -> Self {
        let is_safe = |id: &&str| {
            let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
            (1..=ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(is_plain)
        };
        let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()).filter(is_safe);
        Self(given.map_or_else(|| random_id(random), str::to_owned).into())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).expect("an id is letters, digits, dots, `_` and `-`")
    }
}

fn random_id(random: &dyn Random) -> String {
    let bits = (0..4).fold(0_u128, |bits, _| bits << 32 | u128::from(random.next_u32()));
    format!("{bits:032x}")
}
