//! The write path of follows: a batch of changes is one transaction.
//!
//! Most batches are written optimistically (`optimistic`): nothing is read first, the rows that
//! were changed decide the outcomes. Everything else takes the slow path (`slow_path`): several
//! changes of one pair, a missing user, a limit that is reached, a commit that was not answered,
//! and all batches on a server that is not known to write several tables in one statement.
//!
//! All batches lock rows in one order, so that no two wait for each other: edges by pair, one by
//! one in the order of the arrays, then counts by id, in the order of their index. `BETWEEN` in the
//! statements of edges excludes no id. It makes the planner assume that hardly a row passes, and so
//! look each edge up by its key; otherwise it might walk all that a follower follows, in any order.
//! One case is left: two servers that follow and unfollow the same two pairs at the same moment may
//! deadlock, and one of the batches is retried.

mod optimistic;
mod slow_path;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sqlx::{Postgres, Row, Transaction};

pub(crate) use self::slow_path::{add_mirrors, remove_mirrors};
use crate::{
    domain::UserId,
    store::{
        Statement,
        batching::WarmConnections,
        events::EventHints,
        follow_writes::{
            Attempt, COUNTS, CountsDelta, CountsRow, DELTAS, FollowWriter, Pair, PairChanges, Plan,
            State, Written, counts_columns,
        },
        postgres::{bind_events, bind_webhooks, events::ADD_EVENTS, webhooks::ADD_WEBHOOKS},
        statement::{query, query_as},
        webhooks::Outbox,
    },
};

/// Changes counts. A count that is too low already stays at zero: that is for `check` to report, and
/// must not fail an unfollow. The day never goes back: where clocks disagree about midnight, the
/// later day counts.
macro_rules! update_counts {
    ($returned:literal) => {
        concat!(
            "UPDATE follow_counts c \
             SET followers = greatest(0, c.followers + k.followers), \
                 following = greatest(0, c.following + k.following), \
                 requests_sent = greatest(0, c.requests_sent + k.requests_sent), \
                 requests_received = greatest(0, c.requests_received + k.requests_received), \
                 blocking = greatest(0, c.blocking + k.blocking), \
                 blocked_by = greatest(0, c.blocked_by + k.blocked_by), \
                 follows_day = greatest(c.follows_day, k.day), \
                 follows_today = CASE WHEN c.follows_day >= k.day \
                                      THEN c.follows_today + k.follows ELSE k.since END, \
                 events = c.events + k.events \
             FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], \
                         $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], \
                         $11::bigint[]) \
                  AS k (user_id, followers, following, requests_sent, requests_received, \
                        blocking, blocked_by, follows, day, since, events) \
             WHERE c.user_id = k.user_id AND c.user_id = ANY($1) \
             RETURNING c.user_id, ",
            counts_columns!("c."),
            $returned
        )
    };
}

statements! {
    CHANGE_COUNTS = update_counts!("");
    CHANGE_COUNTS_AND_LOG = concat!(
        "WITH counted AS (", update_counts!(", c.events"), "), logged AS ( \
             INSERT INTO follow_events \
                 (user_id, sequence, kind, cause, other_id, at, is_repeat) \
             SELECT e.user_id, c.events + e.back, e.kind, e.cause, e.other_id, e.at, e.is_repeat \
             FROM unnest($12::bigint[], $13::bigint[], $14::smallint[], $15::smallint[], \
                         $16::bigint[], $17::timestamptz[], $18::boolean[]) \
                  AS e (user_id, back, kind, cause, other_id, at, is_repeat) \
             JOIN counted c ON c.user_id = e.user_id) \
         SELECT * FROM counted"
    );
    FIND_CHANGES =
        "SELECT p.follower_id, p.followee_id, p.day, p.changes \
         FROM follow_changes p JOIN unnest($1::bigint[], $2::bigint[]) AS k (follower_id, followee_id) \
           ON p.follower_id = k.follower_id AND p.followee_id = k.followee_id \
         WHERE p.follower_id = ANY($1) AND k.follower_id BETWEEN 0 AND 9223372036854775807";
}

/// All SQL of the write path.
pub(crate) fn statements() -> Vec<Statement> {
    [STATEMENTS, optimistic::STATEMENTS, slow_path::STATEMENTS].concat()
}

/// Writes batches of changes.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    pub(crate) connections: WarmConnections<Postgres>,
    /// Whether the server can write several tables in one statement.
    pub(crate) is_optimistic: bool,
    /// Whether the server can notify.
    pub(crate) notifies: bool,
    pub(crate) hints: EventHints,
    pub(crate) outbox: Outbox,
}

/// What is written besides edges and counts, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Recording {
    log: Logging,
    /// Whether the server is not distributed.
    in_one_place: bool,
    /// Whether messages for the webhook are written.
    webhooks: bool,
    /// Whether the server can notify.
    notifies: bool,
}

