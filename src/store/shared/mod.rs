//! What both engines do in the same way, compiled once for each of them.
//!
//! Each engine includes this folder as its module `shared`, so `super::super` names that engine in
//! the files below: its types, its statements, and how it binds times and lists. Generic functions
//! would need a bound for every type that a statement binds or returns.

pub(crate) mod accounts;
mod administration;
mod deletion;
mod drift;
pub(crate) mod events;
mod export;
pub(crate) mod follows;
pub(crate) mod imports;
mod load;
mod privacy;
pub(crate) mod schema;
pub(crate) mod search;
mod store;
pub(crate) mod users;
pub(crate) mod webhooks;
