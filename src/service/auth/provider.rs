//! An identity provider of the host: which of its tokens are accepted, and the keys that verify them.
//!
//! The keys are loaded once, in the background if the provider is away when the server starts. Until
//! then none of its tokens can be verified.
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
    iter,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tracing::Instrument;

use super::{
    claim_rules::ClaimRules,
    key_set::{JwksError, KeySet},
};
use crate::domain::Clock;

/// The shortest time between the start of a refresh and that of an early one.
const EARLY_REFRESH_INTERVAL: TimeDelta = TimeDelta::seconds(10);
/// The first pause between two attempts to load the keys for the first time; each is twice as long as
/// the one before.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// The longest of these pauses.
const PAUSE_MAX: Duration = Duration::from_secs(30);
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

/// The name of a provider beside the first, and the beginning of the external ids of its users: 1
/// to 32 of `a-z 0-9 -`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ProviderName(String);

/// Why a text is not the name of a provider. `Display` is the whole rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name of a provider has 1 to 32 of a-z, 0-9 and -")]
pub struct ProviderNameError;

impl TryFrom<String> for ProviderName {
    type Error = ProviderNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let fits = (1..=32).contains(&text.len()) && text.chars().all(is_allowed);
        if fits { Ok(Self(text)) } else { Err(ProviderNameError) }
    }
}

impl ProviderName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Which tokens of an identity provider are accepted, and what they mean.
#[derive(Clone, Debug)]
pub struct Trust {
    /// The name of the provider; `None` for the first, whose subjects are external ids as such.
    pub name: Option<ProviderName>,
    /// The required `iss`; `None` accepts any.
    pub issuer: Option<String>,
    /// The required `aud`; `None` accepts any.
    pub audience: Option<String>,
    /// The age at which the keys are refreshed.
    pub refresh_every: TimeDelta,
    /// Which claims are read.
    pub claims: ClaimRules,
    /// Whether later tokens change the names and pictures of users.
    pub updates_profiles: bool,
}

impl Trust {
    /// What operators read: `provider`, or `provider NAME`.
    pub(super) fn title(&self) -> String {
        let name = self.name.as_ref().map(|name| format!(" {}", name.as_str()));
        format!("provider{}", name.unwrap_or_default())
    }
}

/// An identity provider of the host.
#[derive(Debug)]
pub struct IdentityProvider {
    pub(super) trust: Trust,
    keys: Arc<CachedKeys>,
}

#[derive(Debug)]
struct CachedKeys {
    source: Arc<dyn KeySource>,
    /// `None` until they have been loaded.
    current: Mutex<Option<Arc<KeySet>>>,
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
    /// A provider whose keys have not been loaded.
    pub fn new(source: Arc<dyn KeySource>, trust: Trust) -> Self {
        let (never, _) = Refresh::start(DateTime::UNIX_EPOCH);
        let keys = CachedKeys {
            source,
            current: Mutex::new(None),
            last_refresh: Mutex::new(never),
            wait_max: WAIT_MAX,
        };
        Self { trust, keys: Arc::new(keys) }
    }

    /// Loads the keys for the first time.
    ///
    /// # Errors
    /// When the source fails, or the set has no usable key.
    pub async fn load(&self, now: DateTime<Utc>) -> Result<(), JwksError> {
        let (refresh, running) = Refresh::start(now);
        let keys = KeySet::parse(&self.keys.source.read().await?)?;
        drop(running);
        if keys.is_empty() {
            return Err(JwksError::NoUsableKey);
        }
        self.keys.begin(keys, refresh);
        Ok(())
    }

    /// Loads the keys if they have not been loaded, with longer and longer pauses until it succeeds.
    pub(super) async fn keep_loading(&self, clock: &dyn Clock) {
        self.load_after(clock, pauses()).await;
    }

    async fn load_after(&self, clock: &dyn Clock, pauses: impl Iterator<Item = Duration>) {
        let mut last_reason = String::new();
        for pause in pauses {
            if self.is_loaded() {
                return;
            }
            sleep(pause).await;
            let provider = self.title();
            match self.load(clock.now()).await {
                Ok(()) => tracing::info!(provider, "the provider's keys are loaded"),
                Err(error) => {
                    let reason = error.to_string();
                    if reason != last_reason {
                        tracing::warn!(provider, reason, "still waiting for the provider's keys");
                        last_reason = reason;
                    }
                }
            }
        }
    }

