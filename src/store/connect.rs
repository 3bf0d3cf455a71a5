//! From a URL to a store: the engine is chosen here, once.

use std::{path::PathBuf, str::FromStr, sync::Arc, time::Duration};

use sqlx::{postgres::PgConnectOptions, sqlite::SqliteConnectOptions};

use super::{ConnectError, Store, postgres, sqlite};

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
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connections_max: 16,
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(10),
            shared_lookups: true,
        }
    }
}

/// Opens the database at `url`. The schema is neither checked nor changed; a missing SQLite file
/// is created.
///
/// # Errors
/// If the URL does not name an engine that we know, the database cannot be reached, or the file is
/// not a database.
pub async fn connect(url: &str, options: Options) -> Result<Arc<dyn Store>, ConnectError> {
    Ok(match engine(url)? {
        Engine::Sqlite(file) => Arc::new(sqlite::Sqlite::connect(file, options).await?),
        Engine::Postgres(server) => Arc::new(postgres::Postgres::connect(server, options).await?),
    })
}

/// Checks that a URL names a database, without opening it.
///
/// # Errors
/// If it does not name an engine that we know or cannot be read.
pub fn check_url(url: &str) -> Result<(), ConnectError> {
    engine(url).map(drop)
}

/// The engine that a URL names, and how to connect.
enum Engine {
    Sqlite(SqliteConnectOptions),
    Postgres(PgConnectOptions),
}

fn engine(url: &str) -> Result<Engine, ConnectError> {
    let bad = |error: sqlx::Error| ConnectError::BadUrl(reason(&error));
    match url.split_once(':').map(|(scheme, _)| scheme) {
        Some("sqlite") => {
            let file = SqliteConnectOptions::from_str(url).map_err(bad)?;
            sqlite::check(url, &file)?;
            Ok(Engine::Sqlite(file))
        }
        Some("postgres" | "postgresql") => {
            PgConnectOptions::from_str(url).map(Engine::Postgres).map_err(bad)
        }
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
    match engine(url) {
        Ok(Engine::Sqlite(file)) => Some(file.get_filename().to_owned()),
        Ok(Engine::Postgres(_)) | Err(_) => None,
    }
}
