//! The host's identity provider: which of its tokens are accepted, and the keys that verify them.
//!
//! The keys are refreshed when they are `refresh_every` old, and early for a token that names an
//! unknown key, so the provider can rotate its keys at any time. At most one refresh runs at a
//! time, and early ones start at least [`EARLY_REFRESH_INTERVAL`] apart, however many tokens ask.
//! Only the request that starts a refresh and requests whose key is unknown wait for it, for at
//! most [`WAIT_MAX`].
//!
//! **Invariant:** a failed refresh keeps the current keys, so a provider that is down or sends
//! something else locks no user out. An empty set is not a failure: it withdraws all keys.

use std::{
    fmt::Debug,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::{sync::watch, time::timeout};
use tracing::Instrument;

use super::key_set::{JwksError, KeySet};

/// The shortest time between the start of a refresh and that of an early one.
const EARLY_REFRESH_INTERVAL: TimeDelta = TimeDelta::seconds(10);
/// The longest that a request waits for a refresh.
const WAIT_MAX: Duration = Duration::from_secs(3);
const NEVER_POISONED: &str = "no code that holds the lock can panic";

/// Where an identity provider publishes its key set.
#[async_trait]
pub trait KeySource: Debug + Send + Sync {
    /// Fetches the text of the key set. The source bounds its size and the time that it takes.
    ///
    /// # Errors
    /// [`JwksError::Unreadable`] or [`JwksError::Unreachable`], in one line.
    async fn read(&self) -> Result<String, JwksError>;
}

/// Which tokens of an identity provider are accepted.
#[derive(Clone, Debug)]
pub struct Trust {
    /// The required `iss`; `None` accepts any.
    pub issuer: Option<String>,
    /// The required `aud`; `None` accepts any.
    pub audience: Option<String>,
    /// The age at which the keys are refreshed.
    pub refresh_every: TimeDelta,
}

/// The host's identity provider.
#[derive(Debug)]
pub struct IdentityProvider {
    pub(crate) trust: Trust,
    keys: Arc<CachedKeys>,
}

#[derive(Debug)]
struct CachedKeys {
    source: Arc<dyn KeySource>,
    current: Mutex<Arc<KeySet>>,
    /// The last refresh, running or finished.
    last_refresh: Mutex<Refresh>,
    /// The longest that a request waits for a refresh.
    wait_max: Duration,
}

/// One refresh of the keys.
#[derive(Debug)]
struct Refresh {
    started_at: DateTime<Utc>,
    /// Closes when the refresh finishes, which wakes all waiting requests at once.
    finished: watch::Receiver<()>,
}

impl Refresh {
    /// A refresh, and the guard to drop when it finishes.
    fn start(now: DateTime<Utc>) -> (Self, watch::Sender<()>) {
        let (running, finished) = watch::channel(());
        (Self { started_at: now, finished }, running)
    }

    fn is_running(&self) -> bool {
        self.finished.has_changed().is_ok()
    }
}

impl IdentityProvider {
    /// Fetches the keys for the first time.
    ///
    /// # Errors
    /// When the source fails, or the set has no usable key.
    pub async fn load(
        source: Arc<dyn KeySource>,
        trust: Trust,
        now: DateTime<Utc>,
    ) -> Result<Self, JwksError> {
        let (refresh, running) = Refresh::start(now);
        let keys = KeySet::parse(&source.read().await?)?;
        drop(running);
        if keys.is_empty() {
            return Err(JwksError::NoUsableKey);
        }
        let (current, last_refresh) = (Mutex::new(Arc::new(keys)), Mutex::new(refresh));
        let keys = CachedKeys { source, current, last_refresh, wait_max: WAIT_MAX };
        Ok(Self { trust, keys: Arc::new(keys) })
    }

    /// The keys, refreshed first if they are old.
    pub(crate) async fn keys(&self, now: DateTime<Utc>) -> Arc<KeySet> {
        if self.keys.start_refresh(now, self.trust.refresh_every) {
            self.keys.wait_for_refresh().await;
        }
        self.keys.current()
    }

    /// The keys for a token whose key [`Self::keys`] lacks: refreshed early, unless the last
    /// refresh was a moment ago.
    pub(crate) async fn refreshed_keys(&self, now: DateTime<Utc>) -> Arc<KeySet> {
        self.keys.start_refresh(now, EARLY_REFRESH_INTERVAL.min(self.trust.refresh_every));
        self.keys.wait_for_refresh().await;
        self.keys.current()
    }
}

impl CachedKeys {
    fn current(&self) -> Arc<KeySet> {
        Arc::clone(&self.current.lock().expect(NEVER_POISONED))
    }

    /// Starts a refresh, unless one is running or the last one started less than `interval` ago.
    /// Returns whether it started one. The refresh outlives the request that started it.
    fn start_refresh(self: &Arc<Self>, now: DateTime<Utc>, interval: TimeDelta) -> bool {
        let mut last = self.last_refresh.lock().expect(NEVER_POISONED);
        // The absolute value, so that a clock that is set back does not stop refreshes until it
        // has caught up.
        if last.is_running() || (now - last.started_at).abs() < interval {
            return false;
        }
        let (refresh, running) = Refresh::start(now);
        *last = refresh;

        let keys = Arc::clone(self);
        let refresh = async move {
            keys.refresh().await;
            drop(running);
        };
        tokio::spawn(refresh.in_current_span());
        true
    }

    async fn refresh(&self) {
        let result = self.source.read().await.and_then(|text| KeySet::parse(&text));
        match result {
            Ok(keys) => {
                if keys.is_empty() {
                    tracing::warn!("the provider has withdrawn all its keys");
                }
                *self.current.lock().expect(NEVER_POISONED) = Arc::new(keys);
            }
            Err(error) => {
                tracing::warn!(
                    %error,
                    "the provider's keys could not be read again; keeping the current ones"
                );
            }
        }
    }

    /// Waits until the running refresh, if any, finishes, or for `wait_max`.
    async fn wait_for_refresh(&self) {
        let mut finished = self.last_refresh.lock().expect(NEVER_POISONED).finished.clone();
        // No value is ever sent: `changed` resolves, with an error, when the sender is dropped.
        drop(timeout(self.wait_max, finished.changed()).await);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::poll_fn,
        pin::pin,
        sync::atomic::{AtomicUsize, Ordering},
        task::Poll,
    };

    use jsonwebtoken::{Algorithm, Header};
    use tokio::sync::Semaphore;

    use super::*;

    /// A source that answers each read only with a permit.
    #[derive(Debug)]
    struct GatedSource {
        permits: Semaphore,
        answered: AtomicUsize,
    }

    impl GatedSource {
        fn with_permits(permits: usize) -> Arc<Self> {
            Arc::new(Self { permits: Semaphore::new(permits), answered: AtomicUsize::new(0) })
        }

        async fn wait_for_answers(&self, times: usize) {
            while self.answered.load(Ordering::SeqCst) < times {
                tokio::task::yield_now().await;
            }
        }
    }

    #[async_trait]
    impl KeySource for GatedSource {
        async fn read(&self) -> Result<String, JwksError> {
            self.permits.acquire().await.expect("never closed").forget();
            self.answered.fetch_add(1, Ordering::SeqCst);
            let key = r#"{"keys": [{"kty": "OKP", "crv": "Ed25519",
                "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
            Ok(key.to_owned())
        }
    }

    async fn provider(source: &Arc<GatedSource>, wait_max: Duration) -> IdentityProvider {
        let trust = Trust { issuer: None, audience: None, refresh_every: TimeDelta::minutes(5) };
        let source = Arc::<GatedSource>::clone(source);
        let provider = IdentityProvider::load(source, trust, at_second(0)).await;
        let mut provider = provider.expect("a key set");
        Arc::get_mut(&mut provider.keys).expect("not shared yet").wait_max = wait_max;
        provider
    }

    fn at_second(second: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(second)
    }

    #[tokio::test]
    async fn a_source_that_hangs_delays_requests_only_briefly() {
        let source = GatedSource::with_permits(1);
        let provider = provider(&source, Duration::from_millis(10)).await;

        let header = Header::new(Algorithm::EdDSA);
        let (old, early) =
            tokio::join!(provider.keys(at_second(300)), provider.refreshed_keys(at_second(300)));
        assert_eq!((old.keys_for(&header).count(), early.keys_for(&header).count()), (1, 1));
    }

    #[tokio::test]
    async fn a_request_that_still_waits_does_not_block_the_next_refresh() {
        let source = GatedSource::with_permits(1);
        let provider = provider(&source, Duration::from_mins(1)).await;
        let mut waiting = pin!(provider.refreshed_keys(at_second(10)));
        poll_fn(|context| {
            assert!(waiting.as_mut().poll(context).is_pending());
            Poll::Ready(())
        })
        .await;
        source.permits.add_permits(2);
        source.wait_for_answers(2).await;

        // The first request has not been polled since, so it still counts as waiting.
        provider.refreshed_keys(at_second(20)).await;
        assert_eq!(source.answered.load(Ordering::SeqCst), 3);
        waiting.await;
    }
}
