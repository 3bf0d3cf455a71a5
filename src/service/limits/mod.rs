//! Rate limits, kept in this process's memory: what callers may spend, how often they may try a
//! password, and how often they may export their account.
//!
//! `limiter` is a token bucket per key. `budget` charges the cost of operations to viewers and
//! addresses; `attempts` counts passwords by account, address and viewer, and `exports` limits the
//! exports of each account. Daily limits on follows are not here: they are part of the rule of a follow.

mod attempts;
mod budget;
mod exports;
mod limiter;

pub use self::budget::Budget;
pub(crate) use self::limiter::network;
pub(super) use self::{attempts::Attempts, budget::Budgets, exports::Exports};
