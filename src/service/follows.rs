//! Following and unfollowing, and what the viewer may still follow.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::{Error, FollowDenials, Result, SeenBy, Viewer, authorize};
use crate::domain::{
    Changed, Day, FollowAction, FollowChange, FollowChanged, FollowCounts, FollowFacts,
    FollowLimit, FollowLimits, FollowOutcome, FollowRefusal, FollowUsage, Permission, Permissions,
    Relation, UnfollowOutcome, UserId, decide_follow,
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

/// A follow or an unfollow that is refused; nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefusedFollow {
    /// Why.
    pub refusal: FollowRefusal,
    /// When it is no longer refused for that reason, if only time has to pass.
    pub retry_at: Option<DateTime<Utc>>,
}

impl RefusedFollow {
    /// There is no such user.
    pub const NOT_FOUND: Self = Self { refusal: FollowRefusal::NotFound, retry_at: None };

    /// A change that was refused on a day.
    fn on(day: Day, refusal: FollowRefusal) -> Self {
        let retry_at = match refusal {
            FollowRefusal::LimitReached(FollowLimit::Day | FollowLimit::Pair) => Some(day.end()),
            FollowRefusal::LimitReached(FollowLimit::Total)
            | FollowRefusal::NotFound
            | FollowRefusal::Yourself => None,
        };
        Self { refusal, retry_at }
    }
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
    ) -> Result<Result<Changed<FollowOutcome>, RefusedFollow>> {
        let (viewer, at) = (self.signed_in()?, self.service.clock.now());
        let refused = |refusal| RefusedFollow::on(Day::of(at), refusal);
        let target = match changeable(viewer, target)? {
            Ok(target) => target,
            Err(refusal) => return Ok(Err(refused(refusal))),
        };

        let action = FollowAction::Follow(self.service.follow_limits);
        let changed = self.change(viewer, target, at, action).await?;
        let Changed { outcome, follower, followee } = changed;
        let FollowChanged::Follow(outcome) = outcome else {
            return Err(Error::Internal("a follow has the outcome of an unfollow".to_owned()));
        };

        // Either of the two users may have been deleted since they were looked up.
        if outcome == Err(FollowRefusal::NotFound)
            && self.service.store.find_account(viewer.id()).await?.is_none()
        {
            return Err(Error::Unauthenticated);
        }
        Ok(outcome.map(|outcome| Changed { outcome, follower, followee }).map_err(refused))
    }

    /// Makes the viewer unfollow `target`, the user that was found, if one was.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when signed out, [`Error::Forbidden`] without the permission, or
    /// when the store fails.
    pub async fn unfollow(
        &self,
        target: Option<UserId>,
    ) -> Result<Result<Changed<UnfollowOutcome>, RefusedFollow>> {
        let (viewer, at) = (self.signed_in()?, self.service.clock.now());
        let target = match changeable(viewer, target)? {
            Ok(target) => target,
            Err(refusal) => return Ok(Err(RefusedFollow::on(Day::of(at), refusal))),
        };

        let is_counted = self.service.follow_limits.limit_pair_changes();
        let action = FollowAction::Unfollow { is_counted };
        let changed = self.change(viewer, target, at, action).await?;
        let Changed { outcome, follower, followee } = changed;
        let FollowChanged::Unfollow(outcome) = outcome else {
            return Err(Error::Internal("an unfollow has the outcome of a follow".to_owned()));
        };
        Ok(Ok(Changed { outcome, follower, followee }))
    }

    async fn change(
        &self,
        viewer: &Viewer,
        followee: UserId,
        at: DateTime<Utc>,
        action: FollowAction,
    ) -> Result<Changed<FollowChanged>> {
        let change = FollowChange { follower: viewer.id(), followee, at, action };
        Ok(self.service.store.change_follow(change).await?)
    }

    /// Why the viewer cannot follow each of these users, if so. At most one statement: only a
    /// viewer who has the permission can be at a limit.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn follow_denials(
        &self,
        targets: &[UserId],
    ) -> Result<HashMap<UserId, FollowDenials>> {
        let (viewer, limits) = (self.viewer.as_deref(), self.service.follow_limits);
        let standing = match viewer {
            Some(viewer) if limits != FollowLimits::NONE && may_follow(viewer) => {
                let today = Day::of(self.service.clock.now());
                self.service.store.find_standing(viewer.id(), targets, today).await?
            }
            _ => None,
        };
        let facts = |viewer: &Viewer, target| match &standing {
            Some(standing) => standing.facts(viewer.id(), target, limits),
            None => FollowFacts::of_users(viewer.id(), Some(target)),
        };
        let denials = |target| {
            let facts = viewer.map(|viewer| facts(viewer, target));
            (target, FollowDenials::new(viewer, facts.as_ref()))
        };
        Ok(targets.iter().copied().map(denials).collect())
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

/// Whether the viewer has the permission to follow.
fn may_follow(viewer: &Viewer) -> bool {
    authorize(Some(viewer), Permissions::from_iter([Permission::Follow])).is_ok()
}

/// The checks that following and unfollowing share, in the order of the contract: the
/// permission, then the rule, as far as it needs to know no more than the two users.
fn changeable(viewer: &Viewer, target: Option<UserId>) -> Result<Result<UserId, FollowRefusal>> {
    authorize(Some(viewer), Permissions::from_iter([Permission::Follow]))?;

    let decision = decide_follow(&FollowFacts::of_users(viewer.id(), target));
    Ok(decision.and_then(|_| target.ok_or(FollowRefusal::NotFound)))
}
