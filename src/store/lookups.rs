//! Look-ups of many callers in one statement.
//!
//! Those who ask at the same moment share a statement, and while it is under way, the keys of those
//! who come gather for the next. So the more is asked, the less each question costs; whoever comes
//! alone waits for nobody.

use std::{collections::HashMap, fmt, hash::Hash, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use sqlx::Database;

use super::{
    Result,
    gather::{Gather, Pace},
    kept::Kept,
};

/// One statement is under way while the database answers soon: that is the least work for both. Where
/// an answer takes longer, a second one does not wait for it. There are several kinds of look-ups, and
/// all together they leave connections for others.
const PACE: Pace = Pace { calls_max: 64, batches_max: 2, patience: Duration::from_millis(1) };
/// Whoever asks for more keys than this gains nothing from company, and would make it wait.
const KEYS_MAX: usize = 16;

/// Asks for the values of keys, in one statement.
type Ask<DB, K, V> = dyn for<'a> Fn(
        &'a mut <DB as Database>::Connection,
        &'a [K],
    ) -> BoxFuture<'a, sqlx::Result<HashMap<K, V>>>
    + Send
    + Sync;

/// One kind of look-up.
pub(super) struct Lookups<DB: Database, K, V> {
    kept: Kept<DB>,
    ask: Arc<Ask<DB, K, V>>,
    may_gather: fn(&[K]) -> bool,
    gathered: Gather<Vec<K>, Result<HashMap<K, V>>>,
}

impl<DB, K, V> Lookups<DB, K, V>
where
    DB: Database,
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + 'static,
{
    pub(super) fn new(
        kept: Kept<DB>,
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
        let gathered = Gather::new(PACE, move |calls: Vec<Vec<K>>, turn| {
            let (kept, ask) = asked.clone();
            async move {
                let _turn = turn;
                together(&kept, &*ask, calls).await
            }
        });
        Self { kept, ask, may_gather: |_| true, gathered }
    }

    /// The same, where not all keys may share a statement with those of others.
    pub(super) fn gathering_only(self, may_gather: fn(&[K]) -> bool) -> Self {
        Self { may_gather, ..self }
    }

    /// The values of these keys. Those of missing rows are missing.
    pub(super) async fn get(&self, keys: &[K]) -> Result<HashMap<K, V>> {
        match keys.len() {
            0 => Ok(HashMap::new()),
            1..=KEYS_MAX if (self.may_gather)(keys) => self.gathered.call(keys.to_vec()).await?,
            // Boxed, since it is large and most callers do not come here.
            _ => Box::pin(alone(&self.kept, &*self.ask, keys)).await,
        }
    }
}

impl<DB: Database, K, V> fmt::Debug for Lookups<DB, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookups").finish_non_exhaustive()
    }
}

async fn alone<DB: Database, K, V>(
    kept: &Kept<DB>,
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
    kept: &Kept<DB>,
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
    let keys = calls.concat();
    match alone(kept, ask, &keys).await {
        Ok(found) => {
            let of = |keys: Vec<K>| {
                let pair = |key: K| found.get(&key).cloned().map(|value| (key, value));
                Ok(keys.into_iter().filter_map(pair).collect())
            };
            calls.into_iter().map(of).collect()
        }
        Err(error) => calls.iter().map(|_| Err(error.clone())).collect(),
    }
}
