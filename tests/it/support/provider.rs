//! An identity provider: keys that sign, and a server that publishes them.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use aws_lc_rs::{
    encoding::AsDer,
    rsa::KeySize,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair},
};
use chrono::{DateTime, TimeDelta, Utc};
use entourage::{
    cli::JwksPlace,
    service::{ClaimRules, IdentityProvider, JwksError, KeySource, Trust},
};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, jwk::Jwk};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
};

pub(crate) const ISSUER: &str = "https://id.example";
pub(crate) const AUDIENCE: &str = "entourage";

/// The trust of the test servers: the key set is reloaded every five minutes.
pub(crate) fn trust() -> Trust {
    Trust {
        name: None,
        issuer: Some(ISSUER.to_owned()),
        audience: Some(AUDIENCE.to_owned()),
        refresh_every: TimeDelta::minutes(5),
        claims: ClaimRules::default(),
        updates_profiles: true,
    }
}

/// A key pair of the provider.
pub(crate) struct Key {
    header: Header,
    private: EncodingKey,
    /// The published public half.
    pub(crate) public: Value,
}

impl Key {
    pub(crate) fn new(algorithm: Algorithm, id: &str) -> Self {
        let private = match algorithm {
            Algorithm::RS256 => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("generates");
                // PKCS #8 puts 26 bytes before the PKCS #1 key that is needed here.
                EncodingKey::from_rsa_der(&pair.as_der().expect("encodes").as_ref()[26..])
            }
            Algorithm::ES256 => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING);
                let der = pair.and_then(|pair| pair.to_pkcs8v1()).expect("generates");
                EncodingKey::from_ec_der(der.as_ref())
            }
            _ => {
                let der = Ed25519KeyPair::generate().and_then(|pair| pair.to_pkcs8v1());
                EncodingKey::from_ed_der(der.expect("generates").as_ref())
            }
        };
        let public = Jwk::from_encoding_key(&private, algorithm).expect("has a public half");
        let mut public = serde_json::to_value(public).expect("serializes");
        public["kid"] = id.into();
        let header = Header { kid: Some(id.to_owned()), ..Header::new(algorithm) };
        Self { header, private, public }
    }

    /// The header of its tokens.
    pub(crate) fn header(&self) -> Header {
        self.header.clone()
    }

    /// A valid token with these claims added or replaced.
    pub(crate) fn token(&self, claims: &Value) -> String {
        self.token_with(&self.header, claims)
    }

    /// The same, with another header.
    pub(crate) fn token_with(&self, header: &Header, claims: &Value) -> String {
        let mut all = json!({ "iss": ISSUER, "aud": AUDIENCE, "exp": 4_000_000_000_i64 });
        let claims = claims.as_object().expect("claims are an object");
        all.as_object_mut().expect("an object").extend(claims.clone());
        encode(header, &all, &self.private).expect("signs")
    }
}

/// A key set as JSON.
pub(crate) fn key_set(keys: &[&Key]) -> String {
    let keys: Vec<_> = keys.iter().map(|key| &key.public).collect();
    json!({ "keys": keys }).to_string()
}

/// A fixed key set.
#[derive(Debug)]
struct Fixed(String);

#[async_trait]
impl KeySource for Fixed {
    async fn read(&self) -> Result<String, JwksError> {
        Ok(self.0.clone())
    }
}

/// A provider with a fixed key set.
pub(crate) async fn provider_with(keys: &[&Key]) -> IdentityProvider {
    provider_of(key_set(keys), trust()).await
}

/// A provider with a fixed key set, as JSON, and its own issuer and audience.
pub(crate) async fn provider_of(key_set: String, trust: Trust) -> IdentityProvider {
    let source = Arc::new(Fixed(key_set));
    let provider = IdentityProvider::new(source, trust);
    provider.load(DateTime::UNIX_EPOCH).await.expect("a key set");
    provider
}

/// A server on the loopback that publishes a key set.
pub(crate) struct KeyServer {
    url: String,
    answer: Arc<Mutex<String>>,
    asked: Arc<AtomicUsize>,
    is_open: watch::Sender<bool>,
}

impl KeyServer {
    pub(crate) async fn publishing(keys: &[&Key]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/keys", listener.local_addr().expect("it is bound"));
        let (is_open, opened) = watch::channel(true);
        let server = Self { url, answer: Arc::default(), asked: Arc::default(), is_open };
        server.publish(&key_set(keys));

        let (answer, asked) = (Arc::clone(&server.answer), Arc::clone(&server.asked));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                asked.fetch_add(1, Ordering::SeqCst);
                let (answer, mut opened) = (Arc::clone(&answer), opened.clone());
                tokio::spawn(async move {
                    if opened.wait_for(|is_open| *is_open).await.is_ok() {
                        let body = answer
                            .lock()
                            .expect("no code that can panic runs under this lock")
                            .clone();
                        reply(client, &body).await;
                    }
                });
            }
        });
        server
    }

    /// A provider that loads its keys from this server.
    pub(crate) async fn provider(&self, now: DateTime<Utc>) -> IdentityProvider {
        let place = Arc::new(JwksPlace::new(&self.url).expect("a place"));
        let provider = IdentityProvider::new(place, trust());
        provider.load(now).await.expect("it answers");
        provider
    }

    /// Sets the answer from now on.
    pub(crate) fn publish(&self, text: &str) {
        text.clone_into(
            &mut self.answer.lock().expect("no code that can panic runs under this lock"),
        );
    }

    /// Holds requests back, or releases them.
    pub(crate) fn open(&self, is_open: bool) {
        self.is_open.send_replace(is_open);
    }

    /// The number of requests so far.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// Reads a request and answers it with this body.
async fn reply(mut client: TcpStream, body: &str) {
    let mut lines = BufReader::new(&mut client).lines();
    while lines.next_line().await.is_ok_and(|line| line.is_some_and(|line| !line.is_empty())) {}
    let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length:";
    let reply = format!("{head} {}\r\n\r\n{body}", body.len());
    // The client may have disconnected.
    let _ = client.write_all(reply.as_bytes()).await;
}
