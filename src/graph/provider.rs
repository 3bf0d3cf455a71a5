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
    use aws_lc_rs::{
        encoding::AsDer,
        rsa::KeySize,
        signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair},
    };
    use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, jwk::Jwk};
    use serde_json::{Value, json};

    use super::*;
    use crate::graph::{claims::Subject, tokens::Tokens};

    /// A key pair of the provider, with the public half as it is published.
    struct Pair {
        algorithm: Algorithm,
        private: EncodingKey,
        public: Value,
    }

    impl Pair {
        fn new(algorithm: Algorithm) -> Self {
            let private = match algorithm {
                Algorithm::RS256 => {
                    let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("generates");
                    let der = pair.as_der().expect("encodes");
                    // PKCS #8 wraps the PKCS #1 that is wanted in 26 bytes of its own.
                    let der = &der.as_ref()[26..];
                    EncodingKey::from_rsa_der(der)
                }
                Algorithm::ES256 => {
                    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING);
                    let der = pair.expect("generates").to_pkcs8v1().expect("encodes");
                    EncodingKey::from_ec_der(der.as_ref())
                }
                _ => {
                    let pair = Ed25519KeyPair::generate().expect("generates");
                    let der = pair.to_pkcs8v1().expect("encodes");
                    EncodingKey::from_ed_der(der.as_ref())
                }
            };
            let public = Jwk::from_encoding_key(&private, algorithm).expect("has a public half");
            let public = serde_json::to_value(public).expect("serializes");
            Self { algorithm, private, public }
        }

        fn token(&self, claims: &Value) -> String {
            encode(&Header::new(self.algorithm), claims, &self.private).expect("signs")
        }
    }

    /// A key set that does not change.
    #[derive(Debug)]
    struct Fixed(String);

    #[async_trait]
    impl KeySource for Fixed {
        async fn read(&self) -> Result<String, JwksError> {
            Ok(self.0.clone())
        }
    }

    async fn tokens(keys: &[&Pair], issuer: Option<&str>, audience: Option<&str>) -> Tokens {
        let keys: Vec<_> = keys.iter().map(|pair| &pair.public).collect();
        let source = Arc::new(Fixed(json!({ "keys": keys }).to_string()));
        let (issuer, audience) = (issuer.map(str::to_owned), audience.map(str::to_owned));
        let trust = Trust { issuer, audience, refresh_every: TimeDelta::minutes(5) };
        let provider = IdentityProvider::load(source, trust, DateTime::UNIX_EPOCH).await;
        Tokens::new(&[7; 32], Some(provider.expect("a key set"))).expect("long enough")
    }

    fn claims() -> Value {
        json!({ "iss": "https://id.example", "aud": ["x", "entourage"], "sub": "a|1", "exp": 99.5,
            "preferred_username": "alice", "name": "Alice" })
    }

    #[tokio::test]
    async fn tokens_of_each_algorithm_are_read_with_their_own_key_only() {
        let now = DateTime::UNIX_EPOCH;
        let pairs = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA].map(Pair::new);
        for signer in &pairs {
            let token = signer.token(&claims());
            for published in &pairs {
                let read = tokens(&[published], None, None).await.read(&token, now).await;
                let is_own = signer.algorithm == published.algorithm;
                assert_eq!(read.is_ok(), is_own, "{:?}", signer.algorithm);
            }
            let foreign = Pair::new(signer.algorithm);
            assert!(tokens(&[&foreign], None, None).await.read(&token, now).await.is_err());

            let tokens = tokens(&[&pairs[0], &pairs[1], &pairs[2]], None, None).await;
            let read = tokens.read(&token, now).await;
            let Subject::Foreign(account) = read.expect("reads").subject else {
                panic!("a provider's token never names a user by our id");
            };
            assert_eq!((account.subject.as_str(), account.name.as_deref()), ("a|1", Some("Alice")));
        }
    }

    #[tokio::test]
    async fn issuer_audience_and_time_of_a_foreign_token_are_checked() {
        let pair = Pair::new(Algorithm::EdDSA);
        let tokens = tokens(&[&pair], Some("https://id.example"), Some("entourage")).await;
        let read = async |name: &str, value: Value| {
            let mut claims = claims();
            claims[name] = value;
            tokens.read(&pair.token(&claims), DateTime::UNIX_EPOCH).await.is_ok()
        };
        assert!(read("name", "Alice".into()).await);
        for (name, value) in [
            ("iss", json!("https://other.example")),
            ("iss", Value::Null),
            ("aud", json!("other")),
            ("aud", json!([])),
            ("exp", json!(-60)),
            ("exp", Value::Null),
            ("nbf", json!(60)),
            ("sub", json!("")),
            ("sub", json!("x".repeat(256))),
        ] {
            assert!(!read(name, value.clone()).await, "{name}: {value}");
        }
    }

    #[tokio::test]
    async fn a_public_key_is_never_a_secret() {
        let pair = Pair::new(Algorithm::EdDSA);
        let secret = pair.public["x"].as_str().expect("a key").as_bytes().to_vec();
        let claims = json!({ "iss": "entourage", "aud": "entourage", "sub": "1", "exp": 99 });
        let forged = encode(&Header::default(), &claims, &EncodingKey::from_secret(&secret));
        let tokens = tokens(&[&pair], None, None).await;
        assert!(tokens.read(&forged.expect("signs"), DateTime::UNIX_EPOCH).await.is_err());
    }
}
