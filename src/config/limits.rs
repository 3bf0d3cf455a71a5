//! A flag and a variable for each limit.

use std::{num::NonZeroU32, time::Duration};

use clap::{Args, builder::RangedU64ValueParser, value_parser};

use super::duration;
use crate::domain::{FollowLimits, Limits};

/// A variable for each field of [`Limits`].
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Limits")]
#[expect(clippy::struct_field_names, reason = "the names are those of the limits")]
pub struct LimitArgs {
    /// The most bytes in the body of a request
    #[arg(
        long,
        env = "ENTOURAGE_BODY_BYTES_MAX",
        value_name = "N",
        default_value = "262144",
        value_parser = RangedU64ValueParser::<usize>::new().range(1..)
    )]
    body_bytes_max: usize,

    /// The most tokens in a document
    #[arg(
        long,
        env = "ENTOURAGE_TOKENS_MAX",
        value_name = "N",
        default_value = "2000",
        value_parser = RangedU64ValueParser::<usize>::new().range(1..)
    )]
    tokens_max: usize,

    /// The deepest nesting of fields in an operation
    #[arg(
        long,
        env = "ENTOURAGE_DEPTH_MAX",
        value_name = "N",
        default_value = "12",
        value_parser = RangedU64ValueParser::<usize>::new().range(1..)
    )]
    depth_max: usize,

    /// The most aliases in an operation
    #[arg(
        long,
        env = "ENTOURAGE_ALIASES_MAX",
        value_name = "N",
        default_value = "30",
        value_parser = RangedU64ValueParser::<usize>::new()
    )]
    aliases_max: usize,

    /// The most fields at the root of an operation
    #[arg(
        long,
        env = "ENTOURAGE_ROOT_FIELDS_MAX",
        value_name = "N",
        default_value = "20",
        value_parser = RangedU64ValueParser::<usize>::new().range(1..)
    )]
    root_fields_max: usize,

    /// The most fragments in a document
    #[arg(
        long,
        env = "ENTOURAGE_FRAGMENTS_MAX",
        value_name = "N",
        default_value = "100",
        value_parser = RangedU64ValueParser::<usize>::new()
    )]
    fragments_max: usize,

    /// The most variables in a document
    #[arg(
        long,
        env = "ENTOURAGE_VARIABLES_MAX",
        value_name = "N",
        default_value = "50",
        value_parser = RangedU64ValueParser::<usize>::new()
    )]
    variables_max: usize,

    /// The most directives in a document
    #[arg(
        long,
        env = "ENTOURAGE_DIRECTIVES_MAX",
        value_name = "N",
        default_value = "50",
        value_parser = RangedU64ValueParser::<usize>::new()
    )]
    directives_max: usize,

    /// The most nodes that the page sizes of an operation multiply to
    #[arg(
        long,
        env = "ENTOURAGE_NODES_MAX",
        value_name = "N",
        default_value = "50000",
        value_parser = value_parser!(u64).range(1..)
    )]
    nodes_max: u64,

    /// The most items on a page
    #[arg(
        long,
        env = "ENTOURAGE_PAGE_SIZE_MAX",
        value_name = "N",
        default_value = "100",
        value_parser = value_parser!(u32).range(1..=10_000)
    )]
    page_size_max: u32,

    /// The longest that an operation is worked on
    #[arg(
        long,
        env = "ENTOURAGE_EXECUTION_TIME_MAX",
        value_name = "TIME",
        default_value = "10s",
        value_parser = duration
    )]
    execution_time_max: Duration,

    /// The most operations that are worked on at once; one more is told to come again
    #[arg(
        long,
        env = "ENTOURAGE_OPERATIONS_MAX",
        value_name = "N",
        default_value = "1000",
        value_parser = RangedU64ValueParser::<usize>::new().range(1..=1_000_000)
    )]
    operations_max: usize,

    /// The most connections of clients; whoever comes then waits to be accepted
    #[arg(
        long,
        env = "ENTOURAGE_CLIENT_CONNECTIONS_MAX",
        value_name = "N",
        default_value = "10000",
        value_parser = RangedU64ValueParser::<usize>::new().range(1..=1_000_000)
    )]
    client_connections_max: usize,

    /// The most users whose rows are remembered between requests, at some 500 bytes each; 0
    /// remembers none. What another server changes is seen within a second
    #[arg(
        long,
        env = "ENTOURAGE_USERS_CACHED_MAX",
        value_name = "N",
        default_value = "100000",
        value_parser = RangedU64ValueParser::<usize>::new().range(0..=100_000_000)
    )]
    users_cached_max: usize,

    /// The most that the operations of one viewer may cost in a minute: the nodes that they
    /// multiply to, and the work beside them
    #[arg(
        long,
        env = "ENTOURAGE_COST_PER_MINUTE_MAX",
        value_name = "N",
        default_value = "500000",
        value_parser = value_parser!(NonZeroU32)
    )]
    cost_per_minute_max: NonZeroU32,

    /// The most that all requests from one address may cost in a minute, signed in or not: 100
    /// each, and what their operations cost
    #[arg(
        long,
        env = "ENTOURAGE_COST_PER_ADDRESS_MAX",
        value_name = "N",
        default_value = "5000000",
        value_parser = value_parser!(NonZeroU32)
    )]
    cost_per_address_max: NonZeroU32,

    /// The most new follows of one user a day
    #[arg(
        long,
        env = "ENTOURAGE_FOLLOWS_PER_DAY_MAX",
        value_name = "N",
        default_value = "400",
        value_parser = value_parser!(i64).range(0..)
    )]
    follows_per_day_max: i64,

    /// The most users whom one user may follow; a tenth more than their followers, if that is more
    #[arg(
        long,
        env = "ENTOURAGE_FOLLOWING_MAX",
        value_name = "N",
        default_value = "7500",
        value_parser = value_parser!(i64).range(0..)
    )]
    following_max: i64,

    /// The most changes of one pair a day: follows and unfollows
    #[arg(
        long,
        env = "ENTOURAGE_PAIR_CHANGES_PER_DAY_MAX",
        value_name = "N",
        default_value = "10",
        value_parser = value_parser!(i64).range(1..)
    )]
    pair_changes_per_day_max: i64,
}

