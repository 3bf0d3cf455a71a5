//! Changes of follows in groups: what many ask for at the same time is committed together.
//!
//! A commit waits for the disk, and the count of a celebrity can be changed by one transaction at
//! a time. A group shares both. Each caller is told what became of their own change, after the
//! commit, and one that fails does not fail the others: see [`Store::change_follows`].

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use chrono::{DateTime, Utc};
use sqlx::{Database, Transaction};

use super::{
    Error, Result, Store,
    error::{is_foreign_key_violation, is_of_some_rows, is_transient},
    gather::Gather,
    plan::{Found, Plan},
    retry::{self, Tries},
};
use crate::domain::{
    FollowAction, FollowChange, FollowChanged, FollowLimits, FollowOutcome, UnfollowOutcome, UserId,
};

/// The most changes of a group. Beyond, little is shared that is not yet, rows stay locked for
/// longer, and each row costs more, since a statement looks for it in its arrays.
const CHANGES_MAX: usize = 128;
/// How often a group is made anew when others change the same edges meanwhile.
const OVERTAKEN_MAX: u32 = 4;

/// A store whose changes of follows are gathered into groups: while one group is committed, the
/// next gathers. Nothing waits for a group to fill, so one call alone is as fast as ever.
#[derive(Clone, Debug)]
pub struct FollowGroups {
    changes: Gather<FollowChange, Result<FollowChanged>>,
}

impl FollowGroups {
    /// Gathers changes for a store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        let lanes = store.write_lanes();
        let changes = Gather::new(lanes, CHANGES_MAX, move |group: Vec<FollowChange>| {
            let store = Arc::clone(&store);
            async move { store.change_follows(&group).await.outcomes }
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
    ) -> Result<FollowOutcome> {
        let action = FollowAction::Follow(limits);
        followed(self.changes.call(FollowChange { follower, followee, at, action }).await??)
    }

    /// As [`Store::unfollow`], together with others.
    ///
    /// # Errors
    /// Those of the store, and [`Error::Unavailable`] when too many changes wait.
    pub async fn unfollow(
        &self,
        follower: UserId,
        followee: UserId,
        at: DateTime<Utc>,
    ) -> Result<UnfollowOutcome> {
        let action = FollowAction::Unfollow;
        unfollowed(self.changes.call(FollowChange { follower, followee, at, action }).await??)
    }
}

/// What became of a follow.
pub(super) fn followed(changed: FollowChanged) -> Result<FollowOutcome> {
    match changed {
        FollowChanged::Follow(outcome) => Ok(outcome),
        FollowChanged::Unfollow(_) => Err(Error::Corrupt("not the answer to a follow".to_owned())),
    }
}

/// What became of an unfollow.
pub(super) fn unfollowed(changed: FollowChanged) -> Result<UnfollowOutcome> {
    match changed {
        FollowChanged::Unfollow(outcome) => Ok(outcome),
        FollowChanged::Follow(_) => Err(Error::Corrupt("not the answer to an unfollow".to_owned())),
    }
}

/// What became of a group of changes.
#[derive(Debug, Default)]
pub struct GroupChanged {
    /// What became of each change, in their order.
    pub outcomes: Vec<Result<FollowChanged>>,
    /// How many statements it took.
    pub statements: u64,
}

/// One try to make a group, or a part of one.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) group: Arc<[FollowChange]>,
    tries: Tries,
    is_first: bool,
    /// How many statements the whole group has taken.
    statements: Arc<AtomicU64>,
    /// The plan whose commit was asked for last.
    committing: Arc<Mutex<Option<Plan>>>,
}

impl Attempt {
    /// Whether nothing is known of this part of the group, since it has not been tried yet.
    pub(super) fn is_first(&self) -> bool {
        self.is_first
    }

    /// Counts a statement that is sent.
    pub(super) fn sends_a_statement(&self) {
        self.statements.fetch_add(1, Ordering::Relaxed);
    }

    /// The outcomes, when an earlier try has happened although its commit was not answered.
    pub(super) fn done_before(&self, found: &Found) -> Option<Vec<FollowChanged>> {
        if !self.tries.may_have_committed() {
            return None;
        }
        let committing = self.committing.lock().unwrap_or_else(PoisonError::into_inner);
        committing.as_ref().filter(|plan| plan.is_done(found)).map(|plan| plan.outcomes.clone())
    }

    /// The outcomes, when it has turned out that nothing has to be written. Not when that may be the
    /// work of an earlier try: then it has to be looked at again.
    pub(super) fn without_change(&self, plan: Plan) -> Option<Vec<FollowChanged>> {
        (plan.is_empty() && !self.tries.may_have_committed()).then_some(plan.outcomes)
    }

    /// Commits what a plan has written, and gives its outcomes.
    pub(super) async fn commit<D: Database>(
        &self,
        tx: Transaction<'_, D>,
        plan: Plan,
    ) -> sqlx::Result<Vec<FollowChanged>> {
        let outcomes = plan.outcomes.clone();
        *self.committing.lock().unwrap_or_else(PoisonError::into_inner) = Some(plan);
        self.tries.commit(tx).await?;
        Ok(outcomes)
    }
}

/// Makes the changes of a group in one transaction, and when something about some of them stands
/// against that, in halves, until those are alone. `attempt` makes one transaction; it gives
/// nothing when others have changed the same edges meanwhile, so that it has to be made anew.
pub(super) async fn change<F, A>(group: &[FollowChange], attempt: F) -> GroupChanged
where
    F: Fn(Attempt) -> A + Send + Sync + 'static,
    A: Future<Output = sqlx::Result<Option<Vec<FollowChanged>>>> + Send,
{
    if group.is_empty() {
        return GroupChanged::default();
    }
    let whole: Arc<[FollowChange]> = group.into();
    let statements = Arc::default();
    let counted = Arc::clone(&statements);
    let made = retry::detached(async move { Ok(in_parts(whole, counted, attempt).await) }).await;
    let outcomes = made.unwrap_or_else(|error| vec![Err(error); group.len()]);
    GroupChanged { outcomes, statements: statements.load(Ordering::Relaxed) }
}

async fn in_parts<F, A>(
    whole: Arc<[FollowChange]>,
    statements: Arc<AtomicU64>,
    attempt: F,
) -> Vec<Result<FollowChanged>>
where
    F: Fn(Attempt) -> A,
    A: Future<Output = sqlx::Result<Option<Vec<FollowChanged>>>>,
{
    let size = whole.len();
    let mut outcomes = Vec::with_capacity(size);
    // What is still to be made, the first of it last.
    let mut parts = vec![whole];
    while let Some(part) = parts.pop() {
        let failure = match at_once(&part, &statements, &attempt).await {
            Ok(Some(done)) => {
                outcomes.extend(done.into_iter().map(Ok));
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
    outcomes
}

fn overtaken() -> Error {
    Error::Unavailable("others change the same edge all the time".to_owned())
}

async fn at_once<F, A>(
    part: &Arc<[FollowChange]>,
    statements: &Arc<AtomicU64>,
    attempt: &F,
) -> sqlx::Result<Option<Vec<FollowChanged>>>
where
    F: Fn(Attempt) -> A,
    A: Future<Output = sqlx::Result<Option<Vec<FollowChanged>>>>,
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
