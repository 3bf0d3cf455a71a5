//! What a batch of changes amounts to: a pure plan that the engines write.
//!
//! The changes act in their order, each on the state that the ones before it left. Only the
//! difference between the first and the last state is written: an edge that is added and removed
//! within the batch causes no write, and a thousand follows of one user are one change of a count.
//!
//! Nothing here does I/O. An engine passes in the state it found and writes the plan it gets.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};

use crate::domain::{
    Day, FollowAction, FollowChange, FollowChanged, FollowCounts, FollowFacts, FollowLimits,
    FollowOutcome, FollowRefusal, FollowUsage, UnfollowOutcome, UserId, decide_follow,
};

/// Follower and followee. Every batch writes its pairs in ascending order, so that no two batches
/// wait for each other.
pub(crate) type Pair = (UserId, UserId);

/// The state of the users and pairs of a batch, as found or as assumed.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    /// The users who exist.
    pub(crate) users: HashSet<UserId>,
    /// The counts of the followers.
    pub(crate) counts: HashMap<UserId, CountsRow>,
    /// The edges that exist, and when they were added.
    pub(crate) edges: HashMap<Pair, DateTime<Utc>>,
    /// How often the pairs were changed on their last day.
    pub(crate) changes: BTreeMap<Pair, PairChanges>,
}

/// A state is read as rows of four kinds, with times in microseconds:
/// - 1, a user;
/// - 2, a follower, nothing, followers, following, day and number of the last follows;
/// - 3, follower and followee of an edge, when it was added;
/// - 4, follower and followee of a pair, day and number of its last changes.
pub(crate) type StateRow = (i64, i64, i64, i64, i64, i64, i64);

impl State {
    /// The optimistic state, and the day of the batch: every user exists, every follow is new,
    /// every unfollow finds its edge. `None` if a pair occurs twice or the batch spans midnight:
    /// then no change decides its outcome alone.
    pub(crate) fn optimistic(changes: &[FollowChange]) -> Option<(Self, Day)> {
        let today = Day::of(changes.first()?.at);
        let mut state = Self::default();
        let mut pairs = HashSet::with_capacity(changes.len());
        for FollowChange { follower, followee, at, action } in changes.iter().copied() {
            let pair = (follower, followee);
            if !pairs.insert(pair) || Day::of(at) != today {
                return None;
            }
            if matches!(action, FollowAction::Unfollow { .. }) {
                // Any time will do: the statement that removes the edge returns the real one.
                state.edges.insert(pair, at);
            }
            state.users.extend([follower, followee]);
            state.counts.insert(follower, CountsRow::default());
        }
        Some((state, today))
    }

    /// The state that an engine has read.
    pub(crate) fn from_rows(rows: Vec<StateRow>) -> sqlx::Result<Self> {
        let mut state = Self::default();
        for (kind, one, other, a, b, c, d) in rows {
            let (user, pair) = (UserId(one), (UserId(one), UserId(other)));
            match kind {
                1 => {
                    state.users.insert(user);
                }
                2 => {
                    let counts =
                        CountsRow { followers: a, following: b, follows_day: c, follows_today: d };
                    state.counts.insert(user, counts);
                }
                3 => {
                    let since = DateTime::from_timestamp_micros(a);
                    let no_time = || sqlx::Error::Decode(format!("{a} is not a time").into());
                    state.edges.insert(pair, since.ok_or_else(no_time)?);
                }
                4 => {
                    state.changes.insert(pair, PairChanges { day: a, changes: b });
                }
                kind => {
                    return Err(sqlx::Error::Decode(format!("unknown kind of row: {kind}").into()));
                }
            }
        }
        Ok(state)
    }
}

/// A row of `follow_counts`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CountsRow {
    pub(crate) followers: i64,
    pub(crate) following: i64,
    /// The last day with a new follow, and the number of follows on it. Every new follow raises
    /// this pair of numbers; nothing else changes it.
    pub(crate) follows_day: i64,
    pub(crate) follows_today: i64,
}

