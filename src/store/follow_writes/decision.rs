//! What a group of changes comes to: decided in the program, written by the engines.
//!
//! The changes act in their order, each on what the ones before it have left. Only the difference
//! between the beginning and the end is written: an edge that is made and taken away within the
//! group is no row at all, and a thousand follows of one user are one change of a count.
//!
//! Nothing here waits or asks: an engine tells what it found, and is told what to write.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};

use crate::domain::{
    Day, FollowAction, FollowChange, FollowChanged, FollowCounts, FollowLimits, FollowOutcome,
    FollowUsage, UnfollowOutcome, UserId,
};

/// Follower and followee. Pairs are written in their order, so that no two groups wait for each
/// other.
pub(crate) type Pair = (UserId, UserId);

/// What the database holds of the users and pairs of a group.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    /// Those of the users who are there.
    pub(crate) users: HashSet<UserId>,
    /// The counts of the followers.
    pub(crate) counts: HashMap<UserId, Counts>,
    /// Since when there are those of the edges that are there.
    pub(crate) edges: HashMap<Pair, DateTime<Utc>>,
    /// How often the pairs were changed on their last day.
    pub(crate) changes: BTreeMap<Pair, PairChanges>,
}

/// What is found comes in rows of four kinds, with times in microseconds:
/// - 1, a user;
/// - 2, a follower, nothing, followers, following, day and number of the last follows;
/// - 3, follower and followee of an edge, since when;
/// - 4, follower and followee of a pair, day and number of its last changes.
pub(crate) type FoundRow = (i64, i64, i64, i64, i64, i64, i64);

impl Found {
    /// What would let each change of a group be one, and the day on which they are made. Nothing
    /// when that is not for one change alone to tell: when a pair is changed twice, or a new day
    /// begins in between.
    pub(crate) fn hoped(group: &[FollowChange]) -> Option<(Self, Day)> {
        let today = Day::of(group.first()?.at);
        let mut found = Self::default();
        let mut pairs = HashSet::with_capacity(group.len());
        for FollowChange { follower, followee, at, action } in group.iter().copied() {
            let pair = (follower, followee);
            if !pairs.insert(pair) || Day::of(at) != today {
                return None;
            }
            if matches!(action, FollowAction::Unfollow { .. }) {
                // Since when does not matter: who takes the edge is told.
                found.edges.insert(pair, at);
            }
            found.users.extend([follower, followee]);
            found.counts.insert(follower, Counts::default());
        }
        Some((found, today))
    }

    pub(crate) fn of(rows: Vec<FoundRow>) -> sqlx::Result<Self> {
        let mut found = Self::default();
        for (kind, one, other, a, b, c, d) in rows {
            let (user, pair) = (UserId(one), (UserId(one), UserId(other)));
            match kind {
                1 => {
                    found.users.insert(user);
                }
                2 => {
                    let counts =
                        Counts { followers: a, following: b, follows_day: c, follows_today: d };
                    found.counts.insert(user, counts);
                }
                3 => {
                    let since = DateTime::from_timestamp_micros(a);
                    let no_time = || sqlx::Error::Decode(format!("{a} is no time").into());
                    found.edges.insert(pair, since.ok_or_else(no_time)?);
                }
                4 => {
                    found.changes.insert(pair, PairChanges { day: a, changes: b });
                }
                kind => return Err(sqlx::Error::Decode(format!("{kind} is no kind").into())),
            }
        }
        Ok(found)
    }
}

/// A row of `follow_counts`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) followers: i64,
    pub(crate) following: i64,
    /// The last day with a new follow, and how many there were. Every new follow raises the two,
    /// taken together; nothing else changes them.
    pub(crate) follows_day: i64,
    pub(crate) follows_today: i64,
}

/// A row of `follow_changes`, or what is added to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PairChanges {
    pub(crate) day: i64,
    pub(crate) changes: i64,
}

/// By how much a row of `follow_counts` changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CountsChange {
    pub(crate) followers: i64,
    pub(crate) following: i64,
    /// New follows, by the last of their days, and how many there were from its first on.
    pub(crate) follows: i64,
    pub(crate) follows_day: i64,
    pub(crate) follows_since: i64,
}

