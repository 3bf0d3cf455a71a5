//! What can go wrong in a store.
//!
//! Three kinds, by what a caller can do about it. Which one a failure of sqlx is, is decided here
//! and only here: by SQLSTATE or sqlx's own kind, never by a constraint's name.

use sqlx::migrate::MigrateError;

/// The result of a store method.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure of a store method.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// A rule of the database forbids what was asked, whoever asks and however often.
    #[error("the database refused the change: {0}")]
    Conflict(String),
    /// The database did not answer in time, or not at all. Whether a write happened is unknown.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// The database answered what it never should: a bug here, or a database that is not ours.
    #[error("the database gave an unexpected answer: {0}")]
    Corrupt(String),
}

/// Why a database could not be opened. Messages are one line and say what to do; none holds a
/// password.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The URL names no engine that we know.
    #[error("DATABASE_URL must begin with sqlite:// or postgres://")]
    UnknownScheme,
    /// The URL cannot be read.
    #[error("DATABASE_URL cannot be read: {0}")]
    BadUrl(String),
    /// Nothing answers, or it refuses us.
    #[error("cannot connect to the database: {0}")]
    Unreachable(String),
    /// The file is not a SQLite database.
    #[error("{0} is not a SQLite database")]
    NotADatabase(String),
}

/// A constraint of the database refused a row: a foreign key.
pub(super) fn is_foreign_key_violation(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_foreign_key_violation)
}

/// What a failure of sqlx means to a caller, and whether trying again may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Conflict,
    Unavailable,
    Corrupt,
}

impl Kind {
    fn of(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(error) => match error.code() {
                Some(code) if code.len() == SQLSTATE_LENGTH => Self::of_sqlstate(&code),
                Some(code) => Self::of_sqlite(&code),
                None => Self::Corrupt,
            },
            sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::BeginFailed
            | sqlx::Error::Io(_)
            // What a connection that is cut in the middle of a handshake looks like.
            | sqlx::Error::Protocol(_)
            | sqlx::Error::Tls(_) => Self::Unavailable,
            sqlx::Error::Migrate(error) => match &**error {
                MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
                    Self::of(error)
                }
                _ => Self::Conflict,
            },
            _ => Self::Corrupt,
        }
    }

    /// PostgreSQL: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
    fn of_sqlstate(code: &str) -> Self {
        match (&code[..2], code) {
            // A constraint.
            ("23", _) => Self::Conflict,
            // Connection, authorization, a rollback that no retry helped against, resources,
            // shutdown; no such database; a time-out; a lock not to be had; a server that has
            // become a standby.
            ("08" | "28" | "40" | "53" | "58", _) | (_, "3D000" | "57014" | "55P03" | "25006") => {
                Self::Unavailable
            }
            ("57", _) => Self::Unavailable,
            _ => Self::Corrupt,
        }
    }

    /// SQLite: the low byte of <https://www.sqlite.org/rescode.html>.
    fn of_sqlite(code: &str) -> Self {
        match sqlite_primary(code) {
            Some(19) => Self::Conflict, // CONSTRAINT
            // BUSY, LOCKED, NOMEM, READONLY, INTERRUPT, IOERR, FULL, CANTOPEN
            Some(5 | 6 | 7 | 8 | 9 | 10 | 13 | 14) => Self::Unavailable,
            _ => Self::Corrupt,
        }
    }
}

const SQLSTATE_LENGTH: usize = 5;
const SQLITE_BUSY: &str = "5";

/// The kind of a SQLite error, without its details. None of its codes has five digits.
fn sqlite_primary(code: &str) -> Option<i32> {
    code.parse().ok().map(|code: i32| code & 0xff)
}

/// Whether the same transaction may succeed when it is tried again: after a deadlock, a failed
/// serialization, a lost connection, or when SQLite's lock was refused without a wait.
pub(super) fn is_transient(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| is_transient_code(&code)),
        _ => false,
    }
}

fn is_transient_code(code: &str) -> bool {
    if code.len() == SQLSTATE_LENGTH {
        is_rollback_code(code) || code.starts_with("08") || code.starts_with("57P0")
    } else {
        // BUSY with details, such as BUSY_SNAPSHOT. Plain BUSY comes when the busy handler has
        // waited as long as it may: whoever asked has no patience left.
        sqlite_primary(code) == Some(5) && code != SQLITE_BUSY
    }
}

/// Whether the failure may be about some of the rows of a transaction: a constraint, or a lock that
/// somebody else holds for too long. Without those rows it may succeed.
pub(super) fn is_of_some_rows(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    let is_timeout = code.is_some_and(|code| matches!(&*code, "57014" | "55P03"));
    is_timeout || Kind::of(error) != Kind::Unavailable
}

/// Whether the failure tells that the transaction did not happen: a deadlock or a failed
/// serialization. After a lost connection nobody knows.
pub(super) fn is_rolled_back(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| is_rollback_code(&code))
}

fn is_rollback_code(code: &str) -> bool {
    matches!(code, "40001" | "40P01")
}

/// Whether another process has SQLite's lock.
pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| code.len() < SQLSTATE_LENGTH && sqlite_primary(&code) == Some(5))
}

/// Whether the file was opened and is no SQLite database.
pub(super) fn is_not_a_database(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| code.len() < SQLSTATE_LENGTH && sqlite_primary(&code) == Some(26))
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let text = error.to_string();
        match Kind::of(&error) {
            Kind::Conflict => Self::Conflict(text),
            Kind::Unavailable => Self::Unavailable(text),
            Kind::Corrupt => Self::Corrupt(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_later_try_may_mend_is_unavailable() {
        for code in ["08006", "40P01", "40001", "53300", "57P01", "57014", "25006"] {
            assert_eq!(Kind::of_sqlstate(code), Kind::Unavailable, "{code}");
        }
        for code in ["5", "517", "13", "10", "2570"] {
            assert_eq!(Kind::of_sqlite(code), Kind::Unavailable, "{code}");
        }
        assert_eq!(Kind::of(&sqlx::Error::PoolTimedOut), Kind::Unavailable);
        let cut = sqlx::Error::Protocol("unexpected response from SSLRequest: 0x00".to_owned());
        assert_eq!(Kind::of(&cut), Kind::Unavailable);
        assert!(is_transient(&cut));
    }

    #[test]
    fn what_passes_is_tried_again_and_nothing_else_is() {
        for code in ["40001", "40P01", "08000", "08003", "08006", "57P01", "57P02", "57P03", "517"]
        {
            assert!(is_transient_code(code), "{code}");
        }
        for code in
            ["23505", "23503", "25P02", "42P01", "53300", "55P03", "57014", "40003", "5", "13"]
        {
            assert!(!is_transient_code(code), "{code}");
        }
        assert!(is_rollback_code("40P01") && !is_rollback_code("08006"));
    }

    #[test]
    fn what_a_constraint_forbids_is_a_conflict_and_the_rest_is_corrupt() {
        assert_eq!(Kind::of_sqlstate("23505"), Kind::Conflict);
        assert_eq!(Kind::of_sqlite("2067"), Kind::Conflict);
        assert_eq!(Kind::of_sqlstate("42P01"), Kind::Corrupt);
        assert_eq!(Kind::of_sqlite("1"), Kind::Corrupt);
        assert_eq!(Kind::of(&sqlx::Error::RowNotFound), Kind::Corrupt);
    }
}
