//! Bearer tokens: JSON Web Tokens (RFC 7519), our own and those of identity providers.
//!
//! | issuer | algorithm | key | subject |
//! |---|---|---|---|
//! | ourselves | HS256 | a configured secret | our user id |
//! | a provider | RS256, ES256 or EdDSA | one of its key set (RFC 7517) | the provider's user id |
//!
//! The algorithm alone decides which of the two a token is, and each key verifies exactly one
//! algorithm, so a token cannot choose how it is verified. Of several providers the issuer chooses
//! one, whose keys must verify that issuer.
//!
//! **Invariant:** issuer and audience are checked whenever they are configured, the times always.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{
    Algorithm, DecodingKey, Header, Validation, decode, decode_header, encode, errors::ErrorKind,
};

use super::{
    claims::{Claims, OwnClaims, Subject, TokenClaims},
    own_keys::{OwnKeys, SecretError},
    provider::IdentityProvider,
    providers::Providers,
};
use crate::{
    domain::UserId,
    service::{Error, Result},
};

/// The `iss` and `aud` of our own tokens.
const OWN_ISSUER: &str = "entourage";

/// Issues and verifies bearer tokens.
pub struct Tokens {
    own: OwnKeys,
    providers: Providers,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("providers", &self.providers).finish_non_exhaustive()
    }
}

/// Why a token is not verified.
enum Unverified {
    /// It is not valid.
    Refused(&'static str),
    /// The keys of its provider have not been loaded.
    NotLoaded(String),
}

impl From<&'static str> for Unverified {
    fn from(reason: &'static str) -> Self {
        Self::Refused(reason)
    }
}

impl Tokens {
    /// Signs with this secret, and accepts what it has signed.
    ///
    /// # Errors
    /// When the secret is too short.
    pub fn new(secret: &[u8]) -> Result<Self, SecretError> {
        Ok(Self { own: OwnKeys::new(secret)?, providers: Providers::default() })
    }

    /// Accepts what another secret has signed, too.
    ///
    /// # Errors
    /// When the secret is too short.
    pub fn accepting(mut self, secret: &[u8]) -> Result<Self, SecretError> {
        self.own.accept(secret)?;
        Ok(self)
    }

    /// Accepts the tokens of these providers, too.
    #[must_use]
    pub fn trusting(self, providers: impl Into<Providers>) -> Self {
        Self { providers: providers.into(), ..self }
    }

    /// The identity providers.
    pub(crate) const fn providers(&self) -> &Providers {
        &self.providers
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
        encode(&self.own.header(), &claims, self.own.signing()).map_err(Error::internal)
    }

    /// The claims of a token, if it is valid now. Revocation is not checked here, since it needs
    /// the account.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], whatever is wrong with the token; the log has the reason.
    /// [`Error::Unavailable`] while the keys of its provider have not been loaded.
    pub async fn read(&self, token: &str, now: DateTime<Utc>) -> Result<TokenClaims> {
        self.verify(token, now).await.map_err(|unverified| match unverified {
            Unverified::Refused(reason) => refused_token(reason),
            Unverified::NotLoaded(provider) => {
                Error::Unavailable(format!("the keys of the {provider} are not loaded yet"))
            }
        })
    }

    async fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<TokenClaims, Unverified> {
        let header = decode_header(token).map_err(|error| reason(&error))?;
        // Critical extensions must be understood or refused (RFC 7515, 4.1.11); we support none.
        if header.crit.is_some() {
            return Err("it needs an extension that is not supported".into());
        }
        let claims = if header.alg == Algorithm::HS256 {
            let validation = validation(Algorithm::HS256, Some(OWN_ISSUER), Some(OWN_ISSUER));
            let claims = verify_with_any(token, self.own.keys_for(&header), &validation)?;
            claims.check_times(now)?;
            claims.into_own()?
        } else {
            let provider = self.providers.choose(token)?;
            let claims = verify_foreign(provider, token, &header, now).await?;
            claims.check_times(now)?;
            let claims = claims.into_foreign(&provider.trust)?;
            if let Subject::Foreign(account) = &claims.subject
                && provider.trust.name.is_none()
                && self.providers.own(&account.subject)
            {
                return Err("its subject is that of another provider's user".into());
            }
            claims
        };
        claims.session.check_issued_at(now)?;
        Ok(claims)
    }
}

/// Verifies a token against the provider's keys. A key id that we lack may be from a rotation, so
/// the keys are refreshed and tried once more.
async fn verify_foreign(
    provider: &IdentityProvider,
    token: &str,
    header: &Header,
    now: DateTime<Utc>,
) -> Result<Claims, Unverified> {
    let trust = &provider.trust;
    let validation = validation(header.alg, trust.issuer.as_deref(), trust.audience.as_deref());
    let not_loaded = || Unverified::NotLoaded(provider.title());

    let keys = provider.keys(now).await.ok_or_else(not_loaded)?;
    let verified = verify_with_any(token, keys.keys_for(header), &validation);
    if verified.is_ok() || !keys.lacks_the_key_of(header) {
        return Ok(verified?);
    }
    let keys = provider.refreshed_keys(now).await.ok_or_else(not_loaded)?;
    Ok(verify_with_any(token, keys.keys_for(header), &validation)?)
}

fn verify_with_any<'k>(
    token: &str,
    keys: impl Iterator<Item = &'k DecodingKey>,
    validation: &Validation,
) -> Result<Claims, &'static str> {
    let mut refusal = "the provider has no key for it";
    for key in keys {
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
