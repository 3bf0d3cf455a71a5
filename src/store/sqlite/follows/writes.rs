//! The write path of follows: a group of changes is one transaction, and waits for the disk once.
//!
//! The transaction has the lock from its beginning, so what is found in it stays true, and what is
//! decided by that is written as it is.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use sqlx::{Sqlite, SqlitePool, Transaction};

use crate::{
    store::follow_writes::{
        attempt::{Attempt, Made},
        decision::{Found, Pair, Plan},
    },
    store::sqlite::{BEGIN, json},
};

statements! {
    // $1 are pairs, $2 all users in them. What is found comes as one text, since each row would have
    // to cross from the thread of the connection by itself. For its parts, see `FoundRow`.
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
    // `WHERE true` tells the parser that ON is of the conflict, and not of a join.
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
    // A counter that is too low already stays at zero: only `check` may complain of it, not the
    // user who unfollows. A day never goes back: where clocks disagree about midnight, the later
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

/// Makes a group.
pub(crate) async fn make(pool: SqlitePool, attempt: Attempt) -> sqlx::Result<Option<Made>> {
    let mut tx = pool.begin_with(BEGIN).await?;
    let found = find(&mut tx, &attempt).await?;
    if let Some(done) = attempt.done_before(&found) {
        return Ok(Some(done));
    }
    let plan = Plan::new(&attempt.group, &found);
    if plan.is_empty() {
        return Ok(Some(plan.outcomes.into()));
    }

    let (removed, added) = (edges(&plan.removed), edges(&plan.added));
    let forgotten: Vec<_> = plan.forgotten.iter().map(|(user, day)| (user.0, day)).collect();
    let changes: Vec<_> = plan
        .changes
        .iter()
        .map(|((follower, followee), row)| (follower.0, followee.0, row.day, row.changes))
        .collect();
    let counts: Vec<_> = plan
        .counts
        .iter()
        .map(|(user, c)| {
            (user.0, c.followers, c.following, c.follows, c.follows_day, c.follows_since)
        })
        .collect();
    for (sql, rows) in [
        (REMOVE_EDGES, json_unless_empty(&removed)),
        (ADD_EDGES, json_unless_empty(&added)),
        (REMOVE_MIRRORS, json_unless_empty(&removed)),
        (ADD_MIRRORS, json_unless_empty(&added)),
        (FORGET_CHANGES, json_unless_empty(&forgotten)),
        (COUNT_CHANGES, json_unless_empty(&changes)),
        (CHANGE_COUNTS, json_unless_empty(&counts)),
    ] {
        if let Some(rows) = rows {
            attempt.sends_a_statement();
            sqlx::query(sql).bind(rows).execute(&mut *tx).await?;
        }
    }
    attempt.commit(tx, plan, HashMap::new()).await.map(Some)
}

async fn find(tx: &mut Transaction<'_, Sqlite>, attempt: &Attempt) -> sqlx::Result<Found> {
    let pairs: BTreeSet<_> =
        attempt.group.iter().map(|change| (change.follower.0, change.followee.0)).collect();
    let users: BTreeSet<_> = pairs.iter().flat_map(|pair| [pair.0, pair.1]).collect();
    attempt.sends_a_statement();
    let question = sqlx::query_scalar(FIND).bind(json(&pairs)).bind(json(&users));
    let found: String = question.fetch_one(&mut **tx).await?;
    let rows = serde_json::from_str(&found).map_err(|error| sqlx::Error::Decode(error.into()))?;
    Found::of(rows)
}

/// Follower, followee and microseconds.
fn edges<'a>(
    edges: impl IntoIterator<Item = (&'a Pair, &'a DateTime<Utc>)>,
) -> Vec<(i64, i64, i64)> {
    let edge = |((follower, followee), at): (&Pair, &DateTime<Utc>)| {
        (follower.0, followee.0, at.timestamp_micros())
    };
    edges.into_iter().map(edge).collect()
}

fn json_unless_empty<T: serde::Serialize>(rows: &[T]) -> Option<String> {
    (!rows.is_empty()).then(|| json(&rows))
}
