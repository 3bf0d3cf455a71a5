//! Writing a batch of changes: attempts, retries, and bisection when some of them fail.
//!
//! A change that fails does not fail the others of its batch; only when the database is not
//! available all fail.

use std::{
    collections::{BTreeSet, HashMap},
    mem,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use sqlx::{Database, Transaction};

use super::{
    decision::Plan,
    state::{CountsRow, State},
};
use crate::{
    domain::{Changed, FollowChange, FollowChanged, UserId},
    store::{
        Error, Result,
        batching::BatchPermit,
        error::{is_foreign_key_violation, is_of_some_rows, is_rolled_back, is_transient},
        events::EventHints,
        imports::Checkpoint,
        retry::{self, Tries},
        webhooks::Outbox,
    },
};

/// How often an attempt is repeated because others changed the same edges meanwhile.
const CONTENDED_MAX: u32 = 4;

/// What an engine does for the write path.
pub(crate) trait FollowWriter: Clone + Send + Sync + 'static {
    /// The most batches that are written concurrently.
    const BATCHES_MAX: usize;

    /// Where to report whose logs have grown.
    fn hints(&self) -> &EventHints;

    /// Where to report that messages for the webhook were written.
    fn outbox(&self) -> &Outbox;

    /// Writes the changes of an attempt in one transaction. `None` if others changed the same
    /// edges meanwhile: then nothing is written, and the attempt has to be repeated.
    fn write(
        &self,
        attempt: &Attempt<'_>,
    ) -> impl Future<Output = sqlx::Result<Option<Written>>> + Send;
}

/// One attempt to write a batch, or a part of one.
#[derive(Clone, Debug)]
pub(crate) struct Attempt<'b> {
    pub(crate) changes: &'b [FollowChange],
    tries: Tries,
    is_first: bool,
    is_last: bool,
    /// The plan of the last attempt that sent its commit.
    committing: &'b Mutex<Option<Plan>>,
    /// The permit of the batch; a no-op while other parts are left to write.
    permit: &'b Mutex<BatchPermit>,
    import: Option<&'b ImportStep>,
}

/// What is expected of a part of an import.
#[derive(Clone, Debug)]
pub(crate) struct ImportStep {
    /// The outcomes, in the order of the changes.
    pub(crate) expected: Vec<FollowChanged>,
    /// What to save in the same transaction. Without it nothing is written.
    pub(crate) checkpoint: Option<Checkpoint>,
}

impl ImportStep {
    /// What to save with these outcomes; `None` if nothing must be written with them.
    fn checkpoint(&self, outcomes: &[FollowChanged]) -> Option<&Checkpoint> {
        self.checkpoint.as_ref().filter(|_| self.expected == outcomes)
    }
}

impl Attempt<'_> {
    /// Whether no earlier attempt has failed, so that nothing speaks against optimism. An import that
    /// only asks for outcomes writes nothing, and so is never optimistic.
    pub(crate) fn is_first(&self) -> bool {
        self.is_first && self.import.is_none_or(|import| import.checkpoint.is_some())
    }

    /// What to save in the transaction of a plan.
    pub(crate) fn checkpoint(&self, plan: &Plan) -> Option<&Checkpoint> {
        self.import?.checkpoint(&plan.outcomes)
    }

    /// Whether to write a plan: if it changes anything, or if an import that expects its outcomes
    /// has to save that.
    pub(crate) fn writes(&self, plan: &Plan) -> bool {
        match self.import {
            None => !plan.is_empty(),
            Some(import) => import.checkpoint(&plan.outcomes).is_some(),
        }
    }

    /// Whether the batch is not repeated if this attempt writes nothing.
    pub(crate) fn is_last(&self) -> bool {
        self.is_last
    }

    /// Whether an attempt, this one included, has sent its commit.
    pub(crate) fn may_have_committed(&self) -> bool {
        self.tries.may_have_committed()
    }

    /// The outcomes of an earlier attempt whose commit was not answered and yet happened, as
    /// `state` shows. Without this check the attempt would find its own edges and report
    /// "already following".
    pub(crate) fn committed_before(&self, state: &State) -> Option<Written> {
        if !self.may_have_committed() || self.import.is_some() {
            return None;
        }
        let committing = self.committing.lock().unwrap_or_else(PoisonError::into_inner);
        let plan = committing.as_ref().filter(|plan| plan.is_done(state))?;
        Some(Written {
            logs: plan.logs(),
            has_webhooks: plan.webhooks().next().is_some(),
            ..plan.outcomes.clone().into()
        })
    }

    /// The outcomes of a plan that turned out to write nothing. `None` if it has something to
    /// write, or if an earlier commit was not answered: that may be why nothing is left to write,
    /// so the next attempt has to check. Also `None` if the first plan has removed or added other
    /// edges than follows: those that are gone may have become edges of another kind.
    pub(crate) fn unchanged(&self, first: &Plan, plan: Plan) -> Option<Written> {
        let is_sure = first.is_of_follows() && !self.may_have_committed();
        (is_sure && plan.is_empty()).then(|| plan.outcomes.into())
    }

    /// Commits what was written for a plan, and returns its outcomes. Releases the permit first:
    /// the next batch may start while this one waits for the disk.
    pub(crate) async fn commit<D: Database>(
        &self,
        tx: Transaction<'_, D>,
        plan: Plan,
        counts: HashMap<UserId, CountsRow>,
    ) -> sqlx::Result<Written> {
        let (outcomes, logs) = (plan.outcomes.clone(), plan.logs());
        let has_webhooks = plan.webhooks().next().is_some();
        drop(mem::take(&mut *self.permit.lock().unwrap_or_else(PoisonError::into_inner)));
        *self.committing.lock().unwrap_or_else(PoisonError::into_inner) = Some(plan);
        self.tries.commit(tx).await?;
        Ok(Written { outcomes, counts, logs, has_webhooks, is_overtaken: false })
    }
}

