//! Following and unfollowing, and what the viewer may still follow.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::{Error, FollowDenial, Result, SeenBy, Viewer, authorize, follow_denials};
use crate::domain::{
    Changed, Day, FollowCounts, FollowLimit, FollowLimits, FollowOutcome, FollowUsage, Permission,
    Permissions, Relation, UnfollowOutcome, UserId,
};

/// How much a viewer may still follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FollowQuota {
    /// The most new follows a day.
    pub per_day: i64,
    /// How many of those are left today.
    pub remaining_today: i64,
    /// When the next day begins.
    pub resets_at: DateTime<Utc>,
    /// The most users who can be followed at once.
    pub total: i64,
    /// How many of those are left.
    pub remaining: i64,
}

/// Why a follow or an unfollow was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such user.
    NotFound,
    /// The target is the viewer.
    Yourself,
    /// The viewer has reached a limit.
    LimitReached(FollowLimit),
}

impl SeenBy {
    /// The lengths of both lists of these users; missing users are left out.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn counts_by_ids(&self, ids: &[UserId]) -> Result<HashMap<UserId, FollowCounts>> {
        Ok(self.service.store.counts_by_ids(self.audience, ids).await?)
    }

    /// The viewer's relations: since when the viewer follows the users of `followed`, and since
    /// when those of `following_back` follow the viewer. Users without an edge are left out, so
    /// the map is empty when signed out.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn relations(
        &self,
        followed: &[UserId],
        following_back: &[UserId],
    ) -> Result<HashMap<UserId, Relation>> {
        let Some(viewer) = &self.viewer else { return Ok(HashMap::new()) };
        Ok(self.service.store.relations(viewer.id(), followed, following_back).await?)
    }

    /// Why the viewer cannot follow `target`; empty when they can. Limits are not looked at.
    pub fn follow_denials(&self, target: UserId) -> Vec<FollowDenial> {
        follow_denials(self.viewer.as_deref(), target)
    }

    /// Makes the viewer follow `target`, the user that was found, if one was.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when signed out or when the viewer's account is gone by now,
    /// [`Error::Forbidden`] without the permission, or when the store fails.
    pub async fn follow(
        &self,
        target: Option<UserId>,
    ) -> Result<Result<Changed<FollowOutcome>, Refusal>> {
        let viewer = self.signed_in()?;
        let target = match changeable(viewer, target)? {
            Ok(target) => target,
            Err(refusal) => return Ok(Err(refusal)),
        };

        let (now, limits) = (self.service.clock.now(), self.service.follow_limits);
        let changed = self.service.follows.follow(viewer.id(), target, now, limits).await?;

        match changed.outcome {
            FollowOutcome::Followed | FollowOutcome::AlreadyFollowing => Ok(Ok(changed)),
            FollowOutcome::LimitReached(limit) => Ok(Err(Refusal::LimitReached(limit))),
            // Either of the two may have been deleted since they were looked up.
            FollowOutcome::NoSuchUser => {
                match self.service.store.find_account(viewer.id()).await? {
                    Some(_) => Ok(Err(Refusal::NotFound)),
                    None => Err(Error::Unauthenticated),
                }
            }
        }
    }

    /// Makes the viewer unfollow `target`, the user that was found, if one was.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when signed out, [`Error::Forbidden`] without the permission, or
    /// when the store fails.
    pub async fn unfollow(
        &self,
        target: Option<UserId>,
    ) -> Result<Result<Changed<UnfollowOutcome>, Refusal>> {
        let viewer = self.signed_in()?;
        let target = match changeable(viewer, target)? {
            Ok(target) => target,
            Err(refusal) => return Ok(Err(refusal)),
        };

        let (now, limits) = (self.service.clock.now(), self.service.follow_limits);
        Ok(Ok(self.service.follows.unfollow(viewer.id(), target, now, limits).await?))
    }

    /// How much the viewer may still follow; `None` when there are no limits.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when signed out or when the viewer's account is gone by now, or
    /// when the store fails.
    pub async fn follow_quota(&self) -> Result<Option<FollowQuota>> {
        let (viewer, limits) = (self.signed_in()?, self.service.follow_limits);
        if limits == FollowLimits::NONE {
            return Ok(None);
        }
        let today = Day::of(self.service.clock.now());
        let usage = self.service.store.find_usage(viewer.id(), today).await?;
        let FollowUsage { counts, today: used } = usage.ok_or(Error::Unauthenticated)?;
        let total = limits.total_with(counts.followers);
        Ok(Some(FollowQuota {
            per_day: limits.per_day,
            remaining_today: (limits.per_day - used).max(0),
            resets_at: today.end(),
            total,
            remaining: (total - counts.following).max(0),
        }))
    }
}

/// The checks that following and unfollowing share, in the order of the contract: the
/// permission, then whether the target exists, then whether it is the viewer.
fn changeable(viewer: &Viewer, target: Option<UserId>) -> Result<Result<UserId, Refusal>> {
    authorize(Some(viewer), Permissions::from_iter([Permission::Follow]))?;

    let Some(target) = target else { return Ok(Err(Refusal::NotFound)) };
    if follow_denials(Some(viewer), target).contains(&FollowDenial::Yourself) {
        return Ok(Err(Refusal::Yourself));
    }
    Ok(Ok(target))
}
