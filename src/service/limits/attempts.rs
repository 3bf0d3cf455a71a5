//! How often a password may be tried: by account, by address, and by viewer.

use std::{net::IpAddr, num::NonZeroU32, sync::Arc};

use super::limiter::{Limiter, network};
use crate::{
    domain::{Clock, UserId, UsernameKey},
    service::Result,
};

/// Attempts in a minute for one account from one address. Others who guess at it take nothing from
/// its owner.
const PER_ACCOUNT_AND_ADDRESS: NonZeroU32 = NonZeroU32::new(10).expect("not zero");
/// Attempts in a minute for one account, from all addresses together.
const PER_ACCOUNT: NonZeroU32 = NonZeroU32::new(100).expect("not zero");
/// Attempts in a minute from one address, for whatever account.
const PER_ADDRESS: NonZeroU32 = NonZeroU32::new(30).expect("not zero");
/// Passwords in a minute that one viewer gives to confirm something.
const PER_VIEWER: NonZeroU32 = NonZeroU32::new(10).expect("not zero");

/// Counts what is tried with passwords.
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

    /// Counts an attempt to sign in, or to sign up without an account.
    ///
    /// # Errors
    /// [`Error::RateLimited`] when there were too many.
    ///
    /// [`Error::RateLimited`]: crate::service::Error::RateLimited
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

    /// Counts a password with which a viewer confirms something. Whoever may try holds a token of
    /// the account, so nobody else can use these up.
    ///
    /// # Errors
    /// [`Error::RateLimited`] when there were too many.
    ///
    /// [`Error::RateLimited`]: crate::service::Error::RateLimited
    pub(crate) fn count_confirmation(&self, viewer: UserId) -> Result<()> {
        self.viewers.take(&viewer, NonZeroU32::MIN).map(drop)
    }
}
