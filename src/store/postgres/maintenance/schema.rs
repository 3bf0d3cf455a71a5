//! Migrations, and the state of the schema.

use std::sync::LazyLock;

use sqlx::{ConnectOptions, Connection, migrate::Migrator};

use crate::store::{
    migrations::{self, migrator},
    postgres::{
        Postgres,
        shared::schema::{refusal, state},
    },
};

pub(crate) static MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| migrator(migrations::POSTGRES));

statements! {
    // Tables of extensions do not count.
    TABLES =
        "SELECT coalesce(bool_or(relname = '_sqlx_migrations'), false), \
                coalesce(bool_or(relname <> '_sqlx_migrations'), false) \
         FROM pg_class \
         WHERE relnamespace = to_regnamespace(current_schema()::text) AND relkind IN ('r', 'p') \
         AND NOT EXISTS (SELECT 1 FROM pg_depend \
                         WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid \
                         AND deptype = 'e')";
    PING = "SELECT 1";
}

/// Migrates, or returns why not, on a connection of its own: it may wait long for another process
/// that migrates, and its locks are released with the connection in any case.
pub(crate) async fn migrate(engine: Postgres) -> sqlx::Result<Option<String>> {
    let mut connection = engine.unlimited.connect().await?;
    let refusal = refusal(state(&mut connection).await?);
    if refusal.is_none() {
        MIGRATOR.run_direct(None, &mut connection, false).await?;
    }
    connection.close().await?;
    Ok(refusal)
}
