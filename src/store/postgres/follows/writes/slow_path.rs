//! The slow path: reads the state of a batch first, by one statement that locks nothing, and then
//! writes the plan step by step.
//!
//! Each step locks the rows that it changes and returns what they were, so the state is corrected
//! step by step and the batch is planned again. Where the plan differs from what was written, the
//! transaction is rolled back.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection, Postgres, Row, Transaction, postgres::PgRow};

use super::{Recording, change_counts, columns, find_changes};
use crate::{
    domain::{EdgeKind, UserId},
    store::{
        follow_writes::{
            Attempt, Keys, Pair, Plan, SortedEdges, State, StateRow, Written, counts_columns,
        },
        postgres::{BEGIN, Query, shared::imports, watch},
        statement::{query, query_as, query_scalar},
    },
};

/// The pairs of two parameters, in their order. The bounds exclude none; see [`super`].
macro_rules! pairs {
    ($ones:literal, $others:literal) => {
        concat! {
            "(SELECT * FROM unnest(", $ones, "::bigint[], ", $others, "::bigint[]) ",
                  "AS k (one, other) WHERE k.one BETWEEN 0 AND 9223372036854775807) k"
        }
    };
}

/// The condition that names the users who own rows. A distributed engine asks their shards only; in one
/// place it would be looked at again for each pair, so there it is left out.
macro_rules! owned_by {
    (in_one_place, $one:expr, $ones:literal) => {
        "true"
    };
    (distributed, $one:expr, $ones:literal) => {
        concat!($one, " = ANY(", $ones, ")")
    };
}

/// The edges of a kind that exist among pairs, as rows of a state.
macro_rules! edges_found {
    (
        $place:ident: $kind:literal, $ones:literal, $others:literal,
        $edges:literal, $one:literal, $other:literal, $at:literal
    ) => {
        concat! {
            "SELECT ARRAY[", $kind, ", e.", $one, ", e.", $other, ", ",
                         "(extract(epoch FROM e.", $at, ") * 1000000)::bigint] ",
            "FROM ", $edges, " e JOIN ", pairs!($ones, $others),
            " ON e.", $one, " = k.one AND e.", $other, " = k.other ",
            "WHERE ", owned_by!($place, concat!("e.", $one), $ones)
        }
    };
}

/// The mutes of the first users of pairs, as rows of a state.
macro_rules! mutes_found {
    ($place:ident: $ones:literal, $others:literal) => {
        concat! {
            "SELECT ARRAY[6, m.muter_id, m.muted_id, ",
                         "coalesce((extract(epoch FROM m.muted_until) * 1000000)::bigint, 0)] ",
            "FROM mutes m JOIN ", pairs!($ones, $others),
            " ON m.muter_id = k.one AND m.muted_id = k.other ",
            "WHERE ", owned_by!($place, "m.muter_id", $ones)
        }
    };
}

macro_rules! remove {
    ($edges:literal, $one:literal, $other:literal, $at:literal) => {
        concat! {
            "DELETE FROM ", $edges, " e ",
            "USING unnest($1::bigint[], $2::bigint[]) AS k (one, other) ",
            "WHERE e.", $one, " = k.one AND e.", $other, " = k.other ",
            "AND e.", $one, " = ANY($1) AND k.one BETWEEN 0 AND 9223372036854775807 ",
            "RETURNING e.", $one, ", e.", $other, ", e.", $at
        }
    };
}

macro_rules! add {
    ($edges:literal, $one:literal, $other:literal, $at:literal) => {
        concat! {
            "INSERT INTO ", $edges, " (", $one, ", ", $other, ", ", $at, ") ",
            "SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[]) ",
            "ON CONFLICT DO NOTHING RETURNING ", $one, ", ", $other
        }
    };
}

macro_rules! remove_mirrors {
    ($edges:literal, $one:literal, $other:literal, $at:literal) => {
        concat! {
            "DELETE FROM ", $edges, " e ",
            "USING unnest($1::bigint[], $2::bigint[], $3::timestamptz[]) AS k (one, other, at) ",
            "WHERE e.", $other, " = k.other AND e.", $at, " = k.at AND e.", $one, " = k.one ",
            "AND e.", $other, " = ANY($2) AND k.one BETWEEN 0 AND 9223372036854775807"
        }
    };
}

