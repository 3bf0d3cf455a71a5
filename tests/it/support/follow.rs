//! Single follows and unfollows, and outcomes of batches, for tests of the store.

use std::collections::HashMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use entourage::{
    domain::{
        FollowAction, FollowChange, FollowChanged, FollowCounts, FollowLimits, FollowOutcome,
        FollowRefusal, SeenLists, UnfollowOutcome, UserId,
    },
    store::{Result, Store},
};

/// The outcome of a follow that adds the edge.
pub(crate) const FOLLOWED: Result<FollowOutcome, FollowRefusal> = Ok(FollowOutcome::Followed);
/// The outcome of a follow whose edge exists.
pub(crate) const ALREADY: Result<FollowOutcome, FollowRefusal> =
    Ok(FollowOutcome::AlreadyFollowing);

/// Changes of edges, past the queue.
#[async_trait]
pub(crate) trait FollowOne {
    /// Adds the edge `follower -> followee`, in a batch of its own.
    async fn follow(
        &self,
        follower: UserId,
        followee: UserId,
        at: DateTime<Utc>,
        limits: FollowLimits,
    ) -> Result<Result<FollowOutcome, FollowRefusal>>;

    /// Removes the edge `follower -> followee`, in a batch of its own.
    async fn unfollow(
        &self,
        follower: UserId,
        followee: UserId,
        at: DateTime<Utc>,
    ) -> Result<UnfollowOutcome>;

    /// The outcomes of a batch.
    async fn outcomes(&self, changes: &[FollowChange]) -> Vec<Result<FollowChanged>>;
}

#[async_trait]
impl<S: Store + ?Sized> FollowOne for S {
    async fn follow(
        &self,
        follower: UserId,
        followee: UserId,
        at: DateTime<Utc>,
        limits: FollowLimits,
    ) -> Result<Result<FollowOutcome, FollowRefusal>> {
        let action = FollowAction::Follow(limits);
        match change(self, FollowChange { follower, followee, at, action }).await? {
            FollowChanged::Follow(outcome) => Ok(outcome),
            other => panic!("not the outcome of a follow: {other:?}"),
        }
    }

    async fn unfollow(
        &self,
        follower: UserId,
        followee: UserId,
        at: DateTime<Utc>,
    ) -> Result<UnfollowOutcome> {
        let action = FollowAction::Unfollow { is_counted: true };
        match change(self, FollowChange { follower, followee, at, action }).await? {
            FollowChanged::Unfollow(outcome) => Ok(outcome),
            other => panic!("not the outcome of an unfollow: {other:?}"),
        }
    }

    async fn outcomes(&self, changes: &[FollowChange]) -> Vec<Result<FollowChanged>> {
        let results = self.change_follows(changes).await.into_iter();
        results.map(|result| result.map(|changed| changed.outcome)).collect()
    }
}

/// The lengths in lists.
pub(crate) fn counts_of(lists: HashMap<UserId, SeenLists>) -> HashMap<UserId, FollowCounts> {
    lists.into_iter().map(|(user, lists)| (user, lists.counts)).collect()
}

async fn change<S: Store + ?Sized>(store: &S, change: FollowChange) -> Result<FollowChanged> {
    store.outcomes(&[change]).await.pop().expect("a change has an outcome")
}
