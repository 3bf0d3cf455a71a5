//! A group at once: its edges are written by one statement and its counts by a second; where pairs
//! have limits, a third looks those up. What they tell decides what became of each change.

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection, Postgres, Transaction};

use super::{change_counts, columns, find_changes};
use crate::{
    domain::{Day, FollowLimits, UserId},
    store::follow_writes::{
        attempt::{Attempt, Made},
        decision::{Found, Plan},
    },
};

statements! {
    // $1 and $2 are pairs to take apart, and $7 those of them whose changes are counted; $3 to $5
    // are edges to add, and $6 is the day. The parts of the statement see the tables as they were
    // before it. What follows from an edge begins with the rows that were taken. Old changes of
    // other pairs are forgotten last, and only where nobody holds them: so who forgets waits for
    // nobody, and two who unfollow for one user do not lock each other out.
    CHANGE_EDGES =
        "WITH removed AS ( \
             DELETE FROM follows e \
             USING unnest($1::bigint[], $2::bigint[], $7::boolean[]) \
                   AS k (follower_id, followee_id, is_counted) \
             WHERE e.follower_id = k.follower_id AND e.followee_id = k.followee_id \
             AND k.follower_id BETWEEN 0 AND 9223372036854775807 \
             RETURNING e.follower_id, e.followee_id, e.followed_at, k.is_counted), \
         counted AS (SELECT follower_id, followee_id, followed_at FROM removed WHERE is_counted), \
         added AS ( \
             INSERT INTO follows (follower_id, followee_id, followed_at) \
             SELECT * FROM unnest($3::bigint[], $4::bigint[], $5::timestamptz[]) \
             ON CONFLICT DO NOTHING RETURNING follower_id, followee_id, followed_at), \
         mirrors_removed AS ( \
             DELETE FROM followers e USING removed r \
             WHERE e.followee_id = r.followee_id AND e.followed_at = r.followed_at \
             AND e.follower_id = r.follower_id), \
         mirrors_added AS ( \
             INSERT INTO followers (follower_id, followee_id, followed_at) \
             SELECT follower_id, followee_id, followed_at FROM added ON CONFLICT DO NOTHING), \
         changes_counted AS ( \
             INSERT INTO follow_changes (follower_id, followee_id, day, changes) \
             SELECT follower_id, followee_id, $6::bigint, \
                    CASE WHEN floor(extract(epoch FROM followed_at) / 86400) = $6::bigint \
                         THEN 2 ELSE 1 END \
             FROM counted \
             ON CONFLICT (follower_id, followee_id) DO UPDATE \
             SET changes = CASE WHEN follow_changes.day < excluded.day THEN excluded.changes \
                                ELSE follow_changes.changes + excluded.changes END, \
                 day = greatest(follow_changes.day, excluded.day) \
             RETURNING follower_id, followee_id), \
         changes_forgotten AS ( \
             DELETE FROM follow_changes WHERE ctid = ANY(ARRAY( \
                 SELECT p.ctid FROM follow_changes p \
                 WHERE p.follower_id = ANY(ARRAY(SELECT follower_id FROM changes_counted)) \
                 AND p.day < $6::bigint \
                 AND NOT EXISTS (SELECT 1 FROM changes_counted again \
                                 WHERE again.follower_id = p.follower_id \
                                 AND again.followee_id = p.followee_id) \
                 FOR UPDATE SKIP LOCKED))) \
         SELECT follower_id, followee_id, followed_at FROM removed \
         UNION ALL SELECT follower_id, followee_id, NULL FROM added";
}

/// Makes a group, when what is written tells all there is to know; else nothing is, and nothing is
/// written.
pub(crate) async fn make(
    connection: &mut PgConnection,
    attempt: &Attempt,
) -> sqlx::Result<Option<Made>> {
    let group = &*attempt.group;
    let Some((mut found, today)) = Found::hoped(group) else { return Ok(None) };
    let hoped = Plan::new(group, &found);
    if !hoped.changes_all(group) {
        return Ok(None);
    }

    let mut tx = connection.begin().await?;
    let edges = change_edges(&mut tx, attempt, &hoped, today, &mut found).await?;
    let plan = Plan::new(group, &found);
    if plan.removed.len() + plan.added.len() != edges {
        // A follow is refused that was made, since another change was none that had to come first.
        return Ok(None);
    }
    if plan.is_empty() {
        return Ok(Some(plan.outcomes.into()));
    }
    let counted = change_counts(&mut tx, attempt, &plan, &mut found).await?;
    if plan.follows_within_limits(group, FollowLimits::limit_pair_changes) {
        found.changes = find_changes(&mut tx, attempt, &plan).await?;
    }
    if plan.follows_within_limits(group, |limits| *limits != FollowLimits::NONE)
        && Plan::new(group, &found) != plan
    {
        return Ok(None);
    }
    attempt.commit(tx, plan, counted.counts).await.map(Some)
}

/// Takes and adds edges with their mirrors, and counts the changes of pairs. Puts right what was
/// hoped of the edges: each is there or not as the rows tell that were taken. Gives their number.
async fn change_edges(
    tx: &mut Transaction<'_, Postgres>,
    attempt: &Attempt,
    hoped: &Plan,
    today: Day,
    found: &mut Found,
) -> sqlx::Result<usize> {
    attempt.sends_a_statement();
    let (removed_followers, removed_followees) = columns(hoped.removed.keys());
    let (added_followers, added_followees) = columns(hoped.added.keys());
    let rows: Vec<(i64, i64, Option<DateTime<Utc>>)> = sqlx::query_as(CHANGE_EDGES)
        .bind(removed_followers)
        .bind(removed_followees)
        .bind(added_followers)
        .bind(added_followees)
        .bind(hoped.added.values().copied().collect::<Vec<_>>())
        .bind(today.0)
        .bind(hoped.removed.keys().map(|pair| hoped.changes.contains_key(pair)).collect::<Vec<_>>())
        .fetch_all(&mut **tx)
        .await?;

    let edges = rows.len();
    // Those of whom nothing is told: an edge to add is there already, one to take is not.
    found.edges = hoped.added.clone().into_iter().collect();
    for (follower, followee, since) in rows {
        let pair = (UserId(follower), UserId(followee));
        match since {
            Some(since) => found.edges.insert(pair, since),
            None => found.edges.remove(&pair),
        };
    }
    Ok(edges)
}
