//! `GET /avatars/ID.svg`: the picture of a user who has set none.
//!
//! It depends on the global id only, so it costs no SQL statement and never changes. An id that
//! names no user has a picture too.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    response::Response,
};
use hyper::{
    HeaderMap,
    header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
};

use super::{failure::Failure, pages, state};
use crate::{domain::UserId, graphql::GlobalId};

const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const SVG: HeaderValue = HeaderValue::from_static("image/svg+xml");

/// The picture, or 404 if the name is not the global id of a user and `.svg`.
pub(super) async fn picture(
    State(state): State<Arc<state::State>>,
    headers: HeaderMap,
    Path(file): Path<String>,
) -> Result<Response, Failure> {
    let Some(user) = file.strip_suffix(".svg").and_then(GlobalId::user) else {
        return pages::not_found(state.playground.as_ref(), &headers);
    };

    let mut response = Response::new(drawn(user).into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, SVG);
    headers.insert(CACHE_CONTROL, IMMUTABLE);
    Ok(response)
}

/// A head and shoulders, in white on the user's colour.
fn drawn(user: UserId) -> String {
    let hue = hue(user);
    format!(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 96 96'>\
         <rect width='96' height='96' fill='hsl({hue} 45% 42%)'/>\
         <g fill='#fff' fill-opacity='.9'><circle cx='48' cy='37' r='17'/>\
         <path d='M14 96a34 34 0 0 1 68 0z'/></g></svg>"
    )
}

/// The hue of a user's colour, in degrees. Ids are based on times, so those of one moment differ in
/// a few bits only; multiplying by the golden ratio moves these bits to the top.
fn hue(id: UserId) -> u64 {
    let mixed = id.0.cast_unsigned().wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((mixed >> 32) * 360) >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_of_one_moment_have_different_colours() {
        for step in [1, 360, 1 << 12, 360 << 12, 1 << 22] {
            let mut hues: Vec<_> = (0..12).map(|n| hue(UserId(1_000_000 + n * step))).collect();
            hues.sort_unstable();
            assert!(hues.iter().all(|hue| *hue < 360), "{step}: {hues:?}");
            hues.dedup_by_key(|hue| *hue / 10);
            assert!(hues.len() >= 6, "{step}: {hues:?}");
        }
    }
}
