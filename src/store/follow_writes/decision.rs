//! What a batch of changes amounts to: a pure plan that the engines write.
//!
//! The changes act in their order, each on the state that the ones before it left. Only the
//! difference between the first and the last state is written: an edge that is added and removed
//! within the batch causes no write, and a thousand follows of one user are one change of a count.
//!
//! Nothing here does I/O. An engine passes in the state it found and writes the plan it gets.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::{
    events::NewEvent,
    state::{CountsDelta, CountsRow, Edges, Pair, PairChanges, State},
};
use crate::domain::{
    AcceptOutcome, BlockOutcome, BlockRefusal, Day, EdgeKind, EventCause, EventKind, FollowAction,
    FollowChange, FollowChanged, FollowFacts, FollowImport, FollowLimits, FollowOutcome,
    FollowRefusal, FollowTies, Length, OfEdges, RejectOutcome, RemoveOutcome, UnblockOutcome,
    UnfollowOutcome, UserId, decide_follow,
};

/// Edges of one kind in the order of their pairs, and when they were added.
pub(crate) type SortedEdges = BTreeMap<Pair, DateTime<Utc>>;

/// The outcome of each change, and everything that has to be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// In the order of the changes.
    pub(crate) outcomes: Vec<FollowChanged>,
    /// Edges to remove, and when they were added.
    pub(crate) removed: OfEdges<SortedEdges>,
    /// Edges to add, after the removals.
    pub(crate) added: OfEdges<SortedEdges>,
    /// All known edges after the changes.
    edges_after: Edges,
    /// For each follower, the day before which the counted changes of their pairs are deleted.
    pub(crate) expired: BTreeMap<UserId, i64>,
    /// Changes of pairs to count, after the deletion.
    pub(crate) changes: BTreeMap<Pair, PairChanges>,
    /// Changes of the lengths of lists, of the follows of the day and of the number of events.
    pub(crate) counts: BTreeMap<UserId, CountsDelta>,
    /// Events to write, in the order of the changes. A follow and an unfollow of a pair in one batch
    /// are two events, although they change no edge.
    pub(crate) events: Vec<NewEvent>,
}

impl Plan {
    /// Plans a batch on top of a state.
    pub(crate) fn new(changes: &[FollowChange], state: &State) -> Self {
        let mut replay =
            Replay { now: state.clone(), plan: Self::default(), touched: OfEdges::default() };
        for change in changes {
            let outcome = replay.change(change);
            replay.plan.outcomes.push(outcome);
        }

        let Replay { now, mut plan, touched } = replay;
        plan.counts.retain(|_, delta| *delta != CountsDelta::default());
        for (kind, pairs) in touched.iter() {
            for pair in pairs {
                let (before, after) = (state.edges[kind].get(pair), now.edges[kind].get(pair));
                if before != after {
                    plan.removed[kind].extend(before.map(|since| (*pair, *since)));
                    plan.added[kind].extend(after.map(|since| (*pair, *since)));
                }
            }
        }
        plan.edges_after = now.edges;
        plan
    }

    /// The users whose logs grow.
    pub(crate) fn logs(&self) -> BTreeSet<UserId> {
        self.events.iter().map(|event| event.log).collect()
    }

    /// Whether there is nothing to write.
    pub(crate) fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// The number of edges of a kind to remove and to add.
    pub(crate) fn edges(&self, kind: EdgeKind) -> usize {
        self.removed[kind].len() + self.added[kind].len()
    }

    /// Whether only follows are removed or added.
    pub(crate) fn is_of_follows(&self) -> bool {
        self.edges(EdgeKind::Request) + self.edges(EdgeKind::Block) == 0
    }

    /// Whether edges are added and a follow has limits that satisfy the predicate.
    pub(crate) fn follows_within_limits(
        &self,
        changes: &[FollowChange],
        predicate: impl Fn(&FollowLimits) -> bool,
    ) -> bool {
        let mut actions = changes.iter().map(|change| change.action);
        let is_such = |action| matches!(action, FollowAction::Follow(limits) if predicate(&limits));
        self.requested().next().is_some() && actions.any(is_such)
    }

    /// The pairs of added follows and requests.
    pub(crate) fn requested(&self) -> impl Iterator<Item = &Pair> {
        self.added[EdgeKind::Follow].keys().chain(self.added[EdgeKind::Request].keys())
    }

