//! Copies of a SQLite file: backing it up while servers run, and restoring it.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{SchemaState, connect::sqlite_options, sqlite::backup};

/// Why a copy was not made. Messages are one line.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The database is on PostgreSQL, which has programs of its own for that.
    #[error("the database is not a SQLite file")]
    NotAFile,
    /// A file cannot be used.
    #[error("{}: {reason}", path.display())]
    Refused {
        /// The file that it is about.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The schema is not one that this program can work with.
    #[error("{}: {state}", path.display())]
    Schema {
        /// The file that it is about.
        path: PathBuf,
        /// Its state.
        state: SchemaState,
    },
    /// A file cannot be read or written.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file that it is about.
        path: PathBuf,
        /// The error.
        error: io::Error,
    },
    /// The copy was made, and may be lost if the machine loses its power now.
    #[error("{}: it is in place, but cannot be synced to the disk: {error}", path.display())]
    NotSynced {
        /// The new file.
        path: PathBuf,
        /// The error.
        error: io::Error,
    },
}

/// What was restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The bytes of the file.
    pub bytes: u64,
    /// The state of its schema: [`SchemaState::Current`] or [`SchemaState::Older`].
    pub state: SchemaState,
}

/// Writes a copy of the SQLite file that a URL names to a new file, which only its owner may read, and
/// returns the number of its bytes. The copy is as of one moment. Others may read and write meanwhile.
///
/// # Errors
/// If there is a file already, the database is not ours, or it cannot be copied. There is no new file
/// then, but for [`BackupError::NotSynced`].
pub async fn backup(url: &str, to: &Path) -> Result<u64, BackupError> {
    let file = sqlite_options(url).ok_or(BackupError::NotAFile)?;
    backup::backup(&file, to).await
}

/// Replaces the SQLite file that a URL names by a backup, which is checked first. `replaces_users` says
/// whether a database with users, or one that is damaged, may be replaced.
///
/// # Errors
/// If another process has the database open, the backup is damaged or not ours, or it cannot be copied.
/// The database is as it was then, but for [`BackupError::NotSynced`].
pub async fn restore(
    url: &str,
    from: &Path,
    replaces_users: bool,
) -> Result<Restored, BackupError> {
    let file = sqlite_options(url).ok_or(BackupError::NotAFile)?;
    backup::restore(&file, from, replaces_users).await
}
