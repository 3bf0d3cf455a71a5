//! Keys that change while the server runs: those of an identity provider, and our own.

use std::sync::Arc;

use chrono::TimeDelta;
use entourage::{
    app::Settings,
    cli::JwksPlace,
    domain::{Clock, UserId},
    service::{IdentityProvider, Tokens},
};
use futures_util::future::join_all;
use jsonwebtoken::{Algorithm, EncodingKey, Header, decode_header, encode};
use serde_json::json;

use crate::support::{
    app::{SECRET, TestApp, settings, tokens},
    clock::ByHand,
    database::{Database, Engine},
    graph::beginning,
    log::Log,
    provider::{Key, KeyServer, key_set, trust},
};

/// A provider that publishes one key, a server that trusts it, and a key that is not published.
struct Rotating {
    old: Key,
    new: Key,
    keys: KeyServer,
    clock: ByHand,
    app: TestApp,
}

impl Rotating {
    async fn start() -> Self {
        let (old, new) = (Key::new(Algorithm::EdDSA, "old"), Key::new(Algorithm::EdDSA, "new"));
        let keys = KeyServer::publishing(&[&old]).await;
        let clock = ByHand::new(beginning());
        let settings = Settings { clock: Arc::new(clock.clone()), ..settings() };
        let provider = keys.provider(clock.now()).await;
        let database = Database::migrated(Engine::Sqlite).await;
        let app = TestApp::trusting(database, settings, provider).await;
        Self { old, new, keys, clock, app }
    }