/// Limits of which one cannot be reached, for another one is reached before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitsError {
    /// The costliest operation that is allowed would take more than a full budget.
    #[error(
        "ENTOURAGE_COST_PER_MINUTE_MAX is {minute}, less than one operation may cost by \
         ENTOURAGE_NODES_MAX, {operation}: raise the one or lower the other"
    )]
    MinuteBelowOperation {
        /// What a minute allows.
        minute: NonZeroU32,
        /// What one operation may cost.
        operation: u64,
    },
    /// A viewer could never spend the whole of their budget.
    #[error(
        "ENTOURAGE_COST_PER_ADDRESS_MAX is {address}, less than one viewer may spend by \
         ENTOURAGE_COST_PER_MINUTE_MAX, {viewer}: raise the one or lower the other"
    )]
    AddressBelowViewer {
        /// What an address may spend.
        address: NonZeroU32,
        /// What one viewer may spend.
        viewer: NonZeroU32,
    },
}

impl LimitArgs {
    /// The limits.
    ///
    /// # Errors
    /// When one contradicts another.
    pub fn limits(&self) -> Result<Limits, LimitsError> {
        let (minute, operation) = (self.cost_per_minute_max, self.nodes_max);
        if u64::from(minute.get()) < operation {
            return Err(LimitsError::MinuteBelowOperation { minute, operation });
        }
        let (address, viewer) = (self.cost_per_address_max, self.cost_per_minute_max);
        if address < viewer {
            return Err(LimitsError::AddressBelowViewer { address, viewer });
        }
        Ok(self.each())
    }

    const fn each(&self) -> Limits {
        Limits {
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
        }
    }
}
