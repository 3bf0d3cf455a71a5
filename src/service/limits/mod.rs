//! Limits over time: what callers may cost, and how often a password may be tried.

pub(crate) mod attempts;
pub(crate) mod budget;
pub(crate) mod limiter;
