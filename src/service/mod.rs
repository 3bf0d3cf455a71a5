//! The use cases: one method per verb, and the policy that decides them.
//!
//! This layer decides; the store below it writes and the layers above it only ask. It knows
//! nothing of GraphQL, HTTP or SQL.
//!
//! **Invariant:** whoever may follow whom is decided in `policy`, nowhere else.

mod auth;
mod error;
mod limits;
mod policy;
mod random;
mod users;

use std::{collections::HashMap, sync::Arc};

use chrono::{DateTime, Utc};

use self::{
    auth::passwords::Passwords,
    limits::{attempts::Attempts, budget::Budgets},
    users::cache::UserCache,
};
pub use self::{
    auth::{
        accounts::{NewAccount, SignUpError},
        claims::{ForeignAccount, Subject, TokenClaims},
        key_set::JwksError,
        provider::{IdentityProvider, KeySource, Trust},
        sessions::{PasswordChange, SignIn, SignedIn},
        tokens::{SecretError, Tokens},
    },
    error::{Error, Result},
    limits::budget::Budget,
    policy::{FollowDenial, Viewer, authorize, follow_denials},
    random::{Random, SystemRandom},
    users::{ListPage, ListedUser},
};
use crate::{
    domain::{
        Audience, Changed, Clock, Day, FollowAction, FollowChange, FollowChanged, FollowCounts,
        FollowFacts, FollowLimits, FollowOutcome, FollowRefusal, FollowUsage, Limits, Permission,
        Permissions, Relation, UnfollowOutcome, UserId, UserIds, UsernamePrefix, decide_follow,
    },
    store::Store,
};

/// What a [`Service`] is made of.
#[derive(Debug)]
pub struct Parts {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// Makes and reads bearer tokens.
    pub tokens: Tokens,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where randomness comes from.
    pub random: Arc<dyn Random>,
    /// Whether strangers can make accounts and sign in with a password.
    pub sign_up: bool,
    /// Whether there are limits over time: on sign-ins, follows and cost.
    pub rate_limits: bool,
    /// What those limits are.
    pub limits: Limits,
}

/// The follow graph and everything that can be done with it.
#[derive(Debug)]
pub struct Service {
    store: Arc<dyn Store>,
    /// `None` when none are remembered.
    users: Option<Arc<UserCache>>,
    tokens: Tokens,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    ids: UserIds,
    passwords: Passwords,
    attempts: Option<Attempts>,
    budgets: Option<Budgets>,
    follow_limits: FollowLimits,
    sign_up: bool,
}

/// What somebody may still follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FollowQuota {
    /// The most new follows a day.
    pub per_day: i64,
    /// How many of those are left today.
    pub remaining_today: i64,
    /// When the next day begins.
    pub resets_at: DateTime<Utc>,
    /// The most users who are followed at once.
    pub total: i64,
    /// How many of those are left.
    pub remaining: i64,
}

