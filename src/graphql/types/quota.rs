//! Limits over time, and how much of them is left: the cost of operations, and follows.

use async_graphql::SimpleObject;

use super::scalar::{DateTime, clamped};
use crate::service;

/// A budget for the cost of operations. There is one for each viewer, and one for each address; this
/// is the one with less left. It refills continuously.
#[derive(SimpleObject)]
pub(crate) struct RateLimit {
    /// The cost of this operation: the nodes that its page sizes multiply to, 1 for each number of
    /// followers or followed users that is read without a page, 10 for each mutation, and 1,000 for
    /// each `totalCount` of `users` and each search of `users` by `CREATED_AT`; at least 1.
    cost: i32,
    /// The size of the budget. An empty budget is full again after a minute.
    limit: i32,
    /// The remaining budget.
    remaining: i32,
    /// When the budget is full again, if no other operation is sent.
    reset_at: DateTime,
}

impl From<service::Budget> for RateLimit {
    fn from(budget: service::Budget) -> Self {
        Self {
            cost: clamped(budget.cost.get().into()),
            limit: clamped(budget.limit.get().into()),
            remaining: clamped(budget.remaining.into()),
            reset_at: DateTime(budget.resets_at),
        }
    }
}

/// How many users the viewer may still follow. Only changes count: repeated and refused follows do
/// not. It has no ID: caches keep it as a part of its `Viewer`.
#[derive(SimpleObject)]
pub(crate) struct FollowQuota {
    /// The most new follows per day.
    limit: i32,
    /// New follows left today.
    remaining: i32,
    /// When the next day begins, in UTC.
    reset_at: DateTime,
    /// The most users whom the viewer may follow at the same time.
    total_limit: i32,
    /// How many more users the viewer may follow.
    total_remaining: i32,
}

impl From<service::FollowQuota> for FollowQuota {
    fn from(quota: service::FollowQuota) -> Self {
        Self {
            limit: clamped(quota.per_day),
            remaining: clamped(quota.remaining_today),
            reset_at: DateTime(quota.resets_at),
            total_limit: clamped(quota.total),
            total_remaining: clamped(quota.remaining),
        }
    }
}
