//! The state of the users and pairs of a batch, as found or as assumed.

use std::{
    array,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
};

use chrono::{DateTime, Utc};

use crate::domain::{
    Day, EdgeKind, FollowAction, FollowChange, FollowCounts, FollowUsage, Length, Lengths,
    ListsRow, Mute, OfEdges, Privacy, UserId,
};

/// The users at the beginning and at the end of an edge. Every batch writes its pairs in ascending
/// order, so that no two batches wait for each other.
pub(crate) type Pair = (UserId, UserId);

/// Edges, and when they were added.
pub(crate) type Edges = OfEdges<HashMap<Pair, DateTime<Utc>>>;

#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    /// The users who exist.
    pub(crate) users: HashSet<UserId>,
    /// The counts of all users of the batch.
    pub(crate) counts: HashMap<UserId, CountsRow>,
    /// The edges that exist among those of [`Keys`].
    pub(crate) edges: Edges,
    /// How often the pairs were changed on their last day.
    pub(crate) changes: BTreeMap<Pair, PairChanges>,
    /// Who mutes whom, and until when.
    pub(crate) mutes: HashMap<Pair, Mute>,
}

/// What a batch has to know before it is decided: users, and pairs that may have edges. Follows in
/// return matter as well where they replace the consent of a private account.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys {
    pub(crate) users: BTreeSet<UserId>,
    pub(crate) edges: OfEdges<BTreeSet<Pair>>,
}

impl Keys {
    pub(crate) fn new(changes: &[FollowChange]) -> Self {
        let mut keys = Self::default();
        for FollowChange { follower, followee, action, .. } in changes.iter().copied() {
            let (pair, back) = ((follower, followee), (followee, follower));
            keys.users.extend([follower, followee]);
            let (follows, requests, blocks): (&[_], &[_], &[_]) = match action {
                FollowAction::Follow(_) | FollowAction::Import { .. } => {
                    (&[pair], &[pair], &[pair, back])
                }
                FollowAction::Unfollow { .. }
                | FollowAction::Accept
                | FollowAction::AcceptIfPublic
                | FollowAction::Reject => (&[pair], &[pair], &[]),
                FollowAction::Remove => (&[pair], &[], &[]),
                FollowAction::Block { .. } => (&[pair, back], &[pair, back], &[pair]),
                FollowAction::Unblock => (&[], &[], &[pair]),
            };
            keys.edges[EdgeKind::Follow].extend(follows);
            keys.edges[EdgeKind::Request].extend(requests);
            keys.edges[EdgeKind::Block].extend(blocks);
        }
        keys
    }
}

/// A row of a state: numbers, with times in microseconds.
/// - 0, a user;
/// - 1, a user, the columns of [`CountsRow`];
/// - 2, 3 or 4, both users of a follow, a request or a block, when it was added;
/// - 5, both users of a pair, day and number of its last changes;
/// - 6, a user and one whom they mute, the end of the mute; 0 if it has no end.
pub(crate) type StateRow = Vec<i64>;

impl State {
    /// The optimistic state, and the day of the batch: every user exists and is public, every follow
    /// is new, every unfollow finds its edge. `None` if a pair occurs twice, the batch spans
    /// midnight or has other changes: then no change decides its outcome alone.
    pub(crate) fn optimistic(changes: &[FollowChange]) -> Option<(Self, Day)> {
        let today = Day::of(changes.first()?.at);
        let mut state = Self::default();
        let mut pairs = HashSet::with_capacity(changes.len());
        for FollowChange { follower, followee, at, action } in changes.iter().copied() {
            let pair = (follower, followee);
            // Imports count towards no limit, whatever day their time is of.
            let is_import = matches!(action, FollowAction::Import { .. });
            if !pairs.insert(pair) || Day::of(at) != today && !is_import {
                return None;
            }
            match action {
                FollowAction::Follow(_) | FollowAction::Import { logged_at: None } => {}
                FollowAction::Unfollow { .. } => {
                    // Any time will do: the statement that removes the edge returns the real one.
                    state.edges[EdgeKind::Follow].insert(pair, at);
                }
                _ => return None,
            }
            for user in [follower, followee] {
                state.users.insert(user);
                state.counts.insert(user, CountsRow::default());
            }
        }
        Some((state, today))
    }

    /// The state that an engine has read.
    pub(crate) fn from_rows(rows: Vec<StateRow>) -> sqlx::Result<Self> {
        let mut state = Self::default();
        for row in rows {
            match row[..] {
                [0, user] => drop(state.users.insert(UserId(user))),
                [1, user, ref counts @ ..] => {
                    let counts = CountsRow::from_columns(counts)?;
                    state.counts.insert(UserId(user), counts);
                }
                [kind @ 2..=4, one, other, since] => {
                    let kind = match kind {
                        2 => EdgeKind::Follow,
                        3 => EdgeKind::Request,
                        _ => EdgeKind::Block,
                    };
                    state.edges[kind].insert((UserId(one), UserId(other)), time(since)?);
                }
                [5, one, other, day, changes] => {
                    let row = PairChanges { day, changes };
                    state.changes.insert((UserId(one), UserId(other)), row);
                }
                [6, muter, muted, until] => {
                    let until = if until == 0 { None } else { Some(time(until)?) };
                    state.mutes.insert((UserId(muter), UserId(muted)), Mute { until });
                }
                _ => return Err(unknown(&row)),
            }
        }
        Ok(state)
    }

