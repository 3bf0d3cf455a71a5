//! Changes of follows in groups: what many ask for at the same time is committed together.
//!
//! A commit waits for the disk, and the count of a celebrity can be changed by one transaction at
//! a time. A group shares both. Each caller is told what became of their own change, after the
//! commit, and one that fails does not fail the others: see [`Store::change_follows`].

use std::{
    collections::HashMap,
    mem,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use sqlx::{Database, Transaction};

use super::decision::{Found, Plan};
use crate::{
    domain::{
        Changed, FollowAction, FollowChange, FollowChanged, FollowCounts, FollowLimits,
        FollowOutcome, UnfollowOutcome, UserId,
    },
    store::{
        Error, Result, Store,
        batching::{BatchPermit, BatchPolicy, Batcher},
        error::{is_foreign_key_violation, is_of_some_rows, is_transient},
        retry::{self, Tries},
    },
};

/// The most changes of a group. Beyond, little is shared that is not yet, rows stay locked for
/// longer, and each row costs more, since a statement looks for it in its arrays.
const CHANGES_MAX: usize = 128;
/// For how long a group is alone on its way to the commit: less than some dozens of changes take. So
/// at full load another group goes beside it, and uses what the first leaves idle while it waits.
const PATIENCE: Duration = Duration::from_micros(300);
/// How often a group is made anew when others change the same edges meanwhile.
const OVERTAKEN_MAX: u32 = 4;

/// A store whose changes of follows are gathered into groups: while one group is written, the next
/// gathers, and it begins when nothing but the commit of the last is left, or beside it after a short
/// while. Nothing waits for a group to fill, so one call alone is as fast as ever.
#[derive(Clone, Debug)]
pub struct FollowQueue {
    changes: Batcher<FollowChange, Result<Changed<FollowChanged>>>,
}

impl FollowQueue {
    /// Gathers changes for a store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        let pace = BatchPolicy {
            calls_max: CHANGES_MAX,
            batches_max: store.groups_max(),
            patience: PATIENCE,
        };
        let changes = Batcher::new(pace, move |group: Vec<FollowChange>, turn| {
            let store = Arc::clone(&store);
            async move { for_each(&group, store.change_follows(&group, turn).await) }
        });
        Self { changes }
    }

    /// As [`Store::follow`], together with others.
    ///
    /// # Errors
    /// Those of the store, and [`Error::Unavailable`] when too many changes wait.
    pub async fn follow(
        &self,
        follower: UserId,
        followee: UserId,
        at: DateTime<Utc>,
        limits: FollowLimits,
    ) -> Result<Changed<FollowOutcome>> {
        let action = FollowAction::Follow(limits);
        let change = FollowChange { follower, followee, at, action };
        of_action(self.changes.call(change).await??, followed)
    }

    /// As [`Store::unfollow`], together with others. It counts towards the limits when there are
    /// any on the changes of a pair.
    ///
    /// # Errors
    /// Those of the store, and [`Error::Unavailable`] when too many changes wait.
    pub async fn unfollow(
        &self,
        follower: UserId,
        followee: UserId,
        at: DateTime<Utc>,
        limits: FollowLimits,
    ) -> Result<Changed<UnfollowOutcome>> {
        let action = FollowAction::Unfollow { is_counted: limits.limit_pair_changes() };
        let change = FollowChange { follower, followee, at, action };
        of_action(self.changes.call(change).await??, unfollowed)
    }
}

/// The same, of one of the two actions.
fn of_action<O>(
    changed: Changed<FollowChanged>,
    outcome: impl FnOnce(FollowChanged) -> Result<O>,
) -> Result<Changed<O>> {
    let Changed { follower, followee, .. } = changed;
    Ok(Changed { outcome: outcome(changed.outcome)?, follower, followee })
}

/// For each caller what became of their change.
fn for_each(group: &[FollowChange], made: FollowsWritten) -> Vec<Result<Changed<FollowChanged>>> {
    let FollowsWritten { outcomes, counts, .. } = made;
    let changed = |(change, outcome): (&FollowChange, Result<_>)| {
        let of = |user| counts.get(user).copied();
        let (follower, followee) = (of(&change.follower), of(&change.followee));
        Ok(Changed { outcome: outcome?, follower, followee })
    };
    group.iter().zip(outcomes).map(changed).collect()
}

