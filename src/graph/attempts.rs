//! How often a password may be tried: per account, and per address.

use std::{
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    time::Duration,
};

use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
};

use super::{Error, Result};
use crate::domain::UsernameKey;

/// Attempts in a minute for one account, from wherever.
const PER_ACCOUNT: NonZeroU32 = NonZeroU32::new(10).expect("not zero");
/// Attempts in a minute from one address, for whatever account.
const PER_ADDRESS: NonZeroU32 = NonZeroU32::new(30).expect("not zero");

/// Counts attempts to sign in. Keys without an attempt for a while are forgotten.
#[derive(Debug)]
pub(super) struct Attempts {
    clock: DefaultClock,
    accounts: DefaultKeyedRateLimiter<UsernameKey>,
    addresses: DefaultKeyedRateLimiter<IpAddr>,
}

/// With more keys than this, those that are as good as new are dropped.
const KEYS_MAX: usize = 10_000;

impl Default for Attempts {
    fn default() -> Self {
        Self {
            clock: DefaultClock::default(),
            accounts: RateLimiter::keyed(Quota::per_minute(PER_ACCOUNT)),
            addresses: RateLimiter::keyed(Quota::per_minute(PER_ADDRESS)),
        }
    }
}

impl Attempts {
    /// Counts one attempt.
    ///
    /// # Errors
    /// [`Error::RateLimited`] when there were too many.
    pub(super) fn count(&self, account: &UsernameKey, address: Option<IpAddr>) -> Result<()> {
        if self.accounts.len() + self.addresses.len() > KEYS_MAX {
            self.accounts.retain_recent();
            self.addresses.retain_recent();
        }

        if let Some(address) = address {
            self.addresses.check_key(&network(address)).map_err(|not| self.limited(&not))?;
        }
        self.accounts.check_key(account).map_err(|not| self.limited(&not))
    }

    fn limited(
        &self,
        not_until: &governor::NotUntil<<DefaultClock as governor::clock::Clock>::Instant>,
    ) -> Error {
        let wait = not_until.wait_time_from(self.clock.now());
        Error::RateLimited { retry_after: wait.max(Duration::from_secs(1)) }
    }
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
    use super::*;

    fn key(text: &str) -> UsernameKey {
        UsernameKey::parse(text).expect("a username")
    }

    #[test]
    fn one_account_is_limited_and_others_are_not() {
        let attempts = Attempts::default();
        for _ in 0..PER_ACCOUNT.get() {
            attempts.count(&key("alice"), None).expect("within the limit");
        }

        assert!(matches!(attempts.count(&key("ALICE"), None), Err(Error::RateLimited { .. })));
        assert!(attempts.count(&key("bob"), None).is_ok());
    }

    #[test]
    fn one_address_is_limited_over_all_accounts() {
        let attempts = Attempts::default();
        let address = |last: u64| Some(Ipv6Addr::from_bits(u128::from(last)).into());
        for n in 0..PER_ADDRESS.get() {
            attempts.count(&key(&format!("u{n}")), address(n.into())).expect("within the limit");
        }

        let next = attempts.count(&key("last"), address(9_999));
        assert!(matches!(next, Err(Error::RateLimited { .. })));
    }
}