impl Service {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        let Parts { store, tokens, clock, random, sign_up, rate_limits, limits } = parts;
        Self {
            attempts: rate_limits.then(|| Attempts::new(&clock)),
            budgets: rate_limits.then(|| Budgets::new(&limits, &clock)),
            users: (limits.users_cached_max > 0)
                .then(|| Arc::new(UserCache::new(limits.users_cached_max))),
            store,
            tokens,
            clock,
            random,
            ids: UserIds::default(),
            passwords: Passwords::default(),
            follow_limits: if rate_limits { limits.follows } else { FollowLimits::NONE },
            sign_up,
        }
    }

    /// Whether `signUp`, `signIn` and `changePassword` exist.
    pub const fn sign_up_is_open(&self) -> bool {
        self.sign_up
    }

    /// How many users there are whose name begins with the prefix.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn count_users(&self, prefix: &UsernamePrefix) -> Result<i64> {
        Ok(self.store.count_users(Audience::Everybody, prefix).await?)
    }

    /// The lengths of both lists of these users.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn counts_by_ids(&self, ids: &[UserId]) -> Result<HashMap<UserId, FollowCounts>> {
        Ok(self.store.counts_by_ids(Audience::Everybody, ids).await?)
    }

    /// How the viewer stands to other users; those without an edge are missing.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn relations(
        &self,
        viewer: &Viewer,
        followed: &[UserId],
        following_back: &[UserId],
    ) -> Result<HashMap<UserId, Relation>> {
        Ok(self.store.relations(viewer.id(), followed, following_back).await?)
    }

    /// Makes the viewer follow a user. `target` is who was found, if anybody was.
    ///
    /// # Errors
    /// [`Error::Forbidden`] without the permission, [`Error::Unauthenticated`] when the viewer's
    /// account is gone by now, or when the store fails.
    pub async fn follow(
        &self,
        viewer: &Viewer,
        target: Option<UserId>,
    ) -> Result<Result<Changed<FollowOutcome>, FollowRefusal>> {
        let target = match changeable(viewer, target)? {
            Ok(target) => target,
            Err(refusal) => return Ok(Err(refusal)),
        };

        let action = FollowAction::Follow(self.follow_limits);
        let changed = self.change(viewer, target, action).await?;
        let FollowChanged::Follow(outcome) = changed.outcome else {
            return Err(Error::Internal("the outcome of a follow is missing".to_owned()));
        };

        // Either of the two users may have been deleted since they were looked up.
        if outcome == Err(FollowRefusal::NotFound)
            && self.store.find_account(viewer.id()).await?.is_none()
        {
            return Err(Error::Unauthenticated);
        }
        let Changed { follower, followee, .. } = changed;
        Ok(outcome.map(|outcome| Changed { outcome, follower, followee }))
    }

    async fn change(
        &self,
        viewer: &Viewer,
        followee: UserId,
        action: FollowAction,
    ) -> Result<Changed<FollowChanged>> {
        let change = FollowChange { follower: viewer.id(), followee, at: self.clock.now(), action };
        Ok(self.store.change_follow(change).await?)
    }

    /// Makes the viewer no longer follow a user. `target` is who was found, if anybody was.
    ///
    /// # Errors
    /// [`Error::Forbidden`] without the permission, or when the store fails.
    pub async fn unfollow(
        &self,
        viewer: &Viewer,
        target: Option<UserId>,
    ) -> Result<Result<Changed<UnfollowOutcome>, FollowRefusal>> {
        let target = match changeable(viewer, target)? {
            Ok(target) => target,
            Err(refusal) => return Ok(Err(refusal)),
        };

        let is_counted = self.follow_limits.limit_pair_changes();
        let changed = self.change(viewer, target, FollowAction::Unfollow { is_counted }).await?;
        let FollowChanged::Unfollow(outcome) = changed.outcome else {
            return Err(Error::Internal("the outcome of an unfollow is missing".to_owned()));
        };
        let Changed { follower, followee, .. } = changed;
        Ok(Ok(Changed { outcome, follower, followee }))
    }

    /// What the viewer may still change today; `None` when nothing limits it.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when the viewer's account is gone by now, or when the store
    /// fails.
    pub async fn follow_quota(&self, viewer: &Viewer) -> Result<Option<FollowQuota>> {
        let limits = self.follow_limits;
        if limits == FollowLimits::NONE {
            return Ok(None);
        }
        let today = Day::of(self.clock.now());
        let usage = self.store.find_usage(viewer.id(), today).await?;
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
/// permission, then those of the rule.
fn changeable(viewer: &Viewer, target: Option<UserId>) -> Result<Result<UserId, FollowRefusal>> {
    authorize(Some(viewer), Permissions::from_iter([Permission::Follow]))?;

    let decision = decide_follow(&FollowFacts::of_users(viewer.id(), target));
    Ok(decision.and_then(|_| target.ok_or(FollowRefusal::NotFound)))
}
