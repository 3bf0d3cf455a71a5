//! The limits: a flag and a variable for each.

use std::{num::NonZeroU32, time::Duration};

use clap::{
    Args,
    builder::{RangedU64ValueParser, TypedValueParser},
    value_parser,
};

use super::duration;
use crate::domain::Limits;

/// Declares [`LimitArgs`], with its help, and [`LimitArgs::set`]. A row is a flag and the field of
/// [`Limits`] that it sets, then type, variable, unit, default, and parser.
macro_rules! limit_args {
    ($(
        $(#[$help:meta])+
        $flag:ident => $($field:ident).+: $kind:ty, $variable:literal,
        $unit:literal = $default:literal, $parser:expr;
    )+) => {
        /// The flags that fill [`Limits`].
        #[derive(Args, Clone, Debug)]
        #[command(next_help_heading = "Limits")]
        pub struct LimitArgs {$(
            $(#[$help])+
            #[arg(
                long,
                env = $variable,
                value_name = $unit,
                default_value = $default,
                value_parser = $parser
            )]
            $flag: $kind,
        )+}

        impl LimitArgs {
            /// Sets the field of each flag.
            fn set(&self, limits: &mut Limits) {
                $(limits.$($field).+ = self.$flag;)+
            }
        }
    };
}

/// Parses a budget. The standard library's own words for a zero are of no use to operators.
fn budget() -> impl TypedValueParser<Value = NonZeroU32> {
    let parser = value_parser!(u32).range(1..);
    parser.map(|number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN))
}

/// Parses a count that fits into memory.
fn count() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::<usize>::new()
}

