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
mod search;
#[expect(clippy::duplicate_mod, reason = "it is compiled for each engine")]
#[path = "../shared/mod.rs"]
mod shared;
mod users;
mod watch;

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use sqlx::{
    ConnectOptions, Connection, PgConnection, PgPool, Postgres as Db, Transaction,
    postgres::{PgArguments, PgConnectOptions, PgPoolOptions},
};

use self::lookups::Reads;
use super::{
    ConnectError, Options, Statement, follow_writes::FollowQueue, sql, statement::query_as,
};
use crate::domain::{Follow, FollowCounts, UserId};

/// A connection that was idle for longer is pinged before it is used.
const IDLE_MAX: Duration = Duration::from_secs(30);

/// A PostgreSQL database.
#[derive(Clone, Debug)]
pub(super) struct Postgres {
    /// One pool reads and writes.
    readers: PgPool,
    writer: PgPool,
    reads: Arc<Reads>,
    follows: FollowQueue<follows::writes::Writer>,
    /// For work without time limits, on a connection of its own.
    unlimited: Arc<PgConnectOptions>,
    acquire_timeout: Duration,
    server: Server,
}

// The types that `shared` is compiled with.
type Engine = Postgres;
type Query = sqlx::query::Query<'static, Db, PgArguments>;
type Time = DateTime<Utc>;

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
        let (readers, writer, unlimited) = (pool.clone(), pool, Arc::new(unlimited));
        Ok(Self { readers, writer, reads, follows, unlimited, acquire_timeout, server })
    }

    /// One connection without time limits, for long work: recounting a celebrity, for example.
    fn unlimited_pool(&self) -> PgPool {
        self.pool_of_one(PgConnectOptions::clone(&self.unlimited))
    }

    fn pool_of_one(&self, options: PgConnectOptions) -> PgPool {
        let one = PgPoolOptions::new().max_connections(1).acquire_timeout(self.acquire_timeout);
        one.connect_lazy_with(options)
    }
}

/// What the server can do that not all servers can.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
    let row = query_as(SERVER).fetch_one(&mut connection).await;
    drop(connection.close().await);
    row.map_or_else(
        |_| Server::default(),
        |(in_one_place, notifies)| Server { in_one_place, notifies },
    )
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
        search::STATEMENTS,
        sql::STATEMENTS,
        users::STATEMENTS,
        watch::STATEMENTS,
    ]
    .concat()
}

/// Ids in their order, in which the database looks them up: otherwise it has to sort them.
fn id_list(ids: &[UserId]) -> Vec<i64> {
    let mut ids: Vec<_> = ids.iter().map(|id| id.0).collect();
    ids.sort_unstable();
    ids
}

/// Binds edges as arrays: followers, followees and times.
fn bind_edges(query: Query, edges: &[Follow]) -> Query {
    query
        .bind(edges.iter().map(|edge| edge.follower.0).collect::<Vec<_>>())
        .bind(edges.iter().map(|edge| edge.followee.0).collect::<Vec<_>>())
        .bind(edges.iter().map(|edge| edge.followed_at).collect::<Vec<_>>())
}

/// Binds counts as arrays: users, followers and following.
fn bind_counts(query: Query, counts: &[(UserId, FollowCounts)]) -> Query {
    query
        .bind(counts.iter().map(|(user, _)| user.0).collect::<Vec<_>>())
        .bind(counts.iter().map(|(_, counts)| counts.followers).collect::<Vec<_>>())
        .bind(counts.iter().map(|(_, counts)| counts.following).collect::<Vec<_>>())
}

#[expect(clippy::unnecessary_wraps, reason = "the times of the other engine may be invalid")]
const fn time(time: Time) -> sqlx::Result<DateTime<Utc>> {
    Ok(time)
}

const fn stored(time: DateTime<Utc>) -> Time {
    time
}

async fn begin(pool: &PgPool) -> sqlx::Result<Transaction<'static, Db>> {
    pool.begin().await
}
