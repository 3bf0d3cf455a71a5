//! Relations between a viewer and other users, from the edges between them.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::{batching::KEYS_MAX, follow_writes::Pair};
use crate::domain::{Relation, UserId};

/// Whether these are few enough to look up their edges in a shared statement.
pub(super) const fn are_few(followed: &[UserId], following_back: &[UserId]) -> bool {
    followed.len() + following_back.len() <= KEYS_MAX
}

/// The pairs whose edges make up the relations.
pub(super) fn pairs(viewer: UserId, followed: &[UserId], following_back: &[UserId]) -> Vec<Pair> {
    let followed = followed.iter().map(|user| (viewer, *user));
    followed.chain(following_back.iter().map(|user| (*user, viewer))).collect()
}

/// The relations that the edges of a viewer make up.
pub(super) fn of_edges(
    viewer: UserId,
    edges: HashMap<Pair, DateTime<Utc>>,
) -> HashMap<UserId, Relation> {
    let mut relations = HashMap::<_, Relation>::new();
    for ((follower, followee), followed_at) in edges {
        if follower == viewer {
            relations.entry(followee).or_default().followed_at = Some(followed_at);
        } else {
            relations.entry(follower).or_default().followed_back_at = Some(followed_at);
        }
    }
    relations
}
