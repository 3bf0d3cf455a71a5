//! Deleting a user step by step: the parts that both engines share.

use std::collections::BTreeMap;

use crate::domain::{FollowCounts, UserId};

/// The most edges of each direction that one step removes.
pub(crate) const EDGES: u16 = 1_000;

/// The result of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// There is no such user.
    NoSuchUser,
    /// Some edges were removed, others are left.
    Unfinished,
    /// The last edges were removed, and the user with them.
    Deleted,
}

/// The edges that a step removed, by the users at the other ends.
#[derive(Clone, Debug, Default)]
pub(crate) struct Removed {
    pub(crate) followees: Vec<UserId>,
    pub(crate) followers: Vec<UserId>,
}

impl Removed {
    /// By how much counts have to be lowered, in the order of ids, which is the order of locks.
    pub(crate) fn losses(&self, user: UserId) -> BTreeMap<UserId, FollowCounts> {
        let mut losses: BTreeMap<_, FollowCounts> = BTreeMap::new();
        for &followee in &self.followees {
            losses.entry(followee).or_default().followers += 1;
            losses.entry(user).or_default().following += 1;
        }
        for &follower in &self.followers {
            losses.entry(follower).or_default().following += 1;
            losses.entry(user).or_default().followers += 1;
        }
        losses
    }
}
