//! The optimistic write: one statement for the edges, one for the counts, and a third for the
//! changes of pairs where those are limited. The returned rows decide the outcome of each change.

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection, Postgres, Transaction};

use super::{Recording, change_counts, columns, find_changes};
use crate::{
    domain::{
        Day, EdgeKind, FollowAction, FollowChange, FollowChanged, FollowLimits, Mute,
        UnfollowOutcome, UserId,
    },
    store::{
        follow_writes::{Attempt, PairChanges, Plan, State, Written},
        postgres::{BEGIN, shared::imports},
        statement::query_as,
    },
};

statements! {
    // $1 and $2 are edges to remove, $7 says which of these removals are counted; $3 to $5 are
    // edges to add, and $6 is the day. All parts of the statement see the tables as they were
    // before it, so each part that depends on an edge starts from the rows that were removed or
    // added. For each added edge it returns how often its pair was changed today, and whether the
    // followee mutes the follower. Expired changes of other pairs are deleted last, and only those that no other
    // transaction has locked: the deletion never waits, so two unfollows of one follower cannot
    // deadlock. An edge that the statement sees has its mirror: both became visible at one moment.
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
         SELECT follower_id, followee_id, followed_at, NULL::bigint, NULL::boolean FROM removed \
         UNION ALL \
         SELECT follower_id, followee_id, NULL, \
                (SELECT p.changes FROM follow_changes p \
                 WHERE p.follower_id = added.follower_id AND p.followee_id = added.followee_id \
                 AND p.day = $6::bigint), \
                (SELECT true FROM mutes m \
                 WHERE m.muter_id = added.followee_id AND m.muted_id = added.follower_id \
                 AND (m.muted_until IS NULL OR m.muted_until > added.followed_at)) \
         FROM added";
}

/// Both users; when a removed edge was added; the changes of the pair of an added one, and whether
/// its followee mutes its follower.
type EdgeRow = (i64, i64, Option<DateTime<Utc>>, Option<i64>, Option<bool>);

/// Writes a batch without reading anything first. `None`, with nothing written, if that cannot
/// decide the batch: then the slow path has to.
pub(crate) async fn write(
    connection: &mut PgConnection,
    recording: Recording,
    attempt: &Attempt<'_>,
) -> sqlx::Result<Option<Written>> {
    let changes = attempt.changes;
    // 1. Assume that every follow is new and every unfollow finds its edge. The assumption is only
    // of use if each change then changes an edge of its own.
    let Some((mut state, today)) = State::optimistic(changes) else { return Ok(None) };
    let optimistic = Plan::new(changes, &state);
    if optimistic.edges(EdgeKind::Follow) != changes.len() {
        return Ok(None);
    }

    // 2. Write the edges, which locks them, and re-plan with the edges that we actually found.
    let mut tx = connection.begin_with(BEGIN).await?;
    let edges_changed = change_edges(&mut tx, &optimistic, today, &mut state).await?;
    let is_import = |change: &FollowChange| matches!(change.action, FollowAction::Import { .. });
    if edges_changed != changes.len() && changes.iter().any(is_import) {
        // What becomes of an import depends on since when the edge exists, which was not read.
        return Ok(None);
    }
    let plan = Plan::new(changes, &state);
    let expected = plan.edges(EdgeKind::Follow);
    let is_withdrawal =
        plan.outcomes.contains(&FollowChanged::Unfollow(UnfollowOutcome::NotFollowing));
    if expected != edges_changed || is_withdrawal {
        // We added an edge that the new plan refuses, since an unfollow that it relied on turned
        // out to be a no-op; or an unfollow has no edge and may have a request. Roll back.
        return Ok(None);
    }
    if plan.is_empty() && attempt.checkpoint(&plan).is_none() {
        return Ok(Some(plan.outcomes.into()));
    }

    // 3. Change the counts. The rows, now locked, say how much of its limits each follower had
    // used before; the changes of their pairs are locked by the edges. They also say whether there
    // may be a request or a block, which was not read.
    let counted = change_counts(&mut tx, recording, &plan, &mut state).await?;
    if plan.may_be_contradicted(&state) {
        return Ok(None);
    }
    if plan.follows_within_limits(changes, FollowLimits::limit_pair_changes) {
        state.changes = find_changes(&mut tx, &plan).await?;
    }

    // 4. Re-plan once more. If the plan changed, a follow that we wrote has reached a limit, or its
    // followee is private: roll back.
    if Plan::new(changes, &state) != plan || !attempt.writes(&plan) {
        return Ok(None);
    }
    if let Some(checkpoint) = attempt.checkpoint(&plan)
        && !imports::save(&mut tx, checkpoint).await?
    {
        return Ok(Some(Written::overtaken()));
    }
    attempt.commit(tx, plan, counted.counts).await.map(Some)
}

/// Removes and adds edges with their mirrors, and counts the changes of pairs. Corrects the state
/// by the rows that the statement returns, and returns their number.
async fn change_edges(
    tx: &mut Transaction<'_, Postgres>,
    plan: &Plan,
    today: Day,
    state: &mut State,
) -> sqlx::Result<usize> {
    let (removed, added) = (&plan.removed[EdgeKind::Follow], &plan.added[EdgeKind::Follow]);
    let (removed_followers, removed_followees) = columns(removed.keys());
    let (added_followers, added_followees) = columns(added.keys());
    let rows: Vec<EdgeRow> = query_as(CHANGE_EDGES)
        .bind(removed_followers)
        .bind(removed_followees)
        .bind(added_followers)
        .bind(added_followees)
        .bind(added.values().copied().collect::<Vec<_>>())
        .bind(today.0)
        .bind(removed.keys().map(|pair| plan.changes.contains_key(pair)).collect::<Vec<_>>())
        .fetch_all(&mut **tx)
        .await?;

    let edges_changed = rows.len();
    // A pair without a row: its edge could not be added because it exists, or not be removed
    // because it does not.
    let edges = &mut state.edges[EdgeKind::Follow];
    *edges = added.clone().into_iter().collect();
    for (follower, followee, since, changes, is_muted) in rows {
        let pair = (UserId(follower), UserId(followee));
        match since {
            Some(since) => edges.insert(pair, since),
            None => edges.remove(&pair),
        };
        if let Some(changes) = changes {
            state.changes.insert(pair, PairChanges { day: today.0, changes });
        }
        if is_muted == Some(true) {
            state.mutes.insert((pair.1, pair.0), Mute { until: None });
        }
    }
    Ok(edges_changed)
}
