//! Deleting a user step by step: what both engines share.

use std::collections::BTreeMap;

use crate::domain::{FollowCounts, UserId};

/// The most edges of each direction that one step takes away.
pub(crate) const EDGES: u16 = 1_000;

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// There is no such user.
    NoSuchUser,
    /// Some edges are gone, others are left.
    More,
    /// The last edges are gone, and the user with them.
    Deleted,
}

/// What a step took away: the users at the other ends.
#[derive(Clone, Debug, Default)]
pub(crate) struct Taken {
    pub(crate) followees: Vec<UserId>,
    pub(crate) followers: Vec<UserId>,
}

impl Taken {
    /// By how much counts have to be lowered, in the order of ids, in which rows are locked.
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