/// What becomes of each change, and what has to be written for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// In the order of the changes.
    pub(crate) outcomes: Vec<FollowChanged>,
    /// Edges to take away, and since when they are there.
    pub(crate) removed: BTreeMap<Pair, DateTime<Utc>>,
    /// Edges to add, after that.
    pub(crate) added: BTreeMap<Pair, DateTime<Utc>>,
    /// Before which day the changes of a follower's pairs are forgotten.
    pub(crate) forgotten: BTreeMap<UserId, i64>,
    /// Changes of pairs to count, after that.
    pub(crate) changes: BTreeMap<Pair, PairChanges>,
    /// Both lengths and the follows of the day.
    pub(crate) counts: BTreeMap<UserId, CountsChange>,
}

impl Plan {
    /// Decides what a group comes to.
    pub(crate) fn new(group: &[FollowChange], found: &Found) -> Self {
        let mut folding = Folding { now: found.clone(), plan: Self::default() };
        for change in group {
            let outcome = folding.change(change);
            folding.plan.outcomes.push(outcome);
        }

        let Folding { now, mut plan } = folding;
        plan.counts.retain(|_, change| *change != CountsChange::default());
        for change in group {
            let pair = (change.follower, change.followee);
            let (before, after) = (found.edges.get(&pair), now.edges.get(&pair));
            if before != after {
                plan.removed.extend(before.map(|since| (pair, *since)));
                plan.added.extend(after.map(|since| (pair, *since)));
            }
        }
        plan
    }

    /// Whether there is nothing to write.
    pub(crate) fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Whether every change of a group is one of an edge.
    pub(crate) fn changes_all(&self, group: &[FollowChange]) -> bool {
        self.removed.len() + self.added.len() == group.len()
    }

    /// Whether an edge is added by somebody whose limits are of this kind.
    pub(crate) fn follows_within_limits(
        &self,
        group: &[FollowChange],
        are_such: impl Fn(&FollowLimits) -> bool,
    ) -> bool {
        let mut actions = group.iter().map(|change| change.action);
        let is_such = |action| matches!(action, FollowAction::Follow(limits) if are_such(&limits));
        !self.added.is_empty() && actions.any(is_such)
    }

    /// Whether another plan takes and gives edges of the same pairs.
    pub(crate) fn has_edges_of(&self, other: &Self) -> bool {
        self.removed.keys().eq(other.removed.keys()) && self.added == other.added
    }

    /// Whether this plan has been carried out, as far as the edges tell: those that it added are
    /// known by their times. One that nobody adds to is done when what it takes away is gone.
    pub(crate) fn is_done(&self, found: &Found) -> bool {
        let is_there = |(pair, since): (&Pair, &_)| found.edges.get(pair) == Some(since);
        if self.added.is_empty() {
            !self.removed.is_empty() && !self.removed.iter().any(is_there)
        } else {
            self.added.iter().any(is_there)
        }
    }
}

/// A group on its way: what there is after some of its changes, and what they come to.
struct Folding {
    now: Found,
    plan: Plan,
}

impl Folding {
    fn change(&mut self, change: &FollowChange) -> FollowChanged {
        match change.action {
            FollowAction::Follow(limits) => FollowChanged::Follow(self.follow(change, limits)),
            FollowAction::Unfollow { is_counted } => {
                FollowChanged::Unfollow(self.unfollow(change, is_counted))
            }
        }
    }

    fn follow(&mut self, change: &FollowChange, limits: FollowLimits) -> FollowOutcome {
        let FollowChange { follower, followee, at, .. } = *change;
        let (pair, today) = ((follower, followee), Day::of(at).0);
        if !self.now.users.contains(&follower) || !self.now.users.contains(&followee) {
            return FollowOutcome::NoSuchUser;
        }
        if self.now.edges.contains_key(&pair) {
            return FollowOutcome::AlreadyFollowing;
        }
        let changes = self.now.changes.get(&pair).filter(|row| row.day >= today);
        if let Some(limit) = limits.of_pair(changes.map_or(0, |row| row.changes)) {
            return FollowOutcome::LimitReached(limit);
        }
        let counts = self.now.counts.get(&follower).copied().unwrap_or_default().followed(today);
        if let Some(limit) = limits.of_user(counts.usage()) {
            return FollowOutcome::LimitReached(limit);
        }

        self.now.edges.insert(pair, at);
        self.now.counts.insert(follower, counts);
        self.count(pair, 1);
        self.plan.counts.entry(follower).or_default().add_follow(today);
        FollowOutcome::Followed
    }

