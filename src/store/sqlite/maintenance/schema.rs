//! Migrations, and the state of the schema.

use std::sync::LazyLock;

use sqlx::migrate::Migrator;

use crate::store::{
    migrations::{self, migrator},
    sqlite::{
        Sqlite, begin,
        shared::schema::{refusal, state},
    },
};

pub(crate) static MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| migrator(migrations::SQLITE));

statements! {
    TABLES =
        "SELECT coalesce(sum(name = '_sqlx_migrations'), 0) > 0, \
                coalesce(sum(name <> '_sqlx_migrations'), 0) > 0 \
         FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
    PING = "SELECT count(*) FROM sqlite_schema";
}

/// Migrates, or returns why not, in one transaction that holds the write lock from the beginning:
/// of several processes one migrates, and a migration that fails leaves nothing behind.
pub(crate) async fn migrate(engine: Sqlite) -> sqlx::Result<Option<String>> {
    let mut tx = begin(&engine.writer).await?;
    let refusal = refusal(state(&mut tx).await?);
    if refusal.is_none() {
        MIGRATOR.run_direct(None, &mut *tx, false).await?;
        tx.commit().await?;
    }
    Ok(refusal)
}
