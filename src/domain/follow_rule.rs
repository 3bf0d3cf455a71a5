//! The rule that decides a follow: the only place that says who may follow whom.
//!
//! The write path asks it with everything that it found in the database. The policy asks it
//! earlier, with less; what was not looked up does not stand in the way.

use std::collections::HashMap;

use super::{FollowCounts, UserId};

/// What a decision rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FollowFacts {
    /// The user who wants to follow.
    pub follower: UserId,
    /// The user to be followed; `None` if one of the two does not exist.
    pub followee: Option<UserId>,
    /// Which edges there are between the two; those that were not looked up are missing.
    pub ties: FollowTies,
    /// The limits of the follower.
    pub limits: FollowLimits,
    /// How often the pair was changed today; `None` if that was not looked up.
    pub pair_changes: Option<i64>,
    /// What counts towards the follower's limits; `None` if that was not looked up.
    pub usage: Option<FollowUsage>,
}

impl FollowFacts {
    /// Only who would follow whom is known.
    #[must_use]
    pub const fn of_users(follower: UserId, followee: Option<UserId>) -> Self {
        Self {
            follower,
            followee,
            ties: FollowTies::NONE,
            limits: FollowLimits::NONE,
            pair_changes: None,
            usage: None,
        }
    }
}

/// The edges and settings that a follow meets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "five facts that do not depend on each other")]
pub struct FollowTies {
    /// The followee blocks the follower.
    pub is_blocked: bool,
    /// The follower blocks the followee.
    pub is_blocking: bool,
    /// The follower already follows the followee.
    pub is_following: bool,
    /// The follower already asks to follow the followee.
    pub has_requested: bool,
    /// The followee has to consent.
    pub needs_consent: bool,
}

impl FollowTies {
    /// No edge, and nothing to consent to.
    pub const NONE: Self = Self {
        is_blocked: false,
        is_blocking: false,
        is_following: false,
        has_requested: false,
        needs_consent: false,
    };
}

/// Decides a follow. The first check that fails decides: the users exist, the followee does not
/// block the follower, they are not the same, the follower does not block the followee, the state is
/// not reached already, limits of the pair, of the day, in total. A request that is there was
/// counted when it was made.
///
/// # Errors
/// The reason why nothing must be added.
pub fn decide_follow(facts: &FollowFacts) -> Result<FollowOutcome, FollowRefusal> {
    let FollowFacts { follower, followee, ties, limits, pair_changes, usage } = *facts;
    let followee = followee.ok_or(FollowRefusal::NotFound)?;
    if ties.is_blocked {
        return Err(FollowRefusal::Blocked);
    }
    if followee == follower {
        return Err(FollowRefusal::Yourself);
    }
    if ties.is_blocking {
        return Err(FollowRefusal::Blocking);
    }
    if ties.is_following {
        return Ok(FollowOutcome::AlreadyFollowing);
    }
    if ties.has_requested {
        return Ok(if ties.needs_consent {
            FollowOutcome::AlreadyRequested
        } else {
            FollowOutcome::Followed
        });
    }
    if pair_changes.is_some_and(|changes| changes >= limits.pair_changes_per_day) {
        return Err(FollowRefusal::LimitReached(FollowLimit::Pair));
    }
    if let Some(FollowUsage { counts, requests, today }) = usage {
        if today >= limits.per_day {
            return Err(FollowRefusal::LimitReached(FollowLimit::Day));
        }
        if counts.following + requests >= limits.total_with(counts.followers) {
            return Err(FollowRefusal::LimitReached(FollowLimit::Total));
        }
    }
    Ok(if ties.needs_consent { FollowOutcome::Requested } else { FollowOutcome::Followed })
}

/// The outcome of a follow that is not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FollowOutcome {
    /// The edge was added and both counts were raised.
    Followed,
    /// The edge existed; nothing changed, nor did its time.
    AlreadyFollowing,
    /// The followee has to consent, and the request was added.
    Requested,
    /// There was such a request already; nothing changed.
    AlreadyRequested,
}

/// Why a follow is refused; nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FollowRefusal {
    /// One of the two users does not exist.
    NotFound,
    /// The followee blocks the follower.
    Blocked,
    /// The follower blocks the followee.
    Blocking,
    /// The follower and the followee are the same user.
    Yourself,
    /// The follower has reached a limit.
    LimitReached(FollowLimit),
}

/// A limit on what one user can change over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FollowLimit {
    /// On new follows a day.
    Day,
    /// On the number of users followed at once.
    Total,
    /// On changes of one pair a day.
    Pair,
}

/// What one user can change over time. Days are those of UTC.
///
/// Only real changes count: repetitions and refusals do not. An unfollow counts as a change of its
/// pair and is itself never refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FollowLimits {
    /// The most new follows a day.
    pub per_day: i64,
    /// The most users followed at once. A user with many followers may follow a tenth more than
    /// that number of followers, if that is more.
    pub total: i64,
    /// The most changes of one pair a day.
    pub pair_changes_per_day: i64,
}

impl FollowLimits {
    /// No limit at all.
    pub const NONE: Self =
        Self { per_day: i64::MAX, total: i64::MAX, pair_changes_per_day: i64::MAX };

    /// Whether changes of a pair have to be counted.
    #[must_use]
    pub const fn limit_pair_changes(&self) -> bool {
        self.pair_changes_per_day < i64::MAX
    }

