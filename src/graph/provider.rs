//! The identity provider of the host: whose tokens are accepted beside our own, and the keys that
//! it signs them with, read again while the server runs.
//!
//! The keys are read again when they have become old and, at once, for a token that names a key
//! which is not among them; so a provider can change its keys whenever it likes. One reading is
//! under way at a time and each is a while after the last, however many tokens ask for it. Only
//! the request that begins it and those that have no key yet wait for it, and not for long.
//!
//! **Invariant:** keys that were read stay until others are: a provider that does not answer locks
//! nobody out.

use std::{
    fmt::Debug,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
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
    pub(super) trust: Trust,
    keys: Arc<Keys>,
}

#[derive(Debug)]
struct Keys {
    source: Arc<dyn KeySource>,
    current: Mutex<Arc<KeySet>>,
    /// When a reading began last.
    asked_at: Mutex<DateTime<Utc>>,
    /// Whoever reads has the one permit.
    reading: Arc<Semaphore>,
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
        let first = KeySet::parse(&source.read().await?)?;
        let keys = Keys {
            source,
            current: Mutex::new(Arc::new(first)),
            asked_at: Mutex::new(now),
            reading: Arc::new(Semaphore::new(1)),
        };
        Ok(Self { trust, keys: Arc::new(keys) })
    }

    /// The keys, read again if they are old.
    pub(super) async fn keys(&self, now: DateTime<Utc>) -> Arc<KeySet> {
        if self.keys.begin_reading(now, self.trust.refresh_every) {
            self.keys.wait_for_reading().await;
        }
        self.keys.current()
    }

    /// The keys for a token with a key that [`Self::keys`] lacks: read again, unless that was done
    /// a moment ago.
    pub(super) async fn newer_keys(&self, now: DateTime<Utc>) -> Arc<KeySet> {
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
        let Some(permit) = self.permit(now, pause) else { return false };
        let keys = Arc::clone(self);
        let reading = async move {
            keys.read().await;
            drop(permit);
        };
        tokio::spawn(reading.in_current_span());
        true
    }

    fn permit(&self, now: DateTime<Utc>, pause: TimeDelta) -> Option<OwnedSemaphorePermit> {
        let mut asked_at = self.asked_at.lock().expect(NEVER_POISONED);
        // A clock that was put back must not keep the keys from being read until it is there again.
        if (now - *asked_at).abs() < pause {
            return None;
        }
        let permit = Arc::clone(&self.reading).try_acquire_owned().ok()?;
        *asked_at = now;
        Some(permit)
    }

    async fn read(&self) {
        let read = self.source.read().await.and_then(|text| KeySet::parse(&text));
        match read {
            Ok(set) => {
                *self.current.lock().expect(NEVER_POISONED) = Arc::new(set);
            }
            Err(error) => {
                tracing::warn!(%error, "the provider's keys could not be read again, and stay");
            }
        }
    }

    /// Waits until nobody is reading, or long enough.
    async fn wait_for_reading(&self) {
        drop(timeout(WAIT_MAX, self.reading.acquire()).await);
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{Algorithm, Header};

    use super::*;

    /// A key set that is answered once, and never again.
    #[derive(Debug)]
    struct Once(Mutex<Option<&'static str>>);

    #[async_trait]
    impl KeySource for Once {
        async fn read(&self) -> Result<String, JwksError> {
            let first = self.0.lock().expect(NEVER_POISONED).take();
            match first {
                Some(text) => Ok(text.to_owned()),
                None => std::future::pending().await,
            }
        }
    }

    #[tokio::test]
    async fn a_source_that_does_not_answer_holds_nobody_for_long() {
        let key = r#"{"keys": [{"kty": "OKP", "crv": "Ed25519",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
        let trust = Trust { issuer: None, audience: None, refresh_every: TimeDelta::minutes(5) };
        let source = Arc::new(Once(Mutex::new(Some(key))));
        let provider = IdentityProvider::load(source, trust, DateTime::UNIX_EPOCH).await;
        let provider = provider.expect("a key set");

        let later = DateTime::UNIX_EPOCH + TimeDelta::minutes(5);
        let header = Header::new(Algorithm::EdDSA);
        let (old, newer) = tokio::join!(provider.keys(later), provider.newer_keys(later));
        assert_eq!((old.keys_for(&header).count(), newer.keys_for(&header).count()), (1, 1));
    }
}
