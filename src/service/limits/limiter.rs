//! A token bucket per key, on the injected clock.
//!
//! A bucket holds the allowance of a period, a minute or an hour, and refills evenly. When there
//! are many keys, buckets that have refilled are evicted, so a flood of new keys cannot fill the
//! memory.
//!
//! **Invariant:** only elapsed time counts. Setting the clock back an hour blocks no caller for an
//! hour.

use std::{
    convert::Infallible,
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
    nanos::Nanos,
    state::{
        StateStore,
        keyed::{DefaultKeyedStateStore, ShrinkableKeyedStateStore},
    },
};

use crate::{
    domain::Clock,
    service::{Error, Result},
};

/// Above this many keys, buckets that have refilled are swept out.
const SWEEP_ABOVE_KEYS: usize = 10_000;

/// The shortest time between two sweeps.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

const NEVER_POISONED: &str = "no code that holds the lock can panic";

/// The injected clock as a stopwatch: time elapsed since it was created. Steps back count as zero.
#[derive(Clone, Debug)]
struct Stopwatch {
    clock: Arc<dyn Clock>,
    reading: Arc<Mutex<Reading>>,
}

/// The clock's last time, and what had elapsed by then.
#[derive(Clone, Copy, Debug)]
struct Reading {
    time: DateTime<Utc>,
    elapsed: Duration,
}

impl Stopwatch {
    fn start(clock: Arc<dyn Clock>) -> Self {
        let reading = Reading { time: clock.now(), elapsed: Duration::ZERO };
        Self { clock, reading: Arc::new(Mutex::new(reading)) }
    }
}

impl clock::Clock for Stopwatch {
    type Instant = Duration;

    fn now(&self) -> Duration {
        let mut reading = self.reading.lock().expect(NEVER_POISONED);
        let time = self.clock.now();
        let step = (time - reading.time).to_std().unwrap_or_default();
        *reading = Reading { time, elapsed: reading.elapsed + step };
        reading.elapsed
    }
}

impl ReasonablyRealtime for Stopwatch {}

/// A bucket after something was taken from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bucket {
    /// What it holds when full.
    pub(crate) limit: NonZeroU32,
    /// What it holds now.
    pub(crate) remaining: u32,
    /// When it is full again, if nothing is taken until then.
    pub(crate) full_at: DateTime<Utc>,
}

/// The states of the buckets. The library takes from them, and has no way to give back.
#[derive(Clone, Debug)]
struct States<K: Clone + Eq + Hash>(Arc<DefaultKeyedStateStore<K>>);

impl<K: Clone + Eq + Hash> StateStore for States<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, f: F) -> std::result::Result<T, E>
    where
        F: Fn(Option<Nanos>) -> std::result::Result<(T, Nanos), E>,
    {
        self.0.measure_and_replace(key, f)
    }
}

