//! A limit over time for each of many keys, by the passed-in clock.
//!
//! What counts is the time that passes: setting the clock back by an hour turns nobody away for an
//! hour.
//!
//! Each key has a bucket that holds what a minute allows and fills up evenly. Keys that are as good
//! as new are forgotten when there are many, so a stranger cannot fill the memory with them.

use std::{
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::{Arc, Mutex},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use governor::{
    Quota, RateLimiter,
    clock::{self, ReasonablyRealtime},
    middleware::StateInformationMiddleware,
    state::keyed::DefaultKeyedStateStore,
};

use crate::{
    domain::Clock,
    service::{Error, Result},
};

/// With more keys than this, those that are as good as new are dropped.
const KEYS_MAX: usize = 10_000;

/// How often keys that are as good as new are looked for, at most.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// The passed-in clock, as the limiters read it: the time that has passed since they were made. Steps
/// back count as nothing.
#[derive(Clone, Debug)]
struct Time {
    clock: Arc<dyn Clock>,
    reading: Arc<Mutex<Reading>>,
}

/// What the clock said last, and what has passed until then.
#[derive(Clone, Copy, Debug)]
struct Reading {
    said: DateTime<Utc>,
    passed: Duration,
}

impl Time {
    fn of(clock: Arc<dyn Clock>) -> Self {
        let reading = Reading { said: clock.now(), passed: Duration::ZERO };
        Self { clock, reading: Arc::new(Mutex::new(reading)) }
    }
}

impl clock::Clock for Time {
    type Instant = Duration;

    fn now(&self) -> Duration {
        let mut reading = self.reading.lock().expect("nobody panics while holding it");
        let said = self.clock.now();
        let since = (said - reading.said).to_std().unwrap_or_default();
        *reading = Reading { said, passed: reading.passed + since };
        reading.passed
    }
}

impl ReasonablyRealtime for Time {}

/// What is left of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Left {
    /// What a full one holds.
    pub(crate) limit: NonZeroU32,
    /// How much can be taken at once now.
    pub(crate) remaining: u32,
    /// When the bucket is full again if nothing is taken meanwhile.
    pub(crate) full_at: DateTime<Utc>,
}

/// A bucket for each key.
#[derive(Debug)]
pub(crate) struct Limiter<K: Clone + Eq + Hash> {
    per_minute: NonZeroU32,
    clock: Time,
    buckets: RateLimiter<K, DefaultKeyedStateStore<K>, Time, StateInformationMiddleware>,
    swept_at: Mutex<Duration>,
}

impl<K: Clone + Eq + Hash> Limiter<K> {
    pub(crate) fn new(per_minute: NonZeroU32, clock: Arc<dyn Clock>) -> Self {
        let (quota, clock) = (Quota::per_minute(per_minute), Time::of(clock));
        let buckets = RateLimiter::new(quota, DefaultKeyedStateStore::default(), clock.clone());
        Self { per_minute, clock, buckets, swept_at: Mutex::default() }
    }

    /// Takes `amount` out of the bucket of a key; what is more than a full one empties it.
    ///
    /// # Errors
    /// [`Error::RateLimited`] when there is too little in it. Nothing is taken then.
    pub(crate) fn take(&self, key: &K, amount: NonZeroU32) -> Result<Left> {
        self.sweep();
        let amount = amount.min(self.per_minute);
        let taken = self.buckets.check_key_n(key, amount);
        match taken.expect("a full bucket holds the amount") {
            Ok(snapshot) => Ok(self.left(snapshot.remaining_burst_capacity())),
            Err(not_until) => {
                let wait = not_until.wait_time_from(clock::Clock::now(&self.clock));
                Err(Error::RateLimited { retry_after: whole(wait) })
            }
        }
    }

