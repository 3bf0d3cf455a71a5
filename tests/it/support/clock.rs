//! Clocks that a test controls.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use entourage::domain::Clock;

/// A stopped clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopped(pub(crate) DateTime<Utc>);

impl Clock for Stopped {
    fn now(&self) -> DateTime<Utc> {
        self.0
    }
}

/// A clock that a test advances. Clones share the time.
#[derive(Clone, Debug)]
pub(crate) struct ByHand(Arc<Mutex<DateTime<Utc>>>);

impl ByHand {
    pub(crate) fn new(now: DateTime<Utc>) -> Self {
        Self(Arc::new(Mutex::new(now)))
    }

    pub(crate) fn advance(&self, by: TimeDelta) {
        *self.0.lock().expect("no code that can panic runs under this lock") += by;
    }
}

impl Clock for ByHand {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().expect("no code that can panic runs under this lock")
    }
}
