//! The elements of headers such as `Accept`, `Accept-Encoding` and `Content-Type`: a name with
//! parameters (RFC 9110, 5.6.6), one of which may be a weight (12.4.2).

use hyper::{HeaderMap, header::HeaderName};

/// A media range, media type or content coding.
pub(super) struct Element<'a> {
    name: &'a str,
    /// The weight, from 0 (refused) to 1,000.
    pub(super) thousandths: u16,
}

impl<'a> Element<'a> {
    /// Parses an element; `None` if it is malformed or names a charset other than UTF-8.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let mut element = Self { name: parts.next()?, thousandths: 1_000 };
        for parameter in parts.filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=')?;
            if name.eq_ignore_ascii_case("q") {
                element.thousandths = weight(value)?;
            } else if name.eq_ignore_ascii_case("charset") && !is_utf8(value) {
                return None;
            }
        }
        Some(element)
    }

    /// Whether this is the element's name, in any case.
    pub(super) fn is_named(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

/// The readable elements of all headers with this name.
pub(super) fn elements(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = Element<'_>> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).filter_map(Element::parse)
}

/// A weight of `0` to `1` in thousandths.
fn weight(text: &str) -> Option<u16> {
    let weight: f32 = text.parse().ok()?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1,000")]
    (0.0..=1.0).contains(&weight).then(|| (weight * 1_000.0).round() as u16)
}

fn is_utf8(charset: &str) -> bool {
    let charset = charset.trim_matches('"');
    charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("utf8")
}
