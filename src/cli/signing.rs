//! The key that signs tokens, and the keys of the identity provider.
//!
//! Keys are checked before anything is opened or created. A generated key is written only once the
//! database has proved to be ours.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, bail};
use chrono::TimeDelta;

use super::jwks::JwksPlace;
use crate::{
    config::{DatabaseUrl, Signing},
    domain::{Clock as _, SystemClock},
    service::{IdentityProvider, Random, SystemRandom, Tokens, Trust},
};

/// The name of the key file, next to the SQLite file.
const FILE_NAME: &str = "entourage.secret";

/// The checked keys, before tokens are needed.
pub(super) struct Signer {
    key: Key,
    provider: Option<IdentityProvider>,
}

enum Key {
    /// A configured key, long enough.
    Given(Vec<u8>),
    /// To be generated in this file.
    Generate(PathBuf),
}

impl Signer {
    /// Reads the configured keys. Writes nothing.
    pub(super) async fn load(signing: &Signing, database: &DatabaseUrl) -> anyhow::Result<Self> {
        Ok(Self { key: key(signing, database)?, provider: provider(signing).await? })
    }

    /// The tokens. A missing key file is generated.
    pub(super) fn into_tokens(self) -> anyhow::Result<Tokens> {
        let key = match self.key {
            Key::Given(key) => key,
            Key::Generate(file) => generate(&file, &SystemRandom)
                .with_context(|| format!("cannot create the key file {}", file.display()))?,
        };
        Ok(Tokens::new(&key, self.provider)?)
    }
}

/// Checks the configured key.
pub(super) fn check_key(signing: &Signing, database: &DatabaseUrl) -> anyhow::Result<()> {
    key(signing, database).map(drop)
}

/// Tokens with a throw-away key, for commands that neither sign nor verify any.
pub(super) fn no_tokens() -> anyhow::Result<Tokens> {
    Ok(Tokens::new(random_key(&SystemRandom).as_bytes(), None)?)
}

fn key(signing: &Signing, database: &DatabaseUrl) -> anyhow::Result<Key> {
    if let Some(secret) = &signing.jwt_secret {
        return given(secret.expose().as_bytes().to_vec(), "ENTOURAGE_JWT_SECRET");
    }
    if let Some(file) = &signing.jwt_secret_file {
        let origin = format!("ENTOURAGE_JWT_SECRET_FILE {}", file.display());
        let Some(key) = read(file).with_context(|| origin.clone())? else {
            bail!("{origin}: no such file");
        };
        return given(key, &origin);
    }

    let Some(database) = database.sqlite_file() else {
        bail!(
            "PostgreSQL requires ENTOURAGE_JWT_SECRET or ENTOURAGE_JWT_SECRET_FILE: generate a key \
             with `openssl rand -hex 32`"
        );
    };
    let file = database.with_file_name(FILE_NAME);
    match read(&file).with_context(|| format!("cannot read {}", file.display()))? {
        Some(key) => given(key, &file.display().to_string()),
        None => Ok(Key::Generate(file)),
    }
}

/// A configured key, checked.
fn given(key: Vec<u8>, origin: &str) -> anyhow::Result<Key> {
    Tokens::new(&key, None).with_context(|| origin.to_owned())?;
    Ok(Key::Given(key))
}

/// The key in a file: its bytes without a trailing line break.
fn read(file: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(file) {
        Ok(bytes) => {
            let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
            Ok(Some(line.strip_suffix(b"\r").unwrap_or(line).to_vec()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Generates a key file that only its owner may read, and returns the key in it. If several
/// processes do so at once, one creates the file and all return its key.
fn generate(file: &Path, random: &dyn Random) -> io::Result<Vec<u8>> {
    // A hard link appears with its whole content or not at all, and never replaces a file.
    let draft = file.with_file_name(format!("{FILE_NAME}.{:08x}", random.next_u32()));
    let written = write_draft(&draft, &random_key(random));
    let linked = written.and_then(|()| fs::hard_link(&draft, file));
    let _ = fs::remove_file(&draft);

    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    read(file)?.ok_or_else(|| io::ErrorKind::NotFound.into())
}

fn write_draft(draft: &Path, key: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    writeln!(file, "{key}")?;
    file.sync_all()
}

/// 256 random bits, as text.
fn random_key(random: &dyn Random) -> String {
    let words: [String; 8] = std::array::from_fn(|_| format!("{:08x}", random.next_u32()));
    words.concat()
}

/// The identity provider, if the configuration names one.
async fn provider(signing: &Signing) -> anyhow::Result<Option<IdentityProvider>> {
    let Some(place) = &signing.jwks else { return Ok(None) };

    let origin = || format!("ENTOURAGE_JWKS {place}");
    let source = Arc::new(JwksPlace::new(place).with_context(origin)?);
    let trust = Trust {
        issuer: signing.jwt_issuer.clone(),
        audience: signing.jwt_audience.clone(),
        refresh_every: TimeDelta::from_std(signing.jwks_refresh)?,
    };
    let provider = IdentityProvider::load(source, trust, SystemClock.now()).await;
    let provider = provider.with_context(origin)?;
    if signing.jwt_issuer.is_none() || signing.jwt_audience.is_none() {
        tracing::warn!(
            "without ENTOURAGE_JWT_ISSUER and ENTOURAGE_JWT_AUDIENCE, tokens that the provider issued \
             to other services are accepted too"
        );
    }
    Ok(Some(provider))
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::PermissionsExt, thread};

    use super::*;

    #[test]
    fn simultaneous_starts_agree_on_one_key() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(FILE_NAME);

        let keys: Vec<_> = thread::scope(|scope| {
            let starts: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| generate(&file, &SystemRandom).expect("a key")))
                .collect();
            starts.into_iter().map(|start| start.join().expect("no panic")).collect()
        });

        assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
        assert_eq!(keys[0].len(), 64);
        let mode = fs::metadata(&file).expect("the file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 1);
    }

    #[test]
    fn one_trailing_line_break_is_not_part_of_a_key() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("key");
        for (text, key) in [("abc\n", "abc"), ("abc\r\n", "abc"), ("abc", "abc"), ("a\n\n", "a\n")]
        {
            fs::write(&file, text).expect("writes");
            assert_eq!(read(&file).expect("reads"), Some(key.as_bytes().to_vec()));
        }
    }
}
