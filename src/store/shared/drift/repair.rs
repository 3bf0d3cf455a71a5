//! Repairing differences: the locks, and their order.
//!
//! Each repair is one transaction, which takes a lock and then checks the difference again in a
//! statement of its own. A lock on an edge goes before one on its mirror, and several locks are taken
//! in the order of the write path. So a repair and a write wait for each other in one direction only.
//!
//! A write that began before the repair does not see the rows that the repair adds. So it may leave the
//! mirror of an edge that it removes, or not change counts that were missing. The next look finds that.
//!
//! Missing mirrors and counts are repaired many at a time: after a graph was loaded by SQL, all of
//! them are missing.

use std::{
    collections::{BTreeSet, HashSet},
    future::ready,
    slice::Chunks,
};

use futures_util::{FutureExt, StreamExt, TryStreamExt, future::BoxFuture, stream};
use sqlx::{Pool, Transaction};

use super::{
    super::{
        super::{
            Db, Engine, begin, bind_edges, bind_losses,
            follows::writes as mirrors,
            id_list,
            maintenance::drift::{
                ADD_COUNTS, LOCK_COUNTS, LOCK_USER, NAME, SET_LENGTHS, TOGETHER, lock_edge,
                lock_edges,
            },
        },
        follows::{about, edge},
        search,
    },
    snapshot::{Snapshot, count_rows, stored_lengths},
};
use crate::{
    domain::{Drift, Edge, EdgeKind, Lengths, OfEdges, UserId},
    store::{
        Result, retry,
        sql::{
            USERS_AFTER,
            maintenance::{
                FIND_BLOCK, FIND_BLOCK_OF_PAIR, FIND_FOLLOW, FIND_FOLLOW_OF_PAIR, FIND_REQUEST,
                RAISE_EVENTS, REMOVE_BLOCK, REMOVE_BLOCK_OF_NOBODY, REMOVE_BLOCKED_BY,
                REMOVE_BLOCKED_BY_OF_NOBODY, REMOVE_COUNTS_OF_NOBODY, REMOVE_FOLLOW,
                REMOVE_FOLLOW_OF_NOBODY, REMOVE_FOLLOWER, REMOVE_FOLLOWER_OF_NOBODY,
                REMOVE_LOG_OF_NOBODY, REMOVE_MUTE_OF_NOBODY, REMOVE_REQUEST,
                REMOVE_REQUEST_OF_NOBODY, REMOVE_REQUEST_RECEIVED,
                REMOVE_REQUEST_RECEIVED_OF_NOBODY, TRIM_LOG,
            },
        },
        statement::{query, query_as, query_scalar},
    },
};

/// The number of repairs at a time, each on a connection of its own where the engine has several that
/// write.
const AT_ONCE: u32 = 4;

/// The statements that repair edges of a kind.
struct EdgeStatements {
    find: &'static str,
    /// Find an edge of another kind that excludes this one.
    find_excluding: &'static [&'static str],
    remove: &'static str,
    remove_mirror: &'static str,
    /// Remove an edge and its mirror if one of the users does not exist.
    remove_orphan: [&'static str; 2],
}

const fn statements_of(kind: EdgeKind) -> EdgeStatements {
    match kind {
        EdgeKind::Follow => EdgeStatements {
            find: FIND_FOLLOW,
            find_excluding: &[FIND_BLOCK_OF_PAIR],
            remove: REMOVE_FOLLOW,
            remove_mirror: REMOVE_FOLLOWER,
            remove_orphan: [REMOVE_FOLLOW_OF_NOBODY, REMOVE_FOLLOWER_OF_NOBODY],
        },
        EdgeKind::Request => EdgeStatements {
            find: FIND_REQUEST,
            find_excluding: &[FIND_BLOCK_OF_PAIR, FIND_FOLLOW_OF_PAIR],
            remove: REMOVE_REQUEST,
            remove_mirror: REMOVE_REQUEST_RECEIVED,
            remove_orphan: [REMOVE_REQUEST_OF_NOBODY, REMOVE_REQUEST_RECEIVED_OF_NOBODY],
        },
        EdgeKind::Block => EdgeStatements {
            find: FIND_BLOCK,
            find_excluding: &[],
            remove: REMOVE_BLOCK,
            remove_mirror: REMOVE_BLOCKED_BY,
            remove_orphan: [REMOVE_BLOCK_OF_NOBODY, REMOVE_BLOCKED_BY_OF_NOBODY],
        },
    }
}

