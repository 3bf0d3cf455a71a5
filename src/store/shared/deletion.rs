//! Deleting a user, in steps that keep the invariants.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use sqlx::Transaction;

use super::{
    super::{
        Db, Engine, Time, begin, bind_edges, bind_events, bind_losses,
        events::ADD_EVENTS,
        follows::writes::remove_mirrors,
        id_list,
        maintenance::deletion::{
            FIND_USER, LOWER_COUNTS, MUTES_OF, TAKE_BLOCKERS, TAKE_FOLLOWERS,
            TAKE_REQUESTS_RECEIVED, tell,
        },
        time,
    },
    administration,
    follows::edge,
};
use crate::{
    domain::{Administration, EdgeKind, EventCause, EventKind, Length, Lengths, Mute, UserId},
    store::{
        Result,
        follow_writes::NewEvent,
        retry::{self, Tries},
        sql::maintenance::{
            DELETE_LOG, DELETE_USER, SOME_BLOCKERS, SOME_FOLLOWERS, SOME_REQUESTS_RECEIVED,
            TAKE_BLOCKED, TAKE_EVENTS, TAKE_FOLLOWING, TAKE_MUTERS, TAKE_REQUESTS_SENT,
        },
        statement::{query, query_as, query_scalar},
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

/// Deletes a user; if an administrator does, with an entry in their log.
pub(super) async fn delete(
    engine: Engine,
    id: UserId,
    at: DateTime<Utc>,
    by: Option<Arc<Administration>>,
) -> Result<bool> {
    let mut found = false;
    let mut repeats = CONTENDED_MAX;
    loop {
        match retry::retried(|tries| step(tries, &engine, (id, at), by.as_deref(), repeats == 0))
            .await?
        {
            Step::Contended => repeats -= 1,
            Step::NoSuchUser => return Ok(found),
            Step::Deleted => return Ok(true),
            Step::Unfinished => found = true,
        }
    }
}

/// Removes some edges of each kind and direction, then some mutes, blocks last. An edge that is being
/// committed on several servers may be visible before its mirror, which would then be left over; a
/// mirror that stays away is lost, and then the deletion is there to `accept_lost_mirrors`.
async fn step(
    tries: Tries,
    engine: &Engine,
    (id, at): (UserId, DateTime<Utc>),
    by: Option<&Administration>,
    accept_lost_mirrors: bool,
) -> sqlx::Result<Step> {
    let mut tx = begin(&engine.writer).await?;
    if query(FIND_USER).bind(id.0).fetch_optional(&mut *tx).await?.is_none() {
        let is_ours = tries.may_have_committed();
        return Ok(if is_ours { Step::Deleted } else { Step::NoSuchUser });
    }

    let mut taken = Taken::new(id, at);
    for kind in [EdgeKind::Follow, EdgeKind::Request] {
        take_edges(&mut tx, kind, id, &mut taken).await?;
    }
    if !taken.events.is_empty() {
        drop_events_of_muters(&mut tx, &mut taken).await?;
    }
    let events = query(TAKE_EVENTS).bind(id.0).bind(i64::from(EDGES)).execute(&mut *tx).await?;
    taken.note(usize::try_from(events.rows_affected()).unwrap_or(usize::MAX));
    // Mutes go after the edges: until then, they keep the deletion out of the logs of the muters.
    if taken.is_all {
        let muters = query_scalar(TAKE_MUTERS).bind(id.0).bind(i64::from(EDGES));
        let muters: Vec<i64> = muters.fetch_all(&mut *tx).await?;
        taken.note(muters.len());
        for muter in muters {
            taken.losses.entry(UserId(muter)).or_default()[Length::Muting] += 1;
        }
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
    bind_losses(query(LOWER_COUNTS), &taken.changes()).execute(&mut *tx).await?;
    if engine.hints.are_kept() && !taken.events.is_empty() {
        bind_events(query(ADD_EVENTS), &taken.events).execute(&mut *tx).await?;
    }

    if taken.is_all {
        query(DELETE_USER).bind(id.0).execute(&mut *tx).await?;
        // The counts went with the user, so no other write can add to the log any more.
        query(DELETE_LOG).bind(id.0).execute(&mut *tx).await?;
        if let Some(step) = by {
            administration::write(&mut tx, step).await?;
        }
        if let Some(sql) = tell(engine) {
            query(sql).bind(id.0).execute(&mut *tx).await?;
        }
    }
    tries.commit(tx).await?;
    engine.hints.send(taken.events.iter().map(|event| event.log).collect::<BTreeSet<_>>());
    Ok(if taken.is_all { Step::Deleted } else { Step::Unfinished })
}

/// What a step has removed so far.
struct Taken {
    /// The user.
    user: UserId,
    /// When the deletion was requested.
    at: DateTime<Utc>,
    /// By how much lengths have to be lowered.
    losses: BTreeMap<UserId, Lengths>,
    /// Events for the users at the other ends.
    events: Vec<NewEvent>,
    /// Whether an edge had no mirror.
    lacks_mirrors: bool,
    /// Whether nothing is left.
    is_all: bool,
}

impl Taken {
    fn new(user: UserId, at: DateTime<Utc>) -> Self {
        let (losses, events) = (BTreeMap::new(), Vec::new());
        Self { user, at, losses, events, lacks_mirrors: false, is_all: true }
    }

    /// Notes that a statement found so many rows.
    const fn note(&mut self, rows: usize) {
        self.is_all &= rows < EDGES as usize;
    }

    fn lose(&mut self, kind: EdgeKind, one: UserId, other: UserId) {
        let lengths = kind.lengths();
        self.losses.entry(one).or_default()[lengths.0] += 1;
        self.losses.entry(other).or_default()[lengths.1] += 1;
        let kind = match kind {
            EdgeKind::Follow if one == self.user => EventKind::FollowerLost,
            EdgeKind::Follow => EventKind::FollowEnded,
            EdgeKind::Request if one == self.user => EventKind::RequestWithdrawn,
            // A log says nothing of the requests and blocks of its owner.
            EdgeKind::Request | EdgeKind::Block => return,
        };
        let log = if one == self.user { other } else { one };
        let (other, at, cause) = (self.user, self.at, EventCause::AccountDeleted);
        self.events.push(NewEvent { log, kind, cause, other, at, is_repeat: false });
    }

    /// For each user, by how much lengths are lowered, and how many events they have.
    fn changes(&self) -> Vec<(UserId, Lengths, i64)> {
        let mut events = HashMap::<UserId, i64>::new();
        for event in &self.events {
            *events.entry(event.log).or_default() += 1;
        }
        let of = |user| events.get(user).copied().unwrap_or_default();
        self.losses.iter().map(|(user, lengths)| (*user, *lengths, of(user))).collect()
    }
}

/// Drops the events for users who mute the user.
async fn drop_events_of_muters(
    tx: &mut Transaction<'_, Db>,
    taken: &mut Taken,
) -> sqlx::Result<()> {
    let logs: BTreeSet<_> = taken.events.iter().map(|event| event.log).collect();
    let logs: Vec<_> = logs.into_iter().collect();
    let mutes = query_as(MUTES_OF).bind(taken.user.0).bind(id_list(&logs));
    let mutes: Vec<(i64, Option<Time>)> = mutes.fetch_all(&mut **tx).await?;
    let mut muters = BTreeSet::new();
    for (muter, until) in mutes {
        let mute = Mute { until: until.map(time).transpose()? };
        muters.extend(mute.holds(taken.at).then_some(UserId(muter)));
    }
    taken.events.retain(|event| !muters.contains(&event.log));
    Ok(())
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
