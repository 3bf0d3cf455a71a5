//! What callers may spend per minute: each viewer, from any address, and each address, with all its
//! callers signed in or not.
//!
//! An address may spend more than a viewer, since many people can share one, but not as much as
//! many viewers, since anybody can create accounts.

use std::{net::IpAddr, num::NonZeroU32, sync::Arc};

use chrono::{DateTime, Utc};

use super::limiter::{Bucket, Limiter, network};
use crate::{
    domain::{Clock, Limits, UserId},
    service::{Result, Service, Viewer},
};

/// What every request costs its address up front, in nodes: about as much work as parsing an
/// operation and refusing it.
const REQUEST_COST: NonZeroU32 = NonZeroU32::new(100).expect("not zero");

/// The caller's budget after an operation was charged. Two budgets pay, the viewer's and the
/// address's; this is the one with less remaining.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Cost of the operation.
    pub cost: NonZeroU32,
    /// Cost allowed per minute.
    pub limit: NonZeroU32,
    /// How much of the limit remains.
    pub remaining: u32,
    /// When the whole limit is available again.
    pub resets_at: DateTime<Utc>,
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
}

impl Service {
    /// Charges a request to its address before the body is looked at, so that refused requests
    /// count as well.
    ///
    /// # Errors
    /// [`RateLimited`](crate::service::Error::RateLimited) when the address's budget is too low.
    pub fn admit(&self, address: Option<IpAddr>) -> Result<()> {
        if let (Some(budgets), Some(address)) = (&self.budgets, address) {
            budgets.addresses.take(&network(address), REQUEST_COST)?;
        }
        Ok(())
    }

    /// Charges an operation to the viewer and to the address; `None` when cost is not limited.
    ///
    /// # Errors
    /// [`RateLimited`](crate::service::Error::RateLimited) when either budget is too low; then neither
    /// is charged, so a caller who waits for one does not drain the other.
    pub fn charge(
        &self,
        viewer: Option<&Viewer>,
        address: Option<IpAddr>,
        cost: NonZeroU32,
    ) -> Result<Option<Budget>> {
        let Some(budgets) = &self.budgets else { return Ok(None) };

        let of_viewer =
            viewer.map(|viewer| budgets.viewers.take(&viewer.id(), cost)).transpose()?;
        let of_address = address.map(|address| budgets.addresses.take(&network(address), cost));
        let of_address = of_address.transpose().inspect_err(|_| {
            if let Some(viewer) = viewer {
                budgets.viewers.give_back(&viewer.id(), cost);
            }
        })?;
        let charged = [of_viewer, of_address].into_iter().flatten();
        let lowest = charged.min_by_key(|bucket| bucket.remaining);
        Ok(lowest.map(|Bucket { limit, remaining, full_at }| Budget {
            cost,
            limit,
            remaining,
            resets_at: full_at,
        }))
    }
}