    /// Whether the keys have been loaded.
    pub fn is_loaded(&self) -> bool {
        self.keys.current().is_some()
    }

    /// Whether its tokens for other services are accepted.
    pub const fn accepts_any(&self) -> bool {
        self.trust.issuer.is_none() || self.trust.audience.is_none()
    }

    /// What operators read: `provider`, or `provider NAME`.
    pub fn title(&self) -> String {
        self.trust.title()
    }

    /// The keys, refreshed first if they are old; `None` until they have been loaded.
    pub(super) async fn keys(&self, now: DateTime<Utc>) -> Option<Arc<KeySet>> {
        if self.is_loaded() && self.keys.start_refresh(now, self.trust.refresh_every) {
            self.keys.wait_for_refresh().await;
        }
        self.keys.current()
    }

    /// The keys for a token whose key [`Self::keys`] lacks: refreshed early, unless the last
    /// refresh was a moment ago.
    pub(super) async fn refreshed_keys(&self, now: DateTime<Utc>) -> Option<Arc<KeySet>> {
        self.keys.start_refresh(now, EARLY_REFRESH_INTERVAL.min(self.trust.refresh_every));
        self.keys.wait_for_refresh().await;
        self.keys.current()
    }
}

impl CachedKeys {
    fn current(&self) -> Option<Arc<KeySet>> {
        self.current.lock().expect(NEVER_POISONED).clone()
    }

    fn begin(&self, keys: KeySet, refresh: Refresh) {
        *self.last_refresh.lock().expect(NEVER_POISONED) = refresh;
        self.replace(keys);
    }

    fn replace(&self, keys: KeySet) {
        *self.current.lock().expect(NEVER_POISONED) = Some(Arc::new(keys));
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
                self.replace(keys);
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

/// The pauses before each attempt to load the keys for the first time, without an end.
fn pauses() -> impl Iterator<Item = Duration> {
    iter::successors(Some(PAUSE_MIN), |pause| Some(PAUSE_MAX.min(*pause * 2)))
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
    use crate::domain::SystemClock;

    const KEYS: &str = r#"{"keys": [{"kty": "OKP", "crv": "Ed25519",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

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
            Ok(KEYS.to_owned())
        }
    }

    fn not_loaded(source: &Arc<GatedSource>) -> IdentityProvider {
        let trust = Trust {
            name: None,
            issuer: None,
            audience: None,
            refresh_every: TimeDelta::minutes(5),
            claims: ClaimRules::default(),
            updates_profiles: true,
        };
        IdentityProvider::new(Arc::<GatedSource>::clone(source), trust)
    }

    async fn provider(source: &Arc<GatedSource>, wait_max: Duration) -> IdentityProvider {
        let mut provider = not_loaded(source);
        Arc::get_mut(&mut provider.keys).expect("not shared yet").wait_max = wait_max;
        provider.load(at_second(0)).await.expect("a key set");
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
        for keys in [old, early] {
            assert_eq!(keys.expect("loaded").keys_for(&header).count(), 1);
        }
    }

    #[tokio::test]
    async fn keys_are_loaded_once_the_provider_answers() {
        #[derive(Debug)]
        struct Away(AtomicUsize);

        #[async_trait]
        impl KeySource for Away {
            async fn read(&self) -> Result<String, JwksError> {
                match self.0.fetch_add(1, Ordering::SeqCst) {
                    0 => Err(JwksError::Unreachable("it is away".to_owned())),
                    1 => Ok(r#"{"keys": []}"#.to_owned()),
                    _ => Ok(KEYS.to_owned()),
                }
            }
        }

        let source = Arc::new(Away(AtomicUsize::new(0)));
        let trust = not_loaded(&GatedSource::with_permits(0)).trust;
        let provider = IdentityProvider::new(Arc::<Away>::clone(&source), trust);
        assert!(provider.keys(at_second(0)).await.is_none());
        assert_eq!(source.0.load(Ordering::SeqCst), 0, "a request does not load them");

        let at_once = || iter::repeat(Duration::ZERO);
        provider.load_after(&SystemClock, at_once().take(2)).await;
        assert!(!provider.is_loaded());
        for _ in 0..2 {
            provider.load_after(&SystemClock, at_once()).await;
            assert!(provider.is_loaded());
            assert_eq!(source.0.load(Ordering::SeqCst), 3);
        }
    }

    #[test]
    fn pauses_double_up_to_half_a_minute() {
        let seconds: Vec<_> = pauses().take(8).map(|pause| pause.as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 30, 30, 30]);
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
