//! The slow path: reads the state of a batch first, by one statement that locks nothing, and then
//! writes the plan step by step.
//!
//! Each step locks the rows that it changes and returns what they were, so the state is corrected
//! step by step and the batch is planned again. Where the plan differs from what was written, the
//! transaction is rolled back.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection, Postgres, Transaction};

use super::{change_counts, columns, find_changes};
use crate::{
    domain::UserId,
    store::{
        follow_writes::{Attempt, Pair, Plan, State, Written},
        postgres::{BEGIN, Query},
        statement::{query, query_as},
    },
};

statements! {
    // $1 and $2 are pairs, $3 all users in them. For the rows, see `StateRow`.
    FIND =
        "SELECT 1::bigint, u.id, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint \
         FROM users u WHERE u.id = ANY($3) \
         UNION ALL \
         SELECT 2, c.user_id, 0, c.followers, c.following, c.follows_day, c.follows_today \
         FROM follow_counts c WHERE c.user_id = ANY($1) \
         UNION ALL \
         SELECT 3, e.follower_id, e.followee_id, \
                (extract(epoch FROM e.followed_at) * 1000000)::bigint, 0, 0, 0 \
         FROM follows e JOIN unnest($1, $2::bigint[]) AS k (follower_id, followee_id) \
           ON e.follower_id = k.follower_id AND e.followee_id = k.followee_id \
         WHERE e.follower_id = ANY($1) AND k.follower_id BETWEEN 0 AND 9223372036854775807 \
         UNION ALL \
         SELECT 4, p.follower_id, p.followee_id, p.day, p.changes, 0, 0 \
         FROM follow_changes p JOIN unnest($1, $2::bigint[]) AS k (follower_id, followee_id) \
           ON p.follower_id = k.follower_id AND p.followee_id = k.followee_id \
         WHERE p.follower_id = ANY($1) AND k.follower_id BETWEEN 0 AND 9223372036854775807";
    REMOVE_EDGES =
        "DELETE FROM follows e USING unnest($1::bigint[], $2::bigint[]) AS k (follower_id, followee_id) \
         WHERE e.follower_id = k.follower_id AND e.followee_id = k.followee_id \
         AND e.follower_id = ANY($1) AND k.follower_id BETWEEN 0 AND 9223372036854775807 \
         RETURNING e.follower_id, e.followee_id, e.followed_at";
    ADD_EDGES =
        "INSERT INTO follows (follower_id, followee_id, followed_at) \
         SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[]) \
         ON CONFLICT DO NOTHING RETURNING follower_id, followee_id";
    REMOVE_MIRRORS =
        "DELETE FROM followers e \
         USING unnest($1::bigint[], $2::bigint[], $3::timestamptz[]) \
               AS k (follower_id, followee_id, followed_at) \
         WHERE e.followee_id = k.followee_id AND e.followed_at = k.followed_at \
         AND e.follower_id = k.follower_id AND e.followee_id = ANY($2) \
         AND k.follower_id BETWEEN 0 AND 9223372036854775807";
    ADD_MIRRORS =
        "INSERT INTO followers (follower_id, followee_id, followed_at) \
         SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[]) \
         ON CONFLICT DO NOTHING";
    FORGET_CHANGES =
        "DELETE FROM follow_changes p USING unnest($1::bigint[], $2::bigint[]) AS k (follower_id, day) \
         WHERE p.follower_id = k.follower_id AND p.follower_id = ANY($1) AND p.day < k.day \
         AND k.follower_id BETWEEN 0 AND 9223372036854775807";
    COUNT_CHANGES =
        "INSERT INTO follow_changes (follower_id, followee_id, day, changes) \
         SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]) \
         ON CONFLICT (follower_id, followee_id) DO UPDATE \
         SET day = greatest(follow_changes.day, excluded.day), \
             changes = follow_changes.changes + excluded.changes";
}

/// Writes a batch on top of the state that it reads. `None`, with nothing written, if others
/// changed the same edges meanwhile.
pub(crate) async fn write(
    connection: &mut PgConnection,
    attempt: &Attempt<'_>,
) -> sqlx::Result<Option<Written>> {
    let changes = attempt.changes;
    // 1. Read and plan. An earlier attempt may have been committed although the answer was lost.
    let mut state = find_state(connection, attempt).await?;
    if let Some(written) = attempt.committed_before(&state) {
        return Ok(Some(written));
    }
    let first_plan = Plan::new(changes, &state);
    if first_plan.is_empty() {
        return Ok(Some(first_plan.outcomes.into()));
    }

    // 2. Write the edges, which locks them, and re-plan with those that we actually found. A
    // removed edge may have been replaced by one with another time; that is no reason to stop.
    let mut tx = connection.begin_with(BEGIN).await?;
    change_edges(&mut tx, &first_plan, &mut state).await?;
    let plan = Plan::new(changes, &state);
    if !plan.has_edges_of(&first_plan) {
        return Ok(attempt.unchanged(plan));
    }

    // 3. Write what depends on the edges, the counts last.
    let mirrors_removed = change_mirrors(&mut tx, &plan).await?;
    if mirrors_removed < plan.removed.len() && !attempt.is_last() {
        // A follow that is being committed on several servers may show its edge before its mirror,
        // which would then be left over: roll back, and look again. A mirror that is still missing
        // at the last attempt is lost; that is for `check` to report, and must not fail an unfollow.
        return Ok(None);
    }
    count_changes(&mut tx, &plan).await?;
    let counted = change_counts(&mut tx, &plan, &mut state).await?;

    // 4. A follower with new follows since the state was read may have changes of the same pairs as
    // well: read those again. If we have counted changes ourselves, those rows include ours and
    // cannot be compared: roll back and retry.
    if counted.is_outdated {
        if !plan.changes.is_empty() {
            return Ok(None);
        }
        state.changes = find_changes(&mut tx, &plan).await?;
    }

    // 5. Re-plan with the locked rows. If the plan changed, a limit was reached meanwhile.
    let final_plan = Plan::new(changes, &state);
    if final_plan != plan {
        return Ok(attempt.unchanged(final_plan));
    }
    attempt.commit(tx, plan, counted.counts).await.map(Some)
}

