//! Content codings of files that exist in several (RFC 9110, 8.4.1 and 12.5.3).

use hyper::{HeaderMap, header::ACCEPT_ENCODING};

use super::element::{Element, elements};

/// How the bytes of a reply are coded. At equal weight the last of these wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Encoding {
    /// Not coded.
    Identity,
    /// `gzip`: for clients without brotli.
    Gzip,
    /// `br`: the smallest.
    Brotli,
}

impl Encoding {
    /// The name in `Content-Encoding`; `None` if not coded.
    pub(super) const fn name(self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some("gzip"),
            Self::Brotli => Some("br"),
        }
    }

    /// The available coding that the client prefers; `None` if it accepts none of them.
    pub(super) fn negotiate(
        headers: &HeaderMap,
        available: impl IntoIterator<Item = Self>,
    ) -> Option<Self> {
        let accepted: Vec<_> = elements(headers, ACCEPT_ENCODING).collect();
        let weighted = available.into_iter().map(|coding| (coding.weight(&accepted), coding));
        let (_, preferred) = weighted.filter(|(thousandths, _)| *thousandths > 0).max()?;
        Some(preferred)
    }

    /// The weight of this coding in thousandths; 0 means refused. The identity coding is accepted
    /// unless it is refused explicitly, and is the last choice if it is not named.
    fn weight(self, accepted: &[Element<'_>]) -> u16 {
        let weight = |name: &str| {
            accepted.iter().find(|element| element.is_named(name)).map(|found| found.thousandths)
        };
        let unnamed = u16::from(self == Self::Identity);
        weight(self.name().unwrap_or("identity")).or_else(|| weight("*")).unwrap_or(unnamed)
    }
}
