//! Time that a test chooses.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use entourage::domain::Clock;

/// A clock that stands still.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopped(pub(crate) DateTime<Utc>);

impl Clock for Stopped {
    fn now(&self) -> DateTime<Utc> {
        self.0
    }
}

/// A clock that is moved by hand. Clones are the same clock.
#[derive(Clone, Debug)]
pub(crate) struct ByHand(Arc<Mutex<DateTime<Utc>>>);

impl ByHand {
    pub(crate) fn new(now: DateTime<Utc>) -> Self {
        Self(Arc::new(Mutex::new(now)))
    }

    pub(crate) fn advance(&self, by: TimeDelta) {
        *self.0.lock().expect("nobody panics with it") += by;
    }
}

impl Clock for ByHand {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().expect("nobody panics with it")
    }
}