/// What became of a follow.
pub(crate) fn followed(changed: FollowChanged) -> Result<FollowOutcome> {
    match changed {
        FollowChanged::Follow(outcome) => Ok(outcome),
        FollowChanged::Unfollow(_) => Err(Error::Corrupt("not the answer to a follow".to_owned())),
    }
}

/// What became of an unfollow.
pub(crate) fn unfollowed(changed: FollowChanged) -> Result<UnfollowOutcome> {
    match changed {
        FollowChanged::Unfollow(outcome) => Ok(outcome),
        FollowChanged::Follow(_) => Err(Error::Corrupt("not the answer to an unfollow".to_owned())),
    }
}

/// What became of a group of changes.
#[derive(Debug, Default)]
pub struct FollowsWritten {
    /// What became of each change, in their order.
    pub outcomes: Vec<Result<FollowChanged>>,
    /// The lengths of the lists of users whom the group changed, as its commit left them: of as
    /// many as the writing has told.
    pub counts: HashMap<UserId, FollowCounts>,
    /// How many statements it took.
    pub statements: u64,
}

/// One try to make a group, or a part of one.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) group: Arc<[FollowChange]>,
    tries: Tries,
    is_first: bool,
    /// How many statements the whole group has taken.
    statements: Arc<AtomicU64>,
    /// The plan whose commit was asked for last.
    committing: Arc<Mutex<Option<Plan>>>,
    /// That of the group, if nothing is to be made after this part.
    turn: Arc<Mutex<BatchPermit>>,
}

impl Attempt {
    /// Whether nothing is known of this part of the group, since it has not been tried yet.
    pub(crate) fn is_first(&self) -> bool {
        self.is_first
    }

    /// Whether a commit has been asked for.
    pub(crate) fn may_have_committed(&self) -> bool {
        self.tries.may_have_committed()
    }

    /// Counts a statement that is sent.
    pub(crate) fn sends_a_statement(&self) {
        self.statements.fetch_add(1, Ordering::Relaxed);
    }

    /// The outcomes, when an earlier try has happened although its commit was not answered.
    pub(crate) fn done_before(&self, found: &Found) -> Option<Made> {
        if !self.may_have_committed() {
            return None;
        }
        let committing = self.committing.lock().unwrap_or_else(PoisonError::into_inner);
        let done = committing.as_ref().filter(|plan| plan.is_done(found));
        done.map(|plan| plan.outcomes.clone().into())
    }

    /// The outcomes, when it has turned out that nothing has to be written. Not when that may be the
    /// work of an earlier try: then it has to be looked at again.
    pub(crate) fn without_change(&self, plan: Plan) -> Option<Made> {
        (plan.is_empty() && !self.may_have_committed()).then(|| plan.outcomes.into())
    }

    /// Commits what a plan has written, and gives its outcomes. Meanwhile the next group may begin.
    pub(crate) async fn commit<D: Database>(
        &self,
        tx: Transaction<'_, D>,
        plan: Plan,
        counts: HashMap<UserId, FollowCounts>,
    ) -> sqlx::Result<Made> {
        let outcomes = plan.outcomes.clone();
        drop(mem::take(&mut *self.turn.lock().unwrap_or_else(PoisonError::into_inner)));
        *self.committing.lock().unwrap_or_else(PoisonError::into_inner) = Some(plan);
        self.tries.commit(tx).await?;
        Ok(Made { outcomes, counts })
    }
}

/// What a transaction has made of a group, or a part of one.
#[derive(Debug)]
pub(crate) struct Made {
    outcomes: Vec<FollowChanged>,
    /// As of the commit, of those users of whom it is known.
    counts: HashMap<UserId, FollowCounts>,
}

impl From<Vec<FollowChanged>> for Made {
    fn from(outcomes: Vec<FollowChanged>) -> Self {
        Self { outcomes, counts: HashMap::new() }
    }
}