/// The state of a batch. `$1` and `$2` are pairs that may have follows, `$3` and `$4` requests, `$5` and
/// `$6` blocks; `$7` are all users in them. Follows in return matter where the followee consents to them at
/// once, mutes among the pairs of requests. For the rows, see `StateRow`.
macro_rules! find {
    ($place:ident) => {
        concat!(
            "SELECT ARRAY[0, u.id] FROM users u WHERE u.id = ANY($7) \
             UNION ALL \
             SELECT ARRAY[1, c.user_id, ", counts_columns!("c."), "] \
             FROM follow_counts c WHERE c.user_id = ANY($7) \
             UNION ALL ",
            edges_found!(
                $place: "2", "$1", "$2", "follows", "follower_id", "followee_id", "followed_at"
            ),
            " UNION ALL ",
            edges_found!(
                $place: "2", "$2", "$1", "follows", "follower_id", "followee_id", "followed_at"
            ),
            " AND EXISTS (SELECT 1 FROM follow_counts c WHERE c.user_id = e.follower_id AND ",
            owned_by!($place, "c.user_id", "$2"),
            " AND c.privacy & 128 <> 0) UNION ALL ",
            edges_found!(
                $place: "3", "$3", "$4",
                "follow_requests", "requester_id", "target_id", "requested_at"
            ),
            " UNION ALL ",
            edges_found!(
                $place: "4", "$5", "$6", "blocks", "blocker_id", "blocked_id", "blocked_at"
            ),
            " UNION ALL \
             SELECT ARRAY[5, p.follower_id, p.followee_id, p.day, p.changes] \
             FROM follow_changes p JOIN ", pairs!("$1", "$2"),
            " ON p.follower_id = k.one AND p.followee_id = k.other WHERE ",
            owned_by!($place, "p.follower_id", "$1"),
            " UNION ALL ", mutes_found!($place: "$3", "$4"),
            " UNION ALL ", mutes_found!($place: "$4", "$3")
        )
    };
}