    /// Whether both plans remove and add the same edges.
    pub(crate) fn has_edges_of(&self, other: &Self) -> bool {
        let is_removed =
            |(kind, edges): (_, &SortedEdges)| edges.keys().eq(other.removed[kind].keys());
        self.removed.iter().all(is_removed) && self.added == other.added
    }

    /// Whether an edge that others have added meanwhile may contradict one of this plan, by the
    /// lengths of the locked rows of `state`. Those of the plan's own edges do not count.
    ///
    /// Others may add an edge of another kind for the same two users without touching any row of
    /// the plan before the counts. Of two such transactions, the one that is later at the counts
    /// comes here.
    pub(crate) fn may_be_contradicted(&self, state: &State) -> bool {
        use EdgeKind::{Block, Follow, Request};
        let back = |(one, other): Pair| (other, one);
        let mut pairs = [Follow, Request]
            .into_iter()
            .flat_map(|kind| self.added[kind].keys().map(move |pair| (kind, *pair)));
        let other = |kind| if kind == Follow { Request } else { Follow };
        !self.added[Block].is_empty()
            || pairs.any(|(kind, pair)| {
                state.may_have(other(kind), pair)
                    || state.may_have(Block, pair)
                    || state.may_have(Block, back(pair))
            })
    }

    /// Whether the edges that were found are those after this plan.
    pub(crate) fn leads_to(&self, found: &State) -> bool {
        self.edges_after == found.edges
    }

    /// Whether the edges show that this plan was committed. Its additions are recognized by their
    /// times; a plan without additions is done when its removals are gone.
    pub(crate) fn is_done(&self, state: &State) -> bool {
        let any_is_there = |edges: &OfEdges<SortedEdges>| {
            edges.iter().any(|(kind, edges)| {
                edges.iter().any(|(pair, since)| state.edges[kind].get(pair) == Some(since))
            })
        };
        let is_none = |edges: &OfEdges<SortedEdges>| edges.iter().all(|(_, e)| e.is_empty());
        if is_none(&self.added) {
            // A request that is gone may have become a follow elsewhere.
            let is_accepted = |pair| {
                state.edges[EdgeKind::Follow].contains_key(pair)
                    && !self.edges_after[EdgeKind::Follow].contains_key(pair)
            };
            !is_none(&self.removed)
                && !any_is_there(&self.removed)
                && !self.removed[EdgeKind::Request].keys().any(is_accepted)
        } else {
            any_is_there(&self.added)
        }
    }
}

/// A batch in progress: the state after some of its changes, and the plan so far.
struct Replay {
    now: State,
    plan: Plan,
    /// The pairs whose edges were removed or added.
    touched: OfEdges<BTreeSet<Pair>>,
}

impl Replay {
    fn change(&mut self, change: &FollowChange) -> FollowChanged {
        let FollowChange { follower, followee, at, action } = *change;
        let pair = (follower, followee);
        match action {
            FollowAction::Follow(limits) => FollowChanged::Follow(self.follow(pair, at, limits)),
            FollowAction::Import { logged_at } => {
                FollowChanged::Import(self.import(pair, at, logged_at))
            }
            FollowAction::Unfollow { is_counted } => {
                FollowChanged::Unfollow(self.unfollow(pair, at, is_counted))
            }
            FollowAction::AcceptIfPublic if self.counts(followee).privacy.is_private() => {
                FollowChanged::Accept(AcceptOutcome::NoRequest)
            }
            FollowAction::Accept => {
                FollowChanged::Accept(self.accept(pair, at, EventCause::RequestAccepted))
            }
            FollowAction::AcceptIfPublic => {
                FollowChanged::Accept(self.accept(pair, at, EventCause::PrivacyChanged))
            }
            FollowAction::Reject => {
                FollowChanged::Reject(match self.remove(EdgeKind::Request, pair) {
                    Some(_) => RejectOutcome::Rejected,
                    None => RejectOutcome::NoRequest,
                })
            }
            FollowAction::Remove => FollowChanged::Remove(self.remove_follower(pair, at)),
            FollowAction::Block { limit } => FollowChanged::Block(self.block(pair, at, limit)),
            FollowAction::Unblock => {
                FollowChanged::Unblock(match self.remove(EdgeKind::Block, pair) {
                    Some(_) => UnblockOutcome::Unblocked,
                    None => UnblockOutcome::NotBlocked,
                })
            }
        }
    }