/// How events are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Logging {
    /// The log is off.
    Off,
    /// By the statement that changes the counts.
    WithCounts,
    /// By a statement after it, since the server cannot write both tables in one.
    AfterCounts,
}

impl Writer {
    const fn recording(&self) -> Recording {
        let log = match (self.hints.are_kept(), self.is_optimistic) {
            (false, _) => Logging::Off,
            (true, true) => Logging::WithCounts,
            (true, false) => Logging::AfterCounts,
        };
        let (webhooks, notifies) = (self.outbox.is_used(), self.notifies);
        Recording { log, in_one_place: self.is_optimistic, webhooks, notifies }
    }
}

impl FollowWriter for Writer {
    /// While one batch is written, others are written beside it or wait for their commit. More of
    /// them would only be smaller.
    const BATCHES_MAX: usize = 3;

    fn hints(&self) -> &EventHints {
        &self.hints
    }

    fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    async fn write(&self, attempt: &Attempt<'_>) -> sqlx::Result<Option<Written>> {
        let mut connection = self.connections.take().await?;
        let mut written = None;
        if self.is_optimistic && attempt.is_first() {
            written = optimistic::write(&mut connection, self.recording(), attempt).await?;
        }
        if written.is_none() {
            written = slow_path::write(&mut connection, self.recording(), attempt).await?;
        }
        // Without a commit a transaction may still have to be rolled back; the pool does that.
        if written.is_some() && attempt.may_have_committed() {
            self.connections.put_back(connection);
        }
        Ok(written)
    }
}

/// The rows that [`change_counts`] returns.
struct Counted {
    /// The counts after the change.
    counts: HashMap<UserId, CountsRow>,
    /// Whether a follower has new follows since the state was read: then the changes of their pairs
    /// in it may be outdated.
    is_outdated: bool,
}

/// Writes the messages for the webhook, changes the counts, writes the events, and corrects the counts
/// in the state. The counts come last, so that the row of a celebrity is locked only until the commit.
async fn change_counts(
    tx: &mut Transaction<'_, Postgres>,
    recording: Recording,
    plan: &Plan,
    state: &mut State,
) -> sqlx::Result<Counted> {
    let messages: Vec<_> = plan.webhooks().filter(|_| recording.webhooks).collect();
    if !messages.is_empty() {
        bind_webhooks(query(ADD_WEBHOOKS), &messages).execute(&mut **tx).await?;
    }

    let columns: Vec<_> = plan.counts.values().map(CountsDelta::columns).collect();
    let users: Vec<_> = plan.counts.keys().map(|user| user.0).collect();
    let logs_at_once = recording.log == Logging::WithCounts && !plan.events.is_empty();
    let sql = if logs_at_once { CHANGE_COUNTS_AND_LOG } else { CHANGE_COUNTS };
    let mut change = (0..DELTAS).fold(query(sql).bind(users), |change, column| {
        change.bind(columns.iter().map(|row| row[column]).collect::<Vec<i64>>())
    });
    if logs_at_once {
        change = bind_events(change, &plan.events);
    }

    let mut counts = HashMap::with_capacity(plan.counts.len());
    let mut is_outdated = false;
    for row in change.fetch_all(&mut **tx).await? {
        let numbers = (0..=COUNTS).map(|column| row.try_get(column));
        let numbers = numbers.collect::<sqlx::Result<Vec<i64>>>()?;
        let (user, now) = (UserId(numbers[0]), CountsRow::from_columns(&numbers[1..])?);
        counts.insert(user, now);
        let Some(before) = state.counts.get_mut(&user) else { continue };
        let delta = &plan.counts[&user];
        let expected = before.after(delta);
        if now != expected {
            is_outdated |= delta.follows > 0 && !now.has_follows_of(expected);
            *before = now.before(delta);
        }
    }
    if recording.log == Logging::AfterCounts && !plan.events.is_empty() {
        bind_events(query(ADD_EVENTS), &plan.events).execute(&mut **tx).await?;
    }
    Ok(Counted { counts, is_outdated })
}

/// The changes of the pairs whose follows or requests were added. Those edges are locked, so that no other
/// transaction changes these rows now.
async fn find_changes(
    tx: &mut Transaction<'_, Postgres>,
    plan: &Plan,
) -> sqlx::Result<BTreeMap<Pair, PairChanges>> {
    let (followers, followees) = columns(plan.requested().collect::<BTreeSet<_>>());
    let rows: Vec<(i64, i64, i64, i64)> =
        query_as(FIND_CHANGES).bind(followers).bind(followees).fetch_all(&mut **tx).await?;
    let row =
        |(one, other, day, changes)| ((UserId(one), UserId(other)), PairChanges { day, changes });
    Ok(rows.into_iter().map(row).collect())
}

/// Pairs as two columns, in their order.
fn columns<'a>(pairs: impl IntoIterator<Item = &'a Pair>) -> (Vec<i64>, Vec<i64>) {
    pairs.into_iter().map(|(follower, followee)| (follower.0, followee.0)).unzip()
}
