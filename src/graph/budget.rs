//! What the operations of one caller may cost in a minute: of a viewer, wherever they are, or of an
//! address whose callers are signed out.

use std::{net::IpAddr, num::NonZeroU32, sync::Arc};

use chrono::{DateTime, Utc};

use super::{
    Result, Viewer,
    limiter::{Limiter, network},
};
use crate::domain::{Clock, UserId};

/// The budget of a caller, after an operation was charged.
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

/// Whose budget it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Payer {
    Viewer(UserId),
    Address(IpAddr),
}

/// The budgets of all callers.
#[derive(Debug)]
pub(super) struct Budgets {
    per_minute: NonZeroU32,
    payers: Limiter<Payer>,
}

impl Budgets {
    pub(super) fn new(per_minute: NonZeroU32, clock: &Arc<dyn Clock>) -> Self {
        Self { per_minute, payers: Limiter::new(per_minute, Arc::clone(clock)) }
    }

    /// Charges an operation; `None` when there is nobody to charge.
    ///
    /// # Errors
    /// [`Error::RateLimited`] when too little is left.
    ///
    /// [`Error::RateLimited`]: super::Error::RateLimited
    pub(super) fn charge(
        &self,
        viewer: Option<&Viewer>,
        address: Option<IpAddr>,
        cost: NonZeroU32,
    ) -> Result<Option<Budget>> {
        let payer = match (viewer, address) {
            (Some(viewer), _) => Payer::Viewer(viewer.id()),
            (None, Some(address)) => Payer::Address(network(address)),
            (None, None) => return Ok(None),
        };
        let left = self.payers.take(&payer, cost)?;
        let (limit, remaining) = (self.per_minute, left.remaining);
        Ok(Some(Budget { cost, limit, remaining, resets_at: left.full_at }))
    }
}
