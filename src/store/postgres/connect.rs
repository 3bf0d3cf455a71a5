//! Connecting to a server: the settings of a session, the pools, and what the server can do.

use std::{sync::Arc, time::Duration};

use sqlx::{
    ConnectOptions, Connection, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use super::{Postgres, follows, lookups::Reads};
use crate::store::{ConnectError, Options, follow_writes::FollowQueue, statement::query_as};

/// A connection that was idle for longer is pinged before it is used.
const IDLE_MAX: Duration = Duration::from_secs(30);

impl Postgres {
    /// Connects to the database once, so that a wrong URL is reported at the start.
    pub(in crate::store) async fn connect(
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
    pub(super) fn unlimited_pool(&self) -> PgPool {
        self.pool_of_one(PgConnectOptions::clone(&self.unlimited))
    }

    pub(super) fn pool_of_one(&self, options: PgConnectOptions) -> PgPool {
        let one = PgPoolOptions::new().max_connections(1).acquire_timeout(self.acquire_timeout);
        one.connect_lazy_with(options)
    }
}

/// What the server can do that not all servers can.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct Server {
    /// The server is not distributed: it can plan a statement once for a connection, regardless of
    /// the arguments, and write several tables in one statement.
    pub(super) in_one_place: bool,
    /// The server reports changes of users by `NOTIFY`.
    pub(super) notifies: bool,
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
