//! The embedded engine: one file, one connection that writes, and several that read.
//!
//! The file is in WAL mode, so readers never wait for the writer. Writers wait for each other at
//! the pool of one connection, and for other processes in SQLite's busy handler. Every write takes
//! the lock when it begins (`BEGIN IMMEDIATE`), so none fails halfway because the lock is taken.
//!
//! SQLite plans a statement again whenever a parameter changes that is a `LIMIT` by itself, which
//! costs more than reading a page. So the limit of a page is a sum, `LIMIT $2 + 0`.

mod accounts;
mod follows;
mod lookups;
mod maintenance;
mod users;
mod watch;

use std::{
    collections::HashMap,
    future, slice,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{
    ConnectOptions, Connection, SqliteConnection, SqlitePool,
    pool::PoolOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use self::lookups::Reads;
use super::{
    ConnectError, CreateOutcome, Error, Graph, LoadOutcome, OnProgress, Options, Result,
    SchemaState, SetRoleOutcome, Statement, Store, UserChanges, error, follow_writes::FollowQueue,
    relations, retry, sql,
};
use crate::domain::{
    Account, Audience, Changed, Credentials, Day, Drift, FollowChange, FollowChanged, FollowCounts,
    FollowPage, FollowPageKey, FollowUsage, NewUser, Page, ProfileChange, Relation, User, UserId,
    UserListRequest, UsernameKey, UsernamePrefix,
};

/// How a transaction that writes begins.
const BEGIN: &str = "BEGIN IMMEDIATE";

/// The page cache of the writer: 64 MiB, in the notation of SQLite, for random writes to the
/// indexes of a large graph. Readers rely on the cache of the operating system.
const WRITER_CACHE_KIB: &str = "-65536";

/// The page size of new files. Each of the five rows of a follow lies on another page, and SQLite
/// reads and writes whole pages. Even smaller pages would make the trees deeper.
const PAGE_BYTES: u32 = 2_048;

/// The size of the WAL at which its pages are copied into the file: 64 MiB, or more in files with
/// larger pages. Batches of changes touch many pages, and a page that changed often is copied once.
const CHECKPOINT_PAGES: &str = "32768";

/// A SQLite file.
#[derive(Clone, Debug)]
pub(super) struct Sqlite {
    writer: SqlitePool,
    /// How many connections `writer` has opened, one after the other.
    connections: Arc<AtomicU64>,
    readers: SqlitePool,
    reads: Arc<Reads>,
    follows: FollowQueue<follows::writes::Writer>,
}

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
            } else {
                ConnectError::Unreachable(format!("{path}: {error}"))
            }
        })?;

        let reading = common.pragma("query_only", "ON");
        let readers = options.connections_max.saturating_sub(1).max(1);
        let readers = pool().max_connections(readers).connect_lazy_with(reading);
        let reads = Arc::new(Reads::new(readers.clone(), options));
        let follows = FollowQueue::new(follows::writes::Writer(writer.clone()));
        Ok(Self { writer, connections, readers, reads, follows })
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
    pool: impl Fn() -> PoolOptions<sqlx::Sqlite>,
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

async fn is_foreign(file: &SqliteConnectOptions) -> sqlx::Result<bool> {
    if !file.get_filename().exists() {
        return Ok(false);
    }
    let mut connection = file.clone().read_only(true).connect().await?;
    Ok(maintenance::schema::state(&mut connection).await? == SchemaState::Foreign)
}

/// All SQL of this engine.
pub(super) fn statements() -> Vec<Statement> {
    [
        accounts::STATEMENTS,
        follows::writes::STATEMENTS,
        maintenance::deletion::STATEMENTS,
        maintenance::drift::STATEMENTS,
        follows::STATEMENTS,
        follows::pages::STATEMENTS,
        maintenance::load::STATEMENTS,
        maintenance::schema::STATEMENTS,
        sql::STATEMENTS,
        users::STATEMENTS,
        watch::STATEMENTS,
    ]
    .concat()
}

/// A batch as the one JSON text that a statement takes.
fn json<T: serde::Serialize>(values: &T) -> String {
    serde_json::to_string(values).expect("numbers and text are always JSON")
}

/// Ids as JSON.
fn json_ids(ids: &[UserId]) -> String {
    json(&ids.iter().map(|id| id.0).collect::<Vec<_>>())
}

/// A time from its microseconds.
fn time(micros: i64) -> sqlx::Result<DateTime<Utc>> {
    DateTime::from_timestamp_micros(micros)
        .ok_or_else(|| sqlx::Error::Decode(format!("{micros} is not a time").into()))
}

#[async_trait]
impl Store for Sqlite {
    async fn users_by_ids(
        &self,
        audience: Audience,
        ids: &[UserId],
    ) -> Result<HashMap<UserId, Arc<User>>> {
        self.reads.users.get(audience, ids).await
    }

    async fn users_by_usernames(
        &self,
        audience: Audience,
        keys: &[UsernameKey],
    ) -> Result<HashMap<UsernameKey, Arc<User>>> {
        self.reads.usernames.get(audience, keys).await
    }

    async fn watch_users(&self) -> Result<Option<Box<dyn UserChanges>>> {
        let (writer, connections) = (self.writer.clone(), Arc::clone(&self.connections));
        Ok(Some(watch::users(writer, connections).await?))
    }

    async fn page_of_users(
        &self,
        _audience: Audience,
        request: &UserListRequest<'_>,
    ) -> Result<Page<Arc<User>>> {
        self.reads.connections.read(async |connection| users::page(connection, request).await).await
    }

