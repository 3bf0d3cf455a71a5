//! Password hashing: argon2id on blocking threads, a few hashes at a time.
//!
//! By design a hash takes some 19 MiB and tens of milliseconds of a core. A semaphore bounds how
//! many run, so that a flood of sign-ins queues here instead of starving the queries. Workspaces
//! are reused: if they were freed, most allocators would hold on to the memory anyway, and once
//! for every thread that ever hashed.

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

use super::imported_hashes::ImportedHash;
use crate::{
    domain::{TextError, text},
    service::{Error, Result},
};

/// Passwords hashed concurrently.
const CONCURRENCY: usize = 2;
/// Minimum length of a new password, in characters.
const LENGTH_MIN: usize = 8;
/// Maximum size of a password, in bytes: longer ones would only cost time.
const BYTES_MAX: usize = 256;
/// The password of the decoy hash.
const DECOY_PASSWORD: &str = "decoy password";

/// Hashes and verifies passwords.
#[derive(Debug)]
pub(crate) struct Passwords {
    permits: Arc<Semaphore>,
    /// Idle workspaces; at most one per permit.
    workspaces: Arc<Mutex<Vec<Workspace>>>,
    /// The hash that is verified when the account does not exist or has no password.
    decoy_hash: OnceCell<String>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            permits: Arc::new(Semaphore::new(CONCURRENCY)),
            workspaces: Arc::default(),
            decoy_hash: OnceCell::new(),
        }
    }
}

impl Passwords {
    /// Checks a new password against the rules.
    ///
    /// # Errors
    /// When it is too short or too long, or contains a NUL, which `signIn` does not accept.
    pub(crate) fn check_rules(password: &str) -> Result<(), TextError> {
        if password.chars().count() < LENGTH_MIN {
            return Err(TextError::TooShort { min: LENGTH_MIN });
        }
        if password.len() > BYTES_MAX {
            return Err(TextError::TooManyBytes { max: BYTES_MAX });
        }
        if password.contains('\0') {
            return Err(TextError::ControlCharacter);
        }
        Ok(())
    }

    /// Hashes a password with a random salt, in PHC format.
    pub(crate) async fn hash(&self, password: &str) -> Result<String> {
        let password = text::password(password);
        self.run(move |workspace| workspace.hash(&password)).await
    }

    /// Whether a password matches a hash. Without a hash the answer is no, after the same work on
    /// a decoy hash, so that response times do not reveal which accounts exist.
    pub(crate) async fn verify(&self, password: &str, hash: Option<String>) -> Result<bool> {
        let decoy_hash = self.decoy_hash.get_or_try_init(|| self.hash(DECOY_PASSWORD)).await?;
        let has_hash = hash.is_some();
        let hash = hash.unwrap_or_else(|| decoy_hash.clone());
        let is_too_long = password.len() > BYTES_MAX;
        let password = if is_too_long { String::new() } else { password.to_owned() };

        let matches = self.run(move |workspace| workspace.verify(&password, &hash)).await?;
        Ok(matches && has_hash)
    }

    /// Whether a hash is of another kind than those that are made here now.
    pub(crate) fn is_imported(hash: &str) -> bool {
        !hash.starts_with("$argon2id$")
    }

    /// Runs `work` on a blocking thread once a permit is free.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Workspace) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let permit = self.permits.clone().acquire_owned().await.map_err(Error::internal)?;
        let workspaces = Arc::clone(&self.workspaces);
        // The closure owns the permit, because the work goes on if the caller is cancelled.
        let work = move || {
            let idle = || workspaces.lock().unwrap_or_else(PoisonError::into_inner);
            let mut workspace = idle().pop().unwrap_or_default();
            let result = work(&mut workspace);
            idle().push(workspace);
            drop(permit);
            result
        };
        spawn_blocking(work).await.map_err(Error::internal)?
    }
}

/// Memory for one hash.
#[derive(Default)]
struct Workspace(Vec<Block>);

