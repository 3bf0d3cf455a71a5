//! How often a password may be tried, by account, address and viewer.

use std::{net::IpAddr, num::NonZeroU32, sync::Arc};

use super::limiter::{Limiter, network};
use crate::{
    domain::{Clock, UserId, UsernameKey},
    service::Result,
};

/// Attempts per minute on one account from one address. Keyed by both, so that guesses from
/// elsewhere do not use up the owner's attempts.
const PER_ACCOUNT_AND_ADDRESS: NonZeroU32 = NonZeroU32::new(10).expect("not zero");
/// Attempts per minute on one account, from all addresses together.
const PER_ACCOUNT: NonZeroU32 = NonZeroU32::new(100).expect("not zero");
/// Attempts per minute from one address, on all accounts together.
const PER_ADDRESS: NonZeroU32 = NonZeroU32::new(30).expect("not zero");
/// Passwords per minute that one viewer may enter to confirm a change.
const PER_VIEWER: NonZeroU32 = NonZeroU32::new(10).expect("not zero");

/// Counts attempts with passwords.
#[derive(Debug)]
pub(crate) struct Attempts {
    pairs: Limiter<(UsernameKey, Option<IpAddr>)>,
    accounts: Limiter<UsernameKey>,
    addresses: Limiter<IpAddr>,
    viewers: Limiter<UserId>,
}

impl Attempts {
    pub(crate) fn new(clock: &Arc<dyn Clock>) -> Self {
        Self {
            pairs: Limiter::new(PER_ACCOUNT_AND_ADDRESS, Arc::clone(clock)),
            accounts: Limiter::new(PER_ACCOUNT, Arc::clone(clock)),
            addresses: Limiter::new(PER_ADDRESS, Arc::clone(clock)),
            viewers: Limiter::new(PER_VIEWER, Arc::clone(clock)),
        }
    }

    /// Counts an attempt to sign in to an account, or to sign up (no account).
    ///
    /// # Errors
    /// [`RateLimited`](crate::service::Error::RateLimited) after too many attempts.
    pub(crate) fn count(
        &self,
        account: Option<&UsernameKey>,
        address: Option<IpAddr>,
    ) -> Result<()> {
        let network = address.map(network);
        if let Some(network) = &network {
            self.addresses.take(network, NonZeroU32::MIN)?;
        }
        if let Some(account) = account {
            self.pairs.take(&(account.clone(), network), NonZeroU32::MIN)?;
            self.accounts.take(account, NonZeroU32::MIN)?;
        }
        Ok(())
    }

    /// Counts a password that a signed-in viewer enters to confirm a change. It takes a token of
    /// the account to get here, so strangers cannot use these attempts up.
    ///
    /// # Errors
    /// [`RateLimited`](crate::service::Error::RateLimited) after too many attempts.
    pub(crate) fn count_confirmation(&self, viewer: UserId) -> Result<()> {
        self.viewers.take(&viewer, NonZeroU32::MIN).map(drop)
    }
}