async fn find_state(connection: &mut PgConnection, attempt: &Attempt<'_>) -> sqlx::Result<State> {
    let pairs: BTreeSet<Pair> =
        attempt.changes.iter().map(|change| (change.follower, change.followee)).collect();
    let users: BTreeSet<UserId> = pairs.iter().flat_map(|pair| [pair.0, pair.1]).collect();
    let (followers, followees) = columns(&pairs);
    let users: Vec<_> = users.into_iter().map(|user| user.0).collect();
    let find = query_as(FIND).bind(followers).bind(followees).bind(users);
    State::from_rows(find.fetch_all(connection).await?)
}

/// Removes and adds edges, and corrects the state: removed edges were locked with the time that is
/// returned, and an edge that could not be added exists.
async fn change_edges(
    tx: &mut Transaction<'_, Postgres>,
    plan: &Plan,
    state: &mut State,
) -> sqlx::Result<()> {
    if !plan.removed.is_empty() {
        let (followers, followees) = columns(plan.removed.keys());
        let edges = query_as(REMOVE_EDGES).bind(followers).bind(followees);
        let removed: Vec<(i64, i64, DateTime<Utc>)> = edges.fetch_all(&mut **tx).await?;
        for pair in plan.removed.keys() {
            state.edges.remove(pair);
        }
        for (follower, followee, since) in removed {
            state.edges.insert((UserId(follower), UserId(followee)), since);
        }
    }
    if !plan.added.is_empty() {
        let (followers, followees) = columns(plan.added.keys());
        let edges = query_as(ADD_EDGES).bind(followers).bind(followees);
        let edges = edges.bind(plan.added.values().copied().collect::<Vec<_>>());
        let added: Vec<(i64, i64)> = edges.fetch_all(&mut **tx).await?;
        let added: HashSet<Pair> =
            added.into_iter().map(|(one, other)| (UserId(one), UserId(other))).collect();
        for (pair, at) in plan.added.iter().filter(|(pair, _)| !added.contains(pair)) {
            // The time does not matter: the plans differ then, and nothing is written.
            state.edges.insert(*pair, *at);
        }
    }
    Ok(())
}

/// Changes the mirrors as the edges were changed, and returns how many were removed.
async fn change_mirrors(tx: &mut Transaction<'_, Postgres>, plan: &Plan) -> sqlx::Result<usize> {
    let mut removed = 0;
    if !plan.removed.is_empty() {
        let mirrors = mirrors(REMOVE_MIRRORS, &plan.removed).execute(&mut **tx).await?;
        removed = usize::try_from(mirrors.rows_affected()).unwrap_or(usize::MAX);
    }
    if !plan.added.is_empty() {
        mirrors(ADD_MIRRORS, &plan.added).execute(&mut **tx).await?;
    }
    Ok(removed)
}

/// A statement that changes the mirrors of these edges.
fn mirrors(sql: &'static str, edges: &BTreeMap<Pair, DateTime<Utc>>) -> Query {
    let (followers, followees) = columns(edges.keys());
    let times: Vec<_> = edges.values().copied().collect();
    query(sql).bind(followers).bind(followees).bind(times)
}

/// Counts the changes of pairs.
async fn count_changes(tx: &mut Transaction<'_, Postgres>, plan: &Plan) -> sqlx::Result<()> {
    if plan.changes.is_empty() {
        return Ok(());
    }
    let followers: Vec<_> = plan.expired.keys().map(|user| user.0).collect();
    let days: Vec<_> = plan.expired.values().copied().collect();
    query(FORGET_CHANGES).bind(followers).bind(days).execute(&mut **tx).await?;

    let (followers, followees) = columns(plan.changes.keys());
    query(COUNT_CHANGES)
        .bind(followers)
        .bind(followees)
        .bind(plan.changes.values().map(|row| row.day).collect::<Vec<_>>())
        .bind(plan.changes.values().map(|row| row.changes).collect::<Vec<_>>())
        .execute(&mut **tx)
        .await?;
    Ok(())
}