/// Makes the changes of a group in one transaction, and when something about some of them stands
/// against that, in halves, until those are alone. `attempt` makes one transaction; it gives
/// nothing when others have changed the same edges meanwhile, so that it has to be made anew.
pub(crate) async fn change<F, A>(
    group: &[FollowChange],
    turn: BatchPermit,
    attempt: F,
) -> FollowsWritten
where
    F: Fn(Attempt) -> A + Send + Sync + 'static,
    A: Future<Output = sqlx::Result<Option<Made>>> + Send,
{
    if group.is_empty() {
        return FollowsWritten::default();
    }
    let whole: Arc<[FollowChange]> = group.into();
    let statements = Arc::default();
    let counted = Arc::clone(&statements);
    let made = retry::detached(async move { Ok(in_parts(whole, turn, counted, attempt).await) });
    let (outcomes, counts) =
        made.await.unwrap_or_else(|error| (vec![Err(error); group.len()], HashMap::new()));
    FollowsWritten { outcomes, counts, statements: statements.load(Ordering::Relaxed) }
}

async fn in_parts<F, A>(
    whole: Arc<[FollowChange]>,
    turn: BatchPermit,
    statements: Arc<AtomicU64>,
    attempt: F,
) -> (Vec<Result<FollowChanged>>, HashMap<UserId, FollowCounts>)
where
    F: Fn(Attempt) -> A,
    A: Future<Output = sqlx::Result<Option<Made>>>,
{
    let turn = Arc::new(Mutex::new(turn));
    let size = whole.len();
    let (mut outcomes, mut counts) = (Vec::with_capacity(size), HashMap::new());
    // What is still to be made, the first of it last.
    let mut parts = vec![whole];
    while let Some(part) = parts.pop() {
        let turn = if parts.is_empty() { Arc::clone(&turn) } else { Arc::default() };
        let failure = match at_once(&part, &turn, &statements, &attempt).await {
            Ok(Some(done)) => {
                outcomes.extend(done.outcomes.into_iter().map(Ok));
                counts.extend(done.counts);
                continue;
            }
            Ok(None) => None,
            Err(error) => Some(error),
        };
        if failure.as_ref().is_some_and(|error| !is_of_some_rows(error)) {
            // The database is away, for the rest as well.
            let error = failure.map_or_else(overtaken, Error::from);
            outcomes.resize(size, Err(error));
            break;
        }
        if let [one] = &*part {
            let error = failure.map_or_else(overtaken, Error::from);
            tracing::debug!(%error, ?one, "a change failed alone");
            outcomes.push(Err(error));
        } else {
            let (first, second) = part.split_at(part.len() / 2);
            parts.extend([second.into(), first.into()]);
        }
    }
    (outcomes, counts)
}

fn overtaken() -> Error {
    Error::Unavailable("others change the same edge all the time".to_owned())
}

async fn at_once<F, A>(
    part: &Arc<[FollowChange]>,
    turn: &Arc<Mutex<BatchPermit>>,
    statements: &Arc<AtomicU64>,
    attempt: &F,
) -> sqlx::Result<Option<Made>>
where
    F: Fn(Attempt) -> A,
    A: Future<Output = sqlx::Result<Option<Made>>>,
{
    let committing = Arc::default();
    let is_first = AtomicBool::new(true);
    // A user may be deleted after they were found; the next try does not find them.
    let passes = |error: &_| is_transient(error) || is_foreign_key_violation(error);
    retry::retried_when(passes, |tries| {
        let mut next = Attempt {
            group: Arc::clone(part),
            tries,
            is_first: is_first.swap(false, Ordering::Relaxed),
            statements: Arc::clone(statements),
            committing: Arc::clone(&committing),
            turn: Arc::clone(turn),
        };
        async move {
            for _ in 0..OVERTAKEN_MAX {
                let made = attempt(next.clone()).await?;
                if made.is_some() {
                    return Ok(made);
                }
                next.is_first = false;
            }
            Ok(None)
        }
    })
    .await
}
