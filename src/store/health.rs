//! The health of a store, as its failures show it.
//!
//! A write that failed makes the store suspect until a test write succeeds, which the next check
//! does: a load balancer that has left us sends no writes that could show it. Damage to a SQLite
//! file stays until the program is started again, since what it has cached is not in the file.

use std::sync::{
    OnceLock,
    atomic::{AtomicBool, Ordering},
};

use super::{Error, Result, Store, error::is_damage};

/// The methods that write on behalf of a request.
const WRITES: [&str; 11] = [
    "change_follow",
    "change_follows",
    "update_privacy",
    "mute",
    "unmute",
    "create_user",
    "update_profile",
    "change_password",
    "end_tokens",
    "set_role",
    "delete_user",
];

/// What the failures so far say.
#[derive(Debug, Default)]
pub(super) struct Health {
    is_suspect: AtomicBool,
    damage: OnceLock<Error>,
}

impl Health {
    /// Notes the failure of a method.
    pub(super) fn note(&self, method: &str, error: &Error) {
        if matches!(error, Error::Conflict(_)) {
            return;
        }
        if is_damage(error) {
            self.damage.get_or_init(|| error.clone());
        }
        if WRITES.contains(&method) {
            self.is_suspect.store(true, Ordering::Release);
        }
    }

    /// Checks that the store serves reads and writes.
    pub(super) async fn check(&self, store: &dyn Store) -> Result<()> {
        if let Some(damage) = self.damage.get() {
            return Err(damage.clone());
        }
        let checked = store.ping().await;
        if let Err(error) = &checked {
            self.note("ping", error);
        }
        checked?;
        if self.is_suspect.load(Ordering::Acquire) {
            store.test_write().await?;
            self.is_suspect.store(false, Ordering::Release);
        }
        Ok(())
    }
}
