//! Reports of changed users and hints of grown logs, by the version of the file.
//!
//! On each connection, SQLite has a version that changes when another connection commits. On the
//! one connection that writes here, it changes when another process commits. It does not say which
//! user changed, so any may have. This process sees its own changes without it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures_util::{FutureExt, future::BoxFuture};
use sqlx::SqlitePool;
use tokio::time::{sleep, timeout};

use super::Sqlite;
use crate::store::{
    EventHint, EventHintStream, Result, UserChanges, UserNews, events::LocalHints, retry::detached,
    statement::query_scalar,
};

/// How often the version is read.
const INTERVAL: Duration = Duration::from_millis(300);

/// How long to wait for the connection that writes.
const WAIT_MAX: Duration = Duration::from_millis(500);

statements! {
    VERSION = "PRAGMA data_version";
}

/// The version of the file, as the connection that writes sees it. Versions of two connections
/// cannot be compared.
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

/// Watches from now on.
pub(super) async fn users(engine: &Sqlite) -> Result<Option<Box<dyn UserChanges>>> {
    Ok(Some(Box::new(changes(engine).await?)))
}

async fn changes(engine: &Sqlite) -> Result<Changes> {
    let (writer, connections) = (engine.writer.clone(), Arc::clone(&engine.connections));
    let last = version(&writer, &connections).await?;
    Ok(Changes { writer, connections, last })
}

/// The version of the file, which also changes with the connection that writes here.
pub(super) async fn version_of_others(engine: &Sqlite) -> Result<Option<u64>> {
    let Version { connection, version } = version(&engine.writer, &engine.connections).await?;
    Ok(Some((connection << 32).wrapping_add_signed(version)))
}

async fn version(writer: &SqlitePool, connections: &AtomicU64) -> sqlx::Result<Version> {
    // The pool opens no other connection while this one is in use.
    let mut connection = writer.acquire().await?;
    let version = query_scalar(VERSION).fetch_one(&mut *connection).await?;
    Ok(Version { connection: connections.load(Ordering::Acquire), version })
}

#[async_trait]
impl UserChanges for Changes {
    async fn next(&mut self) -> Result<UserNews> {
        sleep(INTERVAL).await;
        let Ok(version) = timeout(WAIT_MAX, version(&self.writer, &self.connections)).await else {
            return Ok(UserNews::AnyChanged);
        };
        let version = version?;
        let is_same = version == self.last;
        self.last = version;
        Ok(if is_same { UserNews::NobodyChanged } else { UserNews::AnyChanged })
    }
}

/// The hints of this process, and the changes by others.
struct Hints {
    own: LocalHints,
    /// The next look at the version. It goes on from one hint to the next: if each hint of this
    /// process began it again, a process that writes steadily would never look. It runs in a task:
    /// while a hint is handled, it would otherwise keep the connection that writes.
    look: BoxFuture<'static, Result<(Changes, UserNews)>>,
}

/// Hints of this process, and of others.
pub(super) async fn events(engine: &Sqlite) -> Result<(Box<dyn EventHintStream>, bool)> {
    let own = engine.hints.listen();
    let look = look(changes(engine).await?);
    Ok((Box::new(Hints { own, look }), true))
}

fn look(mut changes: Changes) -> BoxFuture<'static, Result<(Changes, UserNews)>> {
    let look = async move {
        let news = changes.next().await?;
        Ok((changes, news))
    };
    detached(look).boxed()
}

#[async_trait]
impl EventHintStream for Hints {
    async fn next(&mut self) -> Result<EventHint> {
        loop {
            tokio::select! {
                hint = self.own.next() => return Ok(hint),
                looked = &mut self.look => {
                    let (changes, news) = looked?;
                    self.look = look(changes);
                    if news == UserNews::AnyChanged {
                        return Ok(EventHint::AnyGrown);
                    }
                }
            }
        }
    }
}
