//! How often a password may be tried: per account, and per address.

use std::{
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::{self, ReasonablyRealtime},
    middleware::NoOpMiddleware,
    state::keyed::DefaultKeyedStateStore,
};

use super::{Error, Result};
use crate::domain::{Clock, UsernameKey};

/// Attempts in a minute for one account, from wherever.
const PER_ACCOUNT: NonZeroU32 = NonZeroU32::new(10).expect("not zero");
/// Attempts in a minute from one address, for whatever account.
const PER_ADDRESS: NonZeroU32 = NonZeroU32::new(30).expect("not zero");

/// The passed-in clock, as the limiters read it: the time since 1970.
#[derive(Clone, Debug)]
struct Time(Arc<dyn Clock>);

impl clock::Clock for Time {
    type Instant = Duration;

    fn now(&self) -> Duration {
        let micros = self.0.now().timestamp_micros();
        Duration::from_micros(u64::try_from(micros).unwrap_or_default())
    }
}

impl ReasonablyRealtime for Time {}

type Limiter<K> = RateLimiter<K, DefaultKeyedStateStore<K>, Time, NoOpMiddleware<Duration>>;

/// Counts attempts to sign in. Keys without an attempt for a while are forgotten.
#[derive(Debug)]
pub(super) struct Attempts {
    time: Time,
    accounts: Limiter<UsernameKey>,
    addresses: Limiter<IpAddr>,
}

/// With more keys than this, those that are as good as new are dropped.
const KEYS_MAX: usize = 10_000;

/// Drops the keys that are as good as new, when there are very many.
fn forget_old<K: Clone + Eq + Hash>(limiter: &Limiter<K>) {
    if limiter.len() > KEYS_MAX {
        limiter.retain_recent();
    }
}

impl Attempts {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let time = Time(clock);
        Self { accounts: limiter(PER_ACCOUNT, &time), addresses: limiter(PER_ADDRESS, &time), time }
    }

    /// Counts one attempt from an address, whatever account it is for.
    ///
    /// # Errors
    /// [`Error::RateLimited`] when there were too many.
    pub(super) fn count_address(&self, address: Option<IpAddr>) -> Result<()> {
        forget_old(&self.addresses);
        let Some(address) = address else { return Ok(()) };
        self.addresses.check_key(&network(address)).map_err(|not_until| self.limited(&not_until))
    }

    /// Counts one attempt for an account, wherever it comes from.
    ///
    /// # Errors
    /// [`Error::RateLimited`] when there were too many.
    pub(super) fn count_account(&self, account: &UsernameKey) -> Result<()> {
        forget_old(&self.accounts);
        self.accounts.check_key(account).map_err(|not_until| self.limited(&not_until))
    }

    fn limited(&self, not_until: &governor::NotUntil<Duration>) -> Error {
        let wait = not_until.wait_time_from(clock::Clock::now(&self.time));
        Error::RateLimited { retry_after: whole(wait) }
    }
}

fn limiter<K: Clone + Eq + Hash>(per_minute: NonZeroU32, time: &Time) -> Limiter<K> {
    RateLimiter::new(Quota::per_minute(per_minute), DefaultKeyedStateStore::default(), time.clone())
}

/// A wait in whole seconds, at least one: who comes then is never too early.
fn whole(wait: Duration) -> Duration {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    Duration::from_secs(seconds.max(1))
}

/// Whom an address belongs to: one of IPv4 to one host, one of IPv6 to a /64 network.
fn network(address: IpAddr) -> IpAddr {
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
    use chrono::{DateTime, Utc};

    use super::*;

    /// A clock that stands still, so that nothing is forgiven.
    #[derive(Debug)]
    struct Stopped;

    impl Clock for Stopped {
        fn now(&self) -> DateTime<Utc> {
            DateTime::UNIX_EPOCH
        }
    }

    fn key(text: &str) -> UsernameKey {
        UsernameKey::parse(text).expect("a username")
    }

    #[test]
    fn a_wait_is_rounded_up() {
        for (ms, seconds) in [(0, 1), (1, 1), (1_000, 1), (5_990, 6)] {
            assert_eq!(whole(Duration::from_millis(ms)), Duration::from_secs(seconds));
        }
    }

    #[test]
    fn one_account_is_limited_and_others_are_not() {
        let attempts = Attempts::new(Arc::new(Stopped));
        for _ in 0..PER_ACCOUNT.get() {
            attempts.count_account(&key("alice")).expect("within the limit");
        }

        assert!(matches!(attempts.count_account(&key("ALICE")), Err(Error::RateLimited { .. })));
        assert!(attempts.count_account(&key("bob")).is_ok());
    }

    #[test]
    fn one_network_is_limited() {
        let attempts = Attempts::new(Arc::new(Stopped));
        let address = |last: u64| Some(Ipv6Addr::from_bits(u128::from(last)).into());
        for n in 0..PER_ADDRESS.get() {
            attempts.count_address(address(n.into())).expect("within the limit");
        }

        let next = attempts.count_address(address(9_999));
        assert!(matches!(next, Err(Error::RateLimited { .. })));
    }
}
