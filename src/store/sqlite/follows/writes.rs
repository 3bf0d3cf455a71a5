//! The write path of follows: a batch of changes is one transaction, which waits for the disk once.
//!
//! The transaction holds the write lock from its beginning, so the state that it reads stays true,
//! and the plan is written as it is.

use std::collections::{BTreeSet, HashMap};

use sqlx::{Sqlite, SqlitePool, Transaction};

use crate::{
    domain::EdgeKind,
    store::{
        events::EventHints,
        follow_writes::{
            Attempt, FollowWriter, Keys, Pair, Plan, SortedEdges, State, Written, counts_columns,
        },
        sqlite::{
            begin, bind_events, bind_webhooks, events::ADD_EVENTS, json, shared::imports, stored,
            webhooks::ADD_WEBHOOKS,
        },
        statement::{query, query_scalar},
        webhooks::Outbox,
    },
};

/// The edges of a kind that exist among the pairs of a parameter, as parts of a state.
macro_rules! edges_found {
    ($kind:literal, $pairs:literal, $edges:literal, $one:literal, $other:literal, $at:literal) => {
        concat! {
            "SELECT json_array(", $kind, ", e.", $one, ", e.", $other, ", e.", $at, ") ",
            "FROM json_each(", $pairs, ") k CROSS JOIN ", $edges, " e ",
            "ON e.", $one, " = k.value ->> 0 AND e.", $other, " = k.value ->> 1"
        }
    };
}

/// The mutes of one user of each pair of requests, named by their places, as parts of a state.
macro_rules! mutes_found {
    ($muter:literal, $muted:literal) => {
        concat! {
            "SELECT json_array(6, m.muter_id, m.muted_id, coalesce(m.muted_until, 0)) ",
            "FROM json_each($2) k CROSS JOIN mutes m ",
            "ON m.muter_id = k.value ->> ", $muter, " AND m.muted_id = k.value ->> ", $muted
        }
    };
}

/// Removes pairs, named in the order of the key.
macro_rules! remove {
    ($edges:literal, $($column:literal: $place:literal),+) => {
        concat! {
            "DELETE FROM ", $edges, " WHERE (", columns!($($column),+), ") IN ",
            "(SELECT ", columns!($(concat!("value ->> ", $place)),+), " FROM json_each($1))"
        }
    };
}

macro_rules! columns {
    ($first:expr $(, $more:expr)*) => {
        concat!($first $(, ", ", $more)*)
    };
}

/// Adds rows of both users and a time. `WHERE true` keeps the parser from taking ON for that of a
/// join.
macro_rules! add {
    ($edges:literal, $one:literal, $other:literal, $at:literal, $conflict:literal) => {
        concat! {
            "INSERT INTO ", $edges, " (", $one, ", ", $other, ", ", $at, ") ",
            "SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each($1) WHERE true", $conflict
        }
    };
}

