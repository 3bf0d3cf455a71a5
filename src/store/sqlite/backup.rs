//! Copies of a file.
//!
//! SQLite copies: `VACUUM INTO` reads one moment of a database that others write, with its write-ahead
//! log. A copy is written under another name beside its place, and has that place once it is on the
//! disk.
//!
//! **Invariant:** whatever fails, both the database and the backup are as they were before.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::{ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions};

use super::shared::schema::state;
use crate::store::{
    BackupError, Restored, SchemaState,
    error::{is_busy, is_not_a_database, message},
    sql::HAS_USERS,
    statement::{query, query_scalar},
};

type Result<T> = std::result::Result<T, BackupError>;

/// How long to wait for others who have the file locked.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// Files beside a database that SQLite would apply to whatever file has its name.
const LOGS: [&str; 3] = ["-wal", "-shm", "-journal"];

statements! {
    COPY = "VACUUM INTO $1";
    CHECK_INTEGRITY = "PRAGMA integrity_check(1)";
    // Needs the file for itself: every process that has it open keeps a lock while there is a
    // write-ahead log.
    END_WAL = "PRAGMA journal_mode = DELETE";
    LOCK = "BEGIN EXCLUSIVE";
}

pub(crate) async fn backup(database: &SqliteConnectOptions, to: &Path) -> Result<u64> {
    let path = database.get_filename();
    refuse_if_there(to)?;
    // The last connection that may write takes the write-ahead log into the file when it closes.
    let (mut source, _) = open(database, path).await?;
    let copied = copy(&mut source, path, to).await;
    source.close().await.map_err(|error| failed(path, &error))?;
    refuse_if_there(to)?;
    copied?.take_place(to)
}

pub(crate) async fn restore(
    database: &SqliteConnectOptions,
    from: &Path,
    replaces_users: bool,
) -> Result<Restored> {
    let path = database.get_filename();
    let is_same =
        |one: &Path, other: &Path| Some(one.canonicalize().ok()? == other.canonicalize().ok()?);
    if is_same(path, from) == Some(true) {
        return Err(refused(from, "it is the database itself"));
    }
    let reading = |file: &Path| SqliteConnectOptions::new().filename(file).read_only(true);
    let (mut source, state) = open(&reading(from), from).await?;
    check(&mut source, from).await?;

    let old = Old::lock(database, path, replaces_users).await?;
    let copy = copy(&mut source, from, path).await?;
    source.close().await.map_err(|error| failed(from, &error))?;
    let (mut copied, _) = open(&reading(&copy.path), from).await?;
    check(&mut copied, from).await?;
    copied.close().await.map_err(|error| failed(from, &error))?;
    copy.belong_to(path)?;
    let aside = old.set_logs_aside()?;
    let bytes = copy.take_place(path)?;
    aside.remove();
    Ok(Restored { bytes, state })
}

fn refused(path: &Path, reason: impl Into<String>) -> BackupError {
    BackupError::Refused { path: path.to_owned(), reason: reason.into() }
}

fn failed(path: &Path, error: &sqlx::Error) -> BackupError {
    refused(path, message(error))
}

fn io_failed(path: &Path) -> impl Fn(io::Error) -> BackupError {
    |error| BackupError::Io { path: path.to_owned(), error }
}

fn refuse_if_there(path: &Path) -> Result<()> {
    if path.symlink_metadata().is_ok() {
        return Err(refused(path, "it is there already; name a new file"));
    }
    Ok(())
}

/// Opens a database of ours.
async fn open(
    options: &SqliteConnectOptions,
    path: &Path,
) -> Result<(SqliteConnection, SchemaState)> {
    if !fs::metadata(path).map_err(io_failed(path))?.is_file() {
        return Err(refused(path, "it is not a file"));
    }
    let options = options.clone().create_if_missing(false).busy_timeout(BUSY_TIMEOUT);
    let opened = async {
        let mut connection = options.connect().await?;
        let state = state(&mut connection).await?;
        Ok((connection, state))
    };
    let (connection, state) = opened.await.map_err(|error| {
        if is_not_a_database(&error) {
            refused(path, "it is not a SQLite database")
        } else {
            failed(path, &error)
        }
    })?;
    match state {
        SchemaState::Current | SchemaState::Older { .. } => Ok((connection, state)),
        state => Err(BackupError::Schema { path: path.to_owned(), state }),
    }
}

/// Reads all of a database to see whether it is whole.
async fn check(connection: &mut SqliteConnection, path: &Path) -> Result<()> {
    let found: String = query_scalar(CHECK_INTEGRITY)
        .fetch_one(connection)
        .await
        .map_err(|error| failed(path, &error))?;
    if found == "ok" { Ok(()) } else { Err(refused(path, format!("it is damaged: {found}"))) }
}

