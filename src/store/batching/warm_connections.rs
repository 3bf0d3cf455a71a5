//! A small stash of warm connections in front of the pool.
//!
//! The pool pings each connection that is returned to it: a round trip after every statement, which
//! costs as much as a small statement does. A caller whose statements succeeded leaves its
//! connection here instead, for the next caller. The stash holds a quarter of the connections at
//! most, so that the rest of the program finds some in the pool.
//!
//! **Invariant:** a connection in the stash has nothing left to read and no open transaction.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use sqlx::{Database, Pool, pool::PoolConnection};
use tokio::time::timeout;

use crate::store::{Error, Options, Result};

/// How long a connection may be idle and still count as alive.
const IDLE_MAX: Duration = Duration::from_secs(1);

/// How much longer than the limits of the pool and the database a read may take.
const SLACK: Duration = Duration::from_secs(2);

/// The stash. Clones are handles on the same one.
#[derive(Debug)]
pub(crate) struct WarmConnections<DB: Database> {
    pool: Pool<DB>,
    timeout: Duration,
    stash: Arc<Mutex<Stash<DB>>>,
    /// See [`Options::shared_lookups`].
    pub(super) shared_lookups: bool,
}

#[derive(Debug)]
struct Stash<DB: Database> {
    idle: Vec<(PoolConnection<DB>, Instant)>,
    idle_max: usize,
}

impl<DB: Database> WarmConnections<DB> {
    pub(crate) fn new(pool: Pool<DB>, options: Options) -> Self {
        let timeout = options.acquire_timeout + options.statement_timeout + SLACK;
        let idle_max = pool.options().get_max_connections() as usize / 4;
        let stash = Arc::new(Mutex::new(Stash { idle: Vec::new(), idle_max }));
        Self { pool, timeout, stash, shared_lookups: options.shared_lookups }
    }

    /// Reads on a connection, which goes back into the stash if that succeeds.
    ///
    /// # Errors
    /// [`Error::Unavailable`] also when there is no answer after the time limits of the pool and
    /// the database: the network may have lost it.
    pub(crate) async fn read<T, E>(
        &self,
        read: impl AsyncFnOnce(&mut DB::Connection) -> Result<T, E>,
    ) -> Result<T>
    where
        Error: From<E>,
    {
        let answer = async {
            let mut connection = self.take().await?;
            let found = read(&mut connection).await?;
            self.put_back(connection);
            Ok(found)
        };
        let lost = |_| Error::Unavailable("a statement was not answered".into());
        timeout(self.timeout, answer).await.map_err(lost)?
    }

    /// The connection that was put back last, otherwise one of the pool. Unless it is put back, it
    /// returns to the pool when it is dropped.
    pub(crate) async fn take(&self) -> sqlx::Result<PoolConnection<DB>> {
        let warm = lock(&self.stash).take();
        match warm {
            Some(connection) => Ok(connection),
            // Boxed, since this future is large and seldom needed.
            None => Box::pin(self.pool.acquire()).await,
        }
    }

    /// Puts a connection into the stash. Only for callers whose statements succeeded.
    pub(crate) fn put_back(&self, connection: PoolConnection<DB>) {
        let mut stash = lock(&self.stash);
        if stash.idle.len() < stash.idle_max {
            stash.idle.push((connection, Instant::now()));
        }
    }

    /// Returns all connections to the pool, and stashes none from now on.
    pub(crate) fn close(&self) {
        let mut stash = lock(&self.stash);
        stash.idle_max = 0;
        stash.idle.clear();
    }
}

impl<DB: Database> Stash<DB> {
    fn take(&mut self) -> Option<PoolConnection<DB>> {
        // If the newest connection has been idle for too long, so have all others.
        if self.idle.last().is_some_and(|(_, since)| since.elapsed() > IDLE_MAX) {
            self.idle.clear();
        }
        self.idle.pop().map(|(connection, _)| connection)
    }
}

impl<DB: Database> Clone for WarmConnections<DB> {
    fn clone(&self) -> Self {
        Self {
            pool: self.pool.clone(),
            timeout: self.timeout,
            stash: Arc::clone(&self.stash),
            shared_lookups: self.shared_lookups,
        }
    }
}

fn lock<DB: Database>(stash: &Mutex<Stash<DB>>) -> MutexGuard<'_, Stash<DB>> {
    // No code panics halfway through a change of the stash, so a poisoned lock is safe to use.
    stash.lock().unwrap_or_else(PoisonError::into_inner)
}