statements! {
    // $1 to $3 are pairs that may have follows, requests and blocks, $4 all users in them. The rows
    // come as one text, since each row would have to cross from the thread of the connection by
    // itself. For its parts, see `StateRow`.
    FIND = concat!(
        "SELECT json_group_array(json(part)) FROM ( \
           SELECT json_array(0, id) AS part FROM users \
           WHERE id IN (SELECT value FROM json_each($4)) \
           UNION ALL \
           SELECT json_array(1, user_id, ", counts_columns!(""), ") FROM follow_counts \
           WHERE user_id IN (SELECT value FROM json_each($4)) \
           UNION ALL ",
        edges_found!("2", "$1", "follows", "follower_id", "followee_id", "followed_at"),
        // Follows in return, of those who consent to them at once.
        " UNION ALL \
           SELECT json_array(2, e.follower_id, e.followee_id, e.followed_at) \
           FROM json_each($1) k \
           CROSS JOIN follow_counts c ON c.user_id = k.value ->> 1 AND c.privacy & 128 <> 0 \
           CROSS JOIN follows e ON e.follower_id = k.value ->> 1 AND e.followee_id = k.value ->> 0 \
           UNION ALL ",
        edges_found!(
            "3", "$2", "follow_requests", "requester_id", "target_id", "requested_at"
        ),
        " UNION ALL ",
        edges_found!("4", "$3", "blocks", "blocker_id", "blocked_id", "blocked_at"),
        " UNION ALL \
           SELECT json_array(5, follower_id, followee_id, day, changes) \
           FROM json_each($1) k CROSS JOIN follow_changes p \
             ON p.follower_id = k.value ->> 0 AND p.followee_id = k.value ->> 1 \
           UNION ALL ", mutes_found!("0", "1"), " UNION ALL ", mutes_found!("1", "0"), ")"
    );
    REMOVE_EDGES = remove!("follows", "followee_id": 1, "follower_id": 0);
    REMOVE_REQUESTS = remove!("follow_requests", "target_id": 1, "requester_id": 0);
    REMOVE_BLOCKS = remove!("blocks", "blocker_id": 0, "blocked_id": 1);
    ADD_EDGES = add!("follows", "follower_id", "followee_id", "followed_at", "");
    ADD_REQUESTS = add!("follow_requests", "requester_id", "target_id", "requested_at", "");
    ADD_BLOCKS = add!("blocks", "blocker_id", "blocked_id", "blocked_at", "");
    REMOVE_MIRRORS =
        remove!("followers", "followee_id": 1, "followed_at": 2, "follower_id": 0);
    REMOVE_MIRRORS_OF_REQUESTS =
        remove!("follow_requests_received", "target_id": 1, "requested_at": 2, "requester_id": 0);
    REMOVE_MIRRORS_OF_BLOCKS = remove!("blocked_by", "blocked_id": 1, "blocker_id": 0);
    ADD_MIRRORS =
        add!("followers", "follower_id", "followee_id", "followed_at", " ON CONFLICT DO NOTHING");
    ADD_MIRRORS_OF_REQUESTS = add!(
        "follow_requests_received", "requester_id", "target_id", "requested_at",
        " ON CONFLICT DO NOTHING"
    );
    ADD_MIRRORS_OF_BLOCKS =
        add!("blocked_by", "blocker_id", "blocked_id", "blocked_at", " ON CONFLICT DO NOTHING");
    FORGET_CHANGES =
        "DELETE FROM follow_changes WHERE (follower_id, followee_id) IN \
           (SELECT p.follower_id, p.followee_id \
            FROM json_each($1) k CROSS JOIN follow_changes p ON p.follower_id = k.value ->> 0 \
            WHERE p.day < k.value ->> 1)";
    COUNT_CHANGES =
        "INSERT INTO follow_changes (follower_id, followee_id, day, changes) \
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each($1) WHERE true \
         ON CONFLICT (follower_id, followee_id) DO UPDATE \
         SET day = max(follow_changes.day, excluded.day), \
             changes = follow_changes.changes + excluded.changes";
    // A count that is too low already stays at zero: that is for `check` to report, and must not
    // fail an unfollow. The day never goes back: where clocks disagree about midnight, the later
    // day counts.
    CHANGE_COUNTS =
        "UPDATE follow_counts \
         SET followers = max(0, followers + (k.value ->> 1)), \
             following = max(0, following + (k.value ->> 2)), \
             requests_sent = max(0, requests_sent + (k.value ->> 3)), \
             requests_received = max(0, requests_received + (k.value ->> 4)), \
             blocking = max(0, blocking + (k.value ->> 5)), \
             blocked_by = max(0, blocked_by + (k.value ->> 6)), \
             follows_day = max(follows_day, k.value ->> 8), \
             follows_today = CASE WHEN follows_day >= k.value ->> 8 \
                                  THEN follows_today + (k.value ->> 7) ELSE k.value ->> 9 END, \
             events = events + (k.value ->> 10) \
         FROM json_each($1) k WHERE user_id = k.value ->> 0";
}

/// The statements that change edges of a kind. Each takes both users and the time.
struct EdgeStatements {
    remove: &'static str,
    remove_mirrors: &'static str,
    add: &'static str,
    add_mirrors: &'static str,
}

const fn statements_of(kind: EdgeKind) -> EdgeStatements {
    match kind {
        EdgeKind::Follow => EdgeStatements {
            remove: REMOVE_EDGES,
            remove_mirrors: REMOVE_MIRRORS,
            add: ADD_EDGES,
            add_mirrors: ADD_MIRRORS,
        },
        EdgeKind::Request => EdgeStatements {
            remove: REMOVE_REQUESTS,
            remove_mirrors: REMOVE_MIRRORS_OF_REQUESTS,
            add: ADD_REQUESTS,
            add_mirrors: ADD_MIRRORS_OF_REQUESTS,
        },
        EdgeKind::Block => EdgeStatements {
            remove: REMOVE_BLOCKS,
            remove_mirrors: REMOVE_MIRRORS_OF_BLOCKS,
            add: ADD_BLOCKS,
            add_mirrors: ADD_MIRRORS_OF_BLOCKS,
        },
    }
}

/// How to add mirrors of a kind.
pub(crate) const fn add_mirrors(kind: EdgeKind) -> &'static str {
    statements_of(kind).add_mirrors
}

