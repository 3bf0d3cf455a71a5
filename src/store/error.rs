//! What can go wrong in a store.
//!
//! Three kinds, by what a caller can do about it. Which one a failure of sqlx is, is decided here
//! and only here: by SQLSTATE or sqlx's own kind, never by a constraint's name.

/// The result of a store method.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure of a store method.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The state of the database forbids what was asked, and still did after all retries.
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
