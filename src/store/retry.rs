//! Running writes to their end: in a task of their own, with retries after temporary failures.
//!
//! A caller may go away at any time (a client hangs up, a timeout fires), which drops its future
//! wherever it waits. A transaction is never part of that future: it runs in a spawned task.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sqlx::{Database, Transaction};
use tokio::sync::watch;
use tracing::Instrument;

use super::{
    Error, OnProgress, Progress, Result,
    error::{is_rolled_back, is_transient, message},
    statement::Meter,
};

/// The most attempts at a write.
const ATTEMPTS_MAX: u32 = 8;
/// The pause after the first failure; it doubles each time.
const PAUSE: Duration = Duration::from_millis(4);

/// What is known of the earlier attempts of a write. A connection that is lost during `COMMIT`
/// leaves open whether the transaction was committed; the next attempt may then find its own rows,
/// and must not take them for those of another caller.
#[derive(Clone, Debug, Default)]
pub(super) struct Tries(Arc<AtomicBool>);

impl Tries {
    /// Commits the transaction of an attempt.
    pub(super) async fn commit<D: Database>(&self, tx: Transaction<'_, D>) -> sqlx::Result<()> {
        self.0.store(true, Ordering::Relaxed);
        tx.commit().await
    }

    /// Whether a failed attempt may have been committed nevertheless.
    pub(super) fn may_have_committed(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Runs a write to its end, also if the caller goes away, with retries after temporary failures.
/// `attempt` runs one transaction each time.
pub(super) async fn write<T, F, A>(attempt: F) -> Result<T>
where
    T: Send + 'static,
    F: Fn(Tries) -> A + Send + 'static,
    A: Future<Output = sqlx::Result<T>> + Send,
{
    detached(async move { Ok(retried(attempt).await?) }).await
}

/// Runs work in a task of its own.
pub(super) async fn detached<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    match tokio::spawn(Meter::current().measure(work).in_current_span()).await {
        Ok(result) => result,
        Err(error) if error.is_cancelled() => Err(Error::Unavailable("shutting down".into())),
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// Retries until an attempt succeeds, the failure is permanent, or there were too many attempts.
pub(super) async fn retried<T, F, A>(attempt: F) -> sqlx::Result<T>
where
    F: Fn(Tries) -> A,
    A: Future<Output = sqlx::Result<T>>,
{
    retried_when(is_transient, attempt).await
}

/// The same, where `is_temporary` says which failures are worth a retry.
pub(super) async fn retried_when<T, F, A>(
    is_temporary: impl Fn(&sqlx::Error) -> bool,
    attempt: F,
) -> sqlx::Result<T>
where
    F: Fn(Tries) -> A,
    A: Future<Output = sqlx::Result<T>>,
{
    let mut pause = PAUSE;
    let tries = Tries::default();
    for number in 1..ATTEMPTS_MAX {
        let had_committed = tries.may_have_committed();
        match attempt(tries.clone()).await {
            Err(error) if is_temporary(&error) => {
                // The server says that this attempt was not committed, which says nothing about
                // those before it.
                if is_rolled_back(&error) {
                    tries.0.store(had_committed, Ordering::Relaxed);
                }
                let error = message(&error);
                tracing::debug!(error, number, "a transaction failed and is retried");
            }
            result => return result,
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    attempt(tries).await
}

/// The handle through which work in a task of its own reports its progress.
pub(super) struct Report(watch::Sender<Progress>);

impl Report {
    /// Reports the progress; the caller sees the latest report only.
    pub(super) fn say(&self, done: u64, total: u64) {
        self.0.send_replace(Progress { done, total });
    }
}

/// Runs long work in a task of its own and forwards its reports.
pub(super) async fn reporting<T, F, W>(on_progress: OnProgress<'_>, work: F) -> Result<T>
where
    T: Send + 'static,
    F: FnOnce(Report) -> W,
    W: Future<Output = Result<T>> + Send + 'static,
{
    let (sender, mut reports) = watch::channel(Progress { done: 0, total: 0 });
    let task = detached(work(Report(sender)));
    let relay = async {
        while reports.changed().await.is_ok() {
            let progress = *reports.borrow_and_update();
            on_progress(progress);
        }
    };
    // The relay ends when the work drops its `Report`, so neither waits for the other forever.
    tokio::join!(task, relay).0
}