    /// The most users that a user with this many followers may follow.
    #[must_use]
    pub fn total_with(&self, followers: i64) -> i64 {
        self.total.max(followers.saturating_add(followers / 10))
    }
}

/// What counts towards the limits of a user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FollowUsage {
    /// The lengths of both lists.
    pub counts: FollowCounts,
    /// The requests that are waiting for an answer. Each counts as a follow.
    pub requests: i64,
    /// New follows and requests today.
    pub today: i64,
}

/// What decides whether a user may follow others on a day, looked up for many of them at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FollowStanding {
    /// What counts towards the limits of the user.
    pub usage: FollowUsage,
    /// Those of the others to whom the user has edges or who block the user.
    pub ties: HashMap<UserId, FollowTies>,
    /// How often the pairs of the user and others were changed; the rest were not.
    pub pair_changes: HashMap<UserId, i64>,
}

impl FollowStanding {
    /// The facts about a follow of one of the others, who exists.
    #[must_use]
    pub fn facts(&self, follower: UserId, followee: UserId, limits: FollowLimits) -> FollowFacts {
        FollowFacts {
            follower,
            followee: Some(followee),
            ties: self.ties.get(&followee).copied().unwrap_or_default(),
            limits,
            pair_changes: Some(self.pair_changes.get(&followee).copied().unwrap_or_default()),
            usage: Some(self.usage),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: UserId = UserId(1);
    const BOB: UserId = UserId(2);
    const LIMITS: FollowLimits = FollowLimits { per_day: 3, total: 10, pair_changes_per_day: 4 };
    const PAIR: FollowRefusal = FollowRefusal::LimitReached(FollowLimit::Pair);
    const DAY: FollowRefusal = FollowRefusal::LimitReached(FollowLimit::Day);
    const TOTAL: FollowRefusal = FollowRefusal::LimitReached(FollowLimit::Total);

    /// Alice, with these counts, wants to follow bob.
    fn facts(followers: i64, following: i64, today: i64) -> FollowFacts {
        let usage =
            FollowUsage { counts: FollowCounts { followers, following }, requests: 0, today };
        let facts = FollowFacts::of_users(ALICE, Some(BOB));
        FollowFacts { limits: LIMITS, pair_changes: Some(0), usage: Some(usage), ..facts }
    }

    #[test]
    fn what_was_not_looked_up_does_not_stand_in_the_way() {
        let facts = FollowFacts::of_users(ALICE, Some(BOB));
        let nothing = FollowLimits { per_day: 0, total: 0, pair_changes_per_day: 0 };
        for limits in [LIMITS, nothing] {
            let facts = FollowFacts { limits, ..facts };
            assert_eq!(decide_follow(&facts), Ok(FollowOutcome::Followed));
        }
    }

    #[test]
    fn the_first_check_that_fails_decides() {
        let mut facts = facts(0, 10, 3);
        facts.pair_changes = Some(4);
        facts.followee = None;
        assert_eq!(decide_follow(&facts), Err(FollowRefusal::NotFound));
        facts.followee = Some(ALICE);
        facts.ties.is_following = true;
        assert_eq!(decide_follow(&facts), Err(FollowRefusal::Yourself));
        facts.followee = Some(BOB);
        assert_eq!(decide_follow(&facts), Ok(FollowOutcome::AlreadyFollowing));
        facts.ties.is_following = false;
        assert_eq!(decide_follow(&facts), Err(PAIR));
        facts.pair_changes = Some(3);
        assert_eq!(decide_follow(&facts), Err(DAY));
    }

    #[test]
    fn a_follow_within_all_limits_is_made_and_no_other() {
        assert_eq!(decide_follow(&facts(0, 9, 2)), Ok(FollowOutcome::Followed));
        assert_eq!(decide_follow(&facts(0, 9, 3)), Err(DAY));
        assert_eq!(decide_follow(&facts(0, 10, 2)), Err(TOTAL));
        assert_eq!(decide_follow(&facts(10, 10, 2)), Ok(FollowOutcome::Followed));
    }

    #[test]
    fn a_request_counts_as_a_follow_once() {
        let mut facts = facts(0, 9, 2);
        facts.ties.needs_consent = true;
        assert_eq!(decide_follow(&facts), Ok(FollowOutcome::Requested));
        facts.usage = facts.usage.map(|usage| FollowUsage { requests: 1, ..usage });
        assert_eq!(decide_follow(&facts), Err(TOTAL));
        facts.ties.has_requested = true;
        assert_eq!(decide_follow(&facts), Ok(FollowOutcome::AlreadyRequested));
        facts.ties.needs_consent = false;
        assert_eq!(decide_follow(&facts), Ok(FollowOutcome::Followed));
    }

    #[test]
    fn a_block_stands_in_the_way_from_both_sides() {
        let mut facts = facts(0, 0, 0);
        facts.ties.is_blocking = true;
        assert_eq!(decide_follow(&facts), Err(FollowRefusal::Blocking));
        facts.ties.is_blocked = true;
        assert_eq!(decide_follow(&facts), Err(FollowRefusal::Blocked));
        facts.followee = None;
        assert_eq!(decide_follow(&facts), Err(FollowRefusal::NotFound));
    }

    #[test]
    fn many_followers_raise_the_total_limit() {
        assert_eq!([0, 9, 10, 20, 999].map(|n| LIMITS.total_with(n)), [10, 10, 11, 22, 1_098]);
        assert_eq!(FollowLimits::NONE.total_with(i64::MAX), i64::MAX);
    }
}
