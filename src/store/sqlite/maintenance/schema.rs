//! Migrations, and the state of the schema.

use sqlx::{SqliteConnection, SqlitePool, migrate::Migrator};

use crate::store::sql::APPLIED;
use crate::{
    store::sqlite::BEGIN,
    store::{
        SchemaState,
        maintenance::schema::{self, Applied},
        statement::{query, query_as},
    },
};

static MIGRATOR: Migrator = sqlx::migrate!("migrations/sqlite");

statements! {
    TABLES =
        "SELECT coalesce(sum(name = '_sqlx_migrations'), 0) > 0, \
                coalesce(sum(name <> '_sqlx_migrations'), 0) > 0 \
         FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
    PING = "SELECT count(*) FROM sqlite_schema";
}

pub(crate) async fn state(connection: &mut SqliteConnection) -> sqlx::Result<SchemaState> {
    let (listed, occupied) = query_as(TABLES).fetch_one(&mut *connection).await?;
    let applied: Vec<Applied> =
        if listed { query_as(APPLIED).fetch_all(connection).await? } else { Vec::new() };
    Ok(schema::state(&MIGRATOR, &applied, occupied))
}

/// Migrates, or returns why not, in one transaction that holds the write lock from the beginning:
/// of several processes one migrates, and a migration that fails leaves nothing behind.
pub(crate) async fn migrate(pool: SqlitePool) -> sqlx::Result<Option<String>> {
    let mut tx = pool.begin_with(BEGIN).await?;
    let refusal = schema::refusal(state(&mut tx).await?);
    if refusal.is_none() {
        MIGRATOR.run_direct(None, &mut *tx, false).await?;
        tx.commit().await?;
    }
    Ok(refusal)
}

pub(crate) async fn ping(pool: &SqlitePool) -> sqlx::Result<()> {
    query(PING).execute(pool).await.map(drop)
}
