//! The keys of our own tokens.
//!
//! Keys are checked before anything is opened or created. A generated key is written only once the
//! database has proved to be ours.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};

use crate::{
    config::{DatabaseUrl, Signing},
    service::{Random, SystemRandom, Tokens},
};

/// The name of the key file, next to the SQLite file.
const FILE_NAME: &str = "entourage.secret";

/// The checked keys, before tokens are needed.
pub(super) struct Signer {
    key: Key,
    /// A second key, which only verifies.
    second: Option<Vec<u8>>,
}

enum Key {
    /// A configured key, long enough.
    Given(Vec<u8>),
    /// To be generated in this file.
    Generate(PathBuf),
}

impl Signer {
    /// Reads the configured keys. Writes nothing.
    pub(super) fn load(signing: &Signing, database: &DatabaseUrl) -> anyhow::Result<Self> {
        let second = signing.jwt_second_secret_file.as_deref();
        let second = second.map(|file| from_file("ENTOURAGE_JWT_SECOND_SECRET_FILE", file));
        Ok(Self { key: key(signing, database)?, second: second.transpose()? })
    }

    /// The tokens. A missing key file is generated.
    pub(super) fn into_tokens(self) -> anyhow::Result<Tokens> {
        let key = match self.key {
            Key::Given(key) => key,
            Key::Generate(file) => generate(&file, &SystemRandom)
                .with_context(|| format!("cannot create the key file {}", file.display()))?,
        };
        let tokens = Tokens::new(&key)?;
        Ok(match self.second {
            Some(second) => tokens.accepting(&second)?,
            None => tokens,
        })
    }
}

/// Tokens with a throw-away key, for commands that neither sign nor verify any.
pub(super) fn no_tokens() -> anyhow::Result<Tokens> {
    Ok(Tokens::new(random_key(&SystemRandom).as_bytes())?)
}

fn key(signing: &Signing, database: &DatabaseUrl) -> anyhow::Result<Key> {
    if let Some(secret) = &signing.jwt_secret {
        let key = secret.expose().as_bytes().to_vec();
        return checked(key, "ENTOURAGE_JWT_SECRET").map(Key::Given);
    }
    if let Some(file) = &signing.jwt_secret_file {
        return from_file("ENTOURAGE_JWT_SECRET_FILE", file).map(Key::Given);
    }

    let Some(database) = database.sqlite_file() else {
        bail!(
            "PostgreSQL requires ENTOURAGE_JWT_SECRET or ENTOURAGE_JWT_SECRET_FILE: generate a key \
             with `openssl rand -hex 32`"
        );
    };
    let file = database.with_file_name(FILE_NAME);
    match read(&file).with_context(|| format!("cannot read {}", file.display()))? {
        Some(key) => checked(key, &file.display().to_string()).map(Key::Given),
        None => Ok(Key::Generate(file)),
    }
}

/// The key in a file that a variable names, checked.
fn from_file(variable: &str, file: &Path) -> anyhow::Result<Vec<u8>> {
    let origin = format!("{variable} {}", file.display());
    let Some(key) = read(file).with_context(|| origin.clone())? else {
        bail!("{origin}: no such file");
    };
    checked(key, &origin)
}

/// A configured key, checked.
fn checked(key: Vec<u8>, origin: &str) -> anyhow::Result<Vec<u8>> {
    Tokens::new(&key).with_context(|| origin.to_owned())?;
    Ok(key)
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
