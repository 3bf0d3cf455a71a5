//! Media types of requests and replies (RFC 9110, 8.3 and 12.5.1; GraphQL over HTTP, 4 and 6).

use hyper::{
    HeaderMap, StatusCode,
    header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue},
};

use super::failure::Failure;
use crate::graphql::Code;

/// The media type of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MediaType {
    /// `application/json`: the status says nothing about the operation.
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

    /// What the client likes best. Without a wish it is `application/json`, which every client
    /// understands; a client that names both equally gets the one that says more.
    ///
    /// # Errors
    /// When it takes neither.
    pub(super) fn negotiate(headers: &HeaderMap) -> Result<Self, Failure> {
        let wishes: Vec<_> = headers.get_all(ACCEPT).iter().collect();
        if wishes.is_empty() {
            return Ok(Self::Json);
        }
        let ranges: Vec<_> = wishes
            .iter()
            .filter_map(|wish| wish.to_str().ok())
            .flat_map(|wish| wish.split(','))
            .filter_map(Range::parse)
            .collect();

        let json = wish_for(&ranges, "json");
        let graphql = wish_for(&ranges, "graphql-response+json");
        if json.is_none() && graphql.is_none() {
            return Err(Failure::new(
                StatusCode::NOT_ACCEPTABLE,
                Code::BadUserInput,
                "Replies are application/graphql-response+json or application/json.",
            ));
        }
        let is_named_too = graphql == json && graphql.is_some_and(Wish::is_exact);
        Ok(if graphql > json || is_named_too { Self::GraphqlResponse } else { Self::Json })
    }
}

/// How much a client wants a media type: first by weight, then by how exactly it names it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Wish {
    thousandths: u16,
    exactness: u8,
}

impl Wish {
    const fn is_exact(self) -> bool {
        self.exactness == 2
    }
}

/// One element of an `Accept` header.
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    thousandths: u16,
}

impl<'a> Range<'a> {
    /// Reads an element. One that cannot be read, or asks for another charset, wishes nothing.
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

    /// How exactly this names `application/{subtype}`, if it does at all.
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

/// The wish for `application/{subtype}`: that of the range which names it most exactly.
fn wish_for(ranges: &[Range<'_>], subtype: &str) -> Option<Wish> {
    ranges
        .iter()
        .filter_map(|range| {
            let exactness = range.exactness(subtype)?;
            Some(Wish { thousandths: range.thousandths, exactness })
        })
        .max_by_key(|wish| (wish.exactness, wish.thousandths))
        .filter(|wish| wish.thousandths > 0)
}

/// Whether the client asks for HTML by name, as browsers do that open an address.
pub(super) fn names_html(headers: &HeaderMap) -> bool {
    let wishes = headers.get_all(ACCEPT).iter().filter_map(|wish| wish.to_str().ok());
    let mut ranges = wishes.flat_map(|wish| wish.split(',')).filter_map(Range::parse);
    ranges.any(|range| {
        let is_html =
            range.kind.eq_ignore_ascii_case("text") && range.subtype.eq_ignore_ascii_case("html");
        is_html && range.thousandths > 0
    })
}

/// Lets only plain JSON in UTF-8 pass as a body. Compressed bodies would make the limit on
/// bytes one on nothing; a form's content types would let other sites post without asking.
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

    let mut types = headers.get_all(CONTENT_TYPE).iter();
    match (types.next().and_then(|value| value.to_str().ok()), types.next()) {
        (Some(content_type), None) if is_json(content_type) => Ok(()),
        _ => Err(refuse("Bodies must be application/json in UTF-8.")
            .with(ACCEPT, "application/json; charset=utf-8")),
    }
}

fn is_json(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    let is_named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("application/json"));
    is_named
        && parts.filter(|parameter| !parameter.is_empty()).all(|parameter| {
            parameter.split_once('=').is_some_and(|(name, value)| {
                !name.eq_ignore_ascii_case("charset") || is_utf8(value)
            })
        })
}

fn is_utf8(charset: &str) -> bool {
    let charset = charset.trim_matches('"');
    charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn negotiate(accept: &[&'static str]) -> Option<MediaType> {
        let mut headers = HeaderMap::new();
        for wish in accept {
            headers.append(ACCEPT, HeaderValue::from_static(wish));
        }
        MediaType::negotiate(&headers).ok()
    }

    #[test]
    fn the_client_gets_what_it_likes_best() {
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

    #[test]
    fn only_json_in_utf_8_is_a_body() {
        for good in
            ["application/json", "Application/JSON ; Charset=\"utf-8\"", "application/json;"]
        {
            assert!(is_json(good), "{good}");
        }
        for bad in ["text/plain", "application/jsonp", "application/json; charset=utf-16", ""] {
            assert!(!is_json(bad), "{bad}");
        }
    }
}
