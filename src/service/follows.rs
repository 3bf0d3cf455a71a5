//! Following and unfollowing, and what the viewer may still follow.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::{Error, Result, SeenBy, Viewer, authorize};
use crate::domain::{
    Changed, Day, FollowAction, FollowChange, FollowChanged, FollowCounts, FollowFacts,
    FollowLimits, FollowOutcome, FollowRefusal, FollowUsage, Permission, Permissions, Relation,
    UnfollowOutcome, UserId, decide_follow,
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

    /// Makes the viewer follow `target`, the user that was found, if one was.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when signed out or when the viewer's account is gone by now,
    /// [`Error::Forbidden`] without the permission, or when the store fails.
    pub async fn follow(
        &self,
        target: Option<UserId>,
    ) -> Result<Result<Changed<FollowOutcome>, FollowRefusal>> {
        let viewer = self.signed_in()?;
        let target = match changeable(viewer, target)? {
            Ok(target) => target,
            Err(refusal) => return Ok(Err(refusal)),
        };

        let action = FollowAction::Follow(self.service.follow_limits);
        let Changed { outcome, follower, followee } = self.change(viewer, target, action).await?;
        let FollowChanged::Follow(outcome) = outcome else {
            return Err(Error::Internal("a follow has the outcome of an unfollow".to_owned()));
        };

        // Either of the two users may have been deleted since they were looked up.
        if outcome == Err(FollowRefusal::NotFound)
            && self.service.store.find_account(viewer.id()).await?.is_none()
        {
            return Err(Error::Unauthenticated);
        }
        Ok(outcome.map(|outcome| Changed { outcome, follower, followee }))
    }

    /// Makes the viewer unfollow `target`, the user that was found, if one was.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when signed out, [`Error::Forbidden`] without the permission, or
    /// when the store fails.
    pub async fn unfollow(
        &self,
        target: Option<UserId>,
    ) -> Result<Result<Changed<UnfollowOutcome>, FollowRefusal>> {
        let viewer = self.signed_in()?;
        let target = match changeable(viewer, target)? {
            Ok(target) => target,
            Err(refusal) => return Ok(Err(refusal)),
        };

        let is_counted = self.service.follow_limits.limit_pair_changes();
        let action = FollowAction::Unfollow { is_counted };
        let Changed { outcome, follower, followee } = self.change(viewer, target, action).await?;
        let FollowChanged::Unfollow(outcome) = outcome else {
            return Err(Error::Internal("an unfollow has the outcome of a follow".to_owned()));
        };
        Ok(Ok(Changed { outcome, follower, followee }))
    }

    async fn change(
        &self,
        viewer: &Viewer,
        followee: UserId,
        action: FollowAction,
    ) -> Result<Changed<FollowChanged>> {
        let at = self.service.clock.now();
        let change = FollowChange { follower: viewer.id(), followee, at, action };
        Ok(self.service.store.change_follow(change).await?)
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
/// permission, then the rule, as far as it needs to know no more than the two users.
fn changeable(viewer: &Viewer, target: Option<UserId>) -> Result<Result<UserId, FollowRefusal>> {
    authorize(Some(viewer), Permissions::from_iter([Permission::Follow]))?;

    let decision = decide_follow(&FollowFacts::of_users(viewer.id(), target));
    Ok(decision.and_then(|_| target.ok_or(FollowRefusal::NotFound)))
}
