//! Identifiers of users: time-ordered 63-bit integers, made by the program.
//!
//! An id is 41 bits of milliseconds since 2020 and 22 random bits, always positive. It is never
//! taken from a database sequence, so that any number of instances can make ids without asking
//! each other. Two instances that draw the same id within one millisecond are told apart by the
//! primary key: the store answers that the id is taken and the caller draws again.

use std::{fmt, sync::Mutex};

use chrono::{DateTime, Utc};

/// The identifier of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(pub i64);

impl UserId {
    /// Below every id that was ever made.
    pub const MIN: Self = Self(i64::MIN);
    /// Above every id that will ever be made.
    pub const MAX: Self = Self(i64::MAX);
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// 2020-01-01T00:00:00Z in milliseconds since 1970.
const EPOCH_MS: i64 = 1_577_836_800_000;
const RANDOM_BITS: u32 = 22;
const RANDOM_MASK: i64 = (1 << RANDOM_BITS) - 1;
const TIME_MASK: i64 = (1 << 41) - 1;

/// Makes ids. Those of one maker are strictly increasing.
#[derive(Debug, Default)]
pub struct UserIds {
    last: Mutex<i64>,
}

impl UserIds {
    /// The next id, from the time and 22 bits of `random`.
    ///
    /// # Panics
    /// Only if another thread panicked in here, which nothing in here can.
    pub fn next(&self, now: DateTime<Utc>, random: u32) -> UserId {
        let time = (now.timestamp_millis() - EPOCH_MS).clamp(0, TIME_MASK);
        let drawn = (time << RANDOM_BITS) | (i64::from(random) & RANDOM_MASK);

        let mut last = self.last.lock().expect("no code that can panic runs under this lock");
        *last = drawn.max(*last + 1);
        UserId(*last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_within_one_millisecond_and_when_the_clock_goes_back() {
        let ids = UserIds::default();
        let later = DateTime::from_timestamp(1_800_000_000, 0).expect("in range");
        let earlier = DateTime::from_timestamp(1_700_000_000, 0).expect("in range");

        let made = [ids.next(later, 7), ids.next(later, 3), ids.next(earlier, u32::MAX)];

        assert!(made.is_sorted_by(|a, b| a < b), "{made:?}");
    }

    #[test]
    fn ids_are_positive_for_any_time() {
        for time in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
            assert!(UserIds::default().next(time, u32::MAX).0 > 0);
        }
    }
}
