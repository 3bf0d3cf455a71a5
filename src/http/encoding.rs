//! Content codings of files that exist in several (RFC 9110, 8.4.1 and 12.5.3).

use std::cmp::Reverse;

use hyper::{HeaderMap, header::ACCEPT_ENCODING};

use super::media::weight;

/// How the bytes of a reply are coded. At equal weight the first of these wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Encoding {
    /// `br`: the smallest.
    Brotli,
    /// `gzip`: for clients without brotli.
    Gzip,
    /// Not coded.
    Identity,
}

impl Encoding {
    /// The name in `Content-Encoding`; `None` if not coded.
    pub(super) const fn name(self) -> Option<&'static str> {
        match self {
            Self::Brotli => Some("br"),
            Self::Gzip => Some("gzip"),
            Self::Identity => None,
        }
    }

    /// The available coding that the client prefers; `None` if it accepts none of them.
    pub(super) fn negotiate(
        headers: &HeaderMap,
        available: impl IntoIterator<Item = Self>,
    ) -> Option<Self> {
        let values =
            headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        let accepted: Vec<_> =
            values.flat_map(|value| value.split(',')).filter_map(parse_element).collect();

        let weighted = available.into_iter().map(|coding| (coding.weight(&accepted), coding));
        let (_, preferred) = weighted
            .filter(|(thousandths, _)| *thousandths > 0)
            .min_by_key(|&(thousandths, coding)| (Reverse(thousandths), coding))?;
        Some(preferred)
    }

    /// The weight of this coding in thousandths; 0 means refused. The identity coding is accepted
    /// unless it is refused explicitly, and is the last choice if it is not named.
    fn weight(self, accepted: &[(&str, u16)]) -> u16 {
        let named = |name: &str| {
            let mut found = accepted.iter().filter(|(named, _)| named.eq_ignore_ascii_case(name));
            found.next().map(|(_, thousandths)| *thousandths)
        };
        let (name, unnamed) = match self {
            Self::Brotli => ("br", 0),
            Self::Gzip => ("gzip", 0),
            Self::Identity => ("identity", 1),
        };
        named(name).or_else(|| named("*")).unwrap_or(unnamed)
    }
}

/// Parses one element of an `Accept-Encoding` header: a coding and its weight in thousandths.
fn parse_element(text: &str) -> Option<(&str, u16)> {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next()?;
    let Some(parameter) = parts.next() else { return Some((name, 1_000)) };
    let (q, value) = parameter.split_once('=')?;
    q.eq_ignore_ascii_case("q").then_some((name, weight(value)?))
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    const ALL: [Encoding; 3] = [Encoding::Identity, Encoding::Gzip, Encoding::Brotli];

    fn negotiate(accept: &[&'static str], available: &[Encoding]) -> Option<Encoding> {
        let mut headers = HeaderMap::new();
        for value in accept {
            headers.append(ACCEPT_ENCODING, HeaderValue::from_static(value));
        }
        Encoding::negotiate(&headers, available.iter().copied())
    }

    #[test]
    fn the_client_gets_the_coding_it_prefers() {
        let cases: [(&[&str], _); 16] = [
            (&[], Some(Encoding::Identity)),
            (&[""], Some(Encoding::Identity)),
            (&["gzip, deflate, br, zstd"], Some(Encoding::Brotli)),
            (&["gzip", "br"], Some(Encoding::Brotli)),
            (&["gzip, deflate"], Some(Encoding::Gzip)),
            (&["GZIP;Q=0.5"], Some(Encoding::Gzip)),
            (&["br;q=0.5, gzip;q=0.8"], Some(Encoding::Gzip)),
            (&["gzip;q=0.5, identity"], Some(Encoding::Identity)),
            (&["deflate"], Some(Encoding::Identity)),
            (&["*"], Some(Encoding::Brotli)),
            (&["br;q=0, *"], Some(Encoding::Gzip)),
            (&["br;q=0, gzip;q=0"], Some(Encoding::Identity)),
            (&["br;q=high, gzip ; q=0.1"], Some(Encoding::Gzip)),
            (&["identity;q=0, *"], Some(Encoding::Brotli)),
            (&["identity;q=0"], None),
            (&["*;q=0"], None),
        ];
        for (accept, expected) in cases {
            assert_eq!(negotiate(accept, &ALL), expected, "{accept:?}");
        }
    }

    #[test]
    fn only_an_available_coding_is_chosen() {
        let accept = "br, gzip;q=0.5";
        let there = [Encoding::Identity, Encoding::Gzip];
        assert_eq!(negotiate(&[accept], &there), Some(Encoding::Gzip));
        assert_eq!(negotiate(&[accept], &there[..1]), Some(Encoding::Identity));
        assert_eq!(negotiate(&["br, identity;q=0"], &there), None);
    }
}
