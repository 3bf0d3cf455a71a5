//! What the log has of an outage: its first failure, then a line from time to time, and its end.
//!
//! For work that the server does by itself and tries again and again. A failed request has its own
//! line.

use std::{
    fmt::Display,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// The shortest time between two lines about failures.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// The outages of one kind of work.
#[derive(Debug)]
pub(crate) struct Outage {
    /// What a failure means.
    what: &'static str,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// When the last failure was logged.
    logged_at: Option<Instant>,
    /// How many failures were not logged.
    failures: u64,
    /// Whether the log has a failure, and not yet its end.
    is_open: bool,
}

impl Outage {
    pub(crate) const fn new(what: &'static str) -> Self {
        let state = State { logged_at: None, failures: 0, is_open: false };
        Self { what, state: Mutex::new(state) }
    }

    /// Notes a failure. It is logged, with the number of failures since the last line, unless that
    /// line was less than 30 seconds ago. So work that fails and succeeds in turns has few lines too.
    pub(crate) fn failed(&self, error: &dyn Display) {
        if let Some(failures) = self.state().failed(Instant::now()) {
            tracing::warn!(%error, failures, "{}", self.what);
        }
    }

    /// Notes a success, which ends an outage.
    pub(crate) fn worked(&self) {
        if let Some(failures) = self.state().worked() {
            tracing::info!(failures, "over: {}", self.what);
        }
    }

    /// Notes what work has ended with.
    pub(crate) fn note<T, E: Display>(&self, result: &Result<T, E>) {
        match result {
            Ok(_) => self.worked(),
            Err(error) => self.failed(error),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Counts a failure; returns how many there were since the last line, if they are to be logged.
    fn failed(&mut self, now: Instant) -> Option<u64> {
        self.failures += 1;
        if self.logged_at.is_some_and(|at| now < at + LINE_EVERY) {
            return None;
        }
        (self.logged_at, self.is_open) = (Some(now), true);
        Some(std::mem::take(&mut self.failures))
    }

    /// Ends an outage; returns how many failures there were since the last line, if one was logged.
    fn worked(&mut self) -> Option<u64> {
        std::mem::take(&mut self.is_open).then(|| std::mem::take(&mut self.failures))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_logged_at_first_and_every_thirty_seconds() {
        let (start, mut state) = (Instant::now(), State::default());
        let line = |second| {
            let failures = state.failed(start + Duration::from_secs(second))?;
            Some((second, failures))
        };
        let lines: Vec<_> = (0..100).filter_map(line).collect();
        assert_eq!(lines, [(0, 1), (30, 30), (60, 30), (90, 30)]);
        assert_eq!((state.worked(), state.worked()), (Some(9), None));
    }

    #[test]
    fn failures_in_turns_with_successes_are_one_outage() {
        let (start, mut state) = (Instant::now(), State::default());
        let mut lines = 0;
        for second in 0..60 {
            lines += usize::from(state.failed(start + Duration::from_secs(second)).is_some());
            lines += usize::from(state.worked().is_some());
        }
        assert_eq!(lines, 4, "each 30 seconds a failure and its end");
    }

    #[test]
    fn a_success_alone_is_not_logged() {
        assert_eq!(State::default().worked(), None);
    }
}
