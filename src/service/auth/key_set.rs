//! A JSON Web Key Set (RFC 7517): the public keys of an identity provider.
//!
//! **Invariant:** each key verifies exactly one algorithm, whatever the token's header says.

use jsonwebtoken::{
    Algorithm, DecodingKey, Header,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse},
};

/// Why a key set cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JwksError {
    /// The source cannot be read.
    #[error("{0}")]
    Unreadable(String),
    /// The source does not answer: a later attempt may succeed.
    #[error("{0}")]
    Unreachable(String),
    /// The text is not a key set.
    #[error("it is not a JSON Web Key Set: {0}")]
    NotAKeySet(String),
    /// The set has no signature key for RS256, ES256 or EdDSA.
    #[error("it holds no key for RS256, ES256 or EdDSA")]
    NoUsableKey,
}

/// The usable keys of a set.
#[derive(Debug)]
pub(crate) struct KeySet(Vec<PublicKey>);

#[derive(Debug)]
struct PublicKey {
    id: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
}

impl KeySet {
    /// Parses a key set. Drops keys of other kinds and keys not meant for signatures, so the
    /// result may be empty.
    ///
    /// # Errors
    /// [`JwksError::NotAKeySet`].
    pub(crate) fn parse(jwks: &str) -> Result<Self, JwksError> {
        let json: serde_json::Value = serde_json::from_str(jwks).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            JwksError::NotAKeySet(format!("line {line}, column {column} is not JSON"))
        })?;
        // The words of serde name our types.
        let set: JwkSet = serde_json::from_value(json).map_err(|_| {
            let reason = "its keys are not as RFC 7517 defines them";
            JwksError::NotAKeySet(reason.to_owned())
        })?;
        Ok(Self(set.keys.iter().filter_map(public_key).collect()))
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The keys that may have signed a token with this header: same algorithm and, if both the key
    /// and the header have a key id, same id.
    pub(crate) fn keys_for(&self, header: &Header) -> impl Iterator<Item = &DecodingKey> {
        let is_candidate = |key: &&PublicKey| {
            let id_matches = header.kid.is_none() || key.id.is_none() || key.id == header.kid;
            id_matches && key.algorithm == header.alg
        };
        self.0.iter().filter(is_candidate).map(|key| &key.key)
    }

    /// Whether the token names a key that is not in the set, as after a key rotation.
    pub(crate) fn lacks_the_key_of(&self, header: &Header) -> bool {
        header.kid.is_some() && self.0.iter().all(|key| key.id != header.kid)
    }
}

/// The key and its one algorithm; `None` if the key is not usable.
fn public_key(jwk: &Jwk) -> Option<PublicKey> {
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
    Some(PublicKey { id: jwk.common.key_id.clone(), algorithm, key })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_signature_keys_of_a_supported_algorithm_are_kept() {
        // The key of RFC 8037, A.2.
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let key = json!({ "kty": "OKP", "crv": "Ed25519", "x": x });
        let is_empty = |keys: &serde_json::Value| {
            let set = KeySet::parse(&json!({ "keys": keys }).to_string());
            set.expect("a key set").is_empty()
        };
        assert!(!is_empty(&json!([key])));

        let mut for_encryption = key.clone();
        for_encryption["use"] = "enc".into();
        let mut wrong_algorithm = key;
        wrong_algorithm["alg"] = "ES256".into();
        let secret = json!({ "kty": "oct", "k": "AAAA" });
        for keys in [json!([]), json!([for_encryption]), json!([wrong_algorithm]), json!([secret])]
        {
            assert!(is_empty(&keys), "{keys}");
        }
        for (text, reason) in [
            ("{}", "its keys are not as RFC 7517 defines them"),
            ("{\n\"keys\": [<html>", "line 2, column 10 is not JSON"),
        ] {
            let refused = KeySet::parse(text).expect_err("it is not a key set").to_string();
            assert_eq!(refused, format!("it is not a JSON Web Key Set: {reason}"));
        }
    }
}
