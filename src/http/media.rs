//! The media type of a reply (RFC 9110, 8.3 and 12.5.1; GraphQL over HTTP, 4 and 6).

use hyper::{
    HeaderMap,
    header::{ACCEPT, HeaderValue},
};

/// The media type of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MediaType {
    /// `application/json`: the status does not depend on the operation.
    Json,
    /// `application/graphql-response+json`: the status says whether the operation was executed.
    GraphqlResponse,
}

impl MediaType {
    pub(super) fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Json => "application/json; charset=utf-8",
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
        })
    }

    /// The type that the client prefers, `None` if it accepts neither. Without an `Accept` header
    /// it is `application/json`, which every client understands. A client that names both with
    /// the same weight gets `application/graphql-response+json`, whose status says more.
    pub(super) fn negotiate(headers: &HeaderMap) -> Option<Self> {
        if !headers.contains_key(ACCEPT) {
            return Some(Self::Json);
        }
        let ranges: Vec<_> = accepted(headers).collect();
        let json = preference(&ranges, "json");
        let graphql = preference(&ranges, "graphql-response+json");
        if json.is_none() && graphql.is_none() {
            return None;
        }
        let is_named_too = graphql == json && graphql.is_some_and(Preference::is_exact);
        Some(if graphql > json || is_named_too { Self::GraphqlResponse } else { Self::Json })
    }
}

/// How much a client prefers a media type: first by weight, then by how exactly it is named.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Preference {
    thousandths: u16,
    exactness: u8,
}

impl Preference {
    const fn is_exact(self) -> bool {
        self.exactness == 2
    }
}

/// The readable elements of the `Accept` headers.
fn accepted(headers: &HeaderMap) -> impl Iterator<Item = Range<'_>> {
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).filter_map(Range::parse)
}

/// One element of an `Accept` header.
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    thousandths: u16,
}

impl<'a> Range<'a> {
    /// Parses an element; `None` if it is malformed or asks for a charset other than UTF-8.
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let mut thousandths = 1_000;
        for parameter in parts {
            let (name, value) = parameter.split_once('=')?;
            if name.eq_ignore_ascii_case("q") {
                thousandths = weight(value)?;
            } else if name.eq_ignore_ascii_case("charset") && !is_utf8(value) {
                return None;
            }
        }
        Some(Self { kind, subtype, thousandths })
    }

    /// How exactly this names `application/{subtype}`: 2 by name, 1 by `application/*`, 0 by `*/*`.
    fn exactness(&self, subtype: &str) -> Option<u8> {
        match (self.kind, self.subtype) {
            ("*", "*") => Some(0),
            (kind, "*") if kind.eq_ignore_ascii_case("application") => Some(1),
            (kind, named) if kind.eq_ignore_ascii_case("application") => {
                named.eq_ignore_ascii_case(subtype).then_some(2)
            }
            _ => None,
        }
    }
}

/// A weight of `0` to `1` in thousandths (RFC 9110, 12.4.2).
pub(super) fn weight(text: &str) -> Option<u16> {
    let weight: f32 = text.parse().ok()?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1,000")]
    (0.0..=1.0).contains(&weight).then(|| (weight * 1_000.0).round() as u16)
}

/// The preference for `application/{subtype}`: that of the range which names it most exactly.
fn preference(ranges: &[Range<'_>], subtype: &str) -> Option<Preference> {
    ranges
        .iter()
        .filter_map(|range| {
            let exactness = range.exactness(subtype)?;
            Some(Preference { thousandths: range.thousandths, exactness })
        })
        .max_by_key(|preference| (preference.exactness, preference.thousandths))
        .filter(|preference| preference.thousandths > 0)
}

/// Whether the client asks for HTML by name, as a browser does when it opens an address.
pub(super) fn names_html(headers: &HeaderMap) -> bool {
    accepted(headers).any(|range| {
        let is_html =
            range.kind.eq_ignore_ascii_case("text") && range.subtype.eq_ignore_ascii_case("html");
        is_html && range.thousandths > 0
    })
}

/// Whether the value of a `charset` parameter is UTF-8.
pub(super) fn is_utf8(charset: &str) -> bool {
    let charset = charset.trim_matches('"');
    charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn negotiate(accept: &[&'static str]) -> Option<MediaType> {
        let mut headers = HeaderMap::new();
        for value in accept {
            headers.append(ACCEPT, HeaderValue::from_static(value));
        }
        MediaType::negotiate(&headers)
    }

    #[test]
    fn the_client_gets_the_media_type_it_prefers() {
        let cases: [(&[&str], _); 15] = [
            (&[], Some(MediaType::Json)),
            (&["*/*"], Some(MediaType::Json)),
            (&["application/*"], Some(MediaType::Json)),
            (&["text/html, application/xml;q=0.9, */*;q=0.8"], Some(MediaType::Json)),
            (&["application/json"], Some(MediaType::Json)),
            (&["Application/GraphQL-Response+JSON"], Some(MediaType::GraphqlResponse)),
            (
                &["application/graphql-response+json, application/json"],
                Some(MediaType::GraphqlResponse),
            ),
            (
                &["application/json", "application/graphql-response+json"],
                Some(MediaType::GraphqlResponse),
            ),
            (&["application/json, application/graphql-response+json;q=0.5"], Some(MediaType::Json)),
            (&["application/graphql-response+json, */*"], Some(MediaType::GraphqlResponse)),
            (&["application/json;q=0, */*"], Some(MediaType::GraphqlResponse)),
            (&["application/json; charset=\"UTF-8\""], Some(MediaType::Json)),
            (&["application/json; charset=latin1"], None),
            (&["text/html"], None),
            (&["application/json;q=0"], None),
        ];
        for (accept, expected) in cases {
            assert_eq!(negotiate(accept), expected, "{accept:?}");
        }
    }
}
