//! A database for each test: a SQLite file in a temporary folder, or a PostgreSQL database created
//! from a migrated template and dropped afterwards.

use std::{
    collections::hash_map::DefaultHasher,
    hash::{Hash, Hasher},
    panic::AssertUnwindSafe,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use entourage::store::{self, Options, Store};
use futures_util::FutureExt;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, SqliteConnection};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::watchdog::watch_this_test;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    /// The one that it is not.
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Sqlite => Self::Postgres,
            Self::Postgres => Self::Sqlite,
        }
    }
}

/// A database for a single test.
#[derive(Debug)]
pub(crate) struct Database {
    engine: Engine,
    pub(crate) url: String,
    pub(crate) store: Arc<dyn Store>,
    /// The folder of the SQLite file.
    folder: Option<TempDir>,
}

/// Few connections, so that many tests fit into one server, and long timeouts, since they share two
/// cores.
const OPTIONS: Options = Options {
    connections_max: 4,
    acquire_timeout: Duration::from_mins(1),
    statement_timeout: Duration::from_mins(1),
    shared_lookups: true,
    events_are_kept: true,
    writes_webhooks: false,
};

impl Database {
    /// A migrated database without users.
    pub(crate) async fn migrated(engine: Engine) -> Self {
        match engine {
            Engine::Sqlite => {
                let database = Self::empty(engine).await;
                database.store.migrate().await.expect("an empty database can be migrated");
                database
            }
            Engine::Postgres => Self::postgres(&postgres_template().await).await,
        }
    }

    /// A database without tables.
    pub(crate) async fn empty(engine: Engine) -> Self {
        watch_this_test();
        match engine {
            Engine::Sqlite => {
                // In memory if the machine supports that, so that no test waits for a disk.
                let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
                let folder = folder.expect("a temporary folder can be made");
                let url = format!("sqlite://{}", folder.path().join("test.db").display());
                let store = store::connect(&url, OPTIONS).await.expect("the file can be made");
                Self { engine, url, store, folder: Some(folder) }
            }
            Engine::Postgres => Self::postgres("template0").await,
        }
    }

    /// The same, with no other connection: only the process under test changes it.
    pub(crate) async fn closed(engine: Engine) -> Self {
        let database = Self::empty(engine).await;
        database.store.close().await;
        database
    }

