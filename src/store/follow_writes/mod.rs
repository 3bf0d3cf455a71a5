//! The write path of follows: queued, decided, attempted.

pub(crate) mod attempt;
pub(crate) mod decision;