/// Repairs differences: the edges first, so that counting them then gives the right counts.
pub(in super::super) async fn repair(engine: Engine, mut found: Vec<Drift>) -> Result<u64> {
    let pool = &engine.unlimited_pool(AT_ONCE);
    // A stray mirror of a block is in the place of the right one: both have the key of the pair.
    found.sort_by_key(|drift| !matches!(drift, Drift::MirrorStray(_)));
    let mut changed = 0;
    let (mut touched, mut logs) = (BTreeSet::new(), BTreeSet::new());
    let mut missing = OfEdges::<Vec<Edge>>::default();
    for drift in found {
        match drift {
            Drift::Counts { user, stored, .. } => {
                touched.insert(user);
                // With the counts, the number of the last event is missing.
                if stored.is_none() {
                    logs.insert(user);
                }
                continue;
            }
            Drift::BesideBlock(edge)
            | Drift::BesideFollow(edge)
            | Drift::MirrorMissing(edge)
            | Drift::MirrorStray(edge)
            | Drift::OrphanEdge(edge) => touched.extend([edge.from, edge.to]),
            Drift::OrphanMute { muter, .. } => drop(touched.insert(muter)),
            Drift::Log { user, .. } => {
                logs.insert(user);
                continue;
            }
            Drift::OrphanCounts(_) | Drift::OrphanLog(_) | Drift::Search(_) => {}
            Drift::BrokenRule { .. } | Drift::Unreadable { .. } => continue,
        }
        if let Drift::MirrorMissing(edge) = drift {
            missing[edge.kind].push(edge);
            continue;
        }
        changed += retry::retried(|_| repair_row(pool, drift)).await?;
    }
    let are_locked_together = engine.locks_together();
    if are_locked_together {
        // As the mirrors are stored.
        for kind in EdgeKind::ALL {
            missing[kind].sort_by_key(|edge| (edge.to, edge.since));
        }
    }
    for (kind, edges) in missing.iter() {
        for edges in edges.chunk_by(|a, b| are_locked_together || a.from == b.from) {
            let add = |edges| retry::retried(move |_| add_mirrors(pool, kind, edges));
            changed += at_once(edges.chunks(TOGETHER), add).await?;
        }
    }
    // In ascending order, as the write path locks them.
    let [touched, logs] = [touched, logs].map(|users| users.into_iter().collect::<Vec<_>>());
    let together = if engine.locks_together() { TOGETHER } else { 1 };
    let count = |users| retry::retried(move |_| repair_counts(pool, users));
    changed += at_once(touched.chunks(together), count).await?;
    let trim = |users| retry::retried(move |_| repair_logs(pool, users));
    changed += at_once(logs.chunks(together), trim).await?;
    Ok(changed)
}

/// Repairs chunks of differences, some at a time, and returns the number of changed rows. No two chunks
/// may have a row in common.
fn at_once<'a, T: Sync, F: Future<Output = sqlx::Result<u64>> + Send + 'a>(
    chunks: Chunks<'a, T>,
    repair: impl Fn(&'a [T]) -> F + Send + 'a,
) -> BoxFuture<'a, sqlx::Result<u64>> {
    let repairs = stream::iter(chunks).map(repair).buffer_unordered(AT_ONCE as usize);
    repairs.try_fold(0, |sum, changed| ready(Ok(sum + changed))).boxed()
}

