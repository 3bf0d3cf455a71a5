//! Deleting a user, in steps that keep the invariants.

use std::collections::BTreeMap;

use sqlx::Transaction;

use super::{
    super::{
        Db, Engine, begin, bind_edges, bind_lengths,
        follows::writes::remove_mirrors,
        id_list,
        maintenance::deletion::{
            FIND_USER, LOWER_COUNTS, TAKE_BLOCKERS, TAKE_FOLLOWERS, TAKE_REQUESTS_RECEIVED, tell,
        },
    },
    follows::edge,
};
use crate::{
    domain::{EdgeKind, Length, Lengths, UserId},
    store::{
        Result,
        retry::{self, Tries},
        sql::{
            DELETE_USER, SOME_BLOCKERS, SOME_FOLLOWERS, SOME_REQUESTS_RECEIVED, TAKE_BLOCKED,
            TAKE_FOLLOWING, TAKE_MUTERS, TAKE_REQUESTS_SENT,
        },
        statement::{query, query_scalar},
    },
};

/// The most edges of each direction that one step removes.
const EDGES: u16 = 1_000;

/// How often a step is repeated because an edge had no mirror.
const CONTENDED_MAX: u32 = 4;

/// The result of a step.
enum Step {
    /// There is no such user.
    NoSuchUser,
    /// An edge was removed and its mirror was not there: the step was rolled back.
    Contended,
    /// Some edges were removed, others are left.
    Unfinished,
    /// The last edges were removed, and the user with them.
    Deleted,
}

pub(super) async fn delete(engine: Engine, id: UserId) -> Result<bool> {
    let mut found = false;
    let mut repeats = CONTENDED_MAX;
    loop {
        match retry::retried(|tries| step(tries, &engine, id, repeats == 0)).await? {
            Step::Contended => repeats -= 1,
            Step::NoSuchUser => return Ok(found),
            Step::Deleted => return Ok(true),
            Step::Unfinished => found = true,
        }
    }
}

/// Removes some edges of each kind and direction, blocks last, and some mutes. An edge that is being committed on
/// several servers may be visible before its mirror, which would then be left over; a mirror that
/// stays away is lost, and then the deletion is there to `accept_lost_mirrors`.
async fn step(
    tries: Tries,
    engine: &Engine,
    id: UserId,
    accept_lost_mirrors: bool,
) -> sqlx::Result<Step> {
    let mut tx = begin(&engine.writer).await?;
    if query(FIND_USER).bind(id.0).fetch_optional(&mut *tx).await?.is_none() {
        let is_ours = tries.may_have_committed();
        return Ok(if is_ours { Step::Deleted } else { Step::NoSuchUser });
    }

    let mut taken = Taken::default();
    for kind in [EdgeKind::Follow, EdgeKind::Request] {
        take_edges(&mut tx, kind, id, &mut taken).await?;
    }
    let muters = query_scalar(TAKE_MUTERS).bind(id.0).bind(i64::from(EDGES));
    let muters: Vec<i64> = muters.fetch_all(&mut *tx).await?;
    taken.note(muters.len());
    for muter in muters {
        taken.losses.entry(UserId(muter)).or_default()[Length::Muting] += 1;
    }
    // Blocks go last: until then, they hide the user from those whom the user blocks.
    if taken.is_all {
        take_edges(&mut tx, EdgeKind::Block, id, &mut taken).await?;
    }
    if taken.lacks_mirrors && !accept_lost_mirrors {
        tx.rollback().await?;
        return Ok(Step::Contended);
    }

    // The order of ids is the order of locks.
    let losses: Vec<_> = taken.losses.into_iter().collect();
    bind_lengths(query(LOWER_COUNTS), &losses).execute(&mut *tx).await?;

    if taken.is_all {
        query(DELETE_USER).bind(id.0).execute(&mut *tx).await?;
        if let Some(sql) = tell(engine) {
            query(sql).bind(id.0).execute(&mut *tx).await?;
        }
    }
    tries.commit(tx).await?;
    Ok(if taken.is_all { Step::Deleted } else { Step::Unfinished })
}

/// What a step has removed so far.
struct Taken {
    /// By how much lengths have to be lowered.
    losses: BTreeMap<UserId, Lengths>,
    /// Whether an edge had no mirror.
    lacks_mirrors: bool,
    /// Whether nothing is left.
    is_all: bool,
}

impl Default for Taken {
    fn default() -> Self {
        Self { losses: BTreeMap::new(), lacks_mirrors: false, is_all: true }
    }
}

impl Taken {
    /// Notes that a statement found so many rows.
    const fn note(&mut self, rows: usize) {
        self.is_all &= rows < EDGES as usize;
    }

    fn lose(&mut self, kind: EdgeKind, one: UserId, other: UserId) {
        let lengths = kind.lengths();
        self.losses.entry(one).or_default()[lengths.0] += 1;
        self.losses.entry(other).or_default()[lengths.1] += 1;
    }
}

/// Removes some edges of a kind from and to a user, with their mirrors.
async fn take_edges(
    tx: &mut Transaction<'_, Db>,
    kind: EdgeKind,
    user: UserId,
    taken: &mut Taken,
) -> sqlx::Result<()> {
    let (take_from, some_to, take_to) = match kind {
        EdgeKind::Follow => (TAKE_FOLLOWING, SOME_FOLLOWERS, TAKE_FOLLOWERS),
        EdgeKind::Request => (TAKE_REQUESTS_SENT, SOME_REQUESTS_RECEIVED, TAKE_REQUESTS_RECEIVED),
        EdgeKind::Block => (TAKE_BLOCKED, SOME_BLOCKERS, TAKE_BLOCKERS),
    };
    let from = query(take_from).bind(user.0).bind(i64::from(EDGES)).fetch_all(&mut **tx).await?;
    let from = from.iter().map(|row| edge(kind, row)).collect::<sqlx::Result<Vec<_>>>()?;
    if !from.is_empty() {
        let mirrors = bind_edges(query(remove_mirrors(kind)), &from).execute(&mut **tx).await?;
        taken.lacks_mirrors |= mirrors.rows_affected() < from.len() as u64;
    }
    taken.note(from.len());
    for edge in &from {
        taken.lose(kind, edge.from, edge.to);
    }

    let to = query(some_to).bind(user.0).bind(i64::from(EDGES)).fetch_all(&mut **tx).await?;
    let to = to.iter().map(|row| edge(kind, row)).collect::<sqlx::Result<Vec<_>>>()?;
    if to.is_empty() {
        return Ok(());
    }
    let ids: Vec<_> = to.iter().map(|edge| edge.from).collect();
    let take = query_scalar(take_to).bind(user.0).bind(id_list(&ids));
    let gone: Vec<i64> = take.fetch_all(&mut **tx).await?;
    let mirrors = bind_edges(query(remove_mirrors(kind)), &to).execute(&mut **tx).await?;
    // Mirrors without an edge are left over from elsewhere.
    taken.lacks_mirrors |= mirrors.rows_affected() < gone.len() as u64;
    taken.note(to.len());
    for other in gone {
        taken.lose(kind, UserId(other), user);
    }
    Ok(())
}
