//! Differences between what a database holds and what derives from it: the counts and mirrors of
//! edges, and what users are searched by.
//!
//! Correct code never causes any. They come from restored backups, manual changes or a bug:
//! `entourage check` finds them and `--repair` repairs them.

use std::fmt;

use super::{Follow, FollowCounts, UserId};

/// One difference. The tables `follows` and `users` are the truth; everything else derives from
/// them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drift {
    /// The counts of a user are not the numbers of their edges.
    Counts {
        /// The owner of the counts.
        user: UserId,
        /// The stored counts; `None` if the row is missing.
        stored: Option<FollowCounts>,
        /// The numbers of edges.
        actual: FollowCounts,
    },
    /// An edge of `follows` is missing in `followers`.
    MirrorMissing(Follow),
    /// An edge of `followers` is missing in `follows`.
    MirrorStray(Follow),
    /// An edge, in either table or both, names a user who does not exist.
    OrphanEdge(Follow),
    /// There are counts of a user who does not exist.
    OrphanCounts(UserId),
    /// What a user is searched by are not the beginnings of their name, or the user does not exist.
    Search(UserId),
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
            Self::MirrorMissing(edge) => write!(f, "{}: in follows, not in followers", text(edge)),
            Self::MirrorStray(edge) => write!(f, "{}: in followers, not in follows", text(edge)),
            Self::OrphanEdge(edge) => {
                write!(f, "{}: one of the users does not exist", text(edge))
            }
            Self::OrphanCounts(user) => {
                write!(f, "user {user}: counts of a user who does not exist")
            }
            Self::Search(user) => {
                write!(f, "user {user}: what searches compare differs from the name")
            }
        }
    }
}

fn text(Follow { follower, followee, followed_at }: &Follow) -> String {
    format!("follow {follower} -> {followee} at {followed_at}")
}
