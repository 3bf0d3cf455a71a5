//! Pictures of users.
//!
//! Whoever has none gets a drawn one: the first letter of their name on a colour of their own, as
//! a `data:` URI, so that showing it asks nobody.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};

use crate::domain::{User, UserId};

/// The smallest and the largest picture, in pixels.
pub(crate) const SIZES: std::ops::RangeInclusive<i64> = 16..=1024;

/// The URI of a picture of the user, drawn at `size` pixels when they have none.
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

/// A colour of the user's own, in degrees. Ids are made of times, so those of one batch differ in a
/// few bits only; a multiplication by the golden ratio carries each of them to the top.
fn hue(id: UserId) -> u64 {
    let mixed = id.0.cast_unsigned().wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((mixed >> 32) * 360) >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_of_one_moment_have_colours_of_their_own() {
        for step in [1, 360, 1 << 12, 360 << 12, 1 << 22] {
            let mut hues: Vec<_> = (0..12).map(|n| hue(UserId(1_000_000 + n * step))).collect();
            hues.sort_unstable();
            assert!(hues.iter().all(|hue| *hue < 360), "{step}: {hues:?}");
            hues.dedup_by_key(|hue| *hue / 10);
            assert!(hues.len() >= 6, "{step}: {hues:?}");
        }
    }
}
