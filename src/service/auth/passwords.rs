//! Passwords: argon2id, off the async threads, in a bounded number at once.
//!
//! A hash takes some 19 MiB and tens of milliseconds of one core by design, so a flood of
//! sign-ins waits for the few places here instead of starving every query. The memory is kept from
//! one password to the next: given back, most allocators would keep it as well, but once for each
//! thread that ever hashed.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::phc::{self, Output, ParamsString, PasswordHash, Salt},
};
use tokio::{
    sync::{OnceCell, Semaphore},
    task::spawn_blocking,
};

use crate::service::{Error, Result};

/// How many passwords are hashed at once.
const AT_ONCE: usize = 2;
/// The fewest characters of a new password.
const LENGTH_MIN: usize = 8;
/// The most bytes of any password: more would only cost time.
const BYTES_MAX: usize = 256;

/// Hashes and verifies passwords.
#[derive(Debug)]
pub(crate) struct Passwords {
    places: Arc<Semaphore>,
    /// What those who have a place left behind for the next.
    workspaces: Arc<Mutex<Vec<Workspace>>>,
    /// The hash of a password that nobody has, for accounts that are not there.
    decoy: OnceCell<String>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(AT_ONCE)),
            workspaces: Arc::default(),
            decoy: OnceCell::new(),
        }
    }
}

impl Passwords {
    /// Why a password cannot be chosen, if it cannot.
    pub(crate) fn refusal(password: &str) -> Option<String> {
        if password.chars().count() < LENGTH_MIN {
            return Some(format!("must have at least {LENGTH_MIN} characters"));
        }
        (password.len() > BYTES_MAX).then(|| format!("must have at most {BYTES_MAX} bytes"))
    }

    /// The hash of a password, in PHC format with a random salt.
    pub(crate) async fn hash(&self, password: &str) -> Result<String> {
        let password = password.to_owned();
        self.run(move |workspace| workspace.hash(&password)).await
    }

    /// Whether the password is the one of the hash. Without a hash the answer is no, after the
    /// same work, so that the time tells nothing.
    pub(crate) async fn verify(&self, password: &str, hash: Option<String>) -> Result<bool> {
        let decoy = self.decoy.get_or_try_init(|| self.hash("nobody has this one")).await?;
        let is_real = hash.is_some();
        let hash = hash.unwrap_or_else(|| decoy.clone());
        let password = if password.len() > BYTES_MAX { String::new() } else { password.to_owned() };

        let matches = self.run(move |workspace| workspace.verify(&password, &hash)).await?;
        Ok(matches && is_real)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Workspace) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let place = self.places.clone().acquire_owned().await.map_err(internal)?;
        let workspaces = Arc::clone(&self.workspaces);
        // The work goes on when the caller leaves, so it is the work that holds the place.
        let work = move || {
            let left = || workspaces.lock().unwrap_or_else(PoisonError::into_inner);
            let mut workspace = left().pop().unwrap_or_default();
            let done = work(&mut workspace);
            left().push(workspace);
            drop(place);
            done
        };
        spawn_blocking(work).await.map_err(internal)?
    }
}

/// The memory that a password is hashed in.
#[derive(Default)]
struct Workspace(Vec<Block>);

impl Workspace {
    /// The hash of a password, with the parameters of today.
    fn hash(&mut self, password: &str) -> Result<String> {
        let (argon2, salt) = (Argon2::default(), Salt::generate());
        let hash = PasswordHash {
            algorithm: Algorithm::default().ident(),
            version: Some(Version::default().into()),
            params: ParamsString::try_from(argon2.params()).map_err(internal)?,
            hash: Some(self.output(&argon2, password, &salt)?),
            salt: Some(salt),
        };
        Ok(hash.to_string())
    }

    /// Whether a password is the one of a hash, with the parameters that it names.
    fn verify(&mut self, password: &str, hash: &str) -> Result<bool> {
        let hash = PasswordHash::new(hash).map_err(internal)?;
        let (Some(salt), Some(expected)) = (&hash.salt, &hash.hash) else {
            return Err(internal(phc::Error::MissingField));
        };
        let algorithm = Algorithm::try_from(hash.algorithm.as_str()).map_err(internal)?;
        let version = hash.version.map_or(Ok(Version::default()), Version::try_from);
        let params = Params::try_from(&hash).map_err(internal)?;
        let argon2 = Argon2::new(algorithm, version.map_err(internal)?, params);

        // Outputs are compared in a time that does not tell where they differ.
        Ok(self.output(&argon2, password, salt)? == *expected)
    }

    fn output(&mut self, argon2: &Argon2<'_>, password: &str, salt: &Salt) -> Result<Output> {
        let (count, length) = (argon2.params().block_count(), argon2.params().output_len());
        if self.0.len() < count {
            self.0.resize(count, Block::default());
        }
        let mut output = vec![0; length.unwrap_or(Params::DEFAULT_OUTPUT_LEN)];
        let memory = &mut self.0[..count];
        argon2
            .hash_password_into_with_memory(password.as_bytes(), salt, &mut output, memory)
            .map_err(internal)?;
        Output::new(&output).map_err(internal)
    }
}

/// Says nothing of what was hashed.
impl fmt::Debug for Workspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workspace").finish_non_exhaustive()
    }
}

fn internal(error: impl fmt::Display) -> Error {
    Error::Internal(error.to_string())
}

#[cfg(test)]
mod tests {
    use argon2::{PasswordHasher, PasswordVerifier};

    use super::*;

    #[tokio::test]
    async fn a_caller_who_leaves_does_not_free_the_place_of_its_work() {
        let passwords = Passwords::default();
        let (begun, mut begins) = tokio::sync::mpsc::channel(1);
        let (end, ends) = std::sync::mpsc::channel::<()>();
        let work = passwords.run(move |_| {
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
    async fn hashes_are_those_of_everybody_else_whatever_was_hashed_before() {
        let passwords = Passwords::default();
        for password in ["one", "another", "one"] {
            let hash = passwords.hash(password).await.expect("hashes");
            assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
            let fresh = Argon2::default().verify_password(password.as_bytes(), &*hash);
            assert_eq!(fresh, Ok(()), "{hash}");
        }
        // Of another program, with other parameters.
        let theirs = Argon2::new(
            Algorithm::Argon2i,
            Version::V0x10,
            Params::new(64, 3, 2, Some(24)).expect("within bounds"),
        );
        let theirs = theirs.hash_password(b"theirs").expect("hashes").to_string();
        assert!(passwords.verify("theirs", Some(theirs.clone())).await.expect("verifies"));
        assert!(!passwords.verify("ours", Some(theirs)).await.expect("verifies"));
    }

    #[tokio::test]
    async fn memory_is_kept_for_as_many_as_hash_at_once() {
        let passwords = Passwords::default();
        let hashes = (0..AT_ONCE * 4).map(|_| passwords.hash("a good one"));
        for hash in futures_util::future::join_all(hashes).await {
            hash.expect("hashes");
        }
        let kept = passwords.workspaces.lock().expect("nobody panics with it").len();
        assert!((1..=AT_ONCE).contains(&kept), "{kept} are kept");
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
