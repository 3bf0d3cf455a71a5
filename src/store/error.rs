//! The failures of a store.
//!
//! There are three kinds, by what a caller can do about them. The kind of an sqlx error is decided
//! here: by SQLSTATE, SQLite's result code or sqlx's own kind, never by the name of a constraint.

use std::{
    borrow::Cow,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use sqlx::migrate::MigrateError;

/// The result of a store method.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure of a store method.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// A rule of the database forbids the change; a retry cannot help.
    #[error("the database refused the change: {0}")]
    Conflict(Cause),
    /// The database did not answer in time, or not at all. Whether a write happened is unknown.
    #[error("the database is not available: {0}")]
    Unavailable(Cause),
    /// The database gave an answer that it never should: a bug here, or a database that is not
    /// ours.
    #[error("the database gave an unexpected answer: {0}")]
    Corrupt(Cause),
}

impl Error {
    /// The cause of the failure. It is not part of [`std::error::Error::source`], since the message
    /// of the error ends with that of the cause.
    #[must_use]
    pub const fn cause(&self) -> &Cause {
        match self {
            Self::Conflict(cause) | Self::Unavailable(cause) | Self::Corrupt(cause) => cause,
        }
    }
}

/// The cause of a failure: an error of sqlx, or a reason in words.
#[derive(Clone, Debug)]
pub struct Cause(Arc<dyn std::error::Error + Send + Sync>);

impl Cause {
    /// The error itself, with its own sources.
    #[must_use]
    pub fn error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        &*self.0
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.downcast_ref::<sqlx::Error>() {
            Some(error) => f.write_str(&message(error)),
            None => self.0.fmt(f),
        }
    }
}

/// What an operator reads about an error of sqlx: the database's own words and its code, without the
/// line of the database's sources that sqlx adds, and without details, which may repeat what users
/// wrote.
pub(super) fn message(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => match error.code() {
            Some(code) if code.len() == SQLSTATE_LENGTH => {
                format!("{} (SQLSTATE {code})", error.message())
            }
            Some(code) => format!("{} (SQLite code {code})", error.message()),
            None => error.message().to_owned(),
        },
        sqlx::Error::Migrate(error) => match &**error {
            MigrateError::Execute(error) => message(error),
            MigrateError::ExecuteMigration(error, number) => {
                format!("migration {number}: {}", message(error))
            }
            error => error.to_string(),
        },
        sqlx::Error::PoolTimedOut => "no connection became free in time".to_owned(),
        sqlx::Error::PoolClosed => "the connections are closed already".to_owned(),
        sqlx::Error::Io(error) => connection_message("the connection broke", error),
        sqlx::Error::Tls(error) => connection_message("TLS failed", error),
        error => error.to_string(),
    }
}

/// Such an error may come from rustls, which shows what it dislikes about a certificate as Rust.
fn connection_message(what: &str, error: &impl fmt::Display) -> String {
    let error = error.to_string();
    if error.contains("UnsupportedCertVersion") {
        return "the certificate of the server is of version 1 of X.509, which TLS does not take \
                here: give the server one of version 3, as Citus does not by itself; or, in a \
                network that you trust, set sslmode=disable"
            .to_owned();
    }
    format!("{what}: {error}")
}

impl<E: Into<Box<dyn std::error::Error + Send + Sync>>> From<E> for Cause {
    fn from(error: E) -> Self {
        Self(Arc::from(error.into()))
    }
}

/// Why a database could not be opened. Messages are one line and say what to do; none contains a
/// password.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The URL does not name an engine that we know.
    #[error("DATABASE_URL must begin with sqlite:// or postgres://")]
    UnknownScheme,
    /// The URL cannot be read.
    #[error("DATABASE_URL cannot be read: {0}")]
    BadUrl(String),
    /// The second address is not one of a PostgreSQL server.
    #[error(
        "ENTOURAGE_DATABASE_DIRECT_URL cannot be read: it must be an address of PostgreSQL, without \
         a pooler"
    )]
    BadDirectUrl,
    /// The server does not answer yet: a later attempt may succeed.
    #[error("cannot connect to the database: {0}")]
    Unreachable(String),
    /// The server refuses the connection, and will until somebody changes something.
    #[error("cannot connect to the database: {0}")]
    Refused(String),
    /// The database is not what this program needs.
    #[error("the database cannot be used: {0}")]
    Unusable(String),
    /// The file is not a SQLite database.
    #[error("{0} is not a SQLite database")]
    NotADatabase(String),
}

