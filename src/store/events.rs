//! The logs of users, as their readers find them, and the hints that a log has grown.
//!
//! A hint says that there is something to read, never what. A reader that misses a hint is late, and
//! has lost nothing.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::sync::broadcast;

use super::Result;
use crate::domain::UserId;

/// The most events of one log that are read together.
pub const EVENTS_TOGETHER: i64 = 100;
/// How many events a log may hold until they are as old as [`EventSweep::before`] says. Of those beyond,
/// the oldest are deleted once they are as old as [`EventSweep::crowded_before`] says.
pub const EVENTS_KEPT_MAX: i64 = 10_000;
/// How many hints wait for a reader. A reader that is further behind gets one hint for all logs.
const HINTS_MAX: usize = 1_024;

/// Which events are deleted, oldest first in each log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventSweep {
    /// Those that are older than this.
    pub before: DateTime<Utc>,
    /// Those that are older than this and not among the last [`EVENTS_KEPT_MAX`] of their log.
    pub crowded_before: DateTime<Utc>,
}

/// One step of a sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Swept {
    /// How many events were deleted.
    pub deleted: u64,
    /// Where to go on: after the logs of users up to this one. `None` at the end.
    pub next: Option<(UserId, i64)>,
}

/// A stream of hints.
#[async_trait]
pub trait EventHintStream: Send {
    /// The next hint.
    ///
    /// # Errors
    /// If hints of other processes may have been missed. The stream has ended then.
    async fn next(&mut self) -> Result<EventHint>;
}

/// Whose logs have grown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventHint {
    /// Those of these users.
    Grown(Arc<[UserId]>),
    /// Those of any users.
    AnyGrown,
}

/// The hints of the writes of this process.
#[derive(Clone, Debug)]
pub(super) struct EventHints {
    are_kept: bool,
    sender: broadcast::Sender<Arc<[UserId]>>,
}

impl EventHints {
    pub(super) fn new(are_kept: bool) -> Self {
        Self { are_kept, sender: broadcast::Sender::new(HINTS_MAX) }
    }

    /// Whether events are written to the logs. If not, they are only counted, so that a reader
    /// notices what it has missed.
    pub(super) const fn are_kept(&self) -> bool {
        self.are_kept
    }

    /// Reports that the logs of these users have grown.
    pub(super) fn send(&self, logs: impl IntoIterator<Item = UserId>) {
        if self.sender.receiver_count() > 0 {
            // Without a receiver by now, there is no one to notify.
            let _ = self.sender.send(logs.into_iter().collect());
        }
    }

    /// The hints from now on.
    pub(super) fn listen(&self) -> LocalHints {
        LocalHints(self.sender.subscribe())
    }
}

/// A stream of the hints of this process.
pub(super) struct LocalHints(broadcast::Receiver<Arc<[UserId]>>);

impl LocalHints {
    /// The next hint. Waits for ever once the store is gone.
    pub(super) async fn next(&mut self) -> EventHint {
        match self.0.recv().await {
            Ok(logs) => EventHint::Grown(logs),
            Err(broadcast::error::RecvError::Lagged(_)) => EventHint::AnyGrown,
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}