    async fn count_users(&self, audience: Audience, prefix: &UsernamePrefix) -> Result<i64> {
        let mut counts = self.reads.user_counts.get(audience, slice::from_ref(prefix)).await?;
        Ok(counts.remove(prefix).unwrap_or_default())
    }

    async fn counts_by_ids(
        &self,
        audience: Audience,
        ids: &[UserId],
    ) -> Result<HashMap<UserId, FollowCounts>> {
        self.reads.counts.get(audience, ids).await
    }

    async fn pages_of_follows(
        &self,
        audience: Audience,
        keys: &[FollowPageKey],
    ) -> Result<HashMap<FollowPageKey, FollowPage>> {
        self.reads.pages.get(audience, keys).await
    }

    async fn relations(
        &self,
        viewer: UserId,
        followed: &[UserId],
        following_back: &[UserId],
    ) -> Result<HashMap<UserId, Relation>> {
        let edges = if relations::are_few(followed, following_back) {
            let pairs = relations::pairs(viewer, followed, following_back);
            self.reads.edges.get(Audience::Everybody, &pairs).await?
        } else {
            let connections = &self.reads.connections;
            let read = connections.read(async |connection| {
                follows::edges_of(connection, viewer, followed, following_back).await
            });
            read.await?
        };
        Ok(relations::of_edges(viewer, edges))
    }

    async fn change_follow(&self, change: FollowChange) -> Result<Changed<FollowChanged>> {
        self.follows.change(change).await
    }

    async fn change_follows(
        &self,
        changes: &[FollowChange],
    ) -> Vec<Result<Changed<FollowChanged>>> {
        self.follows.change_together(changes).await
    }

    async fn find_usage(&self, user: UserId, day: Day) -> Result<Option<FollowUsage>> {
        Ok(follows::usage(&self.readers, user, day).await?)
    }

    async fn find_account(&self, id: UserId) -> Result<Option<Account>> {
        self.reads.connections.read(async |connection| accounts::find(connection, id).await).await
    }

    async fn find_account_by_subject(&self, subject: &str) -> Result<Option<Account>> {
        Ok(accounts::find_by_subject(&self.readers, subject).await?)
    }

    async fn find_credentials(&self, key: &UsernameKey) -> Result<Option<Credentials>> {
        Ok(accounts::credentials(&self.readers, key).await?)
    }

    async fn find_credentials_by_id(&self, id: UserId) -> Result<Option<Credentials>> {
        Ok(accounts::credentials_by_id(&self.readers, id).await?)
    }

    async fn create_user(&self, user: &NewUser) -> Result<CreateOutcome> {
        let (pool, user) = (self.writer.clone(), Arc::new(user.clone()));
        retry::write(move |tries| accounts::create_user(tries, pool.clone(), user.clone())).await
    }

    async fn update_profile(
        &self,
        id: UserId,
        change: &ProfileChange,
    ) -> Result<Option<Arc<User>>> {
        let (pool, change) = (self.writer.clone(), Arc::new(change.clone()));
        retry::write(move |_| accounts::update_profile(pool.clone(), id, change.clone())).await
    }

    async fn change_password(
        &self,
        id: UserId,
        epoch: Option<i64>,
        password_hash: &str,
        at: DateTime<Utc>,
    ) -> Result<bool> {
        let (pool, hash) = (self.writer.clone(), Arc::<str>::from(password_hash));
        retry::write(move |_| accounts::change_password(pool.clone(), id, epoch, hash.clone(), at))
            .await
    }

    async fn end_tokens(&self, id: UserId, at: DateTime<Utc>) -> Result<bool> {
        let pool = self.writer.clone();
        retry::write(move |_| accounts::end_tokens(pool.clone(), id, at)).await
    }

    async fn set_role(&self, id: UserId, role: &str) -> Result<SetRoleOutcome> {
        let (pool, role) = (self.writer.clone(), Arc::<str>::from(role));
        retry::write(move |_| accounts::set_role(pool.clone(), id, role.clone())).await
    }

    async fn delete_user(&self, id: UserId) -> Result<bool> {
        retry::detached(maintenance::deletion::delete(self.writer.clone(), id)).await
    }

    async fn schema_state(&self) -> Result<SchemaState> {
        Ok(maintenance::schema::state(&mut *self.readers.acquire().await?).await?)
    }

    async fn migrate(&self) -> Result<()> {
        let pool = self.writer.clone();
        match retry::write(move |_| maintenance::schema::migrate(pool.clone())).await? {
            None => Ok(()),
            Some(refusal) => Err(Error::Conflict(refusal.into())),
        }
    }

    async fn ping(&self) -> Result<()> {
        Ok(maintenance::schema::ping(&self.readers).await?)
    }

    async fn load(&self, graph: Graph, progress: OnProgress<'_>) -> Result<LoadOutcome> {
        let pool = self.writer.clone();
        retry::reporting(progress, |report| maintenance::load::load(pool, graph, report)).await
    }

    async fn find_drift(&self, progress: OnProgress<'_>) -> Result<Vec<Drift>> {
        let pool = self.readers.clone();
        retry::reporting(progress, |report| maintenance::drift::find(pool, report)).await
    }

    async fn repair(&self, drift: &[Drift]) -> Result<u64> {
        retry::detached(maintenance::drift::repair(self.writer.clone(), drift.to_vec())).await
    }

    async fn close(&self) {
        self.reads.connections.close();
        self.readers.close().await;
        self.writer.close().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
