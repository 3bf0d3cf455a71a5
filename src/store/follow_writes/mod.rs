//! The write path of follows, above the engines: queued, decided, attempted.
//!
//! `queue` gathers changes that are requested at the same time into batches, `attempt` writes a
//! batch with retries and bisection, and `decision` plans what a batch changes, without I/O. An
//! engine implements [`FollowWriter`]: one attempt, one transaction.

mod attempt;
mod decision;
mod queue;

pub(crate) use self::{
    attempt::{Attempt, FollowWriter, Written},
    decision::{CountsDelta, CountsRow, Pair, PairChanges, Plan, State},
    queue::FollowQueue,
};