    fn unfollow(&mut self, change: &FollowChange, is_counted: bool) -> UnfollowOutcome {
        let FollowChange { follower, followee, at, .. } = *change;
        let (pair, today) = ((follower, followee), Day::of(at).0);
        let Some(since) = self.now.edges.remove(&pair) else {
            return UnfollowOutcome::NotFollowing;
        };

        if let Some(counts) = self.now.counts.get_mut(&follower) {
            counts.following -= 1;
        }
        self.count(pair, -1);
        if is_counted {
            self.count_changes(pair, since, today);
        }
        UnfollowOutcome::Unfollowed
    }

    /// Counts an unfollow towards the limits. The follow is counted here as well, if it was of
    /// today: most are never taken back.
    fn count_changes(&mut self, pair: Pair, since: DateTime<Utc>, today: i64) {
        self.forget(pair.0, today);
        let changes = if Day::of(since).0 == today { 2 } else { 1 };
        let row = self.now.changes.entry(pair).or_default();
        for row in [row, self.plan.changes.entry(pair).or_default()] {
            row.day = row.day.max(today);
            row.changes += changes;
        }
    }

    /// Forgets what was changed before today.
    fn forget(&mut self, follower: UserId, today: i64) {
        let forgotten = self.plan.forgotten.entry(follower).or_insert(today);
        *forgotten = today.max(*forgotten);
        let pairs = self.now.changes.range((follower, UserId::MIN)..=(follower, UserId::MAX));
        let old = pairs.filter(|(_, row)| row.day < today).map(|(pair, _)| *pair);
        for pair in old.collect::<Vec<_>>() {
            self.now.changes.remove(&pair);
            self.plan.changes.remove(&pair);
        }
    }

    /// Counts an edge more or less at both its ends.
    fn count(&mut self, (follower, followee): Pair, change: i64) {
        if let Some(counts) = self.now.counts.get_mut(&followee) {
            counts.followers += change;
        }
        self.plan.counts.entry(follower).or_default().following += change;
        self.plan.counts.entry(followee).or_default().followers += change;
    }
}

impl Counts {
    /// After a new follow. A day never goes back: where clocks disagree about midnight, the later
    /// day counts.
    fn followed(self, today: i64) -> Self {
        let so_far = if self.follows_day >= today { self.follows_today } else { 0 };
        Self {
            following: self.following + 1,
            follows_day: self.follows_day.max(today),
            follows_today: so_far + 1,
            ..self
        }
    }

    fn usage(self) -> FollowUsage {
        let counts = FollowCounts { followers: self.followers, following: self.following };
        FollowUsage { counts, today: self.follows_today }
    }

    /// What a change leads to.
    pub(crate) fn after(self, change: &CountsChange) -> Self {
        let is_same_day = self.follows_day >= change.follows_day;
        Self {
            followers: self.followers + change.followers,
            following: self.following + change.following,
            follows_day: self.follows_day.max(change.follows_day),
            follows_today: if is_same_day {
                self.follows_today + change.follows
            } else {
                change.follows_since
            },
        }
    }

    /// What a change has led from.
    pub(crate) fn before(self, change: &CountsChange) -> Self {
        Self {
            followers: self.followers - change.followers,
            following: self.following - change.following,
            follows_day: self.follows_day,
            follows_today: self.follows_today - change.follows,
        }
    }

    /// Whether as many were newly followed. When that is what was expected, nobody was followed
    /// meanwhile, so no pair of the follower was changed and is as it was.
    pub(crate) fn has_follows_of(self, expected: Self) -> bool {
        (self.follows_day, self.follows_today) == (expected.follows_day, expected.follows_today)
    }
}

impl CountsChange {
    fn add_follow(&mut self, today: i64) {
        self.follows += 1;
        if today > self.follows_day {
            (self.follows_day, self.follows_since) = (today, 1);
        } else {
            self.follows_since += 1;
        }
    }
}