/// How to remove mirrors of a kind.
pub(crate) const fn remove_mirrors(kind: EdgeKind) -> &'static str {
    statements_of(kind).remove_mirrors
}

/// Writes batches of changes.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    pub(crate) pool: SqlitePool,
    pub(crate) hints: EventHints,
    pub(crate) outbox: Outbox,
}

impl FollowWriter for Writer {
    const BATCHES_MAX: usize = 1;

    fn hints(&self) -> &EventHints {
        &self.hints
    }

    fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    async fn write(&self, attempt: &Attempt<'_>) -> sqlx::Result<Option<Written>> {
        let mut tx = begin(&self.pool).await?;
        let state = find_state(&mut tx, attempt).await?;
        if let Some(written) = attempt.committed_before(&state) {
            return Ok(Some(written));
        }
        let plan = Plan::new(attempt.changes, &state);
        if !attempt.writes(&plan) {
            return Ok(Some(plan.outcomes.into()));
        }
        write_plan(&mut tx, &plan).await?;
        if let Some(checkpoint) = attempt.checkpoint(&plan)
            && !imports::save(&mut tx, checkpoint).await?
        {
            return Ok(Some(Written::overtaken()));
        }
        if self.hints.are_kept() && !plan.events.is_empty() {
            bind_events(query(ADD_EVENTS), &plan.events).execute(&mut *tx).await?;
        }
        let messages: Vec<_> = plan.webhooks().filter(|_| self.outbox.is_used()).collect();
        if !messages.is_empty() {
            bind_webhooks(query(ADD_WEBHOOKS), &messages).execute(&mut *tx).await?;
        }
        attempt.commit(tx, plan, HashMap::new()).await.map(Some)
    }
}

async fn find_state(
    tx: &mut Transaction<'_, Sqlite>,
    attempt: &Attempt<'_>,
) -> sqlx::Result<State> {
    let Keys { users, edges } = Keys::new(attempt.changes);
    let users: Vec<_> = users.iter().map(|user| user.0).collect();
    let pairs = |kind| json(&pairs(&edges[kind]));
    let find = query_scalar(FIND)
        .bind(pairs(EdgeKind::Follow))
        .bind(pairs(EdgeKind::Request))
        .bind(pairs(EdgeKind::Block))
        .bind(json(&users));
    let found: String = find.fetch_one(&mut **tx).await?;
    let rows = serde_json::from_str(&found).map_err(|error| sqlx::Error::Decode(error.into()))?;
    State::from_rows(rows)
}

fn pairs(pairs: &BTreeSet<Pair>) -> Vec<(i64, i64)> {
    pairs.iter().map(|pair| (pair.0.0, pair.1.0)).collect()
}

/// Writes each table by one statement, if there is anything to write to it.
async fn write_plan(tx: &mut Transaction<'_, Sqlite>, plan: &Plan) -> sqlx::Result<()> {
    let mut writes = Vec::new();
    for kind in EdgeKind::ALL {
        let (removed, added) = (edge_rows(&plan.removed[kind]), edge_rows(&plan.added[kind]));
        let of_kind = statements_of(kind);
        writes.extend([
            (of_kind.remove, removed.clone()),
            (of_kind.add, added.clone()),
            (of_kind.remove_mirrors, removed),
            (of_kind.add_mirrors, added),
        ]);
    }
    let expired = rows(plan.expired.iter().map(|(user, day)| (user.0, day)));
    let changes = rows(
        plan.changes
            .iter()
            .map(|((follower, followee), row)| (follower.0, followee.0, row.day, row.changes)),
    );
    let counts = rows(plan.counts.iter().map(|(user, delta)| {
        let columns = delta.columns().into_iter();
        std::iter::once(user.0).chain(columns).collect::<Vec<_>>()
    }));
    writes.extend([(FORGET_CHANGES, expired), (COUNT_CHANGES, changes), (CHANGE_COUNTS, counts)]);
    for (sql, rows) in writes {
        if let Some(rows) = rows {
            query(sql).bind(rows).execute(&mut **tx).await?;
        }
    }
    Ok(())
}

/// Both users and microseconds.
fn edge_rows(edges: &SortedEdges) -> Option<String> {
    rows(edges.iter().map(|((one, other), at)| (one.0, other.0, stored(*at))))
}

/// Rows as JSON; `None` if there are none.
fn rows<T: serde::Serialize>(rows: impl Iterator<Item = T>) -> Option<String> {
    let rows: Vec<_> = rows.collect();
    (!rows.is_empty()).then(|| json(&rows))
}