/// A row of `follow_changes`, or an addition to one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PairChanges {
    pub(crate) day: i64,
    pub(crate) changes: i64,
}

/// A change of a row of `follow_counts`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CountsDelta {
    pub(crate) followers: i64,
    pub(crate) following: i64,
    /// New follows, the last of their days, and how many of them are since that day began.
    pub(crate) follows: i64,
    pub(crate) follows_day: i64,
    pub(crate) follows_since: i64,
}

/// The outcome of each change, and everything that has to be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// In the order of the changes.
    pub(crate) outcomes: Vec<FollowChanged>,
    /// Edges to remove, and when they were added.
    pub(crate) removed: BTreeMap<Pair, DateTime<Utc>>,
    /// Edges to add, after the removals.
    pub(crate) added: BTreeMap<Pair, DateTime<Utc>>,
    /// For each follower, the day before which the counted changes of their pairs are deleted.
    pub(crate) expired: BTreeMap<UserId, i64>,
    /// Changes of pairs to count, after the deletion.
    pub(crate) changes: BTreeMap<Pair, PairChanges>,
    /// Changes of both counts and of the follows of the day.
    pub(crate) counts: BTreeMap<UserId, CountsDelta>,
}

impl Plan {
    /// Plans a batch on top of a state.
    pub(crate) fn new(changes: &[FollowChange], state: &State) -> Self {
        let mut replay = Replay { now: state.clone(), plan: Self::default() };
        for change in changes {
            let outcome = replay.change(change);
            replay.plan.outcomes.push(outcome);
        }

        let Replay { now, mut plan } = replay;
        plan.counts.retain(|_, delta| *delta != CountsDelta::default());
        for change in changes {
            let pair = (change.follower, change.followee);
            let (before, after) = (state.edges.get(&pair), now.edges.get(&pair));
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

    /// The number of edges to remove and to add.
    pub(crate) fn edges(&self) -> usize {
        self.removed.len() + self.added.len()
    }

    /// Whether edges are added and a follow has limits that satisfy the predicate.
    pub(crate) fn follows_within_limits(
        &self,
        changes: &[FollowChange],
        predicate: impl Fn(&FollowLimits) -> bool,
    ) -> bool {
        let mut actions = changes.iter().map(|change| change.action);
        let is_such = |action| matches!(action, FollowAction::Follow(limits) if predicate(&limits));
        !self.added.is_empty() && actions.any(is_such)
    }

    /// Whether both plans remove and add the same edges.
    pub(crate) fn has_edges_of(&self, other: &Self) -> bool {
        self.removed.keys().eq(other.removed.keys()) && self.added == other.added
    }

    /// Whether the edges show that this plan was committed. Its additions are recognized by their
    /// times; a plan without additions is done when its removals are gone.
    pub(crate) fn is_done(&self, state: &State) -> bool {
        let is_there = |(pair, since): (&Pair, &_)| state.edges.get(pair) == Some(since);
        if self.added.is_empty() {
            !self.removed.is_empty() && !self.removed.iter().any(is_there)
        } else {
            self.added.iter().any(is_there)
        }
    }
}

/// A batch in progress: the state after some of its changes, and the plan so far.
struct Replay {
    now: State,
    plan: Plan,
}

impl Replay {
    fn change(&mut self, change: &FollowChange) -> FollowChanged {
        match change.action {
            FollowAction::Follow(limits) => FollowChanged::Follow(self.follow(change, limits)),
            FollowAction::Unfollow { is_counted } => {
                FollowChanged::Unfollow(self.unfollow(change, is_counted))
            }
        }
    }

    fn follow(
        &mut self,
        change: &FollowChange,
        limits: FollowLimits,
    ) -> Result<FollowOutcome, FollowRefusal> {
        let FollowChange { follower, followee, at, .. } = *change;
        let (pair, today) = ((follower, followee), Day::of(at).0);
        let users_exist = [follower, followee].iter().all(|user| self.now.users.contains(user));
        let changes = self.now.changes.get(&pair).filter(|row| row.day >= today);
        let counts = self.now.counts.get(&follower).copied().unwrap_or_default();
        let outcome = decide_follow(&FollowFacts {
            follower,
            followee: users_exist.then_some(followee),
            is_following: self.now.edges.contains_key(&pair),
            limits,
            pair_changes: Some(changes.map_or(0, |row| row.changes)),
            usage: Some(counts.usage(today)),
        })?;
        if outcome == FollowOutcome::AlreadyFollowing {
            return Ok(outcome);
        }

        self.now.edges.insert(pair, at);
        self.now.counts.insert(follower, counts.followed(today));
        self.count(pair, 1);
        self.plan.counts.entry(follower).or_default().add_follow(today);
        Ok(outcome)
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

    /// Counts an unfollow towards the limits of its pair. A follow is only counted here, together
    /// with the unfollow that takes it back on the same day: most follows are never taken back.
    fn count_changes(&mut self, pair: Pair, since: DateTime<Utc>, today: i64) {
        self.expire(pair.0, today);
        let changes = if Day::of(since).0 == today { 2 } else { 1 };
        let row = self.now.changes.entry(pair).or_default();
        for row in [row, self.plan.changes.entry(pair).or_default()] {
            row.day = row.day.max(today);
            row.changes += changes;
        }
    }

    /// Drops the counted changes of earlier days.
    fn expire(&mut self, follower: UserId, today: i64) {
        let expired = self.plan.expired.entry(follower).or_insert(today);
        *expired = today.max(*expired);
        let pairs = self.now.changes.range((follower, UserId::MIN)..=(follower, UserId::MAX));
        let old = pairs.filter(|(_, row)| row.day < today).map(|(pair, _)| *pair);
        for pair in old.collect::<Vec<_>>() {
            self.now.changes.remove(&pair);
            self.plan.changes.remove(&pair);
        }
    }

    /// Counts an edge, added or removed, at both its ends.
    fn count(&mut self, (follower, followee): Pair, change: i64) {
        if let Some(counts) = self.now.counts.get_mut(&followee) {
            counts.followers += change;
        }
        self.plan.counts.entry(follower).or_default().following += change;
        self.plan.counts.entry(followee).or_default().followers += change;
    }
}

impl CountsRow {
    /// After a new follow. The day never goes back: where clocks disagree about midnight, the
    /// later day counts.
    fn followed(self, today: i64) -> Self {
        Self {
            following: self.following + 1,
            follows_day: self.follows_day.max(today),
            follows_today: self.usage(today).today + 1,
            ..self
        }
    }

    /// What counts towards limits on a day.
    fn usage(self, today: i64) -> FollowUsage {
        let counts = FollowCounts { followers: self.followers, following: self.following };
        let today = if self.follows_day >= today { self.follows_today } else { 0 };
        FollowUsage { counts, today }
    }

    /// The row after a change of it.
    pub(crate) fn after(self, delta: &CountsDelta) -> Self {
        let is_same_day = self.follows_day >= delta.follows_day;
        Self {
            followers: self.followers + delta.followers,
            following: self.following + delta.following,
            follows_day: self.follows_day.max(delta.follows_day),
            follows_today: if is_same_day {
                self.follows_today + delta.follows
            } else {
                delta.follows_since
            },
        }
    }

    /// The row before a change that led to this one.
    pub(crate) fn before(self, delta: &CountsDelta) -> Self {
        Self {
            followers: self.followers - delta.followers,
            following: self.following - delta.following,
            follows_day: self.follows_day,
            follows_today: self.follows_today - delta.follows,
        }
    }

    /// Whether both rows count the same new follows. If the row is as expected, the user has no new
    /// follows from elsewhere, and so none of their pairs has been changed from elsewhere either.
    pub(crate) fn has_follows_of(self, expected: Self) -> bool {
        (self.follows_day, self.follows_today) == (expected.follows_day, expected.follows_today)
    }
}

impl CountsDelta {
    fn add_follow(&mut self, today: i64) {
        self.follows += 1;
        if today > self.follows_day {
            (self.follows_day, self.follows_since) = (today, 1);
        } else {
            self.follows_since += 1;
        }
    }
}