/// Copies a database to a new file beside the place that it will have.
async fn copy(source: &mut SqliteConnection, from: &Path, to: &Path) -> Result<Copied> {
    let name = format!(".{}.tmp", std::process::id());
    let path = beside(to, &name);
    let text = path.to_str().ok_or_else(|| refused(to, "the name is not UTF-8"))?.to_owned();
    let new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    let file = new.map_err(io_failed(&path))?;
    let copied = Copied { path, is_placed: false };
    query(COPY).bind(text).execute(source).await.map_err(|error| failed(from, &error))?;
    file.sync_all().map_err(io_failed(&copied.path))?;
    Ok(copied)
}

/// The path with something after its name.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}

/// Writes the entries of the folder of a file to the disk.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// A copy that is removed unless it takes its place.
struct Copied {
    path: PathBuf,
    is_placed: bool,
}

impl Copied {
    /// Gives the copy the owner and the permissions of the file whose place it takes, if there is one:
    /// the server may run as another user.
    fn belong_to(&self, old: &Path) -> Result<()> {
        let Ok(old) = fs::metadata(old) else { return Ok(()) };
        let new = fs::metadata(&self.path).map_err(io_failed(&self.path))?;
        let (uid, gid) = (old.uid(), old.gid());
        if (new.uid(), new.gid()) != (uid, gid) {
            chown(&self.path, Some(uid), Some(gid)).map_err(io_failed(&self.path))?;
        }
        let permissions = fs::Permissions::from_mode(old.mode() & 0o7777);
        fs::set_permissions(&self.path, permissions).map_err(io_failed(&self.path))
    }

    /// Gives the copy its name, and returns the number of its bytes.
    fn take_place(mut self, place: &Path) -> Result<u64> {
        let bytes = fs::metadata(&self.path).map_err(io_failed(&self.path))?.len();
        fs::rename(&self.path, place).map_err(io_failed(place))?;
        self.is_placed = true;
        sync_folder(place).map_err(io_failed(place))?;
        Ok(bytes)
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        if !self.is_placed {
            // What cannot be removed is left; its name says that it is temporary.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The database that is replaced. No other process has it open.
struct Old<'a> {
    path: &'a Path,
    /// Holds the lock; `None` if there is no database, or a damaged one.
    _lock: Option<SqliteConnection>,
}

impl<'a> Old<'a> {
    /// Locks the database, unless it has users or is damaged and may not be replaced.
    async fn lock(
        database: &SqliteConnectOptions,
        path: &'a Path,
        replaces_users: bool,
    ) -> Result<Self> {
        if path.symlink_metadata().is_err() {
            return Ok(Self { path, _lock: None });
        }
        let options = database.clone().create_if_missing(false).busy_timeout(BUSY_TIMEOUT);
        let locked = async {
            // A connection that may write would merge the log of a damaged file as it closes.
            let mut connection = options.clone().read_only(true).connect().await?;
            let state = state(&mut connection).await?;
            if state == SchemaState::Foreign {
                return Ok((connection, state, false));
            }
            connection.close().await?;
            let mut connection = options.connect().await?;
            query(END_WAL).execute(&mut connection).await?;
            query(LOCK).execute(&mut connection).await?;
            let has_users = match state {
                SchemaState::Empty => false,
                _ => query_scalar(HAS_USERS).fetch_one(&mut connection).await?,
            };
            Ok((connection, state, has_users))
        };
        match locked.await {
            Ok((_, SchemaState::Foreign, _)) => {
                let state = SchemaState::Foreign;
                Err(BackupError::Schema { path: path.to_owned(), state })
            }
            Ok((_, _, true)) if !replaces_users => {
                Err(refused(path, "it has users; --force replaces it"))
            }
            Ok((connection, _, _)) => Ok(Self { path, _lock: Some(connection) }),
            Err(error) if is_busy(&error) => {
                Err(refused(path, "another process has it open: stop the server first"))
            }
            Err(_) if replaces_users => Ok(Self { path, _lock: None }),
            Err(error) => {
                let reason = message(&error);
                Err(refused(path, format!("it cannot be read: {reason}; --force replaces it")))
            }
        }
    }

    /// Renames the logs of the database, which would be applied to the file that takes its place.
    fn set_logs_aside(&self) -> Result<Aside> {
        let mut aside = Aside(Vec::new());
        for log in LOGS {
            let log = beside(self.path, log);
            if log.symlink_metadata().is_ok() {
                let other = beside(&log, ".old");
                fs::rename(&log, &other).map_err(io_failed(&log))?;
                aside.0.push((log, other));
            }
        }
        Ok(aside)
    }
}

/// Logs under other names. They get theirs back unless they are removed.
struct Aside(Vec<(PathBuf, PathBuf)>);

impl Aside {
    fn remove(mut self) {
        for (_, other) in std::mem::take(&mut self.0) {
            // It is of no use, and harms nothing.
            let _ = fs::remove_file(other);
        }
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        for (log, other) in &self.0 {
            let _ = fs::rename(other, log);
        }
    }
}
