//! A group in steps: what is already so, whoever is missing and who has reached a limit is found
//! before anything is written, by one statement that locks nothing.
//!
//! Each step of the transaction holds what it has changed, so what was found is put right by what
//! the step tells, and the group is decided again. Where that comes to something else than is
//! written, nothing is.

use std::collections::{BTreeSet, HashSet};

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection, Postgres, Transaction};

use super::{change_counts, columns, find_changes};
use crate::{
    domain::UserId,
    store::follow_writes::{
        attempt::{Attempt, Made},
        decision::{Found, Pair, Plan},
    },
};

statements! {
    // $1 and $2 are pairs, $3 all users in them. For the rows, see `FoundRow`.
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

/// Makes a group on what is found first; nothing is given when others changed the same meanwhile.
pub(crate) async fn make(
    connection: &mut PgConnection,
    attempt: &Attempt,
) -> sqlx::Result<Option<Made>> {
    let group = &*attempt.group;
    let mut found = find(connection, attempt).await?;
    if let Some(done) = attempt.done_before(&found) {
        return Ok(Some(done));
    }
    let hoped = Plan::new(group, &found);
    if hoped.is_empty() {
        return Ok(Some(hoped.outcomes.into()));
    }

    let mut tx = connection.begin().await?;
    change_edges(&mut tx, attempt, &hoped, &mut found).await?;
    // An edge may have become another, with a time of its own.
    let plan = Plan::new(group, &found);
    if !plan.has_edges_of(&hoped) {
        return Ok(attempt.without_change(plan));
    }

    change_mirrors(&mut tx, attempt, &plan).await?;
    count_changes(&mut tx, attempt, &plan).await?;
    let counted = change_counts(&mut tx, attempt, &plan, &mut found).await?;
    if counted.follows_meanwhile {
        if !plan.changes.is_empty() {
            return Ok(None);
        }
        found.changes = find_changes(&mut tx, attempt, &plan).await?;
    }
    let exact = Plan::new(group, &found);
    if exact != plan {
        return Ok(attempt.without_change(exact));
    }
    attempt.commit(tx, plan, counted.counts).await.map(Some)
}

async fn find(connection: &mut PgConnection, attempt: &Attempt) -> sqlx::Result<Found> {
    attempt.sends_a_statement();
    let pairs: BTreeSet<Pair> =
        attempt.group.iter().map(|change| (change.follower, change.followee)).collect();
    let users: BTreeSet<UserId> = pairs.iter().flat_map(|pair| [pair.0, pair.1]).collect();
    let (followers, followees) = columns(&pairs);
    let question = sqlx::query_as(FIND).bind(followers).bind(followees);
    let users: Vec<_> = users.into_iter().map(|user| user.0).collect();
    Found::of(question.bind(users).fetch_all(connection).await?)
}

/// Takes and adds edges, and puts right what was found of them: those that are taken are held now,
/// and one that could not be added is there.
async fn change_edges(
    tx: &mut Transaction<'_, Postgres>,
    attempt: &Attempt,
    plan: &Plan,
    found: &mut Found,
) -> sqlx::Result<()> {
    if !plan.removed.is_empty() {
        attempt.sends_a_statement();
        let (followers, followees) = columns(plan.removed.keys());
        let edges = sqlx::query_as(REMOVE_EDGES).bind(followers).bind(followees);
        let removed: Vec<(i64, i64, DateTime<Utc>)> = edges.fetch_all(&mut **tx).await?;
        for pair in plan.removed.keys() {
            found.edges.remove(pair);
        }
        for (follower, followee, since) in removed {
            found.edges.insert((UserId(follower), UserId(followee)), since);
        }
    }
    if !plan.added.is_empty() {
        attempt.sends_a_statement();
        let (followers, followees) = columns(plan.added.keys());
        let edges = sqlx::query_as(ADD_EDGES).bind(followers).bind(followees);
        let edges = edges.bind(plan.added.values().copied().collect::<Vec<_>>());
        let added: Vec<(i64, i64)> = edges.fetch_all(&mut **tx).await?;
        let added: HashSet<Pair> =
            added.into_iter().map(|(one, other)| (UserId(one), UserId(other))).collect();
        for (pair, at) in plan.added.iter().filter(|(pair, _)| !added.contains(pair)) {
            // Since when does not matter: nothing is written then.
            found.edges.insert(*pair, *at);
        }
    }
    Ok(())
}

/// Does to the mirrors what was done to the edges.
async fn change_mirrors(
    tx: &mut Transaction<'_, Postgres>,
    attempt: &Attempt,
    plan: &Plan,
) -> sqlx::Result<()> {
    for (sql, edges) in [(REMOVE_MIRRORS, &plan.removed), (ADD_MIRRORS, &plan.added)] {
        if edges.is_empty() {
            continue;
        }
        attempt.sends_a_statement();
        let (followers, followees) = columns(edges.keys());
        let mirrors = sqlx::query(sql).bind(followers).bind(followees);
        let times: Vec<_> = edges.values().copied().collect();
        mirrors.bind(times).execute(&mut **tx).await?;
    }
    Ok(())
}

/// Counts the changes of pairs.
async fn count_changes(
    tx: &mut Transaction<'_, Postgres>,
    attempt: &Attempt,
    plan: &Plan,
) -> sqlx::Result<()> {
    if plan.changes.is_empty() {
        return Ok(());
    }
    attempt.sends_a_statement();
    let followers: Vec<_> = plan.forgotten.keys().map(|user| user.0).collect();
    let days: Vec<_> = plan.forgotten.values().copied().collect();
    sqlx::query(FORGET_CHANGES).bind(followers).bind(days).execute(&mut **tx).await?;

    attempt.sends_a_statement();
    let (followers, followees) = columns(plan.changes.keys());
    sqlx::query(COUNT_CHANGES)
        .bind(followers)
        .bind(followees)
        .bind(plan.changes.values().map(|row| row.day).collect::<Vec<_>>())
        .bind(plan.changes.values().map(|row| row.changes).collect::<Vec<_>>())
        .execute(&mut **tx)
        .await?;
    Ok(())
}
