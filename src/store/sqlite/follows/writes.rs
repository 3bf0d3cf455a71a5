//! The write path of follows: a batch of changes is one transaction, which waits for the disk once.
//!
//! The transaction holds the write lock from its beginning, so the state that it reads stays true,
//! and the plan is written as it is.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use sqlx::{Sqlite, SqlitePool, Transaction};

use crate::store::{
    follow_writes::{Attempt, FollowWriter, Pair, Plan, State, Written},
    sqlite::{begin, json, stored},
    statement::{query, query_scalar},
};

statements! {
    // $1 are pairs, $2 all users in them. The rows come as one text, since each row would have to
    // cross from the thread of the connection by itself. For its parts, see `StateRow`.
    FIND =
        "SELECT json_group_array(json_array(kind, one, other, a, b, c, d)) FROM ( \
           SELECT 1 AS kind, id AS one, 0 AS other, 0 AS a, 0 AS b, 0 AS c, 0 AS d \
           FROM users WHERE id IN (SELECT value FROM json_each($2)) \
           UNION ALL \
           SELECT 2, user_id, 0, followers, following, follows_day, follows_today \
           FROM follow_counts WHERE user_id IN (SELECT value ->> 0 FROM json_each($1)) \
           UNION ALL \
           SELECT 3, follower_id, followee_id, followed_at, 0, 0, 0 \
           FROM json_each($1) k CROSS JOIN follows e \
             ON e.follower_id = k.value ->> 0 AND e.followee_id = k.value ->> 1 \
           UNION ALL \
           SELECT 4, follower_id, followee_id, day, changes, 0, 0 \
           FROM json_each($1) k CROSS JOIN follow_changes p \
             ON p.follower_id = k.value ->> 0 AND p.followee_id = k.value ->> 1)";
    REMOVE_EDGES =
        "DELETE FROM follows WHERE (followee_id, follower_id) IN \
           (SELECT value ->> 1, value ->> 0 FROM json_each($1))";
    ADD_EDGES =
        "INSERT INTO follows (follower_id, followee_id, followed_at) \
         SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each($1)";
    REMOVE_MIRRORS =
        "DELETE FROM followers WHERE (followee_id, followed_at, follower_id) IN \
           (SELECT value ->> 1, value ->> 2, value ->> 0 FROM json_each($1))";
    // `WHERE true` keeps the parser from taking ON for that of a join.
    ADD_MIRRORS =
        "INSERT INTO followers (follower_id, followee_id, followed_at) \
         SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each($1) WHERE true \
         ON CONFLICT DO NOTHING";
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
             follows_day = max(follows_day, k.value ->> 4), \
             follows_today = CASE WHEN follows_day >= k.value ->> 4 \
                                  THEN follows_today + (k.value ->> 3) ELSE k.value ->> 5 END \
         FROM json_each($1) k WHERE user_id = k.value ->> 0";
}

/// Writes batches of changes.
#[derive(Clone, Debug)]
pub(crate) struct Writer(pub(crate) SqlitePool);

impl FollowWriter for Writer {
    const BATCHES_MAX: usize = 1;

    async fn write(&self, attempt: &Attempt<'_>) -> sqlx::Result<Option<Written>> {
        let mut tx = begin(&self.0).await?;
        let state = find_state(&mut tx, attempt).await?;
        if let Some(written) = attempt.committed_before(&state) {
            return Ok(Some(written));
        }
        let plan = Plan::new(attempt.changes, &state);
        if plan.is_empty() {
            return Ok(Some(plan.outcomes.into()));
        }
        write_plan(&mut tx, &plan).await?;
        attempt.commit(tx, plan, HashMap::new()).await.map(Some)
    }
}

async fn find_state(
    tx: &mut Transaction<'_, Sqlite>,
    attempt: &Attempt<'_>,
) -> sqlx::Result<State> {
    let pairs: BTreeSet<_> =
        attempt.changes.iter().map(|change| (change.follower.0, change.followee.0)).collect();
    let users: BTreeSet<_> = pairs.iter().flat_map(|pair| [pair.0, pair.1]).collect();
    let find = query_scalar(FIND).bind(json(&pairs)).bind(json(&users));
    let found: String = find.fetch_one(&mut **tx).await?;
    let rows = serde_json::from_str(&found).map_err(|error| sqlx::Error::Decode(error.into()))?;
    State::from_rows(rows)
}

/// Writes each table by one statement, if there is anything to write to it.
async fn write_plan(tx: &mut Transaction<'_, Sqlite>, plan: &Plan) -> sqlx::Result<()> {
    let (removed, added) = (edge_rows(&plan.removed), edge_rows(&plan.added));
    let expired = rows(plan.expired.iter().map(|(user, day)| (user.0, day)));
    let changes = rows(
        plan.changes
            .iter()
            .map(|((follower, followee), row)| (follower.0, followee.0, row.day, row.changes)),
    );
    let counts = rows(plan.counts.iter().map(|(user, c)| {
        (user.0, c.followers, c.following, c.follows, c.follows_day, c.follows_since)
    }));
    for (sql, rows) in [
        (REMOVE_EDGES, removed.clone()),
        (ADD_EDGES, added.clone()),
        (REMOVE_MIRRORS, removed),
        (ADD_MIRRORS, added),
        (FORGET_CHANGES, expired),
        (COUNT_CHANGES, changes),
        (CHANGE_COUNTS, counts),
    ] {
        if let Some(rows) = rows {
            query(sql).bind(rows).execute(&mut **tx).await?;
        }
    }
    Ok(())
}

/// Follower, followee and microseconds.
fn edge_rows(edges: &BTreeMap<Pair, DateTime<Utc>>) -> Option<String> {
    rows(edges.iter().map(|((follower, followee), at)| (follower.0, followee.0, stored(*at))))
}

/// Rows as JSON; `None` if there are none.
fn rows<T: serde::Serialize>(rows: impl Iterator<Item = T>) -> Option<String> {
    let rows: Vec<_> = rows.collect();
    (!rows.is_empty()).then(|| json(&rows))
}
