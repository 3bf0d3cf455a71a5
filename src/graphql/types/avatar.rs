//! Pictures of users.
//!
//! A user without a picture gets a drawn one: the first letter of their name on a colour that
//! depends on the user, as a `data:` URI, so that showing it takes no request.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};

use crate::domain::{User, UserId};

/// The size of a drawn picture in pixels, unless the client asks for another.
pub(crate) const SIZE_DEFAULT: i32 = 96;
/// The allowed sizes of a drawn picture, in pixels.
pub(crate) const SIZES: std::ops::RangeInclusive<i64> = 16..=1024;

/// The URI of the user's picture, or of one that is drawn with `size` pixels.
pub(crate) fn uri(user: &User, size: i32) -> String {
    user.avatar_url.clone().unwrap_or_else(|| drawn(user, size))
}

fn drawn(user: &User, size: i32) -> String {
    let shown = user.name.as_deref().unwrap_or(&user.username);
    let letter = shown.chars().find(|c| c.is_alphanumeric()).unwrap_or('?');
    let letter = letter.to_uppercase();
    let hue = hue(user.id);
    let svg = format!(
        "<svg xmlns='http://www.w3.org/2000/svg' width='{size}' height='{size}' \
         viewBox='0 0 96 96'><rect width='96' height='96' fill='hsl({hue} 45% 42%)'/>\
         <text x='48' y='50' fill='#fff' font-family='sans-serif' font-size='48' \
         text-anchor='middle' dominant-baseline='central'>{letter}</text></svg>"
    );
    format!("data:image/svg+xml;base64,{}", BASE64.encode(svg))
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
