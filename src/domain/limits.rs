//! Every limit on what one client can request, in one place.
//!
//! Each has an environment variable (`ENTOURAGE_*`, see the README) and its own answer when it is
//! exceeded.

use std::{num::NonZeroU32, time::Duration};

use super::FollowLimits;

/// The limits of one request, and of what requests share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes in the body of a request; more is answered with status 413.
    pub body_bytes_max: usize,
    /// The most tokens in a document; more is `QUERY_TOO_LARGE`.
    pub tokens_max: usize,
    /// The deepest nesting of fields in an operation; more is `QUERY_TOO_DEEP`.
    pub depth_max: usize,
    /// The most aliases in an operation; more is `QUERY_TOO_WIDE`.
    pub aliases_max: usize,
    /// The most fields at the root of an operation; more is `QUERY_TOO_WIDE`.
    pub root_fields_max: usize,
    /// The most fragments in a document; more is `QUERY_TOO_WIDE`.
    pub fragments_max: usize,
    /// The most variables in a document; more is `QUERY_TOO_WIDE`.
    pub variables_max: usize,
    /// The most directives in a document; more is `QUERY_TOO_WIDE`.
    pub directives_max: usize,
    /// The most nodes that the page sizes of an operation multiply to; more is
    /// `COST_LIMIT_EXCEEDED`.
    pub nodes_max: u64,
    /// The most items on a page, and the most ids that `nodes` takes; more is `BAD_USER_INPUT`.
    pub page_size_max: u32,
    /// The longest execution of an operation; then `TIMEOUT`.
    pub execution_time_max: Duration,
    /// The most operations executed at once; one more is `UNAVAILABLE`, with status 503.
    pub operations_max: usize,
    /// The most connections of clients; further ones wait to be accepted.
    pub client_connections_max: usize,
    /// The most subscriptions, and the most sockets and event streams; one more is `UNAVAILABLE`.
    pub subscriptions_max: usize,
    /// The most operations that run at once on one socket; one more is `RATE_LIMITED`.
    pub operations_per_socket_max: usize,
    /// The most sockets and event streams of one viewer; one more is closed or refused.
    pub sockets_per_viewer_max: usize,
    /// The most sockets and event streams from one address; one more is `RATE_LIMITED`.
    pub sockets_per_address_max: usize,
    /// The most users whose rows are cached between requests; 0 switches the cache off.
    pub users_cached_max: usize,
    /// The most that the operations of one viewer may cost in a minute; more is `RATE_LIMITED`.
    pub cost_per_minute_max: NonZeroU32,
    /// The most that all requests from one address may cost in a minute, for all viewers together;
    /// more is `RATE_LIMITED`.
    pub cost_per_address_max: NonZeroU32,
    /// What one user can change over time; more is a user error of `follow`.
    pub follows: FollowLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: 256 * 1024,
            tokens_max: 2_000,
            depth_max: 12,
            aliases_max: 30,
            root_fields_max: 20,
            fragments_max: 100,
            variables_max: 50,
            directives_max: 50,
            nodes_max: 50_000,
            page_size_max: 100,
            execution_time_max: Duration::from_secs(10),
            operations_max: 1_000,
            client_connections_max: 10_000,
            subscriptions_max: 10_000,
            operations_per_socket_max: 20,
            sockets_per_viewer_max: 20,
            sockets_per_address_max: 200,
            users_cached_max: 100_000,
            cost_per_minute_max: NonZeroU32::new(500_000).expect("not zero"),
            cost_per_address_max: NonZeroU32::new(5_000_000).expect("not zero"),
            follows: FollowLimits { per_day: 400, total: 7_500, pair_changes_per_day: 10 },
        }
    }
}
