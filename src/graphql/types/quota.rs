//! Limits over time, and how much of them is left: the cost of operations, and follows.

use async_graphql::Object;

use super::scalar::{DateTime, clamped};
use crate::service;

/// A budget for the cost of operations. There is one for each viewer, and one for each address; this
/// is the one with less left. It refills continuously.
pub(crate) struct RateLimit(pub service::Budget);

#[Object]
/// A budget for the cost of operations. There is one for each viewer, and one for each address; this
/// is the one with less left. It refills continuously.
impl RateLimit {
    /// The cost of this operation: the nodes that its page sizes multiply to, 10 for each mutation
    /// and 1,000 for each `totalCount` of `users`; at least 1.
    async fn cost(&self) -> i32 {
        clamped(self.0.cost.get().into())
    }

    /// The size of the budget. An empty budget is full again after a minute.
    async fn limit(&self) -> i32 {
        clamped(self.0.limit.get().into())
    }

    /// The remaining budget.
    async fn remaining(&self) -> i32 {
        clamped(self.0.remaining.into())
    }

    /// When the budget is full again, if no other operation is sent.
    async fn reset_at(&self) -> DateTime {
        DateTime(self.0.resets_at)
    }
}

/// How many users the viewer may still follow. Only changes count: repeated and refused follows do
/// not.
pub(crate) struct FollowQuota(pub service::FollowQuota);

#[Object]
/// How many users the viewer may still follow. Only changes count: repeated and refused follows do
/// not.
impl FollowQuota {
    /// The most new follows per day.
    async fn limit(&self) -> i32 {
        clamped(self.0.per_day)
    }

    /// New follows left today.
    async fn remaining(&self) -> i32 {
        clamped(self.0.remaining_today)
    }

    /// When the next day begins, in UTC.
    async fn reset_at(&self) -> DateTime {
        DateTime(self.0.resets_at)
    }

    /// The most users whom the viewer may follow at the same time.
    async fn total_limit(&self) -> i32 {
        clamped(self.0.total)
    }

    /// How many more users the viewer may follow.
    async fn total_remaining(&self) -> i32 {
        clamped(self.0.remaining)
    }
}
