//! What a caller may still do: the budget of operations, and the quota of follows.

use async_graphql::Object;

use super::scalar::{DateTime, clamped};
use crate::service;

/// How much operations may cost. A viewer has a budget, and so have all callers at one address
/// together; this is the one with less left. It fills up evenly.
pub(crate) struct RateLimit(pub service::Budget);

#[Object]
/// How much operations may cost. A viewer has a budget, and so have all callers at one address
/// together; this is the one with less left. It fills up evenly.
impl RateLimit {
    /// What this operation cost: the nodes that its page sizes multiply to, 10 for each change and
    /// 1,000 for each count of users; at least 1.
    async fn cost(&self) -> i32 {
        clamped(self.0.cost.get().into())
    }

    /// What operations may cost at once, and what is filled up again within a minute.
    async fn limit(&self) -> i32 {
        clamped(self.0.limit.get().into())
    }

    /// How much of it is left.
    async fn remaining(&self) -> i32 {
        clamped(self.0.remaining.into())
    }

    /// When all of it is there again, if nothing else is asked.
    async fn reset_at(&self) -> DateTime {
        DateTime(self.0.resets_at)
    }
}

/// Whom the viewer may still follow. Only what changed counts: neither a repetition nor a refusal.
pub(crate) struct FollowQuota(pub service::FollowQuota);

#[Object]
/// Whom the viewer may still follow. Only what changed counts: neither a repetition nor a refusal.
impl FollowQuota {
    /// The most new follows a day.
    async fn limit(&self) -> i32 {
        clamped(self.0.per_day)
    }

    /// How many of them are left today.
    async fn remaining(&self) -> i32 {
        clamped(self.0.remaining_today)
    }

    /// When the next day begins.
    async fn reset_at(&self) -> DateTime {
        DateTime(self.0.resets_at)
    }

    /// The most users whom the viewer may follow at once.
    async fn total_limit(&self) -> i32 {
        clamped(self.0.total)
    }

    /// How many more users the viewer may follow.
    async fn total_remaining(&self) -> i32 {
        clamped(self.0.remaining)
    }
}
