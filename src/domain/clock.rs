//! Time: UTC, in whole microseconds, in the years 1 to 9999.
//!
//! Both databases store microseconds, so no finer time is ever created: a time read back equals
//! the time written. RFC 3339, in which answers have times, has years of four digits. The clock is
//! passed in, so that a test can set it.

use std::{fmt::Debug, ops::RangeInclusive};

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
        to_micros(Utc::now()).clamp(*TIMES.start(), *TIMES.end())
    }
}

/// The times that the product has.
pub const TIMES: RangeInclusive<DateTime<Utc>> =
    micros(-62_135_596_800_000_000)..=micros(253_402_300_799_999_999);

const fn micros(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).expect("in range, as the compiler checks")
}

/// Truncates a time to whole microseconds.
#[must_use]
pub fn to_micros(time: DateTime<Utc>) -> DateTime<Utc> {
    time.trunc_subsecs(6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_years_of_four_digits() {
        assert_eq!(TIMES.start().to_rfc3339(), "0001-01-01T00:00:00+00:00");
        assert_eq!(TIMES.end().to_rfc3339(), "9999-12-31T23:59:59.999999+00:00");
    }
}
