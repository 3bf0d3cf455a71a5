//! The identity provider of the host: the keys whose tokens are accepted beside our own.
//!
//! **Invariant:** each key admits exactly one algorithm, whatever a token says.

use jsonwebtoken::{
    Algorithm, DecodingKey, Header,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse},
};

use super::Result;

/// A key set that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JwksError {
    /// It is not a key set.
    #[error("it is not a JSON Web Key Set: {0}")]
    NotAKeySet(String),
    /// It holds no key for RS256, ES256 or EdDSA.
    #[error("it holds no key for RS256, ES256 or EdDSA")]
    NoUsableKey,
}

/// The identity provider of the host, whose tokens are accepted.
#[derive(Debug)]
pub struct IdentityProvider {
    keys: Vec<ProviderKey>,
    pub(super) issuer: Option<String>,
    pub(super) audience: Option<String>,
}

#[derive(Debug)]
struct ProviderKey {
    id: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
}

impl IdentityProvider {
    /// Reads a key set. Keys of other kinds, and keys that are not for signatures, are left out.
    ///
    /// # Errors
    /// When it is not a key set, or no key is left.
    pub fn new(
        jwks: &str,
        issuer: Option<String>,
        audience: Option<String>,
    ) -> Result<Self, JwksError> {
        let set: JwkSet =
            serde_json::from_str(jwks).map_err(|e| JwksError::NotAKeySet(e.to_string()))?;
        let keys: Vec<_> = set.keys.iter().filter_map(provider_key).collect();
        if keys.is_empty() {
            return Err(JwksError::NoUsableKey);
        }
        Ok(Self { keys, issuer, audience })
    }

    /// The keys that may have signed a token with this header: of its algorithm, and with its key
    /// id when both have one.
    pub(super) fn keys_for(&self, header: &Header) -> impl Iterator<Item = &DecodingKey> {
        let fits = |key: &&ProviderKey| {
            let is_named = header.kid.is_none() || key.id.is_none() || key.id == header.kid;
            is_named && key.algorithm == header.alg
        };
        self.keys.iter().filter(fits).map(|key| &key.key)
    }
}

/// The key with the one algorithm that it is for.
fn provider_key(jwk: &Jwk) -> Option<ProviderKey> {
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => Algorithm::RS256,
        AlgorithmParameters::EllipticCurve(p) if p.curve == EllipticCurve::P256 => Algorithm::ES256,
        AlgorithmParameters::OctetKeyPair(p) if p.curve == EllipticCurve::Ed25519 => {
            Algorithm::EdDSA
        }
        _ => return None,
    };
    let declared = jwk.common.key_algorithm.map(|declared| declared.to_string());
    if declared.is_some_and(|declared| declared != format!("{algorithm:?}")) {
        return None;
    }
    if jwk.common.public_key_use.as_ref().is_some_and(|purpose| *purpose != PublicKeyUse::Signature)
    {
        return None;
    }
    let key = DecodingKey::from_jwk(jwk).ok()?;
    Some(ProviderKey { id: jwk.common.key_id.clone(), algorithm, key })
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::{
        encoding::AsDer,
        rsa::KeySize,
        signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair},
    };
    use chrono::DateTime;
    use jsonwebtoken::{EncodingKey, encode};
    use serde_json::{Value, json};

    use super::*;
    use crate::graph::tokens::{Subject, Tokens};

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

    fn tokens(keys: &[&Pair], issuer: Option<&str>, audience: Option<&str>) -> Tokens {
        let keys: Vec<_> = keys.iter().map(|pair| &pair.public).collect();
        let jwks = json!({ "keys": keys }).to_string();
        let (issuer, audience) = (issuer.map(str::to_owned), audience.map(str::to_owned));
        let provider = IdentityProvider::new(&jwks, issuer, audience).expect("a key set");
        Tokens::new(&[7; 32], Some(provider)).expect("long enough")
    }

    fn claims() -> Value {
        json!({ "iss": "https://id.example", "aud": ["x", "entourage"], "sub": "a|1", "exp": 99.5,
            "preferred_username": "alice", "name": "Alice" })
    }

    #[test]
    fn tokens_of_each_algorithm_are_read_with_their_own_key_only() {
        let now = DateTime::UNIX_EPOCH;
        let pairs = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA].map(Pair::new);
        for signer in &pairs {
            let token = signer.token(&claims());
            for published in &pairs {
                let read = tokens(&[published], None, None).read(&token, now);
                let is_own = signer.algorithm == published.algorithm;
                assert_eq!(read.is_ok(), is_own, "{:?}", signer.algorithm);
            }
            let foreign = Pair::new(signer.algorithm);
            assert!(tokens(&[&foreign], None, None).read(&token, now).is_err());

            let read = tokens(&[&pairs[0], &pairs[1], &pairs[2]], None, None).read(&token, now);
            let Subject::Foreign(account) = read.expect("reads").subject else {
                panic!("a provider's token never names a user by our id");
            };
            assert_eq!((account.subject.as_str(), account.name.as_deref()), ("a|1", Some("Alice")));
        }
    }

    #[test]
    fn issuer_audience_and_time_of_a_foreign_token_are_checked() {
        let pair = Pair::new(Algorithm::EdDSA);
        let tokens = tokens(&[&pair], Some("https://id.example"), Some("entourage"));
        let read = |name: &str, value: Value| {
            let mut claims = claims();
            claims[name] = value;
            tokens.read(&pair.token(&claims), DateTime::UNIX_EPOCH).is_ok()
        };
        assert!(read("name", "Alice".into()));
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
            assert!(!read(name, value.clone()), "{name}: {value}");
        }
    }

    #[test]
    fn a_public_key_is_never_a_secret() {
        let pair = Pair::new(Algorithm::EdDSA);
        let secret = pair.public["x"].as_str().expect("a key").as_bytes().to_vec();
        let claims = json!({ "iss": "entourage", "aud": "entourage", "sub": "1", "exp": 99 });
        let forged = encode(&Header::default(), &claims, &EncodingKey::from_secret(&secret));
        let read = tokens(&[&pair], None, None).read(&forged.expect("signs"), DateTime::UNIX_EPOCH);
        assert!(read.is_err());
    }

    #[test]
    fn a_key_set_without_a_key_for_signatures_is_refused() {
        let mut for_encryption = Pair::new(Algorithm::ES256).public;
        for_encryption["use"] = "enc".into();
        for keys in [json!([]), json!([for_encryption]), json!([{ "kty": "oct", "k": "AAAA" }])] {
            let jwks = json!({ "keys": keys }).to_string();
            let refused = IdentityProvider::new(&jwks, None, None);
            assert!(matches!(refused, Err(JwksError::NoUsableKey)), "{jwks}");
        }
        assert!(matches!(IdentityProvider::new("{}", None, None), Err(JwksError::NotAKeySet(_))));
    }
}