impl Workspace {
    /// Hashes a password with the current parameters.
    fn hash(&mut self, password: &str) -> Result<String> {
        let (argon2, salt) = (Argon2::default(), Salt::generate());
        let hash = PasswordHash {
            algorithm: Algorithm::default().ident(),
            version: Some(Version::default().into()),
            params: ParamsString::try_from(argon2.params()).map_err(Error::internal)?,
            hash: Some(self.output(&argon2, password, &salt)?),
            salt: Some(salt),
        };
        Ok(hash.to_string())
    }

    /// Whether a password matches a hash, with the algorithm and parameters that the hash names.
    fn verify(&mut self, password: &str, hash: &str) -> Result<bool> {
        // Another application has hashed what was typed as it was, also with Argon2.
        if let Some(imported) = ImportedHash::parse(hash) {
            return Ok(imported.matches(password));
        }
        let normal = text::password(password);
        Ok(self.verify_argon2(&normal, hash)?
            || (normal != password && self.verify_argon2(password, hash)?))
    }

    fn verify_argon2(&mut self, password: &str, hash: &str) -> Result<bool> {
        let hash = PasswordHash::new(hash).map_err(Error::internal)?;
        let (Some(salt), Some(expected)) = (&hash.salt, &hash.hash) else {
            return Err(Error::internal(phc::Error::MissingField));
        };
        let algorithm = Algorithm::try_from(hash.algorithm.as_str()).map_err(Error::internal)?;
        let version = hash.version.map_or(Ok(Version::default()), Version::try_from);
        let params = Params::try_from(&hash).map_err(Error::internal)?;
        let argon2 = Argon2::new(algorithm, version.map_err(Error::internal)?, params);

        // `Output` compares in constant time.
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
            .map_err(Error::internal)?;
        Output::new(&output).map_err(Error::internal)
    }
}

/// Omits the memory, which holds traces of the last password.
impl fmt::Debug for Workspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workspace").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use argon2::{PasswordHasher, PasswordVerifier};

    use super::*;

    #[tokio::test]
    async fn a_hash_keeps_its_permit_when_its_caller_is_cancelled() {
        let passwords = Passwords::default();
        let (send_start, mut start) = tokio::sync::mpsc::channel(1);
        let (send_finish, finish) = std::sync::mpsc::channel::<()>();
        let work = passwords.run(move |_| {
            send_start.try_send(()).expect("there is room");
            finish.recv().map_err(Error::internal)
        });

        tokio::select! {
            _ = work => panic!("the work cannot finish yet"),
            started = start.recv() => started.expect("the work starts"),
        }
        assert_eq!(passwords.permits.available_permits(), CONCURRENCY - 1);

        send_finish.send(()).expect("the work still runs");
        let all = u32::try_from(CONCURRENCY).expect("few");
        drop(passwords.permits.acquire_many(all).await.expect("never closed"));
    }

    #[tokio::test]
    async fn hashes_are_standard_argon2_even_from_a_reused_workspace() {
        let passwords = Passwords::default();
        for password in ["one", "another", "one"] {
            let hash = passwords.hash(password).await.expect("hashes");
            assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
            let verified = Argon2::default().verify_password(password.as_bytes(), &*hash);
            assert_eq!(verified, Ok(()), "{hash}");
        }

        let other_parameters = Argon2::new(
            Algorithm::Argon2i,
            Version::V0x10,
            Params::new(64, 3, 2, Some(24)).expect("within bounds"),
        );
        let imported = other_parameters.hash_password(b"theirs").expect("hashes").to_string();
        assert!(passwords.verify("theirs", Some(imported.clone())).await.expect("verifies"));
        assert!(!passwords.verify("ours", Some(imported)).await.expect("verifies"));
    }

    #[tokio::test]
    async fn idle_workspaces_never_outnumber_the_permits() {
        let passwords = Passwords::default();
        let hashes = (0..CONCURRENCY * 4).map(|_| passwords.hash("a good one"));
        for hash in futures_util::future::join_all(hashes).await {
            hash.expect("hashes");
        }
        let idle = passwords.workspaces.lock().expect("not poisoned").len();
        assert!((1..=CONCURRENCY).contains(&idle), "{idle} are idle");
    }
}