    /// Forgets keys that are as good as new, when there are many and it was not done just now.
    fn sweep(&self) {
        if self.buckets.len() <= KEYS_MAX {
            return;
        }
        let now = clock::Clock::now(&self.clock);
        let mut swept_at = self.swept_at.lock().expect("nobody panics while holding it");
        if now >= *swept_at + SWEEP_EVERY {
            *swept_at = now;
            self.buckets.retain_recent();
        }
    }

    fn left(&self, remaining: u32) -> Left {
        let missing = u64::from(self.per_minute.get().saturating_sub(remaining));
        let fills_in_ms = missing * 60_000 / u64::from(self.per_minute.get());
        let fills_in = TimeDelta::milliseconds(fills_in_ms.try_into().unwrap_or(60_000));
        let full_at = self.clock.clock.now() + fills_in;
        Left { limit: self.per_minute, remaining, full_at }
    }
}

/// A wait in whole seconds, at least one: who comes then is never too early.
fn whole(wait: Duration) -> Duration {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    Duration::from_secs(seconds.max(1))
}

/// Whom an address belongs to: one of IPv4 to one host, one of IPv6 to a /64 network.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or_else(
            || Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
            IpAddr::from,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clock that stands still, so that nothing is forgiven.
    #[derive(Debug)]
    struct Stopped;

    impl Clock for Stopped {
        fn now(&self) -> DateTime<Utc> {
            DateTime::UNIX_EPOCH
        }
    }

    /// A clock that is set by hand.
    #[derive(Debug, Default)]
    struct ByHand(Mutex<i64>);

    impl Clock for ByHand {
        fn now(&self) -> DateTime<Utc> {
            let second = *self.0.lock().expect("not poisoned");
            DateTime::from_timestamp(1_750_000_000 + second, 0).expect("in range")
        }
    }

    #[test]
    fn a_clock_that_is_put_back_turns_nobody_away_for_longer() {
        let clock = Arc::new(ByHand::default());
        let limiter = Limiter::new(amount(60), Arc::<ByHand>::clone(&clock));
        let set = |second| *clock.0.lock().expect("not poisoned") = second;
        assert!(limiter.take(&"one", amount(60)).is_ok());

        set(-3_600);
        let Err(Error::RateLimited { retry_after }) = limiter.take(&"one", amount(1)) else {
            panic!("its bucket is empty")
        };
        assert_eq!(retry_after, Duration::from_secs(1));
        set(-3_599);
        assert!(limiter.take(&"one", amount(1)).is_ok());
    }

    const fn amount(n: u32) -> NonZeroU32 {
        NonZeroU32::new(n).expect("not zero")
    }

    #[test]
    fn a_wait_is_rounded_up() {
        for (ms, seconds) in [(0, 1), (1, 1), (1_000, 1), (5_990, 6)] {
            assert_eq!(whole(Duration::from_millis(ms)), Duration::from_secs(seconds));
        }
    }

    #[test]
    fn each_key_has_a_bucket_of_its_own() {
        let limiter = Limiter::new(amount(60), Arc::new(Stopped));

        let left = limiter.take(&"one", amount(45)).expect("enough");
        assert_eq!(left.remaining, 15);
        assert_eq!(left.full_at, DateTime::UNIX_EPOCH + TimeDelta::seconds(45));
        let wait = limiter.take(&"one", amount(20));
        let Err(Error::RateLimited { retry_after }) = wait else { panic!("{wait:?}") };
        assert_eq!(retry_after, Duration::from_secs(5));
        assert!(limiter.take(&"one", amount(15)).is_ok());
        assert!(limiter.take(&"other", amount(60)).is_ok());
    }

    #[test]
    fn what_no_bucket_holds_empties_it() {
        let limiter = Limiter::new(amount(60), Arc::new(Stopped));
        assert_eq!(limiter.take(&"one", amount(1_000)).expect("enough").remaining, 0);
    }

    #[test]
    fn a_network_is_one_key() {
        let of = |text: &str| network(text.parse().expect("an address"));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
