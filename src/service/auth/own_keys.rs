//! The keys of our own tokens: the first signs, all verify.
//!
//! A token names its key by an id that is made of the key, so the servers of a database agree on it
//! without settings. Tokens of the host's backend need not name one.

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};

/// Minimum size of a secret, in bytes: the size of the hash (RFC 7518, 3.2).
const SECRET_BYTES_MIN: usize = 32;
/// The bytes of the hash that are the id: enough to tell a handful of keys apart.
const ID_BYTES: usize = 6;

/// A secret that is too short to sign with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the secret has {bytes} bytes, and needs at least {SECRET_BYTES_MIN}")]
pub struct SecretError {
    /// Its size in bytes.
    pub bytes: usize,
}

/// The keys of our own tokens.
pub(super) struct OwnKeys {
    signing: EncodingKey,
    /// The first is the one that signs.
    verifying: Vec<(String, DecodingKey)>,
}

impl OwnKeys {
    /// Signs with this secret.
    pub(super) fn new(secret: &[u8]) -> Result<Self, SecretError> {
        let verifying = vec![verifying(secret)?];
        Ok(Self { signing: EncodingKey::from_secret(secret), verifying })
    }

    /// Accepts what this secret has signed, too.
    pub(super) fn accept(&mut self, secret: &[u8]) -> Result<(), SecretError> {
        self.verifying.push(verifying(secret)?);
        Ok(())
    }

    pub(super) const fn signing(&self) -> &EncodingKey {
        &self.signing
    }

    /// The header of a token that we sign.
    pub(super) fn header(&self) -> Header {
        let id = self.verifying.first().map(|(id, _)| id.clone());
        Header { kid: id, ..Header::new(Algorithm::HS256) }
    }

    /// The keys that may have signed a token with this header: the one that it names, or all if it
    /// names none of them.
    pub(super) fn keys_for(&self, header: &Header) -> impl Iterator<Item = &DecodingKey> {
        let is_named = |id: &String| header.kid.as_ref() == Some(id);
        let any_is_named = self.verifying.iter().any(|(id, _)| is_named(id));
        let candidates = self.verifying.iter().filter(move |(id, _)| !any_is_named || is_named(id));
        candidates.map(|(_, key)| key)
    }
}

/// A key with its id.
fn verifying(secret: &[u8]) -> Result<(String, DecodingKey), SecretError> {
    if secret.len() < SECRET_BYTES_MIN {
        return Err(SecretError { bytes: secret.len() });
    }
    let hash = digest(&SHA256, secret);
    let id = BASE64.encode(&hash.as_ref()[..ID_BYTES]);
    Ok((id, DecodingKey::from_secret(secret)))
}