    /// The status of the answer to a token that a key has signed.
    async fn status(&self, key: &Key) -> u16 {
        let token = key.token(&json!({ "sub": "idp|1" }));
        let request = self.app.post(r#"{"query":"{ __typename }"}"#).bearer_auth(token);
        request.send().await.expect("the server answers").status().as_u16()
    }
}

#[tokio::test]
async fn a_new_key_is_known_when_its_first_token_comes() {
    let rotating = Rotating::start().await;
    let Rotating { old, new, keys, clock, .. } = &rotating;
    clock.advance(TimeDelta::seconds(10));
    assert_eq!((rotating.status(old).await, keys.asked()), (200, 1));

    keys.publish(&key_set(&[old, new]));
    assert_eq!((rotating.status(new).await, keys.asked()), (200, 2));
    assert_eq!((rotating.status(old).await, keys.asked()), (200, 2));
}

#[tokio::test]
async fn unknown_keys_are_looked_for_every_ten_seconds_at_most() {
    let rotating = Rotating::start().await;
    let Rotating { old, new, keys, clock, .. } = &rotating;
    let unknown: Vec<_> = (0..8).map(|n| Key::new(Algorithm::EdDSA, &n.to_string())).collect();
    let all_are_refused = async || {
        let statuses = join_all(unknown.iter().map(|key| rotating.status(key))).await;
        assert!(statuses.iter().all(|status| *status == 401), "{statuses:?}");
    };

    all_are_refused().await;
    assert_eq!(keys.asked(), 1, "they were read a moment ago");
    clock.advance(TimeDelta::seconds(10));
    all_are_refused().await;
    assert_eq!(keys.asked(), 2);

    keys.publish(&key_set(&[old, new]));
    clock.advance(TimeDelta::milliseconds(9_999));
    assert_eq!((rotating.status(new).await, keys.asked()), (401, 2));
    clock.advance(TimeDelta::milliseconds(1));
    assert_eq!((rotating.status(new).await, keys.asked()), (200, 3));
}

#[tokio::test]
async fn a_key_that_left_the_set_is_refused_once_the_keys_are_old() {
    let rotating = Rotating::start().await;
    let Rotating { old, new, keys, clock, .. } = &rotating;
    keys.publish(&key_set(&[new]));

    clock.advance(TimeDelta::milliseconds(299_999));
    assert_eq!((rotating.status(old).await, keys.asked()), (200, 1));
    clock.advance(TimeDelta::milliseconds(1));
    assert_eq!((rotating.status(old).await, keys.asked()), (401, 2));
    assert_eq!((rotating.status(new).await, keys.asked()), (200, 2));
}

#[tokio::test]
async fn keys_stay_when_reading_them_again_fails() {
    let rotating = Rotating::start().await;
    let Rotating { old, new, keys, clock, .. } = &rotating;
    let too_large = format!("{}{}", key_set(&[new]), " ".repeat(1024 * 1024));
    for (text, reason) in [
        ("no keys", "it is not a JSON Web Key Set"),
        (too_large.as_str(), "the key set is larger than 1048576 bytes"),
    ] {
        keys.publish(text);
        clock.advance(TimeDelta::minutes(5));
        let log = Log::begin();

        for _ in 0..3 {
            assert_eq!(rotating.status(old).await, 200, "{reason}");
            assert_eq!(rotating.status(new).await, 401, "{reason}");
        }
        assert_eq!(log.lines_with("could not be read again").len(), 1, "{reason}");
        assert_eq!(log.lines_with(reason).len(), 1, "{reason}");
    }

    keys.publish(&key_set(&[new]));
    clock.advance(TimeDelta::seconds(10));
    assert_eq!((rotating.status(new).await, rotating.status(old).await), (200, 401));
}

#[tokio::test]
async fn a_provider_that_withdraws_all_its_keys_is_believed() {
    let rotating = Rotating::start().await;
    let Rotating { old, new, keys, clock, .. } = &rotating;
    let mut for_encryption = old.public.clone();
    for_encryption["use"] = "enc".into();
    let of_other_kinds = json!({ "keys": [for_encryption, { "kty": "oct", "k": "AAAA" }] });
    for text in [r#"{"keys": []}"#.to_owned(), of_other_kinds.to_string()] {
        keys.publish(&text);
        clock.advance(TimeDelta::minutes(5));
        let log = Log::begin();

        assert_eq!((rotating.status(old).await, rotating.status(new).await), (401, 401), "{text}");
        assert_eq!(log.lines_with("the provider has withdrawn all its keys").len(), 1, "{text}");
    }

    keys.publish(&key_set(&[new]));
    clock.advance(TimeDelta::seconds(10));
    assert_eq!((rotating.status(new).await, rotating.status(old).await), (200, 401));
}

#[tokio::test]
async fn keys_of_unknown_kinds_are_left_out() {
    let rotating = Rotating::start().await;
    let Rotating { new, keys, clock, .. } = &rotating;
    let of_tomorrow = json!({ "kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA", "kid": "later" });
    keys.publish(&json!({ "keys": [of_tomorrow, new.public] }).to_string());
    clock.advance(TimeDelta::seconds(10));
    assert_eq!(rotating.status(new).await, 200);
}

#[tokio::test]
async fn requests_that_wait_for_keys_share_one_reading() {
    let rotating = Rotating::start().await;
    let Rotating { old, new, keys, clock, .. } = &rotating;
    keys.publish(&key_set(&[old, new]));
    keys.open(false);
    clock.advance(TimeDelta::seconds(10));

    let waiting = join_all((0..8).map(|_| rotating.status(new)));
    let others = async {
        while keys.asked() == 1 {
            tokio::task::yield_now().await;
        }
        assert_eq!(rotating.status(old).await, 200, "the keys are still being read");
        keys.open(true);
    };
    let (statuses, ()) = tokio::join!(waiting, others);

    assert_eq!(statuses, [200; 8]);
    assert_eq!(keys.asked(), 2);
}

#[tokio::test]
async fn both_own_keys_verify_and_the_first_signs() {
    let other = b"another secret of the tests, long";
    let (now, user) = (beginning(), UserId(1));
    let issue =
        |tokens: &Tokens| tokens.issue(user, 0, None, now, TimeDelta::hours(1)).expect("it signs");
    let both = tokens().accepting(other).expect("long enough");
    let second = Tokens::new(other).expect("long enough");
    for token in [issue(&tokens()), issue(&both), issue(&second)] {
        assert!(both.read(&token, now).await.is_ok());
    }
    assert!(tokens().read(&issue(&both), now).await.is_ok());
    assert!(tokens().read(&issue(&second), now).await.is_err());
    assert!(tokens().accepting(b"short").is_err());

    // Tokens of older servers and of the host's backend: without a key id, or with one of their own.
    let exp = now.timestamp() + 9;
    let claims = json!({ "iss": "entourage", "aud": "entourage", "sub": "1", "exp": exp });
    let signed = |kid: Option<&str>, secret: &[u8]| {
        let header = Header { kid: kid.map(str::to_owned), ..Header::new(Algorithm::HS256) };
        encode(&header, &claims, &EncodingKey::from_secret(secret)).expect("signs")
    };
    for kid in [None, Some("theirs")] {
        for secret in [SECRET, other] {
            assert!(both.read(&signed(kid, secret), now).await.is_ok(), "{kid:?}");
        }
    }
    // The id of a key is no proof that it has signed.
    let id = decode_header(issue(&second)).expect("a header").kid;
    assert!(both.read(&signed(id.as_deref(), SECRET), now).await.is_err());
}

#[tokio::test]
async fn a_file_is_read_again_as_well() {
    let (old, new) = (Key::new(Algorithm::ES256, "old"), Key::new(Algorithm::ES256, "new"));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("keys.json");
    std::fs::write(&file, key_set(&[&old])).expect("writes");
    let place = JwksPlace::new(file.to_str().expect("text")).expect("a place");
    let now = beginning();
    let provider = IdentityProvider::new(Arc::new(place), trust());
    provider.load(now).await.expect("a key set");
    let tokens = tokens().trusting(provider);

    std::fs::write(&file, key_set(&[&new])).expect("writes");
    let (of_old, of_new) = (old.token(&json!({ "sub": "1" })), new.token(&json!({ "sub": "1" })));
    assert!(tokens.read(&of_old, now).await.is_ok());
    let later = now + TimeDelta::minutes(5);
    assert!(tokens.read(&of_old, later).await.is_err());
    assert!(tokens.read(&of_new, later).await.is_ok());
}