impl ConnectError {
    /// Whether a later attempt may succeed without a change of the configuration.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        matches!(self, Self::Unreachable(_))
    }
}

/// The file of a SQLite database is not what it was.
#[derive(Debug, thiserror::Error)]
#[error("{0}: stop the server, restore the file and its -wal together, and start again")]
pub(super) struct Damaged(pub(super) &'static str);

/// Whether the file of a database is damaged, so that a restart is needed.
pub(super) fn is_damage(error: &Error) -> bool {
    let cause = error.cause().error();
    let is_malformed = |error: &sqlx::Error| {
        let primary = code(error).and_then(|code| sqlite_primary(&code));
        matches!(primary, Some(11 | 26)) // CORRUPT, NOTADB
    };
    cause.is::<Damaged>() || cause.downcast_ref().is_some_and(is_malformed)
}

/// Whether SQLite may not write to the file.
pub(super) fn is_read_only(error: &sqlx::Error) -> bool {
    code(error).and_then(|code| sqlite_primary(&code)) == Some(8)
}

/// Whether a failure to connect may pass by itself: the server is away, starts, or is full. A wrong
/// password, role or database does not.
pub(super) fn passes(error: &sqlx::Error) -> bool {
    match code(error).as_deref() {
        // PgBouncer has this one code, for a server that is away as for a wrong configuration.
        Some("08P01") => {
            let message = error.to_string();
            !message.contains("startup parameter") && !message.contains("no such")
        }
        Some(code) => ["08", "53", "57"].iter().any(|class| code.starts_with(class)),
        None => matches!(
            error,
            sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::PoolTimedOut
        ),
    }
}

/// Whether a foreign key refused a row.
pub(super) fn is_foreign_key_violation(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_foreign_key_violation)
}

/// Whether a row has a value that must be unique and is not.
pub(super) fn is_unique_violation(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

/// Whether the database of this process is Citus. An error does not name its server, and a process
/// serves one database.
static IS_CITUS: AtomicBool = AtomicBool::new(false);

/// From now on errors have the meaning that they have on Citus.
pub(super) fn expect_citus() {
    IS_CITUS.store(true, Ordering::Relaxed);
}

/// What an sqlx error means to a caller.
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
                Some(code) if code.len() == SQLSTATE_LENGTH => {
                    Self::of_sqlstate(&code, IS_CITUS.load(Ordering::Relaxed))
                }
                Some(code) => Self::of_sqlite(&code),
                None => Self::Corrupt,
            },
            sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::BeginFailed
            | sqlx::Error::Io(_)
            // A connection that is cut in the middle of a handshake looks like this.
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
    fn of_sqlstate(code: &str, is_citus: bool) -> Self {
        match (&code[..2], code) {
            // Citus has no better code when one of its servers is lost during a transaction.
            (_, "XX000") if is_citus => Self::Unavailable,
            // Constraints.
            ("23", _) => Self::Conflict,
            // Connection, authorization, a rollback after the last retry, resources, system; no
            // such database; a timeout; a lock that was not available; a server that has become a
            // standby.
            ("08" | "28" | "40" | "53" | "58", _) | (_, "3D000" | "57014" | "55P03" | "25006") => {
                Self::Unavailable
            }
            // Shutdown.
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

/// The primary result code of an extended one. No code of SQLite has five digits.
fn sqlite_primary(code: &str) -> Option<i32> {
    let code = Some(code).filter(|code| code.len() < SQLSTATE_LENGTH)?;
    code.parse().ok().map(|code: i32| code & 0xff)
}

/// Whether the same transaction may succeed when it is retried: after a deadlock, a serialization
/// failure, a lost connection, or when SQLite's lock was refused without a wait.
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
        // Extended forms of BUSY, such as BUSY_SNAPSHOT. Plain BUSY comes after the busy handler
        // has waited as long as it may: a retry would exceed the caller's timeout.
        sqlite_primary(code) == Some(5) && code != SQLITE_BUSY
    }
}

