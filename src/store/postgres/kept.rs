//! Connections that reads keep for each other.
//!
//! The pool asks each connection that comes back to it whether it still lives: a round trip behind
//! every statement, which costs as much as a small statement does. So a read whose statement
//! ended well leaves its connection here for the next one. A quarter of them are kept at most: the
//! pool is there for everybody.
//!
//! **Invariant:** a connection is kept only when nothing is left to be read from it.

use std::{
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use sqlx::{PgConnection, PgPool, Postgres, pool::PoolConnection};
use tokio::time::timeout;

use crate::store::{Error, Result};

/// How long a connection may lie idle and still be taken to be alive.
const IDLE_MAX: Duration = Duration::from_secs(1);

/// The kept connections. Clones are handles on the same ones.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pool: PgPool,
    patience: Duration,
    shelf: Arc<Mutex<Shelf>>,
}

#[derive(Debug)]
struct Shelf {
    idle: Vec<(PoolConnection<Postgres>, Instant)>,
    idle_max: usize,
}

/// A connection in use. Unless it is [kept](Lease::keep), it goes back to the pool.
pub(super) struct Lease {
    connection: PoolConnection<Postgres>,
    shelf: Arc<Mutex<Shelf>>,
}

impl Kept {
    /// Keeps a quarter of the connections of a pool. A read takes no longer than `patience`, also
    /// when the network has swallowed its answer.
    pub(super) fn of(pool: PgPool, patience: Duration) -> Self {
        let idle_max = pool.options().get_max_connections() as usize / 4;
        let shelf = Arc::new(Mutex::new(Shelf { idle: Vec::new(), idle_max }));
        Self { pool, patience, shelf }
    }

    /// Waits for a read, as long as there is hope.
    pub(super) async fn patiently<T>(&self, read: impl Future<Output = Result<T>>) -> Result<T> {
        let lost = |_| Error::Unavailable("a statement was not answered".to_owned());
        timeout(self.patience, read).await.map_err(lost)?
    }

    /// The connection that was kept last, or else one of the pool.
    pub(super) async fn take(&self) -> sqlx::Result<Lease> {
        let kept = lock(&self.shelf).take();
        let connection = match kept {
            Some(connection) => connection,
            None => self.pool.acquire().await?,
        };
        Ok(Lease { connection, shelf: Arc::clone(&self.shelf) })
    }

    /// Gives all back to the pool, and keeps none from now on.
    pub(super) fn close(&self) {
        let mut shelf = lock(&self.shelf);
        shelf.idle_max = 0;
        shelf.idle.clear();
    }
}

impl Shelf {
    fn take(&mut self) -> Option<PoolConnection<Postgres>> {
        // Those below were kept earlier still.
        if self.idle.last().is_some_and(|(_, since)| since.elapsed() > IDLE_MAX) {
            self.idle.clear();
        }
        self.idle.pop().map(|(connection, _)| connection)
    }
}

impl Lease {
    /// Keeps the connection for the next read. For those whose statements have ended well.
    pub(super) fn keep(self) {
        let mut shelf = lock(&self.shelf);
        if shelf.idle.len() < shelf.idle_max {
            shelf.idle.push((self.connection, Instant::now()));
        }
    }
}

impl Deref for Lease {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

fn lock(shelf: &Mutex<Shelf>) -> MutexGuard<'_, Shelf> {
    // Nothing that happens under the lock can leave the shelf in between.
    shelf.lock().unwrap_or_else(PoisonError::into_inner)
}
