//! From a URL to a store: the engine is chosen here, once.

use std::{path::PathBuf, str::FromStr, sync::Arc, time::Duration};

use sqlx::sqlite::SqliteConnectOptions;

use super::{
    ConnectError, Store,
    postgres::{self, address::Address},
    sqlite,
};

/// Options of a connection to a database.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The most open connections.
    pub connections_max: u32,
    /// The longest wait for a connection.
    pub acquire_timeout: Duration,
    /// The longest execution of one statement of a request (PostgreSQL).
    pub statement_timeout: Duration,
    /// Whether look-ups of concurrent callers share a statement. Answers are the same without.
    pub shared_lookups: bool,
    /// Whether events are written to the logs of users. If not, they are only counted.
    pub events_are_kept: bool,
    /// Whether new follows and requests are written to the outbox of the host's webhook.
    pub writes_webhooks: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connections_max: 16,
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(10),
            shared_lookups: true,
            events_are_kept: true,
            writes_webhooks: false,
        }
    }
}

/// Opens the database at `url`. The schema is neither checked nor changed; a missing SQLite file
/// is created.
///
/// # Errors
/// If the URL does not name an engine that we know, the database cannot be reached, or it is not one
/// that we can work with.
pub async fn connect(url: &str, options: Options) -> Result<Arc<dyn Store>, ConnectError> {
    connect_by(url, None, options).await
}

/// The same, where `direct` is a second address of a PostgreSQL database, past its pooler: for
/// migrations, long work and notifications, which need a session of their own.
///
/// # Errors
/// As [`connect`]; also if `direct` is not an address of PostgreSQL, or SQLite has one.
pub async fn connect_by(
    url: &str,
    direct: Option<&str>,
    options: Options,
) -> Result<Arc<dyn Store>, ConnectError> {
    let direct = direct.map(direct_address).transpose()?;
    Ok(match engine(url)? {
        Engine::Sqlite(file) => Arc::new(sqlite::Sqlite::connect(*file, options).await?),
        Engine::Postgres(address) => {
            Arc::new(postgres::Postgres::connect(address, direct, options).await?)
        }
    })
}

fn direct_address(url: &str) -> Result<Address, ConnectError> {
    match engine(url)? {
        Engine::Postgres(address) if !address.shares_sessions => Ok(address),
        Engine::Postgres(_) | Engine::Sqlite(_) => Err(ConnectError::BadDirectUrl),
    }
}

/// Checks that a URL names a database, without opening it.
///
/// # Errors
/// If it does not name an engine that we know or cannot be read.
pub fn check_url(url: &str) -> Result<(), ConnectError> {
    engine(url).map(drop)
}

/// The database that a URL names, for people: without user and password.
#[must_use]
pub fn place(url: &str) -> String {
    match engine(url) {
        Ok(Engine::Sqlite(file)) => format!("SQLite, {}", file.get_filename().display()),
        Ok(Engine::Postgres(address)) => format!("PostgreSQL, {}", address.place()),
        Err(_) => "an unreadable URL".to_owned(),
    }
}

/// The engine that a URL names, and how to connect.
enum Engine {
    Sqlite(Box<SqliteConnectOptions>),
    Postgres(Address),
}

fn engine(url: &str) -> Result<Engine, ConnectError> {
    let bad = |error: sqlx::Error| ConnectError::BadUrl(reason(&error));
    match url.split_once(':').map(|(scheme, _)| scheme) {
        Some("sqlite") => {
            let file = SqliteConnectOptions::from_str(url).map_err(bad)?;
            sqlite::check(url, &file)?;
            Ok(Engine::Sqlite(Box::new(file)))
        }
        Some("postgres" | "postgresql") => url.parse().map(Engine::Postgres),
        _ => Err(ConnectError::UnknownScheme),
    }
}

/// The reason why a configuration is wrong, without sqlx's preface.
fn reason(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Configuration(reason) => reason.to_string(),
        error => error.to_string(),
    }
}

/// The file that a SQLite URL names; for files that belong beside the database.
#[must_use]
pub fn sqlite_file(url: &str) -> Option<PathBuf> {
    Some(sqlite_options(url)?.get_filename().to_owned())
}

/// How to open the SQLite file that a URL names.
pub(super) fn sqlite_options(url: &str) -> Option<SqliteConnectOptions> {
    match engine(url) {
        Ok(Engine::Sqlite(file)) => Some(*file),
        Ok(Engine::Postgres(_)) | Err(_) => None,
    }
}
