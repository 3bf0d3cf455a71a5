//! Time that a test chooses.

use chrono::{DateTime, Utc};
use entourage::domain::Clock;

/// A clock that stands still.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopped(pub(crate) DateTime<Utc>);

impl Clock for Stopped {
    fn now(&self) -> DateTime<Utc> {
        self.0
    }
}
