//! A group at once: one statement writes it; where pairs have limits, a second looks those up. What
//! they tell decides what became of each change.

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection, Postgres, Transaction};

use super::{CountsRow, columns, find_changes, look_at_counts};
use crate::{
    domain::{Day, FollowLimits, UserId},
    store::{
        groups::{Attempt, Made},
        plan::{Found, Plan},
    },
};

statements! {
    // $1 and $2 are pairs to take apart, and $7 those of them whose changes are counted; $3 to $5
    // are edges to add, $6 is the day, and $8 are the users at all ends. The parts of the statement
    // see the tables as they were before it. What follows from an edge begins with the rows that
    // were taken. Old changes of other pairs are forgotten only where nobody holds them: so who
    // forgets waits for nobody, and two who unfollow for one user do not lock each other out.
    // Counts are changed as by `CHANGE_COUNTS`, each once; they are in the order of their ids,
    // whichever side the planner begins with. A row of the answer is an edge, with its time if it
    // was taken away; or else a user, with the counts as they are now.
    WRITE =
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
             SELECT follower_id, followee_id, followed_at FROM added), \
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
                 FOR UPDATE SKIP LOCKED))), \
         counts_changed AS ( \
             UPDATE follow_counts c \
             SET followers = greatest(0, c.followers + k.followers), \
                 following = greatest(0, c.following + k.following), \
                 follows_day = CASE WHEN k.follows > 0 THEN greatest(c.follows_day, $6::bigint) \
                                    ELSE c.follows_day END, \
                 follows_today = CASE WHEN k.follows = 0 OR c.follows_day >= $6::bigint \
                                      THEN c.follows_today + k.follows ELSE k.follows END \
             FROM (SELECT user_id, sum(followers) AS followers, sum(following) AS following, \
                          sum(follows) AS follows \
                   FROM (SELECT follower_id AS user_id, 0 AS followers, -1 AS following, \
                                0 AS follows FROM removed \
                         UNION ALL SELECT followee_id, -1, 0, 0 FROM removed \
                         UNION ALL SELECT follower_id, 0, 1, 1 FROM added \
                         UNION ALL SELECT followee_id, 1, 0, 0 FROM added) ends \
                   GROUP BY user_id ORDER BY user_id) k \
             WHERE c.user_id = k.user_id AND c.user_id = ANY($8) \
             RETURNING c.user_id, c.followers, c.following, c.follows_day, c.follows_today) \
         SELECT follower_id, followee_id, followed_at, NULL::bigint, NULL::bigint, NULL::bigint, \
                NULL::bigint \
         FROM removed \
         UNION ALL SELECT follower_id, followee_id, NULL, NULL, NULL, NULL, NULL FROM added \
         UNION ALL SELECT user_id, NULL, NULL, followers, following, follows_day, follows_today \
         FROM counts_changed";
}

/// Makes a group, when what is written tells all there is to know; else nothing is, and nothing is
/// written.
pub(super) async fn make(
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
    let written = write(&mut tx, attempt, &hoped, today, &mut found).await?;
    let plan = Plan::new(group, &found);
    if plan.removed.len() + plan.added.len() != written.edges {
        // A follow is refused that was made, since another change was none that had to come first.
        return Ok(None);
    }
    if plan.is_empty() {
        return Ok(Some(plan.outcomes.into()));
    }
    let counted = look_at_counts(written.counts, &plan, &mut found);
    if plan.follows_within_limits(group, FollowLimits::limit_pair_changes) {
        found.changes = find_changes(&mut tx, attempt, &plan).await?;
    }
    if plan.follows_within_limits(group, |limits| *limits != FollowLimits::NONE)
        && Plan::new(group, &found) != plan
    {
        return Ok(None);
    }
    attempt.ends_its_turn();
    attempt.commit(tx, plan, counted.counts).await.map(Some)
}

/// What a statement has written.
struct Written {
    /// How many edges it has taken and added.
    edges: usize,
    counts: Vec<CountsRow>,
}

/// Writes what is hoped for. Puts right what was hoped of the edges: each is there or not as the
/// rows tell that were taken.
async fn write(
    tx: &mut Transaction<'_, Postgres>,
    attempt: &Attempt,
    hoped: &Plan,
    today: Day,
    found: &mut Found,
) -> sqlx::Result<Written> {
    attempt.sends_a_statement();
    let (removed_followers, removed_followees) = columns(hoped.removed.keys());
    let (added_followers, added_followees) = columns(hoped.added.keys());
    let rows: Vec<Row> = sqlx::query_as(WRITE)
        .bind(&removed_followers)
        .bind(&removed_followees)
        .bind(&added_followers)
        .bind(&added_followees)
        .bind(hoped.added.values().copied().collect::<Vec<_>>())
        .bind(today.0)
        .bind(hoped.removed.keys().map(|pair| hoped.changes.contains_key(pair)).collect::<Vec<_>>())
        .bind(
            [&*removed_followers, &removed_followees, &added_followers, &added_followees].concat(),
        )
        .fetch_all(&mut **tx)
        .await?;

    let (mut edges, mut counts) = (0, Vec::with_capacity(rows.len()));
    // Those of whom nothing is told: an edge to add is there already, one to take is not.
    found.edges = hoped.added.clone().into_iter().collect();
    for (one, other, since, followers, following, follows_day, follows_today) in rows {
        let Some(other) = other else {
            let row = (followers, following, follows_day, follows_today);
            if let (Some(a), Some(b), Some(c), Some(d)) = row {
                counts.push((one, a, b, c, d));
            }
            continue;
        };
        edges += 1;
        let pair = (UserId(one), UserId(other));
        match since {
            Some(since) => found.edges.insert(pair, since),
            None => found.edges.remove(&pair),
        };
    }
    Ok(Written { edges, counts })
}

type MaybeNumber = Option<i64>;

type Row =
    (i64, MaybeNumber, Option<DateTime<Utc>>, MaybeNumber, MaybeNumber, MaybeNumber, MaybeNumber);
