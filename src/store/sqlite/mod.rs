//! The embedded engine: one file, one connection that writes, and several that read.
//!
//! The file is in WAL mode, so readers never wait for the writer. Writers wait for each other at
//! the pool of one connection, and for other processes in SQLite's busy handler. Every write takes
//! the lock when it begins (`BEGIN IMMEDIATE`), so none fails halfway because the lock is taken.
//!
//! SQLite plans a statement again whenever a parameter changes that is a `LIMIT` by itself, which
//! costs more than reading a page. So the limit of a page is a sum, `LIMIT $2 + 0`.

mod accounts;
pub(super) mod backup;
mod events;
mod file;
mod follows;
mod imports;
mod lookups;
mod maintenance;
mod search;
#[expect(clippy::duplicate_mod, reason = "it is compiled for each engine")]
#[path = "../shared/mod.rs"]
mod shared;
mod users;
mod watch;
mod webhooks;

use std::{
    future, iter,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use sqlx::{
    ConnectOptions, Connection, Sqlite as Db, SqliteConnection, SqlitePool, Transaction,
    pool::PoolOptions,
    sqlite::{SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use self::{file::Witness, lookups::Reads, shared::webhooks::Postponed};
use super::{
    ConnectError, Options, SchemaState, Statement, error,
    events::EventHints,
    follow_writes::{FollowQueue, NewEvent, NewWebhook, numbered},
    retry, sql,
    statement::query_scalar,
    webhooks::Outbox,
};
use crate::domain::{Edge, FollowCounts, Lengths, TIMES, UserId};

/// The page cache of the writer: 64 MiB, in the notation of SQLite, for random writes to the
/// indexes of a large graph. Readers rely on the cache of the operating system.
const WRITER_CACHE_KIB: &str = "-65536";

/// The page size of new files. Each of the five rows of a follow lies on another page, and SQLite
/// reads and writes whole pages. Even smaller pages would make the trees deeper.
const PAGE_BYTES: u32 = 2_048;

/// The size of the WAL at which its pages are copied into the file: 64 MiB, or more in files with
/// larger pages. Batches of changes touch many pages, and a page that changed often is copied once.
const CHECKPOINT_PAGES: &str = "32768";

/// The most exports at once.
const EXPORTS_MAX: u32 = 4;

statements! {
    MODE = "PRAGMA journal_mode";
}

/// A SQLite file.
#[derive(Clone, Debug)]
pub(super) struct Sqlite {
    writer: SqlitePool,
    /// How many connections `writer` has opened, one after the other.
    connections: Arc<AtomicU64>,
    readers: SqlitePool,
    /// For exports, which must not take the connections of requests.
    exporters: SqlitePool,
    reads: Arc<Reads>,
    follows: FollowQueue<follows::writes::Writer>,
    hints: EventHints,
    outbox: Outbox,
    witness: Witness,
}

// The types that `shared` is compiled with.
type Engine = Sqlite;
type Query = sqlx::query::Query<'static, Db, SqliteArguments>;
/// Microseconds.
type Time = i64;

/// The rows that a thread of SQLite reads before it waits for who reads them. With fewer, the two
/// threads wake each other at every row of a long answer.
const ROWS_AHEAD: usize = 1_000;

impl Sqlite {
    /// Opens the file, and creates it if it is missing.
    pub(super) async fn connect(
        file: SqliteConnectOptions,
        options: Options,
    ) -> Result<Self, ConnectError> {
        let path = file.get_filename().display().to_string();
        let common = file
            .busy_timeout(options.acquire_timeout)
            .foreign_keys(true)
            .row_buffer_size(ROWS_AHEAD)
            .synchronous(SqliteSynchronous::Full);
        let pool = || {
            PoolOptions::new()
                .acquire_timeout(options.acquire_timeout)
                .idle_timeout(None)
                .max_lifetime(None)
                .test_before_acquire(false)
                .after_release(|connection, _| Box::pin(is_usable(connection)))
        };

        let connections = Arc::new(AtomicU64::new(0));
        let one = || {
            let connections = Arc::clone(&connections);
            pool().max_connections(1).after_connect(move |_, _| {
                connections.fetch_add(1, Ordering::AcqRel);
                Box::pin(future::ready(Ok(())))
            })
        };
        let writer = writer(&common, one, options.acquire_timeout).await.map_err(|error| {
            if error::is_not_a_database(&error) {
                ConnectError::NotADatabase(path.clone())
            } else if error::is_read_only(&error) {
                let reason =
                    "it is read-only: give this user write access to the file and its folder";
                ConnectError::Unusable(format!("{path}: {reason}"))
            } else {
                ConnectError::Refused(format!("{path}: {}", error::message(&error)))
            }
        })?;
        if !has_wal(&writer).await.map_err(|e| ConnectError::Refused(format!("{path}: {e}")))? {
            let reason = "it cannot have a write-ahead log there: use a folder on a local disk";
            return Err(ConnectError::Unusable(format!("{path}: {reason}")));
        }
        let witness = Witness::new(common.get_filename());
        let witness = witness.map_err(|e| ConnectError::Refused(format!("{path}: {e}")))?;

        let reading = common.pragma("query_only", "ON");
        let readers = options.connections_max.saturating_sub(1).max(1);
        let readers = pool().max_connections(readers).connect_lazy_with(reading);
        let exporters = pool()
            .max_connections(EXPORTS_MAX)
            .connect_lazy_with((*readers.connect_options()).clone());
        let reads = Arc::new(Reads::new(readers.clone(), options));
        let hints = EventHints::new(options.events_are_kept);
        let outbox = Outbox::new(options.writes_webhooks);
        let follow_writer = follows::writes::Writer {
            pool: writer.clone(),
            hints: hints.clone(),
            outbox: outbox.clone(),
        };
        let follows = FollowQueue::new(follow_writer);
        Ok(Self { writer, connections, readers, exporters, reads, follows, hints, outbox, witness })
    }

    /// For long work, with the only connection that writes.
    fn unlimited_pool(&self, _connections: u32) -> SqlitePool {
        self.writer.clone()
    }

    async fn close_exporters(&self) {
        self.exporters.close().await;
    }

    /// Whether a statement may lock rows of several users: the write lock covers all.
    #[expect(clippy::unused_self, reason = "the other engine has to look")]
    const fn locks_together(&self) -> bool {
        true
    }
}

/// Refuses a URL without a file: each connection would have its own database.
pub(super) fn check(url: &str, file: &SqliteConnectOptions) -> Result<(), ConnectError> {
    // The same parts that sqlx reads; it does not expose them.
    let rest = url.trim_start_matches("sqlite:").trim_start_matches("//");
    let (name, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let is_in_memory = name == ":memory:"
        || url::form_urlencoded::parse(parameters.as_bytes())
            .any(|(key, value)| key == "mode" && value == "memory");
    let reason = if is_in_memory {
        "a database in memory is not supported, name a file"
    } else if file.get_filename().as_os_str().is_empty() {
        "it names no file"
    } else {
        return Ok(());
    };
    Err(ConnectError::BadUrl(reason.to_owned()))
}

/// Whether a connection can be used again. On a full disk SQLite rolls back a transaction by
/// itself. The rollback that sqlx then sends fails, and the connection never begins another one.
async fn is_usable(connection: &mut SqliteConnection) -> sqlx::Result<bool> {
    // sqlx does not wait for the rollback that it sends; the ping comes after it.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

/// The one connection that writes. A file with foreign tables stays as it is, since turning on the
/// WAL changes the file; the state of the schema then says that it is foreign.
async fn writer(
    common: &SqliteConnectOptions,
    pool: impl Fn() -> PoolOptions<Db>,
    busy_timeout: Duration,
) -> sqlx::Result<SqlitePool> {
    let cached = common
        .clone()
        .pragma("cache_size", WRITER_CACHE_KIB)
        .pragma("wal_autocheckpoint", CHECKPOINT_PAGES);
    let mut writing = cached.create_if_missing(true).page_size(PAGE_BYTES);
    if !is_foreign(common).await? {
        writing = writing.journal_mode(SqliteJournalMode::Wal);
    }
    // Unlike all later statements, turning on the WAL does not wait for the lock by itself.
    let begin = Instant::now();
    let is_temporary = |failure: &_| error::is_busy(failure) && begin.elapsed() < busy_timeout;
    retry::retried_when(is_temporary, |_| pool().connect_with(writing.clone())).await
}

/// Whether the file is in WAL mode, or is foreign and was left alone. SQLite keeps another mode without
/// an error if a file system does not support it.
async fn has_wal(writer: &SqlitePool) -> sqlx::Result<bool> {
    let mut connection = writer.acquire().await?;
    let mode: String = query_scalar(MODE).fetch_one(&mut *connection).await?;
    Ok(mode == "wal" || shared::schema::state(&mut connection).await? == SchemaState::Foreign)
}

async fn is_foreign(file: &SqliteConnectOptions) -> sqlx::Result<bool> {
    if !file.get_filename().exists() {
        return Ok(false);
    }
    let mut connection = file.clone().read_only(true).connect().await?;
    Ok(shared::schema::state(&mut connection).await? == SchemaState::Foreign)
}

/// All SQL of this engine.
pub(super) fn statements() -> Vec<Statement> {
    [
        STATEMENTS,
        accounts::STATEMENTS,
        backup::STATEMENTS,
        events::STATEMENTS,
        imports::STATEMENTS,
        follows::writes::STATEMENTS,
        maintenance::deletion::STATEMENTS,
        maintenance::drift::STATEMENTS,
        follows::STATEMENTS,
        follows::pages::STATEMENTS,
        maintenance::load::STATEMENTS,
        maintenance::schema::STATEMENTS,
        search::STATEMENTS,
        sql::STATEMENTS,
        sql::maintenance::STATEMENTS,
        users::STATEMENTS,
        watch::STATEMENTS,
        webhooks::STATEMENTS,
    ]
    .concat()
}

/// A batch as the one JSON text that a statement takes.
fn json<T: serde::Serialize>(values: &T) -> String {
    serde_json::to_string(values).expect("numbers and text are always JSON")
}

fn id_list(ids: &[UserId]) -> String {
    json(&ids.iter().map(|id| id.0).collect::<Vec<_>>())
}

/// Binds edges as JSON: both users and microseconds.
fn bind_edges<E: Copy + Into<Edge>>(query: Query, edges: &[E]) -> Query {
    let row = |edge: Edge| (edge.from.0, edge.to.0, stored(edge.since));
    query.bind(json(&edges.iter().map(|edge| row((*edge).into())).collect::<Vec<_>>()))
}

/// Binds pairs of users as JSON.
fn bind_pairs(query: Query, pairs: &[(UserId, UserId)]) -> Query {
    query.bind(json(&pairs.iter().map(|(one, other)| (one.0, other.0)).collect::<Vec<_>>()))
}

/// Binds counts as JSON: user, followers and following.
fn bind_counts(query: Query, counts: &[(UserId, FollowCounts)]) -> Query {
    let row = |(user, c): &(UserId, FollowCounts)| (user.0, c.followers, c.following);
    query.bind(json(&counts.iter().map(row).collect::<Vec<_>>()))
}

/// Binds losses as JSON: user, each of [`Length::ALL`](crate::domain::Length::ALL), and new events.
fn bind_losses(query: Query, rows: &[(UserId, Lengths, i64)]) -> Query {
    let row = |(user, lengths, events): &(UserId, Lengths, i64)| {
        iter::once(user.0).chain(lengths.0).chain([*events]).collect::<Vec<_>>()
    };
    query.bind(json(&rows.iter().map(row).collect::<Vec<_>>()))
}

/// Binds places in logs as JSON: users and numbers.
fn bind_places(query: Query, places: &[(UserId, i64)]) -> Query {
    query.bind(json(&places.iter().map(|(user, number)| (user.0, *number)).collect::<Vec<_>>()))
}

/// Binds events as JSON: log, number counted back, kind, cause, other user, microseconds, and whether
/// it repeats.
fn bind_events(query: Query, events: &[NewEvent]) -> Query {
    let row = |(event, back): (NewEvent, i64)| {
        let NewEvent { log, kind, cause, other, at, is_repeat } = event;
        (log.0, back, kind as i64, cause as i64, other.0, stored(at), i64::from(is_repeat))
    };
    query.bind(json(&numbered(events).map(row).collect::<Vec<_>>()))
}

/// Binds messages as JSON: id, kind, both users and microseconds.
fn bind_webhooks(query: Query, messages: &[NewWebhook]) -> Query {
    let row = |message: &NewWebhook| {
        let NewWebhook { kind, follower, followee, at } = *message;
        (message.id(), kind as i64, follower.0, followee.0, stored(at))
    };
    query.bind(json(&messages.iter().map(row).collect::<Vec<_>>()))
}

/// Binds attempts as JSON: the id of the message and the number.
fn bind_attempts(query: Query, attempts: &[(&str, i16)]) -> Query {
    query.bind(json(&attempts))
}

/// Binds postponed messages as JSON: id, number of the attempt, when to send it again, and why.
fn bind_postponed(query: Query, messages: &[Postponed<'_>]) -> Query {
    let row = |message: &Postponed<'_>| {
        let (id, number, due_at, failure) = *message;
        (id.to_owned(), number, due_at.map(stored), failure.to_owned())
    };
    query.bind(json(&messages.iter().map(row).collect::<Vec<_>>()))
}

fn text_list(texts: &[String]) -> String {
    json(&texts)
}

fn time(micros: Time) -> sqlx::Result<DateTime<Utc>> {
    DateTime::from_timestamp_micros(micros)
        .filter(|time| TIMES.contains(time))
        .ok_or_else(|| sqlx::Error::Decode(format!("{micros} is not a time").into()))
}

const fn stored(time: DateTime<Utc>) -> Time {
    time.timestamp_micros()
}

/// Begins a transaction that writes.
async fn begin(writer: &SqlitePool) -> sqlx::Result<Transaction<'static, Db>> {
    writer.begin_with("BEGIN IMMEDIATE").await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[tokio::test]
    async fn sqlite_is_compiled_as_cargo_is_configured() {
        let mut sqlite = SqliteConnection::connect("sqlite::memory:").await.expect("it opens");
        let options: Vec<String> = sqlx::query_scalar("PRAGMA compile_options")
            .fetch_all(&mut sqlite)
            .await
            .expect("it answers");
        let is_on = |option: &str| options.iter().any(|on| on == option);
        assert!(is_on("DEFAULT_MEMSTATUS=0"), "{options:?}");
        assert!(is_on("DISABLE_PAGECACHE_OVERFLOW_STATS"), "{options:?}");
        assert!(!is_on("ENABLE_MEMORY_MANAGEMENT"), "{options:?}");
    }

    #[tokio::test]
    async fn a_new_file_has_small_pages() {
        let folder = tempfile::tempdir().expect("there is room");
        let file = SqliteConnectOptions::new().filename(folder.path().join("a.db"));

        let sqlite = Sqlite::connect(file, Options::default()).await.expect("it opens");
        sqlite.migrate().await.expect("it is empty");

        let size: u32 = sqlx::query_scalar("PRAGMA page_size")
            .fetch_one(&sqlite.readers)
            .await
            .expect("it answers");
        assert_eq!(size, PAGE_BYTES);
        sqlite.close().await;
    }
}
