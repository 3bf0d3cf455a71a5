//! The write path of follows, above the engines: queued, decided, attempted.
//!
//! `queue` gathers changes that are requested at the same time into batches, `attempt` writes a
//! batch with retries and bisection, and `decision` plans what a batch changes on top of a `state`,
//! without I/O. An
//! engine implements [`FollowWriter`]: one attempt, one transaction.

mod attempt;
mod decision;
mod events;
mod queue;
mod state;
mod webhooks;

pub(crate) use self::{
    attempt::{Attempt, FollowWriter, ImportStep, Written},
    decision::{Plan, SortedEdges},
    events::{NewEvent, numbered},
    queue::FollowQueue,
    state::{
        COUNTS, CountsDelta, CountsRow, DELTAS, Keys, Pair, PairChanges, State, StateRow,
        counts_columns,
    },
    webhooks::NewWebhook,
};
