//! One follow or unfollow at a time, for tests of the store.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use entourage::{
    domain::{
        FollowAction, FollowChange, FollowChanged, FollowLimits, FollowOutcome, UnfollowOutcome,
        UserId,
    },
    store::{BatchPermit, Result, Store},
};

/// Changes of single edges, each as a group of its own.
#[async_trait]
pub(crate) trait FollowOne {
    /// Adds the edge `follower -> followee` unless it is there.
    async fn follow(
        &self,
        follower: UserId,
        followee: UserId,
        at: DateTime<Utc>,
        limits: FollowLimits,
    ) -> Result<FollowOutcome>;

    /// Removes the edge `follower -> followee` if it is there.
    async fn unfollow(
        &self,
        follower: UserId,
        followee: UserId,
        at: DateTime<Utc>,
    ) -> Result<UnfollowOutcome>;
}

#[async_trait]
impl<S: Store + ?Sized> FollowOne for S {
    async fn follow(
        &self,
        follower: UserId,
        followee: UserId,
        at: DateTime<Utc>,
        limits: FollowLimits,
    ) -> Result<FollowOutcome> {
        let action = FollowAction::Follow(limits);
        match change(self, FollowChange { follower, followee, at, action }).await? {
            FollowChanged::Follow(outcome) => Ok(outcome),
            FollowChanged::Unfollow(_) => panic!("not the answer to a follow"),
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
            FollowChanged::Follow(_) => panic!("not the answer to an unfollow"),
        }
    }
}

async fn change<S: Store + ?Sized>(store: &S, change: FollowChange) -> Result<FollowChanged> {
    let mut written = store.change_follows(&[change], BatchPermit::default()).await;
    written.outcomes.pop().expect("a change has an outcome")
}
