//! The path below which a proxy publishes the server, such as `/social`.
//!
//! Some proxies remove it from the address of a request, others pass it on. Both work: a request is
//! routed by its path without it. A slash at the end of a path makes no difference.

use std::{fmt, str::FromStr};

use hyper::{Request, Uri, http::uri::PathAndQuery};

/// The first segments of the server's own paths. Below one of them, a path that the proxy has
/// already shortened could not be told from one that it has not.
const OWN: [&str; 13] = [
    "assets",
    "avatars",
    "favicon.svg",
    "graphiql",
    "graphql",
    "healthz",
    "metrics",
    "readyz",
    "schema.graphql",
    "settings",
    "sign-in",
    "sign-up",
    "users",
];

/// A path such as `/social`, without a slash at its end; empty if the server has its address to
/// itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BasePath(String);

/// Marks a request whose path ended with a slash.
#[derive(Clone, Copy, Debug)]
pub(super) struct TrailingSlash;

impl BasePath {
    /// The path, to be continued with a slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Removes the path, and a slash at the end, from the target of a request.
    pub(super) fn strip_from<B>(&self, request: &mut Request<B>) {
        let path = request.uri().path();
        let inner = self.inner(path);
        let plain = match inner.strip_suffix('/') {
            Some("") | None => inner,
            Some(plain) => plain,
        };
        if plain.len() == path.len() {
            return;
        }

        let has_slash = plain.len() < inner.len();
        let target = match request.uri().query() {
            Some(query) => PathAndQuery::try_from(format!("{plain}?{query}")),
            None => PathAndQuery::try_from(plain),
        };
        let mut parts = request.uri().clone().into_parts();
        parts.path_and_query = target.ok();
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
        if has_slash {
            request.extensions_mut().insert(TrailingSlash);
        }
    }

    /// The part of a path below this one; the path itself if the proxy has removed it already.
    fn inner<'a>(&self, path: &'a str) -> &'a str {
        match path.strip_prefix(self.as_str()) {
            Some("") => "/",
            Some(inner) if inner.starts_with('/') => inner,
            Some(_) | None => path,
        }
    }
}

impl FromStr for BasePath {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const RULE: &str = "write a path such as /social: segments of letters, digits, `-`, `_`, \
                            `.` and `~`; the first must differ from the server's own paths";
        let path = text.strip_suffix('/').unwrap_or(text);
        if path.is_empty() {
            return Ok(Self::default());
        }
        let inner = path.strip_prefix('/').ok_or(RULE)?;
        let is_segment = |segment: &str| {
            let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
            !matches!(segment, "" | "." | "..") && segment.bytes().all(is_plain)
        };
        let is_own = OWN.iter().any(|own| inner.split('/').next() == Some(own));
        if is_own || !inner.split('/').all(is_segment) {
            return Err(RULE);
        }
        Ok(Self(path.to_owned()))
    }
}

impl fmt::Display for BasePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(base: &str, target: &str) -> String {
        let mut request = Request::new(());
        *request.uri_mut() = target.parse().expect("a target");
        base.parse::<BasePath>().expect("a path").strip_from(&mut request);
        request.uri().to_string()
    }

    #[test]
    fn a_request_is_routed_by_the_path_below_the_base() {
        for (base, target, expected) in [
            ("", "/graphql", "/graphql"),
            ("", "/graphql/?a=b/", "/graphql?a=b/"),
            ("", "/", "/"),
            ("", "*", "*"),
            ("/social", "/social/graphql?a=b", "/graphql?a=b"),
            ("/social", "/social/graphql/", "/graphql"),
            ("/social", "/graphql", "/graphql"),
            ("/social", "/social", "/"),
            ("/social", "/social/", "/"),
            ("/social", "/social?a=b", "/?a=b"),
            ("/social", "/socialist", "/socialist"),
            ("/a/b", "/a/b/users/ada/", "/users/ada"),
            ("/a/b", "http://x/a/b/users", "http://x/users"),
        ] {
            assert_eq!(stripped(base, target), expected, "{base} {target}");
        }
    }

    #[test]
    fn a_base_path_has_plain_segments_that_are_not_ours() {
        for (text, expected) in [
            ("", ""),
            ("/", ""),
            ("/social", "/social"),
            ("/social/", "/social"),
            ("/a/b.c", "/a/b.c"),
        ] {
            assert_eq!(text.parse::<BasePath>().expect(text).as_str(), expected);
        }
        for bad in
            ["social", "//", "/a//b", "/a b", "/..", "/a/.", "/é", "/a?b", "/graphql", "/users/x"]
        {
            assert!(bad.parse::<BasePath>().is_err(), "{bad}");
        }
    }
}
