//! The media type of a reply (RFC 9110, 8.3 and 12.5.1; GraphQL over HTTP, 4 and 6).

use hyper::{
    HeaderMap,
    header::{ACCEPT, HeaderValue},
};

use super::element::{Element, elements};

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
        let accepted: Vec<_> = elements(headers, ACCEPT).collect();
        let json = Preference::of(&accepted, "application/json");
        let graphql = Preference::of(&accepted, "application/graphql-response+json");
        if json.is_none() && graphql.is_none() {
            return None;
        }
        let names_both = graphql == json && graphql.is_some_and(|found| found.exactness == 2);
        Some(if graphql > json || names_both { Self::GraphqlResponse } else { Self::Json })
    }
}

/// What a client accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Accepted {
    /// The type that it prefers for a single reply; `None` if it accepts none.
    pub(super) reply: Option<MediaType>,
    /// Whether it names `text/event-stream`.
    pub(super) stream: bool,
}

impl Accepted {
    /// By the `Accept` header. A stream has to be named: a client that accepts everything expects a
    /// body that ends.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let stream = elements(headers, ACCEPT)
            .any(|range| range.is_named("text/event-stream") && range.thousandths > 0);
        Self { reply: MediaType::negotiate(headers), stream }
    }
}

/// How much a client prefers a media type: first by weight, then by how exactly it is named.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Preference {
    thousandths: u16,
    /// 2 by name, 1 by `application/*`, 0 by `*/*`.
    exactness: usize,
}

impl Preference {
    /// The preference for a type: that of the element which names it most exactly.
    fn of(accepted: &[Element<'_>], name: &str) -> Option<Self> {
        let ranges = ["*/*", "application/*", name];
        let preferences = accepted.iter().filter_map(|element| {
            let exactness = ranges.iter().position(|range| element.is_named(range))?;
            Some(Self { thousandths: element.thousandths, exactness })
        });
        preferences
            .max_by_key(|preference| (preference.exactness, preference.thousandths))
            .filter(|preference| preference.thousandths > 0)
    }
}

/// Whether the client names HTML first, as a browser does when it opens an address.
pub(super) fn names_html_first(headers: &HeaderMap) -> bool {
    let first = elements(headers, ACCEPT).next();
    first.is_some_and(|range| range.is_named("text/html") && range.thousandths > 0)
}