    fn follow(
        &mut self,
        pair: Pair,
        at: DateTime<Utc>,
        limits: FollowLimits,
    ) -> Result<FollowOutcome, FollowRefusal> {
        let ((follower, followee), today) = (pair, Day::of(at).0);
        let outcome = decide_follow(&FollowFacts {
            follower,
            followee: self.exist(pair).then_some(followee),
            ties: self.ties(pair),
            limits,
            pair_changes: Some(self.changes(pair, today)),
            usage: Some(self.counts(follower).usage(today)),
        })?;
        let added = match outcome {
            FollowOutcome::Followed => EdgeKind::Follow,
            FollowOutcome::Requested => EdgeKind::Request,
            FollowOutcome::AlreadyFollowing | FollowOutcome::AlreadyRequested => {
                return Ok(outcome);
            }
        };
        // A request was counted when it was made.
        if self.remove(EdgeKind::Request, pair).is_none() {
            if let Some(counts) = self.now.counts.get_mut(&follower) {
                *counts = counts.followed(today);
            }
            self.plan.counts.entry(follower).or_default().add_follow(today);
        }
        self.add(added, pair, at);
        let kind = match added {
            EdgeKind::Request => EventKind::Requested,
            EdgeKind::Follow | EdgeKind::Block => EventKind::Followed,
        };
        self.log_of_other((followee, follower), kind, EventCause::User, at);
        Ok(outcome)
    }

    fn import(
        &mut self,
        pair: Pair,
        at: DateTime<Utc>,
        logged_at: Option<DateTime<Utc>>,
    ) -> Result<FollowImport, FollowRefusal> {
        let (follower, followee) = pair;
        decide_follow(&FollowFacts {
            follower,
            followee: self.exist(pair).then_some(followee),
            ties: FollowTies { needs_consent: false, ..self.ties(pair) },
            limits: FollowLimits::NONE,
            pair_changes: None,
            usage: None,
        })?;
        if let Some(since) = self.now.edges[EdgeKind::Follow].get(&pair) {
            return Ok(if *since == at { FollowImport::Present } else { FollowImport::Differs });
        }
        self.remove(EdgeKind::Request, pair);
        self.add(EdgeKind::Follow, pair, at);
        if let Some(at) = logged_at {
            let (back, cause) = ((followee, follower), EventCause::Import);
            self.log_of_other(back, EventKind::Followed, cause, at);
        }
        Ok(FollowImport::Followed)
    }

    fn ties(&self, pair: Pair) -> FollowTies {
        let (back, edges) = ((pair.1, pair.0), &self.now.edges);
        let has = |kind, pair| edges[kind].contains_key(pair);
        let privacy = self.counts(pair.1).privacy;
        let consents = privacy.accepts_followed() && has(EdgeKind::Follow, &back);
        FollowTies {
            is_blocked: has(EdgeKind::Block, &back),
            is_blocking: has(EdgeKind::Block, &pair),
            is_following: has(EdgeKind::Follow, &pair),
            has_requested: has(EdgeKind::Request, &pair),
            needs_consent: privacy.is_private() && !consents,
        }
    }

    fn unfollow(&mut self, pair: Pair, at: DateTime<Utc>, is_counted: bool) -> UnfollowOutcome {
        let follow = self.remove(EdgeKind::Follow, pair);
        let Some(since) = follow.or_else(|| self.remove(EdgeKind::Request, pair)) else {
            return UnfollowOutcome::NotFollowing;
        };
        if is_counted {
            self.count_changes(pair, since, Day::of(at).0);
        }
        // The followee is not notified of an unfollow.
        if follow.is_some() {
            self.log(pair, EventKind::FollowEnded, EventCause::User, at);
            UnfollowOutcome::Unfollowed
        } else {
            let (back, kind) = ((pair.1, pair.0), EventKind::RequestWithdrawn);
            self.log_of_other(back, kind, EventCause::User, at);
            UnfollowOutcome::RequestWithdrawn
        }
    }

    fn remove_follower(&mut self, pair: Pair, at: DateTime<Utc>) -> RemoveOutcome {
        if self.remove(EdgeKind::Follow, pair).is_none() {
            return RemoveOutcome::NotAFollower;
        }
        let (back, cause) = ((pair.1, pair.0), EventCause::FollowerRemoved);
        self.log(back, EventKind::FollowerLost, cause, at);
        RemoveOutcome::Removed
    }

