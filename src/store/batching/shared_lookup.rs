//! Look-ups that concurrent callers share.
//!
//! Keys that are requested at the same time are looked up by one statement. While it runs, the keys
//! of later callers collect for the next one. So the cost of a key falls as the load grows, and a
//! single caller never waits for others.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    hash::Hash,
    sync::Arc,
    time::Duration,
};

use foldhash::fast::RandomState;
use futures_util::future::BoxFuture;
use sqlx::Database;

use super::{
    batcher::{BatchPolicy, Batcher},
    warm_connections::WarmConnections,
};
use crate::store::Result;

/// One statement at a time is the least work for the server and the database, as long as answers
/// are quick. If one is slow, a second statement does not wait for it. So each kind of look-up
/// holds two connections at most.
const POLICY: BatchPolicy =
    BatchPolicy { calls_max: 64, batches_max: 2, patience: Duration::from_millis(1) };

/// A call with more keys gains nothing from sharing, and would delay the other callers.
pub(crate) const KEYS_MAX: usize = 16;

/// Looks up keys with one statement.
type Find<DB, K, V> = dyn for<'a> Fn(
        &'a mut <DB as Database>::Connection,
        &'a [K],
    ) -> BoxFuture<'a, sqlx::Result<HashMap<K, V>>>
    + Send
    + Sync;

/// One kind of look-up.
pub(crate) struct SharedLookup<DB: Database, K, V> {
    statement: Arc<Statement<DB, K, V>>,
    may_share: fn(&[K]) -> bool,
    batches: Batcher<Vec<K>, Result<HashMap<K, V>>>,
}

impl<DB, K, V> SharedLookup<DB, K, V>
where
    DB: Database,
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + 'static,
{
    pub(crate) fn new(
        connections: WarmConnections<DB>,
        find: impl for<'a> Fn(
            &'a mut DB::Connection,
            &'a [K],
        ) -> BoxFuture<'a, sqlx::Result<HashMap<K, V>>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        let statement = Arc::new(Statement { connections, find: Box::new(find) });
        let shared = Arc::clone(&statement);
        let batches = Batcher::new(POLICY, move |calls: Vec<Vec<K>>, permit| {
            let statement = Arc::clone(&shared);
            async move {
                let _permit = permit;
                statement.find_for_all(calls).await
            }
        });
        Self { statement, may_share: |_| true, batches }
    }

    /// The same, but only calls whose keys pass `may_share` share a statement.
    pub(crate) fn sharing_only(self, may_share: fn(&[K]) -> bool) -> Self {
        Self { may_share, ..self }
    }

    /// The values of these keys, without those of missing rows.
    ///
    /// **Invariant:** a key holds all that its value depends on, the reader included, since it may
    /// share a statement with those of other callers.
    pub(crate) async fn get(&self, keys: &[K]) -> Result<HashMap<K, V>> {
        let is_shared = self.statement.connections.shared_lookups && (self.may_share)(keys);
        match keys.len() {
            0 => Ok(HashMap::new()),
            1..=KEYS_MAX if is_shared => self.batches.call(keys.to_vec()).await?,
            // Boxed, since this future is large and seldom needed.
            _ => Box::pin(self.statement.find(keys)).await,
        }
    }
}

impl<DB: Database, K, V> fmt::Debug for SharedLookup<DB, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedLookup").finish_non_exhaustive()
    }
}

/// How to look up keys, and on which connections.
struct Statement<DB: Database, K, V> {
    connections: WarmConnections<DB>,
    find: Box<Find<DB, K, V>>,
}

impl<DB: Database, K: Clone + Eq + Hash, V: Clone> Statement<DB, K, V> {
    async fn find(&self, keys: &[K]) -> Result<HashMap<K, V>> {
        self.connections.read(async |connection| (self.find)(connection, keys).await).await
    }

    /// Looks up the keys of all callers at once, and returns to each the values of its own keys.
    async fn find_for_all(&self, calls: Vec<Vec<K>>) -> Vec<Result<HashMap<K, V>>> {
        if let [keys] = &*calls {
            return vec![self.find(keys).await];
        }

        // Each key once, with the number of callers that wait for its value.
        let (mut waiting, mut keys) = (HashMap::<_, usize, RandomState>::default(), Vec::new());
        for key in calls.iter().flatten() {
            match waiting.entry(key) {
                Entry::Occupied(mut callers) => *callers.get_mut() += 1,
                Entry::Vacant(first) => {
                    first.insert(1);
                    keys.push(key.clone());
                }
            }
        }

        let mut found = match self.find(&keys).await {
            Ok(found) => found,
            Err(error) => return calls.iter().map(|_| Err(error.clone())).collect(),
        };
        // Values are cloned for all callers but the last, which takes the value itself.
        let mut take = |key: &K| {
            let callers = waiting.get_mut(key)?;
            *callers -= 1;
            if *callers == 0 {
                found.remove_entry(key)
            } else {
                found.get_key_value(key).map(|(key, value)| (key.clone(), value.clone()))
            }
        };
        calls.iter().map(|keys| Ok(keys.iter().filter_map(&mut take).collect())).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures_util::{FutureExt, future::join_all};
    use sqlx::{Sqlite, SqlitePool};

    use super::*;
    use crate::store::Options;

    #[tokio::test]
    async fn concurrent_calls_share_a_statement_and_get_their_own_values() {
        let pool = SqlitePool::connect("sqlite::memory:").await.expect("it opens");
        let statements = Arc::<Mutex<Vec<Vec<u32>>>>::default();
        let connections = WarmConnections::new(pool, Options::default());
        let doubles: SharedLookup<Sqlite, u32, u32> = SharedLookup::new(connections, {
            let statements = Arc::clone(&statements);
            move |_, keys| {
                statements.lock().expect("no test panics with it").push(keys.to_vec());
                let existing = keys.iter().filter(|key| **key < 10);
                let found = existing.map(|key| (*key, 2 * key)).collect();
                async { Ok(found) }.boxed()
            }
        });

        let callers: [&[u32]; 4] = [&[1, 2], &[2, 10], &[3, 2, 1], &[10]];
        let answers = join_all(callers.map(|keys| doubles.get(keys))).await;

        let answers = answers.into_iter().map(|answer| answer.expect("the statement succeeds"));
        let map = |pairs: &[(u32, u32)]| pairs.iter().copied().collect::<HashMap<_, _>>();
        assert_eq!(
            answers.collect::<Vec<_>>(),
            [map(&[(1, 2), (2, 4)]), map(&[(2, 4)]), map(&[(3, 6), (2, 4), (1, 2)]), map(&[])],
        );
        assert_eq!(*statements.lock().expect("no test panics with it"), [[1, 2, 10, 3]]);
    }
}
