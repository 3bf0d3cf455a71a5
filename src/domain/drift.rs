//! Differences between what the database counts and what it holds.
//!
//! Correct code makes none. They come from restored backups, hands in the database, or a bug:
//! `entourage check` looks for them and `--repair` mends them.

use std::fmt;

use super::{Follow, FollowCounts, UserId};

/// One difference. The table `follows` is the truth, everything else follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drift {
    /// The counts of a user are not the numbers of their edges.
    Counts {
        /// Whose counts.
        user: UserId,
        /// What the counters say; nothing when the row is missing.
        stored: Option<FollowCounts>,
        /// How many edges there are.
        actual: FollowCounts,
    },
    /// An edge of `follows` has no equal in `followers`.
    MirrorMissing(Follow),
    /// An edge of `followers` has no equal in `follows`.
    MirrorStray(Follow),
    /// An edge, in either table or both, names a user who is not there.
    EdgeOfNobody(Follow),
    /// There are counts of a user who is not there.
    CountsOfNobody(UserId),
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Counts { user, stored: Some(stored), actual } => write!(
                f,
                "user {user}: counts say {} followers and {} following, edges say {} and {}",
                stored.followers, stored.following, actual.followers, actual.following
            ),
            Self::Counts { user, stored: None, actual } => write!(
                f,
                "user {user}: no counts, edges say {} followers and {} following",
                actual.followers, actual.following
            ),
            Self::MirrorMissing(Follow { follower, followee, followed_at }) => write!(
                f,
                "follow {follower} -> {followee} at {followed_at}: in follows, not in followers"
            ),
            Self::MirrorStray(Follow { follower, followee, followed_at }) => write!(
                f,
                "follow {follower} -> {followee} at {followed_at}: in followers, not in follows"
            ),
            Self::EdgeOfNobody(Follow { follower, followee, followed_at }) => write!(
                f,
                "follow {follower} -> {followee} at {followed_at}: one of the two is not there"
            ),
            Self::CountsOfNobody(user) => write!(f, "user {user}: counts, and no such user"),
        }
    }
}