    async fn postgres(template: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        watch_this_test();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("entourage_test_{}_{number}", std::process::id());
        let mut server = postgres_server().await;
        execute(&mut server, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        execute(&mut server, &format!("CREATE DATABASE {name} TEMPLATE {template}")).await;

        let url = postgres_url(&name);
        let store = store::connect(&url, OPTIONS).await.expect("the new database answers");
        Self { engine: Engine::Postgres, url, store, folder: None }
    }

    pub(crate) fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// A second store on the same database, like that of another process.
    pub(crate) async fn another_store(&self) -> Arc<dyn Store> {
        store::connect(&self.url, OPTIONS).await.expect("the database is there")
    }

    /// A second store on the same database, whose look-ups share no statement.
    pub(crate) async fn store_without_shared_lookups(&self) -> Arc<dyn Store> {
        let options = Options { shared_lookups: false, ..OPTIONS };
        store::connect(&self.url, options).await.expect("the database is there")
    }

    /// A second store on the same database, which keeps no events.
    pub(crate) async fn store_without_events(&self) -> Arc<dyn Store> {
        let options = Options { events_are_kept: false, ..OPTIONS };
        store::connect(&self.url, options).await.expect("the database is there")
    }

    /// A second store on the same database, which writes messages for the host's webhook.
    pub(crate) async fn store_with_webhooks(&self) -> Arc<dyn Store> {
        let options = Options { writes_webhooks: true, ..OPTIONS };
        store::connect(&self.url, options).await.expect("the database is there")
    }

    /// Runs a test on the database and deletes the database, even if the test fails.
    pub(crate) async fn run<T>(self, test: impl AsyncFnOnce(&Self) -> T) -> T {
        let result = AssertUnwindSafe(test(&self)).catch_unwind().await;
        self.store.close().await;
        if self.engine == Engine::Postgres {
            let (_, name) = self.url.rsplit_once('/').expect("the URL names the database");
            let mut server = postgres_server().await;
            execute(&mut server, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
        }
        drop(self.folder);
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// Runs SQL that bypasses the store. It takes no parameters.
    pub(crate) async fn execute(&self, sql: &str) {
        match self.engine {
            Engine::Sqlite => {
                let mut connection = self.sqlite_connection().await;
                let query = sqlx::query(AssertSqlSafe(sql.to_owned()));
                query.execute(&mut connection).await.expect("the test's SQL is right");
            }
            Engine::Postgres => execute(&mut self.postgres_connection().await, sql).await,
        }
    }

    /// Reverts the schema to the one before the last migration.
    pub(crate) async fn undo_last_migration(&self) {
        self.execute("DROP TABLE audit_log").await;
        let last = "(SELECT max(version) FROM _sqlx_migrations)";
        self.execute(&format!("DELETE FROM _sqlx_migrations WHERE version = {last}")).await;
    }

    pub(crate) async fn sqlite_connection(&self) -> SqliteConnection {
        let mut options: sqlx::sqlite::SqliteConnectOptions =
            self.url.parse().expect("the URL was good before");
        options = options.busy_timeout(Duration::from_mins(1));
        options.connect().await.expect("the file is there")
    }

    pub(crate) async fn postgres_connection(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.expect("the database is there")
    }

    pub(crate) const fn engine(&self) -> Engine {
        self.engine
    }

    /// A time as a literal of the engine's SQL.
    pub(crate) fn time_literal(&self, time: chrono::DateTime<chrono::Utc>) -> String {
        match self.engine {
            Engine::Sqlite => time.timestamp_micros().to_string(),
            Engine::Postgres => format!("'{}'", time.to_rfc3339()),
        }
    }
}

async fn execute(connection: &mut PgConnection, sql: &str) {
    let query = sqlx::query(AssertSqlSafe(sql.to_owned()));
    query.execute(connection).await.expect("the test's SQL is right");
}

/// The server's URL, with another database.
fn postgres_url(database: &str) -> String {
    #[expect(clippy::disallowed_methods, reason = "this is how a test is given its server")]
    let url = std::env::var("TEST_POSTGRES_URL").unwrap_or_else(|_| {
        panic!(
            "this test needs PostgreSQL: run `make test`, or `tests/postgres.sh cargo test`, or \
             set TEST_POSTGRES_URL to a server where databases may be made"
        )
    });
    let mut url = url::Url::parse(&url).expect("TEST_POSTGRES_URL is a URL");
    url.set_path(database);
    url.to_string()
}

async fn postgres_server() -> PgConnection {
    PgConnection::connect(&postgres_url("postgres")).await.expect("TEST_POSTGRES_URL answers")
}

/// The name of the migrated template. The first test process creates it, once for each state of the
/// migrations.
async fn postgres_template() -> String {
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    TEMPLATE.get_or_init(make_postgres_template).await.clone()
}

async fn make_postgres_template() -> String {
    let name = format!("entourage_template_{:016x}", hash_of_migrations());
    let mut server = postgres_server().await;
    execute(&mut server, "SELECT pg_advisory_lock(7367)").await;
    let exists = sqlx::query("SELECT FROM pg_database WHERE datname = $1").bind(&name);
    if exists.fetch_optional(&mut server).await.expect("a good question").is_none() {
        let draft = format!("{name}_draft");
        execute(&mut server, &format!("DROP DATABASE IF EXISTS {draft} WITH (FORCE)")).await;
        execute(&mut server, &format!("CREATE DATABASE {draft} TEMPLATE template0")).await;
        let store = store::connect(&postgres_url(&draft), OPTIONS).await.expect("it answers");
        store.migrate().await.expect("an empty database can be migrated");
        store.close().await;
        execute(&mut server, &format!("ALTER DATABASE {draft} RENAME TO {name}")).await;
    }
    server.close().await.expect("the lock is given back");
    name
}

fn hash_of_migrations() -> u64 {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/postgres");
    let files = std::fs::read_dir(folder).expect("the folder is there");
    let mut files: Vec<_> = files.map(|file| file.expect("readable").path()).collect();
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in files {
        std::fs::read(file).expect("readable").hash(&mut hasher);
    }
    hasher.finish()
}