/// Repairs what all users are searched by, which only the program can compute: for a database whose
/// tables an earlier version has filled.
pub(in super::super) async fn repair_names(engine: Engine) -> Result<()> {
    let (pool, mut last) = (engine.unlimited_pool(1), UserId::MIN);
    loop {
        let mut slice = Snapshot(begin(&pool).await?);
        let users = slice.owners_after(USERS_AFTER, last).await?;
        let wrong = slice.wrong_names(&users).await?;
        slice.0.rollback().await?;
        let Some(newest) = users.last() else { return Ok(()) };
        last = *newest;
        for drift in wrong {
            retry::retried(|_| repair_row(&pool, drift)).await?;
        }
    }
}

/// Repairs one difference if it still exists, and returns the number of changed rows. Missing mirrors,
/// counts and logs are left to functions of their own.
async fn repair_row(pool: &Pool<Db>, drift: Drift) -> sqlx::Result<u64> {
    let mut tx = begin(pool).await?;
    let changed = match drift {
        Drift::Counts { .. }
        | Drift::Log { .. }
        | Drift::MirrorMissing(_)
        | Drift::BrokenRule { .. }
        | Drift::Unreadable { .. } => 0,
        Drift::OrphanLog(user) => {
            let remove = query(REMOVE_LOG_OF_NOBODY).bind(user.0);
            remove.execute(&mut *tx).await?.rows_affected()
        }
        Drift::BesideBlock(edge) | Drift::BesideFollow(edge) => {
            remove_excluded(&mut tx, edge).await?
        }
        Drift::MirrorStray(edge) => remove_mirror(&mut tx, edge).await?,
        Drift::OrphanEdge(edge) => {
            let mut removed = 0;
            for sql in statements_of(edge.kind).remove_orphan {
                removed += about(sql, edge).execute(&mut *tx).await?.rows_affected();
            }
            removed
        }
        Drift::OrphanMute { muter, muted } => {
            let remove = query(REMOVE_MUTE_OF_NOBODY).bind(muter.0).bind(muted.0);
            remove.execute(&mut *tx).await?.rows_affected()
        }
        Drift::OrphanCounts(user) => {
            let remove = query(REMOVE_COUNTS_OF_NOBODY).bind(user.0);
            remove.execute(&mut *tx).await?.rows_affected()
        }
        Drift::Search(user) => {
            let user_row = query_as(NAME).bind(user.0).fetch_optional(&mut *tx).await?;
            let (key, name): (String, Option<String>) = user_row.unwrap_or_default();
            search::replace(&mut tx, user, &key, name.as_deref()).await?
        }
    };
    tx.commit().await?;
    Ok(changed)
}

/// Removes an edge if one that excludes it is still there.
///
/// The lock is that of a write that removes the edge, so only one of the two removes it and its
/// mirror. A write that adds an edge of this kind for the same pair waits for the commit, and then
/// decides by what is left. The edge that excludes this one is not locked: if it is removed at the
/// same time, both go, as if this repair had come first.
async fn remove_excluded(tx: &mut Transaction<'_, Db>, edge: Edge) -> sqlx::Result<u64> {
    if about(lock_edge(edge.kind), edge).fetch_optional(&mut **tx).await?.is_none() {
        return Ok(0);
    }
    let EdgeStatements { find_excluding, remove, remove_mirror, .. } = statements_of(edge.kind);
    for sql in find_excluding {
        let excluding = query(sql).bind(edge.from.0).bind(edge.to.0);
        if excluding.fetch_optional(&mut **tx).await?.is_some() {
            let edges = about(remove, edge).execute(&mut **tx).await?.rows_affected();
            let mirrors = about(remove_mirror, edge).execute(&mut **tx).await?.rows_affected();
            return Ok(edges + mirrors);
        }
    }
    Ok(0)
}

