//! Taking turns with other processes, in a database that has one lock for all writers.
//!
//! Who waits for the lock of SQLite looks for it every now and then. A process that takes it again as
//! soon as it has released it can keep the others out until they give up.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::store::{Result, Store};

/// The longest time between two looks for the lock: the last step of `sqlite3_busy_timeout`.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How long a transaction may take while others write, and how long the pause after it is. Who waits
/// so briefly looks every 25 ms.
const SHARED_TIME: Duration = Duration::from_millis(30);

/// How long after their last commit others count as writing.
const SHARED_FOR: Duration = Duration::from_secs(5);

/// How long to write without a pause, as long as no others are known to write. They may be kept out.
const ALONE_FOR: Duration = Duration::from_secs(1);

/// When others have written, and when they last could.
#[derive(Debug)]
pub(super) struct Turns {
    /// What the store knew of their commits at the last look.
    version: Option<u64>,
    /// When a commit of theirs was seen.
    shared_at: Option<Instant>,
    paused_at: Instant,
}

impl Turns {
    pub(super) async fn begin(store: &dyn Store) -> Result<Self> {
        let version = store.version_of_others().await?;
        Ok(Self { version, shared_at: None, paused_at: Instant::now() })
    }

    /// Lets others write, between two transactions. Returns how long the next one may take, if others
    /// write.
    pub(super) async fn give(&mut self, store: &dyn Store) -> Result<Option<Duration>> {
        let version = store.version_of_others().await?;
        if version.is_none() {
            return Ok(None);
        }
        if version != self.version {
            (self.version, self.shared_at) = (version, Some(Instant::now()));
        }
        let is_shared = self.shared_at.is_some_and(|at| at.elapsed() < SHARED_FOR);
        if is_shared || self.paused_at.elapsed() > ALONE_FOR {
            sleep(if is_shared { SHARED_TIME } else { LOOK_EVERY }).await;
            self.paused_at = Instant::now();
        }
        Ok(is_shared.then_some(SHARED_TIME))
    }
}
