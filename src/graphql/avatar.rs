//! Pictures of users.
//!
//! Whoever has none gets a drawn one: the first letter of their name on a colour of their own, as
//! a `data:` URI, so that showing it asks nobody.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};

use crate::domain::User;

/// The smallest and the largest picture, in pixels.
pub(super) const SIZES: std::ops::RangeInclusive<i64> = 16..=1024;

/// The URI of a picture of the user, drawn at `size` pixels when they have none.
pub(super) fn uri(user: &User, size: i32) -> String {
    user.avatar_url.clone().unwrap_or_else(|| drawn(user, size))
}

fn drawn(user: &User, size: i32) -> String {
    let shown = user.name.as_deref().unwrap_or(&user.username);
    let letter = shown.chars().find(|c| c.is_alphanumeric()).unwrap_or('?');
    let letter = letter.to_uppercase();
    // A multiple of the golden angle sets neighbours far apart on the wheel of colours.
    let hue = user.id.0.rem_euclid(360) * 137 % 360;
    let svg = format!(
        "<svg xmlns='http://www.w3.org/2000/svg' width='{size}' height='{size}' \
         viewBox='0 0 96 96'><rect width='96' height='96' fill='hsl({hue} 45% 42%)'/>\
         <text x='48' y='50' fill='#fff' font-family='sans-serif' font-size='48' \
         text-anchor='middle' dominant-baseline='central'>{letter}</text></svg>"
    );
    format!("data:image/svg+xml;base64,{}", BASE64.encode(svg))
}
