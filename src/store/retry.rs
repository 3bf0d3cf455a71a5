//! How work is run that must not be broken off: in a task of its own, and again after a failure
//! that passes.
//!
//! A caller may leave at any time (a client hangs up, a time-out fires), which drops its future
//! wherever it waits. A transaction is never that future: it runs in a spawned task to its end.

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
    error::{is_rolled_back, is_transient},
};

/// How often a write is tried, at most.
const ATTEMPTS: u32 = 8;
/// The pause after the first failure; it doubles from one to the next.
const PAUSE: Duration = Duration::from_millis(4);

/// What a write knows of its earlier tries. A connection that is lost at `COMMIT` leaves open
/// whether the transaction happened; then the next try may meet its own work, and must not take
/// it for somebody else's.
#[derive(Clone, Debug, Default)]
pub(super) struct Tries(Arc<AtomicBool>);

impl Tries {
    /// Commits the transaction of a try.
    pub(super) async fn commit<D: Database>(&self, tx: Transaction<'_, D>) -> sqlx::Result<()> {
        self.0.store(true, Ordering::Relaxed);
        tx.commit().await
    }

    /// Whether an earlier try may have happened, although it failed.
    pub(super) fn may_have_committed(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Runs a write to its end, whatever becomes of the caller, and again after passing failures.
/// `attempt` makes one transaction each time.
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
    match tokio::spawn(work.in_current_span()).await {
        Ok(result) => result,
        Err(error) if error.is_cancelled() => Err(Error::Unavailable("shutting down".to_owned())),
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// Tries until it succeeds, the failure is one that stays, or it has been tried often enough.
pub(super) async fn retried<T, F, A>(attempt: F) -> sqlx::Result<T>
where
    F: Fn(Tries) -> A,
    A: Future<Output = sqlx::Result<T>>,
{
    retried_when(is_transient, attempt).await
}

/// The same, where `passes` tells which failures do not stay.
pub(super) async fn retried_when<T, F, A>(
    passes: impl Fn(&sqlx::Error) -> bool,
    attempt: F,
) -> sqlx::Result<T>
where
    F: Fn(Tries) -> A,
    A: Future<Output = sqlx::Result<T>>,
{
    let mut pause = PAUSE;
    let tries = Tries::default();
    for number in 1..ATTEMPTS {
        let committed = tries.may_have_committed();
        match attempt(tries.clone()).await {
            Err(error) if passes(&error) => {
                if is_rolled_back(&error) {
                    tries.0.store(committed, Ordering::Relaxed);
                }
                tracing::debug!(%error, number, "a transaction failed and is tried again");
            }
            result => return result,
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    attempt(tries).await
}

/// Where work in a task of its own says how far it is.
pub(super) struct Report(watch::Sender<Progress>);

impl Report {
    /// Says it. Only the newest word is passed on.
    pub(super) fn say(&self, done: u64, total: u64) {
        self.0.send_replace(Progress { done, total });
    }
}

/// Runs long work in a task of its own and passes on what it reports.
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
    // The relay ends when the work drops its `Report`, so neither waits for the other in vain.
    tokio::join!(task, relay).0
}
