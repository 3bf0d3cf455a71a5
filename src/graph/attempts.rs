//! How often a password may be tried: per account, and per address.

use std::{net::IpAddr, num::NonZeroU32, sync::Arc};

use super::{
    Result,
    limiter::{Limiter, network},
};
use crate::domain::{Clock, UsernameKey};

/// Attempts in a minute for one account, from wherever.
const PER_ACCOUNT: NonZeroU32 = NonZeroU32::new(10).expect("not zero");
/// Attempts in a minute from one address, for whatever account.
const PER_ADDRESS: NonZeroU32 = NonZeroU32::new(30).expect("not zero");

/// Counts attempts to sign in.
#[derive(Debug)]
pub(super) struct Attempts {
    accounts: Limiter<UsernameKey>,
    addresses: Limiter<IpAddr>,
}

impl Attempts {
    pub(super) fn new(clock: &Arc<dyn Clock>) -> Self {
        Self {
            accounts: Limiter::new(PER_ACCOUNT, Arc::clone(clock)),
            addresses: Limiter::new(PER_ADDRESS, Arc::clone(clock)),
        }
    }

    /// Counts one attempt from an address, whatever account it is for.
    ///
    /// # Errors
    /// [`Error::RateLimited`] when there were too many.
    ///
    /// [`Error::RateLimited`]: super::Error::RateLimited
    pub(super) fn count_address(&self, address: Option<IpAddr>) -> Result<()> {
        let Some(address) = address else { return Ok(()) };
        self.addresses.take(&network(address), NonZeroU32::MIN).map(drop)
    }

    /// Counts one attempt for an account, wherever it comes from.
    ///
    /// # Errors
    /// [`Error::RateLimited`] when there were too many.
    ///
    /// [`Error::RateLimited`]: super::Error::RateLimited
    pub(super) fn count_account(&self, account: &UsernameKey) -> Result<()> {
        self.accounts.take(account, NonZeroU32::MIN).map(drop)
    }
}