statements! {
    FIND = find!(distributed);
    FIND_IN_ONE_PLACE = find!(in_one_place);
    REMOVE_EDGES = remove!("follows", "follower_id", "followee_id", "followed_at");
    REMOVE_REQUESTS = remove!("follow_requests", "requester_id", "target_id", "requested_at");
    REMOVE_BLOCKS = remove!("blocks", "blocker_id", "blocked_id", "blocked_at");
    ADD_EDGES = add!("follows", "follower_id", "followee_id", "followed_at");
    ADD_REQUESTS = add!("follow_requests", "requester_id", "target_id", "requested_at");
    ADD_BLOCKS = add!("blocks", "blocker_id", "blocked_id", "blocked_at");
    REMOVE_MIRRORS = remove_mirrors!("followers", "follower_id", "followee_id", "followed_at");
    REMOVE_MIRRORS_OF_REQUESTS = remove_mirrors!(
        "follow_requests_received", "requester_id", "target_id", "requested_at"
    );
    REMOVE_MIRRORS_OF_BLOCKS =
        remove_mirrors!("blocked_by", "blocker_id", "blocked_id", "blocked_at");
    ADD_MIRRORS = add!("followers", "follower_id", "followee_id", "followed_at");
    ADD_MIRRORS_OF_REQUESTS =
        add!("follow_requests_received", "requester_id", "target_id", "requested_at");
    ADD_MIRRORS_OF_BLOCKS = add!("blocked_by", "blocker_id", "blocked_id", "blocked_at");
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

/// The statements that change edges of a kind.
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

/// Writes a batch on top of the state that it reads. `None`, with nothing written, if others
/// changed the same edges meanwhile.
pub(crate) async fn write(
    connection: &mut PgConnection,
    recording: Recording,
    attempt: &Attempt<'_>,
) -> sqlx::Result<Option<Written>> {
    let changes = attempt.changes;
    // 1. Read and plan. An earlier attempt may have been committed although the answer was lost.
    let mut state = find_state(connection, recording, attempt).await?;
    if let Some(written) = attempt.committed_before(&state) {
        return Ok(Some(written));
    }
    let first_plan = Plan::new(changes, &state);
    if !attempt.writes(&first_plan) {
        return Ok(Some(first_plan.outcomes.into()));
    }

    // 2. Write the edges, which locks them, and re-plan with those that we actually found. A
    // removed edge may have been replaced by one with another time; that is no reason to stop.
    let mut tx = connection.begin_with(BEGIN).await?;
    for kind in EdgeKind::ALL {
        change_edges(&mut tx, kind, &first_plan, &mut state).await?;
    }
    let plan = Plan::new(changes, &state);
    if !plan.has_edges_of(&first_plan) {
        return Ok(attempt.unchanged(&first_plan, plan));
    }

    // 3. Write what depends on the edges, the counts last.
    for kind in EdgeKind::ALL {
        let mirrors_removed = change_mirrors(&mut tx, kind, &plan).await?;
        if mirrors_removed < plan.removed[kind].len() && !attempt.is_last() {
            // An edge that is being committed on several servers may be visible before its mirror,
            // which would then be left over: roll back, and look again. A mirror that is still
            // missing at the last attempt is lost; that is for `check` to report, and must not fail
            // an unfollow.
            return Ok(None);
        }
    }
    count_changes(&mut tx, &plan).await?;
    let counted = change_counts(&mut tx, recording, &plan, &mut state).await?;

    // 4. A follower with new follows since the state was read may have changes of the same pairs as
    // well: read those again. If we have counted changes ourselves, those rows include ours and
    // cannot be compared: roll back and retry.
    if counted.is_outdated {
        if !plan.changes.is_empty() {
            return Ok(None);
        }
        state.changes = find_changes(&mut tx, &plan).await?;
    }

    // 5. Re-plan with the locked rows. If the plan changed, a limit was reached meanwhile, or the
    // followee has become private or public.
    let final_plan = Plan::new(changes, &state);
    if final_plan != plan {
        return Ok(attempt.unchanged(&plan, final_plan));
    }

    // 6. Look again for edges of the other kinds, which were not locked: only a new statement sees
    // what was committed until the counts were locked.
    if plan.may_be_contradicted(&state)
        && !plan.leads_to(&find_state(&mut tx, recording, attempt).await?)
    {
        return Ok(None);
    }
    if let Some(checkpoint) = attempt.checkpoint(&plan) {
        if !imports::save(&mut tx, checkpoint).await? {
            return Ok(Some(Written::overtaken()));
        }
        if recording.notifies && !plan.events.is_empty() {
            watch::notify_on_commit(&mut tx, &plan.logs()).await?;
        }
    }
    attempt.commit(tx, plan, counted.counts).await.map(Some)
}

async fn find_state(
    connection: &mut PgConnection,
    recording: Recording,
    attempt: &Attempt<'_>,
) -> sqlx::Result<State> {
    let Keys { users, edges } = Keys::new(attempt.changes);
    let sql = if recording.in_one_place { FIND_IN_ONE_PLACE } else { FIND };
    let find = EdgeKind::ALL.into_iter().fold(query_scalar(sql), |find, kind| {
        let (ones, others) = columns(&edges[kind]);
        find.bind(ones).bind(others)
    });
    let find = find.bind(users.into_iter().map(|user| user.0).collect::<Vec<_>>());
    let rows: Vec<StateRow> = find.fetch_all(connection).await?;
    State::from_rows(rows)
}

/// Removes and adds edges of a kind, and corrects the state: removed edges were locked with the time
/// that is returned, and an edge that could not be added exists.
async fn change_edges(
    tx: &mut Transaction<'_, Postgres>,
    kind: EdgeKind,
    plan: &Plan,
    state: &mut State,
) -> sqlx::Result<()> {
    let (removed, added, of_kind) = (&plan.removed[kind], &plan.added[kind], statements_of(kind));
    if !removed.is_empty() {
        let (ones, others) = columns(removed.keys());
        let edges = query_as(of_kind.remove).bind(ones).bind(others);
        let found: Vec<(i64, i64, DateTime<Utc>)> = edges.fetch_all(&mut **tx).await?;
        for pair in removed.keys() {
            state.edges[kind].remove(pair);
        }
        for (one, other, since) in found {
            state.edges[kind].insert((UserId(one), UserId(other)), since);
        }
    }
    if !added.is_empty() {
        let rows = with_edges(of_kind.add, added).fetch_all(&mut **tx).await?;
        let pair = |row: &PgRow| Ok((UserId(row.try_get(0)?), UserId(row.try_get(1)?)));
        let found = rows.iter().map(pair).collect::<sqlx::Result<HashSet<Pair>>>()?;
        for (pair, at) in added.iter().filter(|(pair, _)| !found.contains(pair)) {
            // The time does not matter: the plans differ then, and nothing is written.
            state.edges[kind].insert(*pair, *at);
        }
    }
    Ok(())
}

/// Changes the mirrors as the edges of a kind were changed, and returns how many were removed.
async fn change_mirrors(
    tx: &mut Transaction<'_, Postgres>,
    kind: EdgeKind,
    plan: &Plan,
) -> sqlx::Result<usize> {
    let (removed, added, of_kind) = (&plan.removed[kind], &plan.added[kind], statements_of(kind));
    let mut mirrors_removed = 0;
    if !removed.is_empty() {
        let mirrors = with_edges(of_kind.remove_mirrors, removed).execute(&mut **tx).await?;
        mirrors_removed = usize::try_from(mirrors.rows_affected()).unwrap_or(usize::MAX);
    }
    if !added.is_empty() {
        with_edges(of_kind.add_mirrors, added).execute(&mut **tx).await?;
    }
    Ok(mirrors_removed)
}

/// A statement about these edges: both users and the time of each.
fn with_edges(sql: &'static str, edges: &SortedEdges) -> Query {
    let (ones, others) = columns(edges.keys());
    query(sql).bind(ones).bind(others).bind(edges.values().copied().collect::<Vec<_>>())
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