fn code(error: &sqlx::Error) -> Option<Cow<'_, str>> {
    error.as_database_error()?.code()
}

/// Whether some of the rows of a transaction may have caused the failure: a constraint, or a lock
/// that another transaction holds for too long. Without those rows it may succeed.
pub(super) fn is_of_some_rows(error: &sqlx::Error) -> bool {
    let is_timeout = code(error).is_some_and(|code| matches!(&*code, "57014" | "55P03"));
    is_timeout || Kind::of(error) != Kind::Unavailable
}

/// Whether the failure proves that the transaction was rolled back: a deadlock or a serialization
/// failure. After a lost connection that is unknown.
pub(super) fn is_rolled_back(error: &sqlx::Error) -> bool {
    code(error).is_some_and(|code| is_rollback_code(&code))
}

fn is_rollback_code(code: &str) -> bool {
    matches!(code, "40001" | "40P01")
}

/// Whether a statement, also one of a migration, has waited too long for a lock.
pub(super) fn is_lock_timeout(error: &sqlx::Error) -> bool {
    if let sqlx::Error::Migrate(error) = error
        && let MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) = &**error
    {
        return is_lock_timeout(error);
    }
    code(error).is_some_and(|code| code == "55P03")
}

/// Whether another process holds SQLite's lock.
pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    code(error).and_then(|code| sqlite_primary(&code)) == Some(5)
}

/// Whether the file was opened and is not a SQLite database.
pub(super) fn is_not_a_database(error: &sqlx::Error) -> bool {
    code(error).and_then(|code| sqlite_primary(&code)) == Some(26)
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match Kind::of(&error) {
            Kind::Conflict => Self::Conflict(error.into()),
            Kind::Unavailable => Self::Unavailable(error.into()),
            Kind::Corrupt => Self::Corrupt(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_that_a_later_attempt_may_survive_are_unavailable() {
        for code in ["08006", "40P01", "40001", "53300", "57P01", "57014", "25006"] {
            assert_eq!(Kind::of_sqlstate(code, false), Kind::Unavailable, "{code}");
        }
        for code in ["5", "517", "13", "10", "2570"] {
            assert_eq!(Kind::of_sqlite(code), Kind::Unavailable, "{code}");
        }
        assert_eq!(Kind::of_sqlstate("XX000", true), Kind::Unavailable);
        assert_eq!(Kind::of(&sqlx::Error::PoolTimedOut), Kind::Unavailable);
        let cut = sqlx::Error::Protocol("unexpected response from SSLRequest: 0x00".to_owned());
        assert_eq!(Kind::of(&cut), Kind::Unavailable);
        assert!(is_transient(&cut));
    }

    #[test]
    fn only_temporary_failures_are_retried() {
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
    fn constraints_are_conflicts_and_the_rest_is_corrupt() {
        assert_eq!(Kind::of_sqlstate("23505", false), Kind::Conflict);
        assert_eq!(Kind::of_sqlite("2067"), Kind::Conflict);
        assert_eq!(Kind::of_sqlstate("42P01", true), Kind::Corrupt);
        assert_eq!(Kind::of_sqlstate("XX000", false), Kind::Corrupt);
        assert_eq!(Kind::of_sqlite("1"), Kind::Corrupt);
        assert_eq!(Kind::of(&sqlx::Error::RowNotFound), Kind::Corrupt);
    }

    #[test]
    fn an_error_keeps_its_cause_and_its_message() {
        let error = Error::from(sqlx::Error::PoolTimedOut);
        let cause = error.cause().error().downcast_ref::<sqlx::Error>();
        assert!(matches!(cause, Some(sqlx::Error::PoolTimedOut)));
        assert_eq!(error.to_string(), format!("the database is not available: {}", error.cause()));
        assert_eq!(Error::Corrupt("a reason".into()).cause().to_string(), "a reason");
    }

    #[test]
    fn messages_say_what_happened_and_not_how_sqlx_names_it() {
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        let message = Error::from(sqlx::Error::Io(refused)).to_string();
        assert_eq!(
            message,
            "the database is not available: the connection broke: connection refused"
        );
        let message = Error::from(sqlx::Error::PoolTimedOut).cause().to_string();
        assert_eq!(message, "no connection became free in time");
    }
}
