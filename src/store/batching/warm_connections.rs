//! Connections that reads, and groups of changes, keep for each other.
//!
//! The pool asks each connection that comes back to it whether it still lives: a round trip behind
//! every statement, which costs as much as a small statement does. So whoever's statements ended
//! well leaves the connection here for the next one. A quarter of them are kept at most: the pool is
//! there for everybody.
//!
//! **Invariant:** a connection is kept only when nothing is left to be read from it, and no
//! transaction is open.

use std::{
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use sqlx::{Database, Pool, pool::PoolConnection};
use tokio::time::timeout;

use crate::store::{Error, Options, Result};

/// How long a connection may lie idle and still be taken to be alive.
const IDLE_MAX: Duration = Duration::from_secs(1);

/// How much longer than the database may work a statement is waited for.
const SLACK: Duration = Duration::from_secs(2);

/// The kept connections. Clones are handles on the same ones.
#[derive(Debug)]
pub(crate) struct WarmConnections<DB: Database> {
    pool: Pool<DB>,
    patience: Duration,
    shelf: Arc<Mutex<Shelf<DB>>>,
}

#[derive(Debug)]
struct Shelf<DB: Database> {
    idle: Vec<(PoolConnection<DB>, Instant)>,
    idle_max: usize,
}

/// A connection in use. Unless it is [kept](WarmConnection::keep), it goes back to the pool.
pub(crate) struct WarmConnection<DB: Database> {
    connection: PoolConnection<DB>,
    shelf: Arc<Mutex<Shelf<DB>>>,
}

impl<DB: Database> WarmConnections<DB> {
    /// Keeps a quarter of the connections of a pool. A read takes no longer than the pool and the
    /// database may, also when the network has swallowed its answer.
    pub(crate) fn of(pool: Pool<DB>, options: Options) -> Self {
        let patience = options.acquire_timeout + options.statement_timeout + SLACK;
        let idle_max = pool.options().get_max_connections() as usize / 4;
        let shelf = Arc::new(Mutex::new(Shelf { idle: Vec::new(), idle_max }));
        Self { pool, patience, shelf }
    }

    /// Waits for a read, as long as there is hope.
    pub(crate) async fn patiently<T>(&self, read: impl Future<Output = Result<T>>) -> Result<T> {
        let lost = |_| Error::Unavailable("a statement was not answered".into());
        timeout(self.patience, read).await.map_err(lost)?
    }

    /// The connection that was kept last, or else one of the pool.
    pub(crate) async fn take(&self) -> sqlx::Result<WarmConnection<DB>> {
        let kept = lock(&self.shelf).take();
        let connection = match kept {
            Some(connection) => connection,
            // Boxed, since it is large and seldom needed.
            None => Box::pin(self.pool.acquire()).await?,
        };
        Ok(WarmConnection { connection, shelf: Arc::clone(&self.shelf) })
    }

    /// Gives all back to the pool, and keeps none from now on.
    pub(crate) fn close(&self) {
        let mut shelf = lock(&self.shelf);
        shelf.idle_max = 0;
        shelf.idle.clear();
    }
}

impl<DB: Database> Shelf<DB> {
    fn take(&mut self) -> Option<PoolConnection<DB>> {
        // Those below were kept earlier still.
        if self.idle.last().is_some_and(|(_, since)| since.elapsed() > IDLE_MAX) {
            self.idle.clear();
        }
        self.idle.pop().map(|(connection, _)| connection)
    }
}

impl<DB: Database> WarmConnection<DB> {
    /// Keeps the connection for the next one. For those whose statements have ended well.
    pub(crate) fn keep(self) {
        let mut shelf = lock(&self.shelf);
        if shelf.idle.len() < shelf.idle_max {
            shelf.idle.push((self.connection, Instant::now()));
        }
    }
}

impl<DB: Database> Deref for WarmConnection<DB> {
    type Target = DB::Connection;

    fn deref(&self) -> &DB::Connection {
        &self.connection
    }
}

impl<DB: Database> DerefMut for WarmConnection<DB> {
    fn deref_mut(&mut self) -> &mut DB::Connection {
        &mut self.connection
    }
}

impl<DB: Database> Clone for WarmConnections<DB> {
    fn clone(&self) -> Self {
        Self { pool: self.pool.clone(), patience: self.patience, shelf: Arc::clone(&self.shelf) }
    }
}

fn lock<DB: Database>(shelf: &Mutex<Shelf<DB>>) -> MutexGuard<'_, Shelf<DB>> {
    // Nothing that happens under the lock can leave the shelf in between.
    shelf.lock().unwrap_or_else(PoisonError::into_inner)
}
