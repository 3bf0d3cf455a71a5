//! The calls of a store that one request made, for the log of slow operations.
//!
//! **Invariant:** what is kept grows with the number of methods that a request calls, not with its
//! calls, and has no value that a client sent.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

tokio::task_local! {
    static CALLS: Calls;
}

/// The calls of one request, by method. Clones are handles on the same calls.
#[derive(Clone, Debug, Default)]
pub struct Calls(Arc<Mutex<Vec<Called>>>);

#[derive(Debug)]
struct Called {
    method: &'static str,
    calls: u32,
    statements: u32,
    /// Of the calls that have ended.
    took: Duration,
    /// When the other calls began.
    running: Vec<Instant>,
}

impl Calls {
    /// Records the calls that `work` makes. Work in a task of its own needs another `record`, of
    /// [`Calls::current`].
    pub async fn record<F: Future>(self, work: F) -> F::Output {
        CALLS.scope(self, work).await
    }

    /// Those that this task records; outside of a request, new ones.
    pub fn current() -> Self {
        CALLS.try_with(Clone::clone).unwrap_or_default()
    }

    /// Begins a call. It ends when the guard is dropped, even if it is never answered.
    pub(super) fn begin(self, method: &'static str) -> Call {
        let began = Instant::now();
        self.change(method, |called| {
            called.calls += 1;
            called.running.push(began);
        });
        Call { calls: self, method, began }
    }

    pub(super) fn add_statement(&self, method: &'static str) {
        self.change(method, |called| called.statements += 1);
    }

    fn change(&self, method: &'static str, change: impl FnOnce(&mut Called)) {
        let mut all = self.all();
        if let Some(called) = all.iter_mut().find(|called| called.method == method) {
            return change(called);
        }
        let mut called =
            Called { method, calls: 0, statements: 0, took: Duration::ZERO, running: Vec::new() };
        change(&mut called);
        all.push(called);
    }

    fn all(&self) -> MutexGuard<'_, Vec<Called>> {
        // No code panics halfway through a change, so a poisoned lock is safe to use.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that runs.
pub(super) struct Call {
    calls: Calls,
    method: &'static str,
    began: Instant,
}

impl Drop for Call {
    fn drop(&mut self) {
        let took = self.began.elapsed();
        self.calls.change(self.method, |called| {
            called.took += took;
            let this = called.running.iter().position(|began| *began == self.began);
            this.map(|index| called.running.swap_remove(index));
        });
    }
}

/// In the order of the first calls, such as `pages_of_follows calls=2 statements=3 ms=812`. The times
/// of calls that ran at once add up, those of running calls are the times so far, and a statement
/// that requests share counts for one of them.
impl fmt::Display for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, called) in self.all().iter().enumerate() {
            let separator = if n == 0 { "" } else { "; " };
            let Called { method, calls, statements, took, running } = called;
            let took = running.iter().map(Instant::elapsed).fold(*took, |sum, time| sum + time);
            let ms = took.as_millis();
            write!(f, "{separator}{method} calls={calls} statements={statements} ms={ms}")?;
        }
        Ok(())
    }
}
