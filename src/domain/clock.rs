//! Time: UTC, in whole microseconds.
//!
//! Both databases store microseconds, so no finer time is ever created: a time read back equals
//! the time written. The clock is passed in, so that a test can set it.

use std::fmt::Debug;

use chrono::{DateTime, SubsecRound, Utc};

/// The source of the time.
pub trait Clock: Debug + Send + Sync {
    /// The current time, in whole microseconds.
    fn now(&self) -> DateTime<Utc>;
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now(&self) -> DateTime<Utc> {
        to_micros(Utc::now())
    }
}

/// Truncates a time to whole microseconds.
#[must_use]
pub fn to_micros(time: DateTime<Utc>) -> DateTime<Utc> {
    time.trunc_subsecs(6)
}
