//! Content codings of replies that are there in several (RFC 9110, 8.4.1 and 12.5.3).

use std::cmp::Reverse;

use hyper::{HeaderMap, header::ACCEPT_ENCODING};

use super::media::weight;

/// How the bytes of a reply are coded. Of those that a client likes equally it gets the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Encoding {
    /// `br`: the smallest.
    Brotli,
    /// `gzip`: for clients that know no other.
    Gzip,
    /// As they are.
    Identity,
}

impl Encoding {
    /// The name in headers; what is not coded has none.
    pub(super) const fn name(self) -> Option<&'static str> {
        match self {
            Self::Brotli => Some("br"),
            Self::Gzip => Some("gzip"),
            Self::Identity => None,
        }
    }

    /// What the client likes best of what there is, if it takes any of it.
    pub(super) fn negotiate(
        headers: &HeaderMap,
        available: impl IntoIterator<Item = Self>,
    ) -> Option<Self> {
        let wishes: Vec<_> = headers
            .get_all(ACCEPT_ENCODING)
            .iter()
            .filter_map(|wish| wish.to_str().ok())
            .flat_map(|wish| wish.split(','))
            .filter_map(wish)
            .collect();

        let liked = available.into_iter().map(|encoding| (encoding.liked(&wishes), encoding));
        let liked = liked.filter(|(thousandths, _)| *thousandths > 0);
        liked
            .min_by_key(|&(thousandths, encoding)| (Reverse(thousandths), encoding))
            .map(|(_, e)| e)
    }

    /// How much a client with these wishes likes this. What is not coded is taken by everybody
    /// who does not refuse it, and is the last choice of those who do not name it.
    fn liked(self, wishes: &[(&str, u16)]) -> u16 {
        let named = |name: &str| {
            let mut found = wishes.iter().filter(|(named, _)| named.eq_ignore_ascii_case(name));
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

/// One element of an `Accept-Encoding` header. One that cannot be read wishes nothing.
fn wish(text: &str) -> Option<(&str, u16)> {
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
        for wish in accept {
            headers.append(ACCEPT_ENCODING, HeaderValue::from_static(wish));
        }
        Encoding::negotiate(&headers, available.iter().copied())
    }

    #[test]
    fn the_client_gets_the_coding_that_it_likes_best() {
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
    fn only_what_is_there_is_chosen() {
        let accept = "br, gzip;q=0.5";
        let there = [Encoding::Identity, Encoding::Gzip];
        assert_eq!(negotiate(&[accept], &there), Some(Encoding::Gzip));
        assert_eq!(negotiate(&[accept], &there[..1]), Some(Encoding::Identity));
        assert_eq!(negotiate(&["br, identity;q=0"], &there), None);
    }
}
