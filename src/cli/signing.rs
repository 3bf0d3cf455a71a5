//! The key that tokens are signed with, and the keys of the identity provider.
//!
//! What can be found wrong is found before anything is opened or made: the file with a key of
//! our own is only written once the database has proved to be ours.

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

/// The name of the file with the key, beside the SQLite file.
const FILE_NAME: &str = "entourage.secret";

/// What tokens will be signed and checked with.
pub(super) struct Signer {
    key: Key,
    provider: Option<IdentityProvider>,
}

enum Key {
    /// A key that is long enough.
    Given(Vec<u8>),
    /// A key that is still to be made, in this file.
    ToBeMade(PathBuf),
}

impl Signer {
    /// Reads what the configuration names. Writes nothing.
    pub(super) async fn load(signing: &Signing, database: &DatabaseUrl) -> anyhow::Result<Self> {
        Ok(Self { key: key(signing, database)?, provider: provider(signing).await? })
    }

    /// The tokens, with the file of the key made if that is still to be done.
    pub(super) fn into_tokens(self) -> anyhow::Result<Tokens> {
        let key = match self.key {
            Key::Given(key) => key,
            Key::ToBeMade(file) => make(&file, &SystemRandom)
                .with_context(|| format!("cannot make the key file {}", file.display()))?,
        };
        Ok(Tokens::new(&key, self.provider)?)
    }
}

/// Tokens with a key that nobody keeps, for commands that make and read none.
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
            bail!("{origin}: there is no such file");
        };
        return given(key, &origin);
    }

    let Some(database) = database.sqlite_file() else {
        bail!(
            "on PostgreSQL, ENTOURAGE_JWT_SECRET or ENTOURAGE_JWT_SECRET_FILE has to be set: \
             `openssl rand -hex 32` makes a key"
        );
    };
    let file = database.with_file_name(FILE_NAME);
    match read(&file).with_context(|| format!("cannot read {}", file.display()))? {
        Some(key) => given(key, &file.display().to_string()),
        None => Ok(Key::ToBeMade(file)),
    }
}

/// A key that was given, if it is one.
fn given(key: Vec<u8>, origin: &str) -> anyhow::Result<Key> {
    Tokens::new(&key, None).with_context(|| origin.to_owned())?;
    Ok(Key::Given(key))
}

/// The key in a file: its bytes without the line break at the end.
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

/// Makes the file with a new key, that only its owner may read, and gives the key that the file
/// then has. Of several processes that do so at once, one makes the file and all give its key.
fn make(file: &Path, random: &dyn Random) -> io::Result<Vec<u8>> {
    // A link appears with its whole content or not at all, and never replaces a file.
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
            "without ENTOURAGE_JWT_ISSUER and ENTOURAGE_JWT_AUDIENCE, tokens that the provider made \
             for others are accepted too"
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
                .map(|_| scope.spawn(|| make(&file, &SystemRandom).expect("a key")))
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
    fn one_line_break_is_not_part_of_a_key() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("key");
        for (text, key) in [("abc\n", "abc"), ("abc\r\n", "abc"), ("abc", "abc"), ("a\n\n", "a\n")]
        {
            fs::write(&file, text).expect("writes");
            assert_eq!(read(&file).expect("reads"), Some(key.as_bytes().to_vec()));
        }
    }
}
