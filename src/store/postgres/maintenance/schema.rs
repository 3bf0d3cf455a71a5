//! Migrations, and the state of the schema.

use std::{sync::LazyLock, time::Duration};

use sqlx::{Connection, PgConnection, migrate::Migrator};

use crate::store::{
    Error, Result, SchemaState,
    error::is_lock_timeout,
    migrations::{self, migrator},
    postgres::{
        Postgres,
        hosts::READ_ONLY,
        requirements,
        shared::schema::{refusal, state},
    },
    statement::{preparation, query_as},
};

/// The time between two attempts to lock a table, in which waiting statements run.
const LOCK_PAUSE: Duration = Duration::from_millis(400);
/// How many attempts to lock a table have one line in the log.
const WAITS_LOGGED: u32 = 20;

/// Why a pooler in transaction mode alone is not enough.
const NO_SESSION: &str = "a migration locks the database for its session, which a pooler in \
    transaction mode does not keep: set ENTOURAGE_DATABASE_DIRECT_URL to the address of the server";

pub(crate) static MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| migrator(migrations::POSTGRES));

statements! {
    LIMIT_LOCKS = "SELECT set_config('lock_timeout', '100ms', false)";
    // Tables of extensions do not count.
    TABLES =
        "SELECT coalesce(bool_or(relname = '_sqlx_migrations'), false), \
                coalesce(bool_or(relname <> '_sqlx_migrations'), false) \
         FROM pg_class \
         WHERE relnamespace = to_regnamespace(current_schema()::text) AND relkind IN ('r', 'p') \
         AND NOT EXISTS (SELECT 1 FROM pg_depend \
                         WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid \
                         AND deptype = 'e')";
}

/// Migrates, or returns why not, on a connection of its own: it may wait long for another process
/// that migrates, and its locks are released with the connection in any case.
pub(crate) async fn migrate(engine: Postgres) -> sqlx::Result<Option<String>> {
    if !engine.route.has_sessions {
        return Ok(Some(NO_SESSION.to_owned()));
    }
    let mut connection = engine.route.connect().await?;
    let state = state(&mut connection).await?;
    let mut refusal = refusal(state);
    if refusal.is_none() && state != SchemaState::Current {
        refusal = requirements::migration_refusal(&mut connection).await?;
    }
    if refusal.is_none() {
        run(&mut connection).await?;
    }
    connection.close().await?;
    Ok(refusal)
}

/// Runs the migrations beside readers and writers. While a migration waits for the lock of a table,
/// all later statements on it wait as well, so it waits for a moment only, and tries again until the
/// table is free.
async fn run(connection: &mut PgConnection) -> sqlx::Result<()> {
    preparation(LIMIT_LOCKS).execute(&mut *connection).await?;
    let mut waits = 0_u32;
    loop {
        match MIGRATOR.run_direct(None, connection, false).await.map_err(sqlx::Error::from) {
            Err(error) if is_lock_timeout(&error) => {
                if waits.is_multiple_of(WAITS_LOGGED) {
                    tracing::warn!("a migration waits for other transactions on its table");
                }
                waits += 1;
                tokio::time::sleep(LOCK_PAUSE).await;
            }
            result => return result,
        }
    }
}

/// Whether the server answers and takes writes.
pub(crate) async fn ping(engine: &Postgres) -> Result<()> {
    let (is_standby, is_read_only) = query_as(READ_ONLY).fetch_one(&engine.readers).await?;
    if is_standby || is_read_only {
        engine.following.hosts.renew();
    }
    if is_standby {
        return Err(Error::Unavailable("the server is a standby, which takes no writes".into()));
    }
    if is_read_only {
        let reason = "transactions are read-only: default_transaction_read_only is on";
        return Err(Error::Unavailable(reason.into()));
    }
    Ok(())
}
