//! Look-ups of many callers in one statement.
//!
//! Those who ask at the same moment share a statement, and while it is under way, the keys of those
//! who come gather for the next. So the more is asked, the less each question costs; whoever comes
//! alone waits for nobody.

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
use crate::domain::Audience;
use crate::store::Result;

/// One statement is under way while the database answers soon: that is the least work for both. Where
/// an answer takes longer, a second one does not wait for it. Two are the most that hold connections,
/// of each kind of look-ups.
const PACE: BatchPolicy =
    BatchPolicy { calls_max: 64, batches_max: 2, patience: Duration::from_millis(1) };
/// Whoever asks for more keys than this gains nothing from company, and would make it wait.
pub(crate) const KEYS_MAX: usize = 16;

/// Asks for the values of keys, in one statement.
type Ask<DB, K, V> = dyn for<'a> Fn(
        &'a mut <DB as Database>::Connection,
        &'a [K],
    ) -> BoxFuture<'a, sqlx::Result<HashMap<K, V>>>
    + Send
    + Sync;

/// One kind of look-up.
pub(crate) struct SharedLookup<DB: Database, K, V> {
    kept: WarmConnections<DB>,
    ask: Arc<Ask<DB, K, V>>,
    may_gather: fn(&[K]) -> bool,
    gathered: Batcher<Vec<K>, Result<HashMap<K, V>>>,
}

impl<DB, K, V> SharedLookup<DB, K, V>
where
    DB: Database,
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + 'static,
{
    pub(crate) fn new(
        kept: WarmConnections<DB>,
        ask: impl for<'a> Fn(
            &'a mut DB::Connection,
            &'a [K],
        ) -> BoxFuture<'a, sqlx::Result<HashMap<K, V>>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        let ask: Arc<Ask<DB, K, V>> = Arc::new(ask);
        let asked = (kept.clone(), Arc::clone(&ask));
        let gathered = Batcher::new(PACE, move |calls: Vec<Vec<K>>, turn| {
            let (kept, ask) = asked.clone();
            async move {
                let _turn = turn;
                together(&kept, &*ask, calls).await
            }
        });
        Self { kept, ask, may_gather: |_| true, gathered }
    }

    /// The same, where not all keys may share a statement with those of others.
    pub(crate) fn gathering_only(self, may_gather: fn(&[K]) -> bool) -> Self {
        Self { may_gather, ..self }
    }

    /// The values of these keys, without those of missing rows.
    ///
    /// **Invariant:** only keys for everybody share a statement with those of other callers.
    pub(crate) async fn get(&self, audience: Audience, keys: &[K]) -> Result<HashMap<K, V>> {
        let is_shared = audience == Audience::Everybody && (self.may_gather)(keys);
        match keys.len() {
            0 => Ok(HashMap::new()),
            1..=KEYS_MAX if is_shared => self.gathered.call(keys.to_vec()).await?,
            // Boxed, since it is large and most callers do not come here.
            _ => Box::pin(alone(&self.kept, &*self.ask, keys)).await,
        }
    }
}

impl<DB: Database, K, V> fmt::Debug for SharedLookup<DB, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedLookup").finish_non_exhaustive()
    }
}

async fn alone<DB: Database, K, V>(
    kept: &WarmConnections<DB>,
    ask: &Ask<DB, K, V>,
    keys: &[K],
) -> Result<HashMap<K, V>> {
    let read = async {
        let mut connection = kept.take().await?;
        let found = ask(&mut connection, keys).await?;
        connection.keep();
        Ok(found)
    };
    kept.patiently(read).await
}

/// Asks for the keys of all callers, and gives each what is theirs.
async fn together<DB, K, V>(
    kept: &WarmConnections<DB>,
    ask: &Ask<DB, K, V>,
    calls: Vec<Vec<K>>,
) -> Vec<Result<HashMap<K, V>>>
where
    DB: Database,
    K: Clone + Eq + Hash,
    V: Clone,
{
    if let [keys] = &*calls {
        return vec![alone(kept, ask, keys).await];
    }
    // How many want each key, and what all want once.
    let (mut wanted, mut keys) = (HashMap::<_, usize, RandomState>::default(), Vec::new());
    for key in calls.iter().flatten() {
        match wanted.entry(key) {
            Entry::Occupied(mut many) => *many.get_mut() += 1,
            Entry::Vacant(first) => {
                first.insert(1);
                keys.push(key.clone());
            }
        }
    }
    match alone(kept, ask, &keys).await {
        Ok(mut found) => {
            let mut take = |key: &K| {
                let left = wanted.get_mut(key)?;
                *left -= 1;
                if *left == 0 {
                    found.remove_entry(key)
                } else {
                    found.get_key_value(key).map(|(key, value)| (key.clone(), value.clone()))
                }
            };
            calls.iter().map(|keys| Ok(keys.iter().filter_map(&mut take).collect())).collect()
        }
        Err(error) => calls.iter().map(|_| Err(error.clone())).collect(),
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
    async fn what_several_ask_for_is_asked_once_and_each_gets_what_is_theirs() {
        let pool = SqlitePool::connect("sqlite::memory:").await.expect("it opens");
        let asked = Arc::<Mutex<Vec<Vec<u32>>>>::default();
        let kept = WarmConnections::of(pool, Options::default());
        let doubles: SharedLookup<Sqlite, u32, u32> = SharedLookup::new(kept, {
            let asked = Arc::clone(&asked);
            move |_, keys| {
                asked.lock().expect("nobody panics").push(keys.to_vec());
                let there = keys.iter().filter(|key| **key < 10);
                let found = there.map(|key| (*key, 2 * key)).collect();
                async { Ok(found) }.boxed()
            }
        });

        let callers: [&[u32]; 4] = [&[1, 2], &[2, 10], &[3, 2, 1], &[10]];
        let answers = join_all(callers.map(|keys| doubles.get(Audience::Everybody, keys))).await;

        let answers = answers.into_iter().map(|answer| answer.expect("it is found"));
        let of = |pairs: &[(u32, u32)]| pairs.iter().copied().collect::<HashMap<_, _>>();
        assert_eq!(
            answers.collect::<Vec<_>>(),
            [of(&[(1, 2), (2, 4)]), of(&[(2, 4)]), of(&[(3, 6), (2, 4), (1, 2)]), of(&[])],
        );
        assert_eq!(*asked.lock().expect("nobody panics"), [[1, 2, 10, 3]]);
    }
}