/// The result of an attempt.
#[derive(Debug)]
pub(crate) struct Written {
    /// In the order of the changes.
    outcomes: Vec<FollowChanged>,
    /// As of the commit, of the users whose counts the write returned.
    counts: HashMap<UserId, CountsRow>,
    /// The users whose logs have grown.
    logs: BTreeSet<UserId>,
    /// Whether there are messages for the webhook.
    has_webhooks: bool,
    /// Whether another run goes on with the import, so that nothing was written.
    is_overtaken: bool,
}

impl From<Vec<FollowChanged>> for Written {
    fn from(outcomes: Vec<FollowChanged>) -> Self {
        Self {
            outcomes,
            counts: HashMap::new(),
            logs: BTreeSet::new(),
            has_webhooks: false,
            is_overtaken: false,
        }
    }
}

impl Written {
    /// The result of a part of an import with which another run goes on.
    pub(crate) fn overtaken() -> Self {
        Self { is_overtaken: true, ..Vec::new().into() }
    }

    /// The result of each change.
    fn results(
        self,
        changes: &[FollowChange],
    ) -> impl Iterator<Item = Result<Changed<FollowChanged>>> {
        let Self { outcomes, counts, .. } = self;
        changes.iter().zip(outcomes).map(move |(change, outcome)| {
            let lists = |user| counts.get(user).map(CountsRow::lists);
            let (follower, followee) = (lists(&change.follower), lists(&change.followee));
            Ok(Changed { outcome, follower, followee })
        })
    }
}

/// Writes a batch in one transaction. If a row makes the transaction fail, bisects until the
/// failing changes are isolated, so that no other change fails. The results are in the order of
/// the changes.
pub(super) async fn write<W: FollowWriter>(
    writer: &W,
    changes: &[FollowChange],
    permit: BatchPermit,
) -> Vec<Result<Changed<FollowChanged>>> {
    if changes.is_empty() {
        return Vec::new();
    }
    let (permit, no_permit) = (Mutex::new(permit), Mutex::default());
    let mut results = Vec::with_capacity(changes.len());
    // A stack of the parts still to write, the first changes on top: results are appended in order.
    let mut parts = vec![changes];
    while let Some(part) = parts.pop() {
        // Only the last part may release the permit: before that, more than a commit is left.
        let permit = if parts.is_empty() { &permit } else { &no_permit };
        let (error, is_of_some_rows) = match write_part(writer, part, None, permit).await {
            Ok(Some(mut written)) => {
                writer.hints().send(mem::take(&mut written.logs));
                if written.has_webhooks {
                    writer.outbox().hint();
                }
                results.extend(written.results(part));
                continue;
            }
            // The rows that others keep changing may be those of a few changes only.
            Ok(None) => (Error::Unavailable("others keep changing the same edge".into()), true),
            Err(error) => {
                let is_of_some_rows = is_of_some_rows(&error);
                (error.into(), is_of_some_rows)
            }
        };

        if !is_of_some_rows {
            // The database is not available: it would fail the remaining parts as well.
            results.resize(changes.len(), Err(error));
            break;
        }
        if let [change] = part {
            tracing::debug!(%error, ?change, "a change failed alone");
            results.push(Err(error));
        } else {
            let (first, second) = part.split_at(part.len() / 2);
            parts.extend([second, first]);
        }
    }
    results
}

/// Writes a part of an import in one transaction with what it saves, if the outcomes are those that
/// it expects. Returns the outcomes; `None` if another run goes on with the import.
pub(super) async fn import<W: FollowWriter>(
    writer: &W,
    changes: &[FollowChange],
    step: &ImportStep,
) -> Result<Option<Vec<FollowChanged>>> {
    let written = write_part(writer, changes, Some(step), &Mutex::default()).await?;
    let contended = || Error::Unavailable("others keep changing the same edges".into());
    let mut written = written.ok_or_else(contended)?;
    writer.hints().send(mem::take(&mut written.logs));
    Ok((!written.is_overtaken).then_some(written.outcomes))
}

/// Attempts one part until it is written, the failure is permanent, or there were too many
/// attempts. `None` if others changed the same edges each time.
async fn write_part<W: FollowWriter>(
    writer: &W,
    changes: &[FollowChange],
    import: Option<&ImportStep>,
    permit: &Mutex<BatchPermit>,
) -> sqlx::Result<Option<Written>> {
    let committing = Mutex::<Option<Plan>>::default();
    let is_first = AtomicBool::new(true);
    // A user who was found may be deleted before the edge is added; the next attempt misses them.
    // Another import may have added the same edges with the same times, so they do not show whether
    // one that was not answered was committed: it stops, and goes on by its progress.
    let is_unsure = |error: &_| {
        let has_committed = || committing.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        import.is_some() && !is_rolled_back(error) && has_committed()
    };
    let is_temporary =
        |error: &_| (is_transient(error) || is_foreign_key_violation(error)) && !is_unsure(error);
    retry::retried_when(is_temporary, |tries| {
        let is_first = is_first.swap(false, Ordering::Relaxed);
        let mut attempt = Attempt {
            changes,
            tries,
            is_first,
            is_last: false,
            committing: &committing,
            permit,
            import,
        };
        async move {
            for number in 1..=CONTENDED_MAX {
                attempt.is_last = number == CONTENDED_MAX;
                let written = writer.write(&attempt).await?;
                if written.is_some() {
                    return Ok(written);
                }
                attempt.is_first = false;
            }
            Ok(None)
        }
    })
    .await
}
