//! The identity provider of the host: whose tokens are accepted beside our own, and the keys that
//! it signs them with, read again while the server runs.
//!
//! The keys are read again when they have become old and, at once, for a token that names a key
//! which is not among them; so a provider can change its keys whenever it likes. One reading is
//! under way at a time and each is a while after the last, however many tokens ask for it. Only
//! the request that begins it and those that have no key yet wait for it, and not for long.
//!
//! **Invariant:** keys that were read stay until another set is: a provider that does not answer,
//! or with something else, locks nobody out. One that publishes an empty set has withdrawn its
//! keys.

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

/// How long after one reading a token with an unknown key can be the reason for another.
const PAUSE: TimeDelta = TimeDelta::seconds(10);
/// The longest that a request waits for a reading.
const WAIT_MAX: Duration = Duration::from_secs(3);
const NEVER_POISONED: &str = "whoever holds the lock does nothing that can panic";

/// Where the key set of an identity provider is.
#[async_trait]
pub trait KeySource: Debug + Send + Sync {
    /// The text of the key set, as it is now. It is for the source to bound its size and the time
    /// that it takes.
    ///
    /// # Errors
    /// [`JwksError::Unreadable`], in one line.
    async fn read(&self) -> Result<String, JwksError>;
}

/// Which tokens of an identity provider are accepted.
#[derive(Clone, Debug)]
pub struct Trust {
    /// The `iss` that they must have, if that is known.
    pub issuer: Option<String>,
    /// The `aud` that they must have, if that is known.
    pub audience: Option<String>,
    /// How old the keys become before they are read again.
    pub refresh_every: TimeDelta,
}

/// The identity provider of the host, whose tokens are accepted.
#[derive(Debug)]
pub struct IdentityProvider {
    pub(crate) trust: Trust,
    keys: Arc<Keys>,
}

#[derive(Debug)]
struct Keys {
    source: Arc<dyn KeySource>,
    current: Mutex<Arc<KeySet>>,
    /// The last reading, which may be under way.
    last: Mutex<Reading>,
    /// The longest that a request waits for a reading.
    wait_max: Duration,
}

/// One reading of the keys.
#[derive(Debug)]
struct Reading {
    began_at: DateTime<Utc>,
    /// Closes when it ends, for all who wait for it at once.
    end: watch::Receiver<()>,
}

impl Reading {
    /// A reading, and what has to be dropped when it ends.
    fn begin(now: DateTime<Utc>) -> (Self, watch::Sender<()>) {
        let (under_way, end) = watch::channel(());
        (Self { began_at: now, end }, under_way)
    }

    fn is_under_way(&self) -> bool {
        self.end.has_changed().is_ok()
    }
}

impl IdentityProvider {
    /// Reads the keys for the first time.
    ///
    /// # Errors
    /// When they cannot be read, or none of them can be used.
    pub async fn load(
        source: Arc<dyn KeySource>,
        trust: Trust,
        now: DateTime<Utc>,
    ) -> Result<Self, JwksError> {
        Self::waiting(source, trust, now, WAIT_MAX).await
    }

    async fn waiting(
        source: Arc<dyn KeySource>,
        trust: Trust,
        now: DateTime<Utc>,
        wait_max: Duration,
    ) -> Result<Self, JwksError> {
        let (reading, under_way) = Reading::begin(now);
        let first = KeySet::parse(&source.read().await?)?;
        drop(under_way);
        if first.is_empty() {
            return Err(JwksError::NoUsableKey);
        }
        let (current, last) = (Mutex::new(Arc::new(first)), Mutex::new(reading));
        let keys = Keys { source, current, last, wait_max };
        Ok(Self { trust, keys: Arc::new(keys) })
    }

    /// The keys, read again if they are old.
    pub(crate) async fn keys(&self, now: DateTime<Utc>) -> Arc<KeySet> {
        if self.keys.begin_reading(now, self.trust.refresh_every) {
            self.keys.wait_for_reading().await;
        }
        self.keys.current()
    }

    /// The keys for a token with a key that [`Self::keys`] lacks: read again, unless that was done
    /// a moment ago.
    pub(crate) async fn newer_keys(&self, now: DateTime<Utc>) -> Arc<KeySet> {
        self.keys.begin_reading(now, PAUSE.min(self.trust.refresh_every));
        self.keys.wait_for_reading().await;
        self.keys.current()
    }
}

