//! Copies of a file.
//!
//! SQLite copies: `VACUUM INTO` reads one moment of a database that others write, with its write-ahead
//! log. A copy is written to a temporary file beside its place, and is renamed once it is on the disk.
//!
//! **Invariant:** after an error, the database and the backup hold what they held before.

use std::{
    ffi::OsString,
    fs::{self, File},
    io,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::{ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::NamedTempFile;

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
    let (copied, folder) = (copied?, open_folder(to)?);
    let bytes = length(&copied)?;
    copied.persist_noclobber(to).map_err(|failed| match failed.error.kind() {
        io::ErrorKind::AlreadyExists => is_there(to),
        _ => io_failed(to)(failed.error),
    })?;
    sync(&folder, to)?;
    Ok(bytes)
}

pub(crate) async fn restore(
    database: &SqliteConnectOptions,
    from: &Path,
    replaces_users: bool,
) -> Result<Restored> {
    // As SQLite does: what a symbolic link names is replaced, and not the link.
    let path = &match database.get_filename() {
        path if path.symlink_metadata().is_ok() => path.canonicalize().map_err(io_failed(path))?,
        path => path.to_owned(),
    };
    if from.canonicalize().is_ok_and(|from| from == *path) {
        return Err(refused(from, "it is the database itself"));
    }
    let reading = |file: &Path| SqliteConnectOptions::new().filename(file).read_only(true);
    let (mut source, state) = open(&reading(from), from).await?;
    check(&mut source, from).await?;

    let old = Old::lock(database, path, replaces_users).await?;
    let copy = copy(&mut source, from, path).await?;
    source.close().await.map_err(|error| failed(from, &error))?;
    let (mut copied, _) = open(&reading(copy.path()), from).await?;
    check(&mut copied, from).await?;
    copied.close().await.map_err(|error| failed(from, &error))?;
    give_owner(&copy, path).map_err(io_failed(copy.path()))?;
    let (bytes, folder) = (length(&copy)?, open_folder(path)?);
    let aside = old.set_logs_aside()?;
    copy.persist(path).map_err(|failed| io_failed(path)(failed.error))?;
    aside.remove();
    sync(&folder, path)?;
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
    if path.symlink_metadata().is_ok() { Err(is_there(path)) } else { Ok(()) }
}

fn is_there(path: &Path) -> BackupError {
    refused(path, "it is there already; name a new file")
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

/// Copies a database to a temporary file beside the place that it will have. Only its owner may read it.
async fn copy(source: &mut SqliteConnection, from: &Path, to: &Path) -> Result<NamedTempFile> {
    let name = to.file_name().ok_or_else(|| refused(to, "it is not a file"))?;
    let mut prefix = OsString::from(name);
    prefix.push(".");
    let new = tempfile::Builder::new().prefix(&prefix).suffix(".tmp").tempfile_in(folder_of(to));
    let copied = new.map_err(io_failed(to))?;
    let path = copied.path().to_str().ok_or_else(|| refused(to, "the name is not UTF-8"))?;
    query(COPY)
        .bind(path.to_owned())
        .execute(source)
        .await
        .map_err(|error| failed(from, &error))?;
    copied.as_file().sync_all().map_err(io_failed(copied.path()))?;
    Ok(copied)
}

/// The path with something after its name.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}

fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

fn open_folder(path: &Path) -> Result<File> {
    let folder = folder_of(path);
    File::open(folder).map_err(io_failed(folder))
}

fn length(copied: &NamedTempFile) -> Result<u64> {
    Ok(copied.as_file().metadata().map_err(io_failed(copied.path()))?.len())
}

/// Writes the name of a new file in a folder to the disk.
fn sync(folder: &File, new: &Path) -> Result<()> {
    folder.sync_all().map_err(|error| BackupError::NotSynced { path: new.to_owned(), error })
}

/// Gives a copy the owner and the permissions of the file whose place it takes: the server may run as
/// another user. If that is a new place, root gives it the owner of the folder.
fn give_owner(copied: &NamedTempFile, place: &Path) -> io::Result<()> {
    let new = copied.as_file().metadata()?;
    let old = match fs::metadata(place) {
        Ok(old) => {
            copied.as_file().set_permissions(fs::Permissions::from_mode(old.mode() & 0o7777))?;
            old
        }
        Err(_) if new.uid() == 0 => fs::metadata(folder_of(place))?,
        Err(_) => return Ok(()),
    };
    if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
        chown(copied.path(), Some(old.uid()), Some(old.gid()))?;
    }
    Ok(())
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
