//! The limits: a flag and a variable for each.

use std::{num::NonZeroU32, time::Duration};

use clap::{Args, builder::RangedU64ValueParser, value_parser};

use super::duration;
use crate::domain::{FollowLimits, Limits};

/// The flags that fill [`Limits`].
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Limits")]
#[expect(clippy::struct_field_names, reason = "the names are those of the limits")]
pub struct LimitArgs {
    /// Most bytes in the body of a request
    #[arg(
        long,
        env = "ENTOURAGE_BODY_BYTES_MAX",
        value_name = "N",
        default_value = "262144",
        value_parser = RangedU64ValueParser::<usize>::new().range(1..)
    )]
    body_bytes_max: usize,

    /// Most tokens in a document
    #[arg(
        long,
        env = "ENTOURAGE_TOKENS_MAX",
        value_name = "N",
        default_value = "2000",
        value_parser = RangedU64ValueParser::<usize>::new().range(1..)
    )]
    tokens_max: usize,

    /// Deepest nesting of fields in an operation
    #[arg(
        long,
        env = "ENTOURAGE_DEPTH_MAX",
        value_name = "N",
        default_value = "12",
        value_parser = RangedU64ValueParser::<usize>::new().range(1..)
    )]
    depth_max: usize,

    /// Most aliases in an operation
    #[arg(
        long,
        env = "ENTOURAGE_ALIASES_MAX",
        value_name = "N",
        default_value = "30",
        value_parser = RangedU64ValueParser::<usize>::new()
    )]
    aliases_max: usize,

    /// Most root fields in an operation
    #[arg(
        long,
        env = "ENTOURAGE_ROOT_FIELDS_MAX",
        value_name = "N",
        default_value = "20",
        value_parser = RangedU64ValueParser::<usize>::new().range(1..)
    )]
    root_fields_max: usize,

    /// Most fragments in a document
    #[arg(
        long,
        env = "ENTOURAGE_FRAGMENTS_MAX",
        value_name = "N",
        default_value = "100",
        value_parser = RangedU64ValueParser::<usize>::new()
    )]
    fragments_max: usize,

    /// Most variables in a document
    #[arg(
        long,
        env = "ENTOURAGE_VARIABLES_MAX",
        value_name = "N",
        default_value = "50",
        value_parser = RangedU64ValueParser::<usize>::new()
    )]
    variables_max: usize,

    /// Most directives in a document
    #[arg(
        long,
        env = "ENTOURAGE_DIRECTIVES_MAX",
        value_name = "N",
        default_value = "50",
        value_parser = RangedU64ValueParser::<usize>::new()
    )]
    directives_max: usize,

    /// Most nodes that an operation may select: its page sizes, multiplied
    #[arg(
        long,
        env = "ENTOURAGE_NODES_MAX",
        value_name = "N",
        default_value = "50000",
        value_parser = value_parser!(u64).range(1..)
    )]
    nodes_max: u64,

    /// Largest page of a list
    #[arg(
        long,
        env = "ENTOURAGE_PAGE_SIZE_MAX",
        value_name = "N",
        default_value = "100",
        value_parser = value_parser!(u32).range(1..=10_000)
    )]
    page_size_max: u32,

    /// Longest execution of an operation
    #[arg(
        long,
        env = "ENTOURAGE_EXECUTION_TIME_MAX",
        value_name = "TIME",
        default_value = "10s",
        value_parser = duration
    )]
    execution_time_max: Duration,

    /// Most operations in flight; further ones are refused with `UNAVAILABLE`
    #[arg(
        long,
        env = "ENTOURAGE_OPERATIONS_MAX",
        value_name = "N",
        default_value = "1000",
        value_parser = RangedU64ValueParser::<usize>::new().range(1..=1_000_000)
    )]
    operations_max: usize,

    /// Most client connections; further clients wait to be accepted
    #[arg(
        long,
        env = "ENTOURAGE_CLIENT_CONNECTIONS_MAX",
        value_name = "N",
        default_value = "10000",
        value_parser = RangedU64ValueParser::<usize>::new().range(1..=1_000_000)
    )]
    client_connections_max: usize,

    /// Size of the user cache, in users of some 500 bytes each; 0 disables it. Changes by other
    /// servers are visible within a second
    #[arg(
        long,
        env = "ENTOURAGE_USERS_CACHED_MAX",
        value_name = "N",
        default_value = "100000",
        value_parser = RangedU64ValueParser::<usize>::new().range(0..=100_000_000)
    )]
    users_cached_max: usize,

    /// Cost budget of one viewer per minute: the nodes selected, plus a charge for each change and
    /// each count of users
    #[arg(
        long,
        env = "ENTOURAGE_COST_PER_MINUTE_MAX",
        value_name = "N",
        default_value = "500000",
        value_parser = value_parser!(NonZeroU32)
    )]
    cost_per_minute_max: NonZeroU32,

    /// Cost budget of one address per minute, signed in or not: 100 per request, plus the cost of
    /// its operation
    #[arg(
        long,
        env = "ENTOURAGE_COST_PER_ADDRESS_MAX",
        value_name = "N",
        default_value = "5000000",
        value_parser = value_parser!(NonZeroU32)
    )]
    cost_per_address_max: NonZeroU32,

    /// Most new follows per user and day
    #[arg(
        long,
        env = "ENTOURAGE_FOLLOWS_PER_DAY_MAX",
        value_name = "N",
        default_value = "400",
        value_parser = value_parser!(i64).range(0..)
    )]
    follows_per_day_max: i64,

    /// Most users that one user may follow, or their followers plus a tenth if that is more
    #[arg(
        long,
        env = "ENTOURAGE_FOLLOWING_MAX",
        value_name = "N",
        default_value = "7500",
        value_parser = value_parser!(i64).range(0..)
    )]
    following_max: i64,

    /// Most changes of one pair per day: follows and unfollows
    #[arg(
        long,
        env = "ENTOURAGE_PAIR_CHANGES_PER_DAY_MAX",
        value_name = "N",
        default_value = "10",
        value_parser = value_parser!(i64).range(1..)
    )]
    pair_changes_per_day_max: i64,
}

