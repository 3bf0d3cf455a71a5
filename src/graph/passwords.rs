//! Passwords: argon2id, off the async threads, in a bounded number at once.
//!
//! A hash takes some 19 MiB and tens of milliseconds of one core by design, so a flood of
//! sign-ins waits for the few places here instead of starving every query.

use std::sync::Arc;

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use tokio::{
    sync::{OnceCell, Semaphore},
    task::spawn_blocking,
};

use super::{Error, Result};

/// How many passwords are hashed at once.
const AT_ONCE: usize = 2;
/// The fewest characters of a new password.
const LENGTH_MIN: usize = 8;
/// The most bytes of any password: more would only cost time.
const BYTES_MAX: usize = 256;

/// Hashes and verifies passwords.
#[derive(Debug)]
pub(super) struct Passwords {
    places: Arc<Semaphore>,
    /// The hash of a password that nobody has, for accounts that are not there.
    decoy: OnceCell<String>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(AT_ONCE)), decoy: OnceCell::new() }
    }
}

impl Passwords {
    /// Why a password cannot be chosen, if it cannot.
    pub(super) fn refusal(password: &str) -> Option<String> {
        if password.chars().count() < LENGTH_MIN {
            return Some(format!("must have at least {LENGTH_MIN} characters"));
        }
        (password.len() > BYTES_MAX).then(|| format!("must have at most {BYTES_MAX} bytes"))
    }

    /// The hash of a password, in PHC format with a random salt.
    pub(super) async fn hash(&self, password: &str) -> Result<String> {
        let password = password.to_owned();
        self.run(move || {
            let hash = Argon2::default().hash_password(password.as_bytes());
            hash.map(|hash| hash.to_string()).map_err(|e| Error::Internal(e.to_string()))
        })
        .await
    }

    /// Whether the password is the one of the hash. Without a hash the answer is no, after the
    /// same work, so that the time tells nothing.
    pub(super) async fn verify(&self, password: &str, hash: Option<String>) -> Result<bool> {
        let decoy = self.decoy.get_or_try_init(|| self.hash("nobody has this one")).await?;
        let is_real = hash.is_some();
        let hash = hash.unwrap_or_else(|| decoy.clone());
        let password = if password.len() > BYTES_MAX { String::new() } else { password.to_owned() };

        let matches = self
            .run(move || {
                let hash = PasswordHash::new(&hash).map_err(|e| Error::Internal(e.to_string()))?;
                Ok(Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
            })
            .await?;
        Ok(matches && is_real)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let place = self.places.clone().acquire_owned().await;
        let place = place.map_err(|e| Error::Internal(e.to_string()))?;
        // The work goes on when the caller leaves, so it is the work that holds the place.
        let work = move || {
            let done = work();
            drop(place);
            done
        };
        spawn_blocking(work).await.map_err(|e| Error::Internal(e.to_string()))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_caller_who_leaves_does_not_free_the_place_of_its_work() {
        let passwords = Passwords::default();
        let (begun, mut begins) = tokio::sync::mpsc::channel(1);
        let (end, ends) = std::sync::mpsc::channel::<()>();
        let work = passwords.run(move || {
            begun.try_send(()).expect("there is room");
            ends.recv().map_err(|e| Error::Internal(e.to_string()))
        });

        tokio::select! {
            _ = work => panic!("it cannot end yet"),
            begun = begins.recv() => begun.expect("it begins"),
        }
        assert_eq!(passwords.places.available_permits(), AT_ONCE - 1);

        end.send(()).expect("it still runs");
        let all = u32::try_from(AT_ONCE).expect("few");
        drop(passwords.places.acquire_many(all).await.expect("it is never closed"));
    }

    #[tokio::test]
    async fn only_the_right_password_of_a_real_account_is_right() {
        let passwords = Passwords::default();
        let hash = passwords.hash("correct horse").await.expect("hashes");

        assert!(passwords.verify("correct horse", Some(hash.clone())).await.expect("verifies"));
        assert!(!passwords.verify("correct house", Some(hash)).await.expect("verifies"));
        assert!(!passwords.verify("nobody has this one", None).await.expect("verifies"));
    }
}