    /// Whether an edge of a kind may exist, by the lengths of both users. Without their rows it may.
    pub(crate) fn may_have(&self, kind: EdgeKind, (one, other): Pair) -> bool {
        let (of_one, of_other) = kind.lengths();
        let has = |user, length| self.counts.get(user).is_none_or(|row| row.lengths[length] > 0);
        has(&one, of_one) && has(&other, of_other)
    }
}

fn time(micros: i64) -> sqlx::Result<DateTime<Utc>> {
    DateTime::from_timestamp_micros(micros)
        .ok_or_else(|| sqlx::Error::Decode(format!("{micros} is no time").into()))
}

fn unknown(row: &[i64]) -> sqlx::Error {
    sqlx::Error::Decode(format!("unknown kind of row: {row:?}").into())
}

/// A row of `follow_counts`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CountsRow {
    pub(crate) lengths: Lengths,
    pub(crate) privacy: Privacy,
    /// The last day with a new follow or request, and their number on it. Every new one raises this
    /// pair of numbers; nothing else changes it.
    pub(crate) follows_day: i64,
    pub(crate) follows_today: i64,
}

/// The number of columns of a [`CountsRow`].
pub(crate) const COUNTS: usize = LENGTHS + 3;
/// The number of columns of a [`CountsDelta`].
pub(crate) const DELTAS: usize = LENGTHS + 4;
/// The lengths among them: all but that of mutes, which are not part of the write path.
const LENGTHS: usize = 6;

/// The columns of [`CountsRow`] in its order, each after a prefix. Mutes are not part of the write
/// path.
macro_rules! counts_columns {
    ($c:literal) => {
        concat! {
            $c, "followers, ", $c, "following, ", $c, "requests_sent, ", $c, "requests_received, ",
            $c, "blocking, ", $c, "blocked_by, ",
            $c, "privacy, ", $c, "follows_day, ", $c, "follows_today"
        }
    };
}
pub(crate) use counts_columns;

impl CountsRow {
    pub(crate) fn from_columns(columns: &[i64]) -> sqlx::Result<Self> {
        let Some((counted, [privacy, follows_day, follows_today])) =
            columns.split_first_chunk::<LENGTHS>()
        else {
            return Err(unknown(columns));
        };
        let mut lengths = Lengths::default();
        lengths.0[..LENGTHS].copy_from_slice(counted);
        let privacy = Privacy::from_bits(*privacy);
        Ok(Self { lengths, privacy, follows_day: *follows_day, follows_today: *follows_today })
    }

    /// What readers need to know of it.
    pub(crate) fn lists(&self) -> ListsRow {
        ListsRow { counts: self.counts(), privacy: self.privacy }
    }

    fn counts(&self) -> FollowCounts {
        FollowCounts {
            followers: self.lengths[Length::Followers],
            following: self.lengths[Length::Following],
        }
    }

    /// What counts towards limits on a day.
    pub(crate) fn usage(&self, today: i64) -> FollowUsage {
        FollowUsage {
            counts: self.counts(),
            requests: self.lengths[Length::RequestsSent],
            today: if self.follows_day >= today { self.follows_today } else { 0 },
        }
    }

    /// After a new follow or request, as far as days go. The day never goes back: where clocks
    /// disagree about midnight, the later day counts.
    pub(crate) fn followed(self, today: i64) -> Self {
        Self {
            follows_day: self.follows_day.max(today),
            follows_today: self.usage(today).today + 1,
            ..self
        }
    }

    /// The row after a change of it.
    pub(crate) fn after(self, delta: &CountsDelta) -> Self {
        let is_same_day = self.follows_day >= delta.follows_day;
        Self {
            lengths: self.lengths.plus(&delta.lengths),
            follows_day: self.follows_day.max(delta.follows_day),
            follows_today: if is_same_day {
                self.follows_today + delta.follows
            } else {
                delta.follows_since
            },
            ..self
        }
    }

    /// The row before a change that led to this one.
    pub(crate) fn before(self, delta: &CountsDelta) -> Self {
        Self {
            lengths: self.lengths.minus(&delta.lengths),
            follows_today: self.follows_today - delta.follows,
            ..self
        }
    }

    /// Whether both rows count the same new follows. If the row is as expected, the user has no new
    /// follows from elsewhere, and so none of their pairs has been changed from elsewhere either.
    pub(crate) fn has_follows_of(self, expected: Self) -> bool {
        (self.follows_day, self.follows_today) == (expected.follows_day, expected.follows_today)
    }
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
    pub(crate) lengths: Lengths,
    /// New follows and requests, the last of their days, and how many of them are since that day
    /// began.
    pub(crate) follows: i64,
    pub(crate) follows_day: i64,
    pub(crate) follows_since: i64,
    /// New events in the log of the user.
    pub(crate) events: i64,
}

impl CountsDelta {
    pub(crate) fn add_follow(&mut self, today: i64) {
        self.follows += 1;
        if today > self.follows_day {
            (self.follows_day, self.follows_since) = (today, 1);
        } else {
            self.follows_since += 1;
        }
    }

    /// The values of a statement that changes counts, after the user.
    pub(crate) fn columns(&self) -> [i64; DELTAS] {
        let lengths = self.lengths.0.into_iter().take(LENGTHS);
        let others = [self.follows, self.follows_day, self.follows_since, self.events];
        let mut columns = lengths.chain(others);
        array::from_fn(|_| columns.next().unwrap_or_default())
    }
}
