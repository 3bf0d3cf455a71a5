//! The production engine. Its SQL is also meant for Citus, and by their documentation for
//! `CockroachDB` and `YugabyteDB`.
//!
//! **Invariant:** every statement names the owner of each edge and count that it touches, as
//! `= $1` or `= ANY($1)`, also inside subqueries: a distributed engine shards rows by their owner,
//! and so sends the statement only to the shards that have them. The exceptions look for the owners
//! themselves and go to all shards: the scans of `drift`, and the followers of a deleted user.
//! For servers that are not distributed, `follows::pages` has cheaper statements without that.

mod accounts;
mod arrays;
mod follows;
mod lookups;
mod maintenance;
mod users;
mod watch;

use std::{collections::HashMap, slice, sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{
    ConnectOptions, Connection, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use self::lookups::Reads;
use super::{
    ConnectError, CreateOutcome, Error, Graph, LoadOutcome, OnProgress, Options, Result,
    SchemaState, SetRoleOutcome, Statement, Store, UserChanges, follow_writes::FollowQueue,
    relations, retry, sql, statement::query_as,
};
use crate::domain::{
    Account, Audience, Changed, Credentials, Day, Drift, FollowChange, FollowChanged, FollowCounts,
    FollowPage, FollowPageKey, FollowUsage, NewUser, Page, ProfileChange, Relation, User, UserId,
    UserListRequest, UsernameKey, UsernamePrefix,
};

/// A connection that was idle for longer is pinged before it is used.
const IDLE_MAX: Duration = Duration::from_secs(30);

/// A PostgreSQL database.
#[derive(Clone, Debug)]
pub(super) struct Postgres {
    pool: PgPool,
    reads: Arc<Reads>,
    follows: FollowQueue<follows::writes::Writer>,
    /// For work without time limits, on a connection of its own.
    unlimited: Arc<PgConnectOptions>,
    acquire_timeout: Duration,
    server: Server,
}

impl Postgres {
    /// Connects to the database once, so that a wrong URL is reported at the start.
    pub(super) async fn connect(
        server: PgConnectOptions,
        options: Options,
    ) -> Result<Self, ConnectError> {
        let unlimited = server.application_name("entourage");
        let timeout_ms = options.statement_timeout.as_millis().max(1).to_string();
        // An open transaction waits only for this program, so twice a statement is ample.
        let idle_ms = (options.statement_timeout.as_millis().max(1) * 2).to_string();
        let limits = |statement, idle| {
            [("statement_timeout", statement), ("idle_in_transaction_session_timeout", idle)]
        };
        // Rows are then found one by one in an index, and locked in the order of the index.
        let in_order = unlimited.clone().options([("enable_bitmapscan", "off")]);
        let limited = in_order.options(limits(timeout_ms, idle_ms));
        // Explicit, since the database or the role may have limits of its own.
        let unlimited = unlimited.options(limits("0".to_owned(), "0".to_owned()));

        let first = tokio::time::timeout(options.acquire_timeout, limited.connect());
        let server = match first.await {
            Ok(Ok(connection)) => look_at(connection).await,
            Ok(Err(error)) => return Err(unreachable(&limited, &error.to_string())),
            Err(_) => return Err(unreachable(&limited, "no answer in time")),
        };
        // Planning a page costs as much as reading it, and each statement has one plan that suits
        // all arguments. Citus, however, needs the arguments to find the shards.
        let limited = if server.in_one_place {
            limited.options([("plan_cache_mode", "force_generic_plan")])
        } else {
            limited
        };
        let pool = PgPoolOptions::new()
            .max_connections(options.connections_max)
            .acquire_timeout(options.acquire_timeout)
            .test_before_acquire(false)
            .before_acquire(|connection, idle| {
                Box::pin(
                    async move { Ok(idle.idle_for < IDLE_MAX || connection.ping().await.is_ok()) },
                )
            })
            .connect_lazy_with(limited);
        let acquire_timeout = options.acquire_timeout;
        let reads = Arc::new(Reads::new(pool.clone(), server, options));
        let follows = FollowQueue::new(follows::writes::Writer {
            connections: reads.connections.clone(),
            is_optimistic: server.in_one_place,
        });
        Ok(Self { pool, reads, follows, unlimited: Arc::new(unlimited), acquire_timeout, server })
    }
}

/// What the server can do that not all servers can.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
struct Server {
    /// The server is not distributed: it can plan a statement once for a connection, regardless of
    /// the arguments, and write several tables in one statement.
    in_one_place: bool,
    /// The server reports changes of users by `NOTIFY`.
    notifies: bool,
}

statements! {
    SERVER =
        "SELECT NOT is_citus AND EXISTS (SELECT 1 FROM pg_settings \
                                         WHERE name = 'plan_cache_mode') AS in_one_place, \
                NOT is_citus AND EXISTS (SELECT 1 FROM pg_proc \
                                         WHERE proname = 'pg_notify') AS notifies \
         FROM (SELECT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus') AS is_citus) c";
}

/// Detects what the server can do: nothing special if it cannot run the statement.
async fn look_at(mut connection: PgConnection) -> Server {
    let server = query_as(SERVER).fetch_one(&mut connection).await.unwrap_or_default();
    drop(connection.close().await);
    server
}

fn unreachable(options: &PgConnectOptions, reason: &str) -> ConnectError {
    let reason = reason.lines().collect::<Vec<_>>().join(" ");
    let server = format!("PostgreSQL on {}:{}", options.get_host(), options.get_port());
    ConnectError::Unreachable(format!("{server}: {reason}"))
}

/// All SQL of this engine.
pub(super) fn statements() -> Vec<Statement> {
    [
        STATEMENTS,
        accounts::STATEMENTS,
        &follows::writes::statements(),
        maintenance::deletion::STATEMENTS,
        maintenance::drift::STATEMENTS,
        follows::STATEMENTS,
        maintenance::load::STATEMENTS,
        follows::pages::STATEMENTS,
        maintenance::schema::STATEMENTS,
        sql::STATEMENTS,
        users::STATEMENTS,
        watch::STATEMENTS,
    ]
    .concat()
}

/// Ids in their order, in which the database looks them up: otherwise it has to sort them.
fn sorted(ids: &[UserId]) -> Vec<i64> {
    let mut ids: Vec<_> = ids.iter().map(|id| id.0).collect();
    ids.sort_unstable();
    ids
}

#[async_trait]
impl Store for Postgres {
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
        if !self.server.notifies {
            return Ok(None);
        }
        let one = PgPoolOptions::new().max_connections(1).acquire_timeout(self.acquire_timeout);
        let named = self.unlimited.as_ref().clone().application_name("entourage listener");
        let pool = one.connect_lazy_with(named);
        watch::users(&pool, &self.pool).await
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
        self.reads.pages(keys).get(audience, keys).await
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
        Ok(follows::usage(&self.pool, user, day).await?)
    }

    async fn find_account(&self, id: UserId) -> Result<Option<Account>> {
        Ok(self.reads.accounts.get(Audience::Everybody, &[id]).await?.remove(&id))
    }

    async fn find_account_by_subject(&self, subject: &str) -> Result<Option<Account>> {
        Ok(accounts::find_by_subject(&self.pool, subject).await?)
    }

    async fn find_credentials(&self, key: &UsernameKey) -> Result<Option<Credentials>> {
        Ok(accounts::credentials(&self.pool, key).await?)
    }

    async fn find_credentials_by_id(&self, id: UserId) -> Result<Option<Credentials>> {
        Ok(accounts::credentials_by_id(&self.pool, id).await?)
    }

    async fn create_user(&self, user: &NewUser) -> Result<CreateOutcome> {
        let (pool, user) = (self.pool.clone(), Arc::new(user.clone()));
        retry::write(move |tries| accounts::create_user(tries, pool.clone(), user.clone())).await
    }

    async fn update_profile(
        &self,
        id: UserId,
        change: &ProfileChange,
    ) -> Result<Option<Arc<User>>> {
        let (pool, change) = (self.pool.clone(), Arc::new(change.clone()));
        let notifies = self.server.notifies;
        retry::write(move |_| accounts::update_profile(pool.clone(), notifies, id, change.clone()))
            .await
    }

    async fn change_password(
        &self,
        id: UserId,
        epoch: Option<i64>,
        password_hash: &str,
        at: DateTime<Utc>,
    ) -> Result<bool> {
        let (pool, hash) = (self.pool.clone(), Arc::<str>::from(password_hash));
        retry::write(move |_| accounts::change_password(pool.clone(), id, epoch, hash.clone(), at))
            .await
    }

    async fn end_tokens(&self, id: UserId, at: DateTime<Utc>) -> Result<bool> {
        let pool = self.pool.clone();
        retry::write(move |_| accounts::end_tokens(pool.clone(), id, at)).await
    }

    async fn set_role(&self, id: UserId, role: &str) -> Result<SetRoleOutcome> {
        let (pool, role) = (self.pool.clone(), Arc::<str>::from(role));
        retry::write(move |_| accounts::set_role(pool.clone(), id, role.clone())).await
    }

    async fn delete_user(&self, id: UserId) -> Result<bool> {
        retry::detached(maintenance::deletion::delete(self.pool.clone(), self.server.notifies, id))
            .await
    }

    async fn schema_state(&self) -> Result<SchemaState> {
        Ok(maintenance::schema::state(&mut *self.pool.acquire().await?).await?)
    }

    async fn migrate(&self) -> Result<()> {
        let options = Arc::clone(&self.unlimited);
        match retry::write(move |_| maintenance::schema::migrate(Arc::clone(&options))).await? {
            None => Ok(()),
            Some(refusal) => Err(Error::Conflict(refusal.into())),
        }
    }

    async fn ping(&self) -> Result<()> {
        Ok(maintenance::schema::ping(&self.pool).await?)
    }

    async fn load(&self, graph: Graph, progress: OnProgress<'_>) -> Result<LoadOutcome> {
        let options = Arc::clone(&self.unlimited);
        retry::reporting(progress, |report| maintenance::load::load(options, graph, report)).await
    }

    async fn find_drift(&self, progress: OnProgress<'_>) -> Result<Vec<Drift>> {
        let options = Arc::clone(&self.unlimited);
        retry::reporting(progress, |report| maintenance::drift::find(options, report)).await
    }

    async fn repair(&self, drift: &[Drift]) -> Result<u64> {
        retry::detached(maintenance::drift::repair(Arc::clone(&self.unlimited), drift.to_vec()))
            .await
    }

    async fn close(&self) {
        self.reads.connections.close();
        self.pool.close().await;
    }
}
