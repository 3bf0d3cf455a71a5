//! Migrations, and the state of the schema.

use std::sync::Arc;

use sqlx::{
    ConnectOptions, Connection, PgConnection, PgPool, migrate::Migrator, postgres::PgConnectOptions,
};

use crate::store::sql::APPLIED;
use crate::store::{
    SchemaState,
    maintenance::schema::{self, Applied},
    statement::{query, query_as},
};

static MIGRATOR: Migrator = sqlx::migrate!("migrations/postgres");

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

pub(crate) async fn state(connection: &mut PgConnection) -> sqlx::Result<SchemaState> {
    let (listed, occupied) = query_as(TABLES).fetch_one(&mut *connection).await?;
    let applied: Vec<Applied> =
        if listed { query_as(APPLIED).fetch_all(connection).await? } else { Vec::new() };
    Ok(schema::state(&MIGRATOR, &applied, occupied))
}

/// Migrates, or returns why not, on a connection of its own: it may wait long for another process
/// that migrates, and its locks are released with the connection in any case.
pub(crate) async fn migrate(options: Arc<PgConnectOptions>) -> sqlx::Result<Option<String>> {
    let mut connection = options.connect().await?;
    let refusal = schema::refusal(state(&mut connection).await?);
    if refusal.is_none() {
        MIGRATOR.run_direct(None, &mut connection, false).await?;
    }
    connection.close().await?;
    Ok(refusal)
}

pub(crate) async fn ping(pool: &PgPool) -> sqlx::Result<()> {
    query(PING).execute(pool).await.map(drop)
}
