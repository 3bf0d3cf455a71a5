//! Time as the product knows it: UTC, in whole microseconds.
//!
//! Both databases keep microseconds, so nothing finer is ever made: a time read back equals the
//! time written. The clock is passed in, so that a test can choose it.

use std::fmt::Debug;

use chrono::{DateTime, SubsecRound, Utc};

/// Where the program takes the time from.
pub trait Clock: Debug + Send + Sync {
    /// The time now, in whole microseconds.
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

/// Cuts a time off to whole microseconds.
#[must_use]
pub fn to_micros(time: DateTime<Utc>) -> DateTime<Utc> {
    time.trunc_subsecs(6)
}
