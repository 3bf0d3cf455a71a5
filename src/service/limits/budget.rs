//! What callers may cost in a minute: one viewer, wherever they are, and all callers at one address
//! together, signed in or not. An address may cost more than a viewer, since many can be behind
//! one; but not as much as many viewers, since anybody can make accounts.

use std::{net::IpAddr, num::NonZeroU32, sync::Arc};

use chrono::{DateTime, Utc};

use super::limiter::{Left, Limiter, network};
use crate::{
    domain::{Clock, Limits, UserId},
    service::{Result, Service, Viewer},
};

/// What a request costs its address before anybody has looked at it: as much as parsing and
/// refusing one, in nodes.
const COST_OF_A_REQUEST: NonZeroU32 = NonZeroU32::new(100).expect("not zero");

/// The budget of a caller, after an operation was charged: of the two that pay, the one with less
/// left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// What the operation cost.
    pub cost: NonZeroU32,
    /// What a minute allows.
    pub limit: NonZeroU32,
    /// How much of it is left.
    pub remaining: u32,
    /// When all of it is there again.
    pub resets_at: DateTime<Utc>,
}

impl Service {
    /// Charges a request to the address that it comes from, before anything is known of it. So a
    /// flood of requests that are refused ends as well.
    ///
    /// # Errors
    /// [`Error::RateLimited`](crate::service::Error::RateLimited) when too little of its budget is left.
    pub fn admit(&self, address: Option<IpAddr>) -> Result<()> {
        match (&self.budgets, address) {
            (Some(budgets), Some(address)) => budgets.admit(address),
            (None, _) | (_, None) => Ok(()),
        }
    }

    /// Charges an operation to the viewer and to the address that it comes from; `None` when
    /// nothing limits the cost.
    ///
    /// # Errors
    /// [`Error::RateLimited`](crate::service::Error::RateLimited) when one of their budgets is too low.
    pub fn charge(
        &self,
        viewer: Option<&Viewer>,
        address: Option<IpAddr>,
        cost: NonZeroU32,
    ) -> Result<Option<Budget>> {
        match &self.budgets {
            Some(budgets) => budgets.charge(viewer, address, cost),
            None => Ok(None),
        }
    }
}

/// The budgets of all callers.
#[derive(Debug)]
pub(crate) struct Budgets {
    viewers: Limiter<UserId>,
    addresses: Limiter<IpAddr>,
}

impl Budgets {
    pub(crate) fn new(limits: &Limits, clock: &Arc<dyn Clock>) -> Self {
        let (viewer, address) = (limits.cost_per_minute_max, limits.cost_per_address_max);
        Self {
            viewers: Limiter::new(viewer, Arc::clone(clock)),
            addresses: Limiter::new(address, Arc::clone(clock)),
        }
    }

    fn admit(&self, address: IpAddr) -> Result<()> {
        self.addresses.take(&network(address), COST_OF_A_REQUEST).map(drop)
    }

    fn charge(
        &self,
        viewer: Option<&Viewer>,
        address: Option<IpAddr>,
        cost: NonZeroU32,
    ) -> Result<Option<Budget>> {
        // The viewer pays first: whoever has nothing left takes nothing from others at the address.
        let viewers = viewer.map(|viewer| self.viewers.take(&viewer.id(), cost)).transpose()?;
        let address = address.map(|address| self.addresses.take(&network(address), cost));
        let both = [viewers, address.transpose()?].into_iter().flatten();
        let less = both.min_by_key(|left| left.remaining);
        Ok(less.map(|Left { limit, remaining, full_at }| Budget {
            cost,
            limit,
            remaining,
            resets_at: full_at,
        }))
    }
}
