//! Calls of many requests that share one statement or one transaction.
//!
//! [`Batcher`] turns concurrent calls into batches, [`SharedLookup`] does so with the keys of
//! reads, and [`WarmConnections`] keeps connections ready for both.

mod batcher;
mod shared_lookup;
mod warm_connections;

pub(crate) use self::{
    batcher::{BatchPermit, BatchPolicy, Batcher},
    shared_lookup::{KEYS_MAX, SharedLookup},
    warm_connections::WarmConnections,
};