/// A limit that can never take effect, because another one is always reached first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitsError {
    /// The costliest operation that is allowed exceeds a viewer's full budget.
    #[error(
        "ENTOURAGE_COST_PER_MINUTE_MAX ({minute}) is below ENTOURAGE_NODES_MAX ({operation}), the \
         cost of the largest operation: raise the first or lower the second"
    )]
    MinuteBelowOperation {
        /// The budget of one viewer.
        minute: NonZeroU32,
        /// The cost of the largest operation.
        operation: u64,
    },
    /// A viewer could never spend their full budget.
    #[error(
        "ENTOURAGE_COST_PER_ADDRESS_MAX ({address}) is below ENTOURAGE_COST_PER_MINUTE_MAX \
         ({viewer}), the budget of one viewer: raise the first or lower the second"
    )]
    AddressBelowViewer {
        /// The budget of an address.
        address: NonZeroU32,
        /// The budget of one viewer.
        viewer: NonZeroU32,
    },
}

impl LimitArgs {
    /// The limits.
    ///
    /// # Errors
    /// If one makes another unreachable.
    pub fn limits(&self) -> Result<Limits, LimitsError> {
        let (minute, operation) = (self.cost_per_minute_max, self.nodes_max);
        if u64::from(minute.get()) < operation {
            return Err(LimitsError::MinuteBelowOperation { minute, operation });
        }
        let (address, viewer) = (self.cost_per_address_max, self.cost_per_minute_max);
        if address < viewer {
            return Err(LimitsError::AddressBelowViewer { address, viewer });
        }
        Ok(Limits {
            body_bytes_max: self.body_bytes_max,
            tokens_max: self.tokens_max,
            depth_max: self.depth_max,
            aliases_max: self.aliases_max,
            root_fields_max: self.root_fields_max,
            fragments_max: self.fragments_max,
            variables_max: self.variables_max,
            directives_max: self.directives_max,
            nodes_max: self.nodes_max,
            page_size_max: self.page_size_max,
            execution_time_max: self.execution_time_max,
            operations_max: self.operations_max,
            client_connections_max: self.client_connections_max,
            users_cached_max: self.users_cached_max,
            cost_per_minute_max: self.cost_per_minute_max,
            cost_per_address_max: self.cost_per_address_max,
            follows: FollowLimits {
                per_day: self.follows_per_day_max,
                total: self.following_max,
                pair_changes_per_day: self.pair_changes_per_day_max,
            },
        })
    }
}