    fn accept(&mut self, pair: Pair, at: DateTime<Utc>, cause: EventCause) -> AcceptOutcome {
        if self.remove(EdgeKind::Request, pair).is_some() {
            self.add(EdgeKind::Follow, pair, at);
            self.log((pair.1, pair.0), EventKind::Followed, cause, at);
            self.log_of_other(pair, EventKind::RequestAccepted, cause, at);
            AcceptOutcome::Accepted
        } else if self.now.edges[EdgeKind::Follow].contains_key(&pair) {
            AcceptOutcome::AlreadyFollower
        } else {
            AcceptOutcome::NoRequest
        }
    }

    fn block(
        &mut self,
        pair: Pair,
        at: DateTime<Utc>,
        limit: i64,
    ) -> Result<BlockOutcome, BlockRefusal> {
        if !self.exist(pair) {
            return Err(BlockRefusal::NotFound);
        }
        if self.now.edges[EdgeKind::Block].contains_key(&pair) {
            return Ok(BlockOutcome::AlreadyBlocked);
        }
        if self.counts(pair.0).lengths[Length::Blocking] >= limit {
            return Err(BlockRefusal::LimitReached);
        }
        let (back, cause) = ((pair.1, pair.0), EventCause::Block);
        if self.remove(EdgeKind::Follow, pair).is_some() {
            self.log(pair, EventKind::FollowEnded, cause, at);
        }
        if self.remove(EdgeKind::Follow, back).is_some() {
            self.log(pair, EventKind::FollowerLost, cause, at);
        }
        // A log says nothing of the requests that its owner has made.
        self.remove(EdgeKind::Request, pair);
        if self.remove(EdgeKind::Request, back).is_some() {
            self.log(pair, EventKind::RequestWithdrawn, cause, at);
        }
        self.add(EdgeKind::Block, pair, at);
        Ok(BlockOutcome::Blocked)
    }

    fn exist(&self, (one, other): Pair) -> bool {
        [one, other].iter().all(|user| self.now.users.contains(user))
    }

    fn counts(&self, user: UserId) -> CountsRow {
        self.now.counts.get(&user).copied().unwrap_or_default()
    }

    /// How often a pair was changed today.
    fn changes(&self, pair: Pair, today: i64) -> i64 {
        let changes = self.now.changes.get(&pair).filter(|row| row.day >= today);
        changes.map_or(0, |row| row.changes)
    }

    /// Adds an event to the log of the first user. It is about the second.
    fn log(&mut self, pair: Pair, kind: EventKind, cause: EventCause, at: DateTime<Utc>) {
        let (log, other) = pair;
        let is_new = matches!(kind, EventKind::Followed | EventKind::Requested);
        let may_repeat = is_new && cause == EventCause::User;
        let is_repeat = may_repeat && self.changes((other, log), Day::of(at).0) > 0;
        self.plan.events.push(NewEvent { log, kind, cause, other, at, is_repeat });
        self.plan.counts.entry(log).or_default().events += 1;
    }

    /// The same for an event that the second user has caused, unless the first mutes the second.
    fn log_of_other(&mut self, pair: Pair, kind: EventKind, cause: EventCause, at: DateTime<Utc>) {
        if !self.now.mutes.get(&pair).is_some_and(|mute| mute.holds(at)) {
            self.log(pair, kind, cause, at);
        }
    }

    fn add(&mut self, kind: EdgeKind, pair: Pair, at: DateTime<Utc>) {
        self.now.edges[kind].insert(pair, at);
        self.count(kind, pair, 1);
    }

    /// Removes an edge, and returns when it was added; `None` if there was none.
    fn remove(&mut self, kind: EdgeKind, pair: Pair) -> Option<DateTime<Utc>> {
        let since = self.now.edges[kind].remove(&pair)?;
        self.count(kind, pair, -1);
        Some(since)
    }

    /// Counts an edge, added or removed, at both its ends.
    fn count(&mut self, kind: EdgeKind, pair: Pair, change: i64) {
        self.touched[kind].insert(pair);
        let lengths = kind.lengths();
        for (user, length) in [(pair.0, lengths.0), (pair.1, lengths.1)] {
            if let Some(counts) = self.now.counts.get_mut(&user) {
                counts.lengths[length] += change;
            }
            self.plan.counts.entry(user).or_default().lengths[length] += change;
        }
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
}