impl Keys {
    fn current(&self) -> Arc<KeySet> {
        Arc::clone(&self.current.lock().expect(NEVER_POISONED))
    }

    /// Begins to read the keys, unless somebody is doing so, or began less than `pause` ago. Tells
    /// whether it did. What has begun goes on when the caller leaves.
    fn begin_reading(self: &Arc<Self>, now: DateTime<Utc>, pause: TimeDelta) -> bool {
        let mut last = self.last.lock().expect(NEVER_POISONED);
        // A clock that was put back must not keep the keys from being read until it is there again.
        if last.is_under_way() || (now - last.began_at).abs() < pause {
            return false;
        }
        let (reading, under_way) = Reading::begin(now);
        *last = reading;

        let keys = Arc::clone(self);
        let read = async move {
            keys.read().await;
            drop(under_way);
        };
        tokio::spawn(read.in_current_span());
        true
    }

    async fn read(&self) {
        let read = self.source.read().await.and_then(|text| KeySet::parse(&text));
        match read {
            Ok(set) => {
                if set.is_empty() {
                    tracing::warn!("the provider has withdrawn all its keys");
                }
                *self.current.lock().expect(NEVER_POISONED) = Arc::new(set);
            }
            Err(error) => {
                tracing::warn!(%error, "the provider's keys could not be read again, and stay");
            }
        }
    }

    /// Waits until nobody is reading, or long enough.
    async fn wait_for_reading(&self) {
        let mut end = self.last.lock().expect(NEVER_POISONED).end.clone();
        // Nothing is ever sent, so this is an error, and that is the end.
        drop(timeout(self.wait_max, end.changed()).await);
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

    /// A key set that is answered as often as it is allowed to.
    #[derive(Debug)]
    struct Gated {
        answers: Semaphore,
        answered: AtomicUsize,
    }

    impl Gated {
        fn answering(times: usize) -> Arc<Self> {
            Arc::new(Self { answers: Semaphore::new(times), answered: AtomicUsize::new(0) })
        }

        async fn has_answered(&self, times: usize) {
            while self.answered.load(Ordering::SeqCst) < times {
                tokio::task::yield_now().await;
            }
        }
    }

    #[async_trait]
    impl KeySource for Gated {
        async fn read(&self) -> Result<String, JwksError> {
            self.answers.acquire().await.expect("it stays open").forget();
            self.answered.fetch_add(1, Ordering::SeqCst);
            let key = r#"{"keys": [{"kty": "OKP", "crv": "Ed25519",
                "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
            Ok(key.to_owned())
        }
    }

    async fn provider(source: &Arc<Gated>, wait_max: Duration) -> IdentityProvider {
        let trust = Trust { issuer: None, audience: None, refresh_every: TimeDelta::minutes(5) };
        let source = Arc::<Gated>::clone(source);
        let provider = IdentityProvider::waiting(source, trust, at(0), wait_max).await;
        provider.expect("a key set")
    }

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(second)
    }

    #[tokio::test]
    async fn a_source_that_does_not_answer_holds_nobody_for_long() {
        let source = Gated::answering(1);
        let provider = provider(&source, Duration::from_millis(10)).await;

        let header = Header::new(Algorithm::EdDSA);
        let (old, newer) = tokio::join!(provider.keys(at(300)), provider.newer_keys(at(300)));
        assert_eq!((old.keys_for(&header).count(), newer.keys_for(&header).count()), (1, 1));
    }

    #[tokio::test]
    async fn whoever_waits_for_a_reading_does_not_keep_the_next_one_from_beginning() {
        let source = Gated::answering(1);
        let provider = provider(&source, Duration::from_mins(1)).await;
        let mut waiting = pin!(provider.newer_keys(at(10)));
        poll_fn(|context| {
            assert!(waiting.as_mut().poll(context).is_pending());
            Poll::Ready(())
        })
        .await;
        source.answers.add_permits(2);
        source.has_answered(2).await;

        // Nobody has told whoever waits, and it does not matter.
        provider.newer_keys(at(20)).await;
        assert_eq!(source.answered.load(Ordering::SeqCst), 3);
        waiting.await;
    }
}
