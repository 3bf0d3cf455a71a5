//! Migrations, and the state of the schema.

use std::{sync::LazyLock, time::Duration};

use sqlx::migrate::Migrator;
use tokio::time::sleep;

use crate::store::{
    Error, Result,
    error::Damaged,
    migrations::{self, migrator},
    sqlite::{
        Sqlite, begin,
        shared::schema::{refusal, state},
    },
    statement::query,
};

pub(crate) static MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| migrator(migrations::SQLITE));

/// A moment after which a checkpoint has written the header and the pages that it counts.
const CHECKPOINT_TIME: Duration = Duration::from_millis(200);

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

/// Whether the file is the one that was opened, and answers.
pub(crate) async fn ping(engine: &Sqlite) -> Result<()> {
    if engine.witness.damage().is_some() {
        // A checkpoint of another process may be writing: look again.
        sleep(CHECKPOINT_TIME).await;
        if let Some(damage) = engine.witness.damage() {
            return Err(Error::Corrupt(Damaged(damage).into()));
        }
    }
    query(PING).execute(&engine.readers).await?;
    Ok(())
}
