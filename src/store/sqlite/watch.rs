//! News of users who change, by the version of the file.
//!
//! SQLite tells a connection whether others have committed since it was asked last. Asked on the
//! one connection that writes here, that is whether other processes have. Who has changed it does
//! not tell, so it may be anybody; what this process changes, it knows by itself.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use sqlx::SqlitePool;
use tokio::time::{sleep, timeout};

use crate::store::{Result, UserChanges, UserNews, statement::query_scalar};

/// How often the file is asked.
const ASKED_EVERY: Duration = Duration::from_millis(300);

/// How long the connection that writes may keep the question waiting.
const PATIENCE: Duration = Duration::from_millis(500);

statements! {
    VERSION = "PRAGMA data_version";
}

/// What was committed by others, as the connection that writes sees it. Versions of one connection
/// are comparable, those of two are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Version {
    connection: u64,
    version: i64,
}

struct Changes {
    writer: SqlitePool,
    connections: Arc<AtomicU64>,
    last: Version,
}

/// Watches from now on. `connections` counts those that `writer` has opened, one after the other.
pub(super) async fn users(
    writer: SqlitePool,
    connections: Arc<AtomicU64>,
) -> Result<Box<dyn UserChanges>> {
    let last = version(&writer, &connections).await?;
    Ok(Box::new(Changes { writer, connections, last }))
}

async fn version(writer: &SqlitePool, connections: &AtomicU64) -> sqlx::Result<Version> {
    // While this one is in use, the pool opens no other.
    let mut connection = writer.acquire().await?;
    let version = query_scalar(VERSION).fetch_one(&mut *connection).await?;
    Ok(Version { connection: connections.load(Ordering::Acquire), version })
}

#[async_trait]
impl UserChanges for Changes {
    async fn next(&mut self) -> Result<UserNews> {
        sleep(ASKED_EVERY).await;
        let Ok(version) = timeout(PATIENCE, version(&self.writer, &self.connections)).await else {
            return Ok(UserNews::AnyChanged);
        };
        let version = version?;
        let is_same = version == self.last;
        self.last = version;
        Ok(if is_same { UserNews::NobodyChanged } else { UserNews::AnyChanged })
    }
}
