//! Bearer tokens: JSON Web Tokens (RFC 7519), our own and an identity provider's.
//!
//! | issuer | algorithm | key | subject |
//! |---|---|---|---|
//! | ourselves | HS256 | the configured secret | our user id |
//! | provider | RS256, ES256 or EdDSA | one of its key set (RFC 7517) | the provider's user id |
//!
//! The algorithm alone decides which of the two a token is, and each key verifies exactly one
//! algorithm, so a token cannot choose how it is verified.
//!
//! **Invariant:** issuer and audience are checked whenever they are configured, the times always.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode,
    errors::ErrorKind,
};

use super::{
    claims::{Claims, OwnClaims, TokenClaims},
    key_set::KeySet,
    provider::IdentityProvider,
};
use crate::{
    domain::UserId,
    service::{Error, Result},
};

/// Minimum size of a secret, in bytes: the size of the hash (RFC 7518, 3.2).
const SECRET_BYTES_MIN: usize = 32;
/// The `iss` and `aud` of our own tokens.
const OWN_ISSUER: &str = "entourage";

/// A secret that is too short to sign with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the secret has {bytes} bytes, and needs at least {SECRET_BYTES_MIN}")]
pub struct SecretError {
    /// Its size in bytes.
    pub bytes: usize,
}

/// Issues and verifies bearer tokens.
pub struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    provider: Option<IdentityProvider>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("provider", &self.provider).finish_non_exhaustive()
    }
}

impl Tokens {
    /// Signs with this secret, and also accepts the provider's tokens if there is one.
    ///
    /// # Errors
    /// When the secret is too short.
    pub fn new(secret: &[u8], provider: Option<IdentityProvider>) -> Result<Self, SecretError> {
        if secret.len() < SECRET_BYTES_MIN {
            return Err(SecretError { bytes: secret.len() });
        }
        Ok(Self {
            encoding: EncodingKey::from_secret(secret),
            decoding: DecodingKey::from_secret(secret),
            provider,
        })
    }

    /// Issues a token for a user. It is valid while the account stays in this epoch, for at most
    /// `ttl`; `scope` narrows the role's permissions.
    ///
    /// # Errors
    /// [`Error::Internal`] when signing fails, which is a bug.
    pub fn issue(
        &self,
        user: UserId,
        epoch: i64,
        scope: Option<&str>,
        now: DateTime<Utc>,
        ttl: TimeDelta,
    ) -> Result<String> {
        let claims = OwnClaims {
            iss: OWN_ISSUER,
            aud: OWN_ISSUER,
            sub: user.to_string(),
            iat: now.timestamp(),
            exp: (now + ttl).timestamp(),
            epoch,
            scope,
        };
        encode(&Header::new(Algorithm::HS256), &claims, &self.encoding).map_err(Error::internal)
    }

    /// The claims of a token, if it is valid now. Revocation is not checked here, since it needs
    /// the account.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], whatever is wrong with the token; the log has the reason.
    pub async fn read(&self, token: &str, now: DateTime<Utc>) -> Result<TokenClaims> {
        self.verify(token, now).await.map_err(refused_token)
    }

    async fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<TokenClaims, &'static str> {
        let header = decode_header(token).map_err(|error| reason(&error))?;
        // Critical extensions must be understood or refused (RFC 7515, 4.1.11); we support none.
        if header.crit.is_some() {
            return Err("it needs an extension that is not supported");
        }
        let claims = if header.alg == Algorithm::HS256 {
            let validation = validation(Algorithm::HS256, Some(OWN_ISSUER), Some(OWN_ISSUER));
            let claims = verify_with(token, &self.decoding, &validation)?;
            claims.check_times(now)?;
            claims.into_own()?
        } else {
            let claims = self.verify_foreign(token, &header, now).await?;
            claims.check_times(now)?;
            claims.into_foreign()?
        };
        claims.session.check_issued_at(now)?;
        Ok(claims)
    }

    /// Verifies a token against the provider's keys. A key id that we lack may be from a rotation,
    /// so the keys are refreshed and tried once more.
    async fn verify_foreign(
        &self,
        token: &str,
        header: &Header,
        now: DateTime<Utc>,
    ) -> Result<Claims, &'static str> {
        let provider = self.provider.as_ref().ok_or("no identity provider is configured")?;
        let trust = &provider.trust;
        let validation = validation(header.alg, trust.issuer.as_deref(), trust.audience.as_deref());

        let keys = provider.keys(now).await;
        let verified = verify_with_any(token, header, &keys, &validation);
        if verified.is_ok() || !keys.lacks_the_key_of(header) {
            return verified;
        }
        let keys = provider.refreshed_keys(now).await;
        verify_with_any(token, header, &keys, &validation)
    }
}

fn verify_with_any(
    token: &str,
    header: &Header,
    keys: &KeySet,
    validation: &Validation,
) -> Result<Claims, &'static str> {
    let mut refusal = "the provider has no key for it";
    for key in keys.keys_for(header) {
        match verify_with(token, key, validation) {
            Ok(claims) => return Ok(claims),
            Err(reason) => refusal = reason,
        }
    }
    Err(refusal)
}

fn verify_with(
    token: &str,
    key: &DecodingKey,
    validation: &Validation,
) -> Result<Claims, &'static str> {
    let decoded = decode::<Claims>(token, key, validation);
    decoded.map(|decoded| decoded.claims).map_err(|error| reason(&error))
}

/// Logs for the operator why a token is refused. The client does not learn the reason.
pub(crate) fn refused_token(reason: &'static str) -> Error {
    tracing::info!(reason, "a token is refused");
    Error::Unauthenticated
}

/// What is wrong with a token, without quoting any of it.
fn reason(error: &jsonwebtoken::errors::Error) -> &'static str {
    match error.kind() {
        ErrorKind::InvalidSignature => "its signature is not of our key",
        ErrorKind::InvalidIssuer => "its issuer is wrong",
        ErrorKind::InvalidAudience => "its audience is wrong",
        ErrorKind::MissingRequiredClaim(_) => "a claim is missing",
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => "its algorithm is wrong",
        _ => "it is malformed, or a claim has the wrong type",
    }
}

/// What the library checks. We check the times ourselves, by the injected clock.
fn validation(algorithm: Algorithm, issuer: Option<&str>, audience: Option<&str>) -> Validation {
    let mut validation = Validation::new(algorithm);
    let mut required = vec!["exp", "sub"];
    validation.validate_exp = false;
    if let Some(issuer) = issuer {
        validation.set_issuer(&[issuer]);
        required.push("iss");
    }
    match audience {
        Some(audience) => {
            validation.set_audience(&[audience]);
            required.push("aud");
        }
        None => validation.validate_aud = false,
    }
    validation.set_required_spec_claims(&required);
    validation
}