/// Adds the mirrors of edges that still exist.
async fn add_mirrors(pool: &Pool<Db>, kind: EdgeKind, edges: &[Edge]) -> sqlx::Result<u64> {
    let mut tx = begin(pool).await?;
    // Writes that remove the edges, and then their mirrors, wait for these locks.
    let locked = bind_edges(query(lock_edges(kind)), edges).fetch_all(&mut *tx).await?;
    let locked = locked.iter().map(|row| edge(kind, row)).collect::<sqlx::Result<Vec<_>>>()?;
    let add = bind_edges(query(mirrors::add_mirrors(kind)), &locked);
    let added = add.execute(&mut *tx).await?.rows_affected();
    tx.commit().await?;
    Ok(added)
}

async fn remove_mirror(tx: &mut Transaction<'_, Db>, edge: Edge) -> sqlx::Result<u64> {
    // A concurrent write that adds this very edge would take the stray row for its mirror. The edge
    // comes before the mirror and is invisible until the commit, so there is no row to lock; the
    // lock on the user waits for such a write, or keeps it out.
    if let Some(lock) = LOCK_USER {
        query(lock).bind(edge.from.0).fetch_optional(&mut **tx).await?;
    }
    let EdgeStatements { find, remove_mirror, .. } = statements_of(edge.kind);
    if about(find, edge).fetch_optional(&mut **tx).await?.is_some() {
        return Ok(0);
    }
    Ok(about(remove_mirror, edge).execute(&mut **tx).await?.rows_affected())
}

/// Counts the edges and mutes of users and corrects their counts.
async fn repair_counts(pool: &Pool<Db>, users: &[UserId]) -> sqlx::Result<u64> {
    let mut tx = begin(pool).await?;
    // Returned rows are counted, since Citus reports no number of rows for such a statement.
    let added = query_scalar(ADD_COUNTS).bind(id_list(users)).fetch_all(&mut *tx).await?;
    let mut changed: HashSet<_> = added.into_iter().map(UserId).collect();
    // A write changes the counts last, in the transaction that changes the edges. So it has either
    // been committed when these locks are there, or adds its change to the corrected counts.
    keep_changes_out(&mut tx, users).await?;
    let stored = stored_lengths(&mut tx, users).await?;
    let actual = count_rows(&mut tx, users).await?;
    let correct = |(user, stored): (UserId, Lengths)| {
        let actual = actual.get(&user).copied().unwrap_or_default();
        (stored != actual).then_some((user, actual, 0))
    };
    let corrected: Vec<_> = stored.into_iter().filter_map(correct).collect();
    bind_losses(query(SET_LENGTHS), &corrected).execute(&mut *tx).await?;
    tx.commit().await?;
    changed.extend(corrected.into_iter().map(|(user, ..)| user));
    Ok(changed.len() as u64)
}

/// Leaves the last run of numbers in each log, up to the number of the last event, which is raised if
/// it is too low. Readers notice what is gone by the numbers.
async fn repair_logs(pool: &Pool<Db>, users: &[UserId]) -> sqlx::Result<u64> {
    let (mut tx, mut changed) = (Snapshot(begin(pool).await?), 0);
    // A write raises the number of the last event before it adds to the log.
    keep_changes_out(&mut tx.0, users).await?;
    for drift in tx.wrong_logs(users).await? {
        let Drift::Log { user, .. } = drift else { continue };
        for sql in [RAISE_EVENTS, TRIM_LOG] {
            changed += query(sql).bind(user.0).execute(&mut *tx.0).await?.rows_affected();
        }
    }
    tx.0.commit().await?;
    Ok(changed)
}

/// Waits for changes of the edges and mutes of users, and keeps further ones out.
async fn keep_changes_out(tx: &mut Transaction<'_, Db>, users: &[UserId]) -> sqlx::Result<()> {
    if let Some(lock) = LOCK_COUNTS {
        query(lock).bind(id_list(users)).fetch_all(&mut **tx).await?;
    }
    Ok(())
}
