//! When a message is sent again.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::service::Random;

/// The waits after the attempts that fail, without jitter. A message that fails once more is parked,
/// three days after the first attempt.
const WAITS: [Duration; 9] = [
    Duration::from_secs(5),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(5),
    Duration::from_hours(10),
    Duration::from_hours(14),
    Duration::from_hours(20),
    Duration::from_hours(24),
];
/// The longest wait that a receiver can ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(24);

/// When to send a message again after this attempt, from 1 on; `None` if it is parked. Up to a tenth
/// is added to the wait, so that messages that failed together do not return together. It is never
/// shorter than what the receiver asks for.
pub(super) fn next_attempt(
    attempt: i16,
    now: DateTime<Utc>,
    asked: Option<Duration>,
    random: &dyn Random,
) -> Option<DateTime<Utc>> {
    let place = usize::try_from(attempt.saturating_sub(1)).unwrap_or(0);
    let wait = WAITS.get(place)?;
    let jitter = wait.mul_f64(f64::from(random.next_u32()) / f64::from(u32::MAX) / 10.0);
    let wait = (*wait + jitter).max(asked.unwrap_or_default());
    Some(now + wait)
}

/// The wait that a header `Retry-After` asks for: seconds, or a date.
pub(super) fn retry_after(header: &str, now: DateTime<Utc>) -> Option<Duration> {
    let wait = if let Ok(seconds) = header.trim().parse() {
        Duration::from_secs(seconds)
    } else {
        let date = DateTime::parse_from_rfc2822(header.trim()).ok()?;
        (date.to_utc() - now).max(TimeDelta::zero()).to_std().ok()?
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same number each time.
    #[derive(Debug)]
    struct Fixed(u32);

    impl Random for Fixed {
        fn next_u32(&self) -> u32 {
            self.0
        }
    }

    const START: DateTime<Utc> = DateTime::UNIX_EPOCH;

    #[test]
    fn waits_grow_until_the_message_is_parked() {
        let seconds = |random| {
            let next = |attempt| next_attempt(attempt, START, None, &Fixed(random));
            (1..).map_while(next).map(|at| (at - START).num_seconds()).collect::<Vec<_>>()
        };
        let plain = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
        assert_eq!(seconds(0), plain);
        assert_eq!(seconds(u32::MAX), plain.map(|wait| wait * 11 / 10));
        assert_eq!(next_attempt(i16::MAX, START, None, &Fixed(0)), None);
    }

    #[test]
    fn a_receiver_can_ask_for_a_longer_wait() {
        let next = |asked| {
            let asked = retry_after(asked, START);
            next_attempt(1, START, asked, &Fixed(0)).map(|at| (at - START).num_seconds())
        };
        assert_eq!(next("1"), Some(5));
        assert_eq!(next(" 120"), Some(120));
        assert_eq!(next("Thu, 01 Jan 1970 00:10:00 GMT"), Some(600));
        assert_eq!(next("Wed, 31 Dec 1969 00:10:00 GMT"), Some(5));
        assert_eq!(next("99999999999"), Some(86_400));
        for other in ["", "soon", "-1", "1.5"] {
            assert_eq!(retry_after(other, START), None, "{other}");
        }
    }
}
