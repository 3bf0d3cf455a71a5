//! Why a follow would be refused.

use async_graphql::Enum;

use crate::{domain::FollowLimit, service::FollowDenial};

/// Why the viewer cannot follow a user.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum FollowDenialReason {
    /// The user blocks the viewer. Only moderators see such a user.
    Blocked,
    /// The viewer blocks the user.
    Blocking,
    /// The viewer has followed as many users as a day allows; tomorrow they can follow again.
    DailyLimitReached,
    /// The role or the token lacks the FOLLOW permission.
    MissingPermission,
    /// The viewer has followed and unfollowed this user too often today; tomorrow they can again.
    PairLimitReached,
    /// The viewer follows as many users as they may at the same time.
    TotalLimitReached,
    /// The caller is signed out.
    Unauthenticated,
    /// Users cannot follow themselves.
    Yourself,
}

impl From<FollowDenial> for FollowDenialReason {
    fn from(denial: FollowDenial) -> Self {
        match denial {
            FollowDenial::Unauthenticated => Self::Unauthenticated,
            FollowDenial::MissingPermission => Self::MissingPermission,
            FollowDenial::Yourself => Self::Yourself,
            FollowDenial::Blocked => Self::Blocked,
            FollowDenial::Blocking => Self::Blocking,
            FollowDenial::LimitReached(FollowLimit::Day) => Self::DailyLimitReached,
            FollowDenial::LimitReached(FollowLimit::Total) => Self::TotalLimitReached,
            FollowDenial::LimitReached(FollowLimit::Pair) => Self::PairLimitReached,
        }
    }
}
