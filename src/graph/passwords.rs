//! Passwords: argon2id, off the async threads, in a bounded number at once.
//!
//! A hash takes some 19 MiB and tens of milliseconds of one core by design, so a flood of
//! sign-ins waits for the few places here instead of starving every query.

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
    places: Semaphore,
    /// The hash of a password that nobody has, for accounts that are not there.
    decoy: OnceCell<String>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { places: Semaphore::new(AT_ONCE), decoy: OnceCell::new() }
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
        let _place = self.places.acquire().await.map_err(|e| Error::Internal(e.to_string()))?;
        spawn_blocking(work).await.map_err(|e| Error::Internal(e.to_string()))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_of_a_real_account_is_right() {
        let passwords = Passwords::default();
        let hash = passwords.hash("correct horse").await.expect("hashes");

        assert!(passwords.verify("correct horse", Some(hash.clone())).await.expect("verifies"));
        assert!(!passwords.verify("correct house", Some(hash)).await.expect("verifies"));
        assert!(!passwords.verify("nobody has this one", None).await.expect("verifies"));
    }
}
