//! Calls of many requests that share one statement or one transaction.

pub(crate) mod batcher;
pub(crate) mod shared_lookup;
pub(crate) mod warm_connections;