limit_args! {
    /// Most bytes in the body of a request
    body_bytes_max => body_bytes_max: usize, "ENTOURAGE_BODY_BYTES_MAX",
        "N" = "262144", count().range(1..);

    /// Most tokens in a document
    tokens_max => tokens_max: usize, "ENTOURAGE_TOKENS_MAX", "N" = "2000", count().range(1..);

    /// Deepest nesting of fields in an operation
    depth_max => depth_max: usize, "ENTOURAGE_DEPTH_MAX", "N" = "12", count().range(1..);

    /// Most aliases in an operation
    aliases_max => aliases_max: usize, "ENTOURAGE_ALIASES_MAX", "N" = "30", count();

    /// Most root fields in an operation
    root_fields_max => root_fields_max: usize, "ENTOURAGE_ROOT_FIELDS_MAX",
        "N" = "20", count().range(1..);

    /// Most fragments in a document
    fragments_max => fragments_max: usize, "ENTOURAGE_FRAGMENTS_MAX", "N" = "100", count();

    /// Most variables in a document
    variables_max => variables_max: usize, "ENTOURAGE_VARIABLES_MAX", "N" = "50", count();

    /// Most directives in a document
    directives_max => directives_max: usize, "ENTOURAGE_DIRECTIVES_MAX", "N" = "50", count();

    /// Most nodes that an operation may select
    ///
    /// These are its page sizes, multiplied.
    nodes_max => nodes_max: u64, "ENTOURAGE_NODES_MAX",
        "N" = "50000", value_parser!(u64).range(1..);

    /// Largest page of a list
    page_size_max => page_size_max: u32, "ENTOURAGE_PAGE_SIZE_MAX",
        "N" = "100", value_parser!(u32).range(1..=10_000);

    /// Longest execution of an operation
    execution_time_max => execution_time_max: Duration, "ENTOURAGE_EXECUTION_TIME_MAX",
        "TIME" = "10s", duration;

    /// Most operations in flight
    ///
    /// Further ones are refused with `UNAVAILABLE`.
    operations_max => operations_max: usize, "ENTOURAGE_OPERATIONS_MAX",
        "N" = "1000", count().range(1..=1_000_000);

    /// Most client connections
    ///
    /// Further clients wait to be accepted.
    client_connections_max => client_connections_max: usize, "ENTOURAGE_CLIENT_CONNECTIONS_MAX",
        "N" = "10000", count().range(1..=1_000_000);

    /// Most subscriptions, sockets and streams
    ///
    /// A socket is a `WebSocket`, and a stream is one of server-sent events. Further ones are refused
    /// with `UNAVAILABLE`.
    subscriptions_max => subscriptions_max: usize, "ENTOURAGE_SUBSCRIPTIONS_MAX",
        "N" = "10000", count().range(0..=1_000_000);

    /// Most operations at once on one socket
    ///
    /// Further ones are refused with `RATE_LIMITED`.
    operations_per_socket_max => operations_per_socket_max: usize,
        "ENTOURAGE_OPERATIONS_PER_SOCKET_MAX", "N" = "20", count().range(1..=10_000);

    /// Most sockets and streams of one viewer
    ///
    /// Further sockets are closed with code 1013, and further streams are refused with
    /// `RATE_LIMITED`.
    sockets_per_viewer_max => sockets_per_viewer_max: usize, "ENTOURAGE_SOCKETS_PER_VIEWER_MAX",
        "N" = "20", count().range(1..=1_000_000);

    /// Most sockets and streams from one address
    ///
    /// Further ones are refused with `RATE_LIMITED`.
    sockets_per_address_max => sockets_per_address_max: usize,
        "ENTOURAGE_SOCKETS_PER_ADDRESS_MAX", "N" = "200", count().range(1..=1_000_000);

    /// Size of the user cache, in users
    ///
    /// 0 disables it. A user takes some 500 bytes. Changes by other servers are visible within a second.
    users_cached_max => users_cached_max: usize, "ENTOURAGE_USERS_CACHED_MAX",
        "N" = "100000", count().range(0..=100_000_000);

    /// Cost budget of one viewer per minute
    ///
    /// The cost of an operation is the nodes selected, plus a charge for each change and each count
    /// of users.
    cost_per_minute_max => cost_per_minute_max: NonZeroU32, "ENTOURAGE_COST_PER_MINUTE_MAX",
        "N" = "500000", budget();

    /// Cost budget of one address per minute
    ///
    /// A request costs 100, plus the cost of its operation, signed in or not.
    cost_per_address_max => cost_per_address_max: NonZeroU32, "ENTOURAGE_COST_PER_ADDRESS_MAX",
        "N" = "5000000", budget();

    /// Most new follows per user and day
    follows_per_day_max => follows.per_day: i64, "ENTOURAGE_FOLLOWS_PER_DAY_MAX",
        "N" = "400", value_parser!(i64).range(0..);

    /// Most users that one user may follow
    ///
    /// Or their followers plus a tenth, if that is more.
    following_max => follows.total: i64, "ENTOURAGE_FOLLOWING_MAX",
        "N" = "7500", value_parser!(i64).range(0..);

    /// Most changes of one pair per day
    ///
    /// Follows and unfollows count.
    pair_changes_per_day_max => follows.pair_changes_per_day: i64,
        "ENTOURAGE_PAIR_CHANGES_PER_DAY_MAX", "N" = "10", value_parser!(i64).range(1..);
}

impl LimitArgs {
    /// The limits.
    ///
    /// # Errors
    /// If a limit can never take effect, because another one is always reached first.
    pub fn limits(&self) -> Result<Limits, String> {
        let viewer = ("ENTOURAGE_COST_PER_MINUTE_MAX", self.cost_per_minute_max.get().into());
        let address = ("ENTOURAGE_COST_PER_ADDRESS_MAX", self.cost_per_address_max.get().into());
        let operation = ("ENTOURAGE_NODES_MAX", self.nodes_max);
        for ((too_low, found), (other, least), meaning) in [
            (viewer, operation, "the cost of the largest operation"),
            (address, viewer, "the budget of one viewer"),
        ] {
            if found < least {
                return Err(format!(
                    "{too_low} ({found}) is below {other} ({least}), {meaning}: raise the first or \
                     lower the second"
                ));
            }
        }

        let mut limits = Limits::default();
        self.set(&mut limits);
        Ok(limits)
    }
}