impl<K: Clone + Eq + Hash> ShrinkableKeyedStateStore<K> for States<K> {
    fn retain_recent(&self, drop_below: Nanos) {
        ShrinkableKeyedStateStore::retain_recent(&*self.0, drop_below);
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// One bucket per key.
#[derive(Debug)]
pub(crate) struct Limiter<K: Clone + Eq + Hash> {
    /// What a bucket holds.
    limit: NonZeroU32,
    /// How long an empty bucket takes to refill.
    period: Duration,
    /// How long it takes to refill by one.
    refill_time: Nanos,
    stopwatch: Stopwatch,
    states: States<K>,
    buckets: RateLimiter<K, States<K>, Stopwatch, StateInformationMiddleware>,
    swept_at: Mutex<Duration>,
}

impl<K: Clone + Eq + Hash> Limiter<K> {
    pub(crate) fn new(per_minute: NonZeroU32, clock: Arc<dyn Clock>) -> Self {
        Self::of(Quota::per_minute(per_minute), Duration::from_mins(1), clock)
    }

    pub(crate) fn hourly(per_hour: NonZeroU32, clock: Arc<dyn Clock>) -> Self {
        Self::of(Quota::per_hour(per_hour), Duration::from_hours(1), clock)
    }

    fn of(quota: Quota, period: Duration, clock: Arc<dyn Clock>) -> Self {
        let (limit, stopwatch) = (quota.burst_size(), Stopwatch::start(clock));
        let states = States(Arc::default());
        let buckets = RateLimiter::new(quota, states.clone(), stopwatch.clone());
        let (refill_time, swept_at) = (quota.replenish_interval().into(), Mutex::default());
        Self { limit, period, refill_time, stopwatch, states, buckets, swept_at }
    }

    /// Takes `amount` from the bucket of a key. An amount above the limit counts as the limit.
    ///
    /// # Errors
    /// [`Error::RateLimited`] when the bucket holds too little; then nothing is taken.
    pub(crate) fn take(&self, key: &K, amount: NonZeroU32) -> Result<Bucket> {
        self.sweep();
        let amount = amount.min(self.limit);
        let taken = self.buckets.check_key_n(key, amount);
        match taken.expect("a full bucket holds the amount") {
            Ok(snapshot) => Ok(self.bucket(snapshot.remaining_burst_capacity())),
            Err(not_until) => {
                let wait = not_until.wait_time_from(clock::Clock::now(&self.stopwatch));
                Err(Error::RateLimited { retry_after: whole_seconds(wait) })
            }
        }
    }

    /// Gives back what was taken from the bucket of a key, as if it had not been taken.
    pub(crate) fn give_back(&self, key: &K, amount: NonZeroU32) {
        // The state is the time at which the bucket is full.
        let time = self.refill_time * amount.min(self.limit).get().into();
        let earlier = |full_at: Option<Nanos>| {
            Ok::<_, Infallible>(((), full_at.unwrap_or(Nanos::new(0)).saturating_sub(time)))
        };
        let Ok(()) = self.states.measure_and_replace(key, earlier);
    }

    /// Evicts buckets that have refilled, if there are many keys and the last sweep is not recent.
    fn sweep(&self) {
        if self.buckets.len() <= SWEEP_ABOVE_KEYS {
            return;
        }
        let now = clock::Clock::now(&self.stopwatch);
        let mut swept_at = self.swept_at.lock().expect(NEVER_POISONED);
        if now >= *swept_at + SWEEP_EVERY {
            *swept_at = now;
            self.buckets.retain_recent();
        }
    }

    fn bucket(&self, remaining: u32) -> Bucket {
        let missing = self.limit.get().saturating_sub(remaining);
        let refill = (self.period * missing / self.limit.get()).as_millis();
        let refill = refill.try_into().map_or(TimeDelta::zero(), TimeDelta::milliseconds);
        let full_at = self.stopwatch.clock.now() + refill;
        Bucket { limit: self.limit, remaining, full_at }
    }
}

/// Rounds a wait up to whole seconds, at least one, so that a retry after it is never too early.
fn whole_seconds(wait: Duration) -> Duration {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    Duration::from_secs(seconds.max(1))
}

/// The key of an address: IPv4 by host, IPv6 by /64 network.
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

    /// A clock that a test sets, in seconds.
    #[derive(Debug, Default)]
    struct ManualClock(Mutex<i64>);

    impl Clock for ManualClock {
        fn now(&self) -> DateTime<Utc> {
            let second = *self.0.lock().expect("not poisoned");
            DateTime::from_timestamp(1_750_000_000 + second, 0).expect("in range")
        }
    }

    const fn amount(n: u32) -> NonZeroU32 {
        NonZeroU32::new(n).expect("not zero")
    }

    /// Sixty a minute, and its clock.
    fn limiter() -> (Limiter<&'static str>, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::default());
        (Limiter::new(amount(60), Arc::<ManualClock>::clone(&clock)), clock)
    }

    #[test]
    fn setting_the_clock_back_does_not_lengthen_the_wait() {
        let (limiter, clock) = limiter();
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

    #[test]
    fn an_hourly_bucket_takes_an_hour_to_refill() {
        let clock = Arc::new(ManualClock::default());
        let limiter = Limiter::hourly(amount(1), Arc::<ManualClock>::clone(&clock));
        let bucket = limiter.take(&"one", amount(1)).expect("it is full");
        assert_eq!((bucket.remaining, bucket.full_at), (0, clock.now() + TimeDelta::hours(1)));
        *clock.0.lock().expect("not poisoned") = 3_599;
        let Err(Error::RateLimited { retry_after }) = limiter.take(&"one", amount(1)) else {
            panic!("its bucket is empty")
        };
        assert_eq!(retry_after, Duration::from_secs(1));
        *clock.0.lock().expect("not poisoned") = 3_600;
        assert!(limiter.take(&"one", amount(1)).is_ok());
    }

    #[test]
    fn waits_are_rounded_up_to_whole_seconds() {
        for (ms, seconds) in [(0, 1), (1, 1), (1_000, 1), (5_990, 6)] {
            assert_eq!(whole_seconds(Duration::from_millis(ms)), Duration::from_secs(seconds));
        }
    }

    #[test]
    fn each_key_has_its_own_bucket() {
        let (limiter, clock) = limiter();

        let bucket = limiter.take(&"one", amount(45)).expect("enough");
        assert_eq!(bucket.remaining, 15);
        assert_eq!(bucket.full_at, clock.now() + TimeDelta::seconds(45));
        let refused = limiter.take(&"one", amount(20));
        let Err(Error::RateLimited { retry_after }) = refused else { panic!("{refused:?}") };
        assert_eq!(retry_after, Duration::from_secs(5));
        assert!(limiter.take(&"one", amount(15)).is_ok());
        assert!(limiter.take(&"other", amount(60)).is_ok());
    }

    #[test]
    fn an_amount_above_the_limit_empties_the_bucket() {
        let (limiter, _clock) = limiter();
        assert_eq!(limiter.take(&"one", amount(1_000)).expect("enough").remaining, 0);
        limiter.give_back(&"one", amount(1_000));
        assert_eq!(limiter.take(&"one", amount(60)).expect("enough").remaining, 0);
    }

    #[test]
    fn what_is_given_back_can_be_taken_once() {
        let (limiter, clock) = limiter();
        let set = |second| *clock.0.lock().expect("not poisoned") = second;
        for second in [0, 7, 1_000] {
            set(second);
            // A full bucket takes nothing back.
            limiter.give_back(&"one", amount(60));
            assert!(limiter.take(&"one", amount(40)).is_ok());
            assert!(limiter.take(&"one", amount(15)).is_ok());
            limiter.give_back(&"one", amount(40));
            assert_eq!(limiter.take(&"one", amount(45)).expect("enough").remaining, 0);
            assert!(limiter.take(&"one", amount(1)).is_err());
            limiter.give_back(&"one", amount(60));
        }
    }

    #[test]
    fn an_ipv6_network_is_one_key_and_so_is_an_ipv4_host() {
        let key = |text: &str| network(text.parse().expect("an address"));
        assert_eq!(key("2001:db8::1"), key("2001:db8::ffff:1"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
    }
}
