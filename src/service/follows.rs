//! Following and unfollowing, and what the viewer may still follow.

use std::{collections::HashMap, sync::atomic::Ordering};

use chrono::{DateTime, Utc};

use super::{Error, FollowDenials, Result, SeenBy, Viewer, authorize, safety::outcome};
use crate::domain::{
    Day, FollowAction, FollowChange, FollowChanged, FollowFacts, FollowLimit, FollowLimits,
    FollowOutcome, FollowRefusal, FollowUsage, ListsRow, Permission, Permissions, Privacy,
    Relation, SeenLists, UnfollowOutcome, UserId, decide_follow,
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
            | FollowRefusal::Blocked
            | FollowRefusal::Blocking
            | FollowRefusal::NotFound
            | FollowRefusal::Yourself => None,
        };
        Self { refusal, retry_at }
    }
}

/// The outcome of a change, and what the write returned of the lists of both users, as the viewer
/// sees them.
#[derive(Clone, Debug)]
pub struct Change<O> {
    /// The outcome.
    pub outcome: O,
    /// The lists.
    pub lists: Vec<(UserId, SeenLists)>,
}

impl<O> Change<O> {
    /// The same change with the outcome that is read from this one.
    pub(super) fn try_map<P>(self, read: impl FnOnce(O) -> Option<P>) -> Result<Change<P>> {
        let wrong = || Error::Internal("a change has the outcome of another".to_owned());
        let outcome = read(self.outcome).ok_or_else(wrong)?;
        Ok(Change { outcome, lists: self.lists })
    }
}

impl SeenBy {
    /// The lists of these users, as far as that takes no page; missing users are left out.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn lists_by_ids(&self, ids: &[UserId]) -> Result<HashMap<UserId, SeenLists>> {
        Ok(self.service.store.lists_by_ids(self.audience, ids).await?)
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
    ) -> Result<Result<Change<FollowOutcome>, RefusedFollow>> {
        let (viewer, at) = (self.signed_in()?, self.service.clock.now());
        let refused = |refusal| RefusedFollow::on(Day::of(at), refusal);
        let target = match changeable(viewer, target)? {
            Ok(target) => target,
            Err(refusal) => return Ok(Err(refused(refusal))),
        };

        let action = FollowAction::Follow(self.service.follow_limits);
        let changed = self.change(viewer, (viewer.id(), target), at, action).await?;
        let Change { outcome, lists } = outcome!(changed, Follow)?;
        let refusal = match outcome {
            Ok(outcome) => return Ok(Ok(Change { outcome, lists })),
            // They have blocked the viewer since they were looked up.
            Err(FollowRefusal::Blocked) if !viewer.moderates() => FollowRefusal::NotFound,
            Err(refusal) => refusal,
        };
        // Either of the two users may have been deleted since they were looked up.
        if refusal == FollowRefusal::NotFound
            && self.service.store.find_account(viewer.id()).await?.is_none()
        {
            return Err(Error::Unauthenticated);
        }
        Ok(Err(refused(refusal)))
    }

    /// Makes the viewer unfollow `target`, the user that was found, if one was, or withdraw the
    /// request to follow them.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when signed out, [`Error::Forbidden`] without the permission, or
    /// when the store fails.
    pub async fn unfollow(
        &self,
        target: Option<UserId>,
    ) -> Result<Result<Change<UnfollowOutcome>, RefusedFollow>> {
        let (viewer, at) = (self.signed_in()?, self.service.clock.now());
        let target = match changeable(viewer, target)? {
            Ok(target) => target,
            Err(refusal) => return Ok(Err(RefusedFollow::on(Day::of(at), refusal))),
        };

        let is_counted = self.service.follow_limits.limit_pair_changes();
        let action = FollowAction::Unfollow { is_counted };
        let changed = self.change(viewer, (viewer.id(), target), at, action).await?;
        Ok(Ok(outcome!(changed, Unfollow)?))
    }

    /// Changes the edges from one user to another.
    pub(super) async fn change(
        &self,
        viewer: &Viewer,
        (follower, followee): (UserId, UserId),
        at: DateTime<Utc>,
        action: FollowAction,
    ) -> Result<Change<FollowChanged>> {
        let change = FollowChange { follower, followee, at, action };
        let changed = self.service.store.change_follow(change).await?;
        let rows = [(follower, changed.follower), (followee, changed.followee)];
        let follows = match changed.outcome {
            FollowChanged::Follow(Ok(outcome)) => {
                Some(matches!(outcome, FollowOutcome::Followed | FollowOutcome::AlreadyFollowing))
            }
            FollowChanged::Unfollow(_) | FollowChanged::Block(Ok(_)) => Some(false),
            _ => None,
        };
        let seen = |(user, row): (UserId, Option<ListsRow>)| {
            let reader = self.audience.reader_of(user);
            let is_known = user == viewer.id() || row?.privacy == Privacy::PUBLIC;
            let follows = if is_known { false } else { follows? };
            let ListsRow { counts, privacy } = row?;
            Some((user, SeenLists::new(counts, privacy, reader, follows)))
        };
        // The counts in the rows include users who are hidden from the viewer.
        let is_whole = self.audience.blocked_viewer().is_none();
        let rows = rows.into_iter().filter(|_| is_whole);
        Ok(Change { outcome: changed.outcome, lists: rows.filter_map(seen).collect() })
    }

    /// Why the viewer cannot follow each of these users, if so. At most one statement: only a
    /// viewer who has the permission can be at a limit or meet a block.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn follow_denials(
        &self,
        targets: &[UserId],
    ) -> Result<HashMap<UserId, FollowDenials>> {
        let (viewer, limits) = (self.viewer.as_deref(), self.service.follow_limits);
        let standing = match viewer {
            Some(viewer)
                if (limits != FollowLimits::NONE || self.may_meet_block(viewer))
                    && may_follow(viewer) =>
            {
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

    /// Whether a block may stand between the viewer and a user whom the viewer sees.
    fn may_meet_block(&self, viewer: &Viewer) -> bool {
        let is_blocked = viewer.account.is_blocked && viewer.moderates();
        is_blocked || self.is_blocking.load(Ordering::Relaxed)
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
        let FollowUsage { counts, requests, today: used } = usage.ok_or(Error::Unauthenticated)?;
        let total = limits.total_with(counts.followers);
        Ok(Some(FollowQuota {
            per_day: limits.per_day,
            remaining_today: (limits.per_day - used).max(0),
            resets_at: today.end(),
            total,
            remaining: (total - counts.following - requests).max(0),
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
