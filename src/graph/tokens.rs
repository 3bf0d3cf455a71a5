//! Bearer tokens: JSON Web Tokens (RFC 7519), our own and those of an identity provider.
//!
//! Our own are HS256 with the configured secret, and name the user by id. An identity provider's
//! are RS256, ES256 or EdDSA with a key of its key set (RFC 7517), and name the user by a
//! subject. Which of the two a token is, is decided by its algorithm alone, and each key admits
//! exactly one algorithm, so a token can never choose how it is checked.
//!
//! **Invariant:** `exp` is required, `nbf` is honoured, and both are read by the passed-in clock
//! with [`LEEWAY_S`]; issuer and audience are checked whenever they are known.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode,
    errors::ErrorKind,
};
use serde::{Deserialize, Serialize};

use super::{Error, Result, provider::IdentityProvider};
use crate::domain::{Permissions, UserId};

/// How far the clocks of two machines may be apart, in seconds.
const LEEWAY_S: f64 = 5.0;
/// The fewest bytes of a secret: as many as its hash has (RFC 7518, 3.2).
const SECRET_BYTES_MIN: usize = 32;
/// The `iss` and `aud` of our own tokens.
const OURSELVES: &str = "entourage";

/// A secret that is too short to sign with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the secret has {bytes} bytes, and needs at least {SECRET_BYTES_MIN}")]
pub struct SecretError {
    /// How many bytes it has.
    pub bytes: usize,
}

/// Makes and reads bearer tokens.
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

/// Whom a valid token names, and what it allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenClaims {
    /// Whom it names.
    pub subject: Subject,
    /// What it narrows the role's permissions to; `None` when it narrows nothing.
    pub scope: Option<Permissions>,
}

/// Whom a token names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// One of our users.
    User(UserId),
    /// An account at the identity provider, with what it says of itself.
    Foreign(ForeignAccount),
}

/// An account at the identity provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForeignAccount {
    /// The identifier at the provider.
    pub subject: String,
    /// The username that it would like to have.
    pub preferred_username: Option<String>,
    /// The name.
    pub name: Option<String>,
    /// The URL of a picture.
    pub picture: Option<String>,
}

#[derive(Serialize)]
struct OwnClaims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: String,
    iat: i64,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
}

/// What is read of a token. Times may have fractions (RFC 7519, 2).
#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: f64,
    nbf: Option<f64>,
    scope: Option<String>,
    preferred_username: Option<String>,
    name: Option<String>,
    picture: Option<String>,
}

impl Tokens {
    /// Signs with this secret, and accepts tokens of the provider as well, if there is one.
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

    /// A token for a user, with the scope if there is one.
    ///
    /// # Errors
    /// [`Error::Internal`] when signing fails, which is a bug.
    pub fn issue(
        &self,
        user: UserId,
        scope: Option<&str>,
        now: DateTime<Utc>,
        ttl: TimeDelta,
    ) -> Result<String> {
        let claims = OwnClaims {
            iss: OURSELVES,
            aud: OURSELVES,
            sub: user.to_string(),
            iat: now.timestamp(),
            exp: (now + ttl).timestamp(),
            scope,
        };
        encode(&Header::new(Algorithm::HS256), &claims, &self.encoding)
            .map_err(|e| Error::Internal(e.to_string()))
    }

    /// Whom a token names, if it is valid now.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for whatever is wrong with it. A client is not told what; the log
    /// is, for whoever runs the server.
    pub fn read(&self, token: &str, now: DateTime<Utc>) -> Result<TokenClaims> {
        self.verify(token, now).map_err(|reason| {
            tracing::info!(reason, "a token is refused");
            Error::Unauthenticated
        })
    }

    fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<TokenClaims, &'static str> {
        let header = decode_header(token).map_err(|error| reason(&error))?;
        let is_ours = header.alg == Algorithm::HS256;
        let claims = if is_ours {
            let validation = validation(Algorithm::HS256, Some(OURSELVES), Some(OURSELVES));
            let decoded = decode::<Claims>(token, &self.decoding, &validation);
            decoded.map_err(|error| reason(&error))?.claims
        } else {
            self.verify_foreign(token, &header)?
        };
        check_times(&claims, now)?;
        token_claims(claims, is_ours).ok_or("its subject names nobody")
    }

    /// The claims of a token that a key of the provider has signed.
    fn verify_foreign(&self, token: &str, header: &Header) -> Result<Claims, &'static str> {
        let provider = self.provider.as_ref().ok_or("there is no identity provider")?;
        let (issuer, audience) = (provider.issuer.as_deref(), provider.audience.as_deref());
        let validation = validation(header.alg, issuer, audience);

        let mut refused = "the provider has no key for it";
        for key in provider.keys_for(header) {
            match decode::<Claims>(token, key, &validation) {
                Ok(decoded) => return Ok(decoded.claims),
                Err(error) => refused = reason(&error),
            }
        }
        Err(refused)
    }
}

/// What is wrong with a token, in words that repeat nothing of it.
fn reason(error: &jsonwebtoken::errors::Error) -> &'static str {
    match error.kind() {
        ErrorKind::InvalidSignature => "its signature is not of our key",
        ErrorKind::InvalidIssuer => "its issuer is another one",
        ErrorKind::InvalidAudience => "its audience is another one",
        ErrorKind::MissingRequiredClaim(_) => "a claim is missing",
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => "its algorithm is wrong",
        _ => "it is not a token, or its claims are of the wrong types",
    }
}

/// What the library has to check. Times are ours to check, by our own clock.
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

fn check_times(claims: &Claims, now: DateTime<Utc>) -> Result<(), &'static str> {
    #[expect(clippy::cast_precision_loss, reason = "exact for some hundred million years")]
    let now = now.timestamp() as f64;
    if now >= claims.exp + LEEWAY_S {
        return Err("it has expired");
    }
    if claims.nbf.is_some_and(|nbf| nbf - LEEWAY_S > now) {
        return Err("it is not valid yet");
    }
    Ok(())
}

fn token_claims(claims: Claims, is_ours: bool) -> Option<TokenClaims> {
    let scope = claims.scope.as_deref().map(Permissions::from_scope);
    let subject = if is_ours {
        Subject::User(UserId(claims.sub.parse().ok()?))
    } else if claims.sub.is_empty() || claims.sub.len() > 255 || claims.sub.contains('\0') {
        return None;
    } else {
        Subject::Foreign(ForeignAccount {
            subject: claims.sub,
            preferred_username: claims.preferred_username,
            name: claims.name,
            picture: claims.picture,
        })
    };
    Some(TokenClaims { subject, scope })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"a secret of 32 bytes and a little";

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).expect("in range")
    }

    fn tokens() -> Tokens {
        Tokens::new(SECRET, None).expect("long enough")
    }

    fn signed(claims: &serde_json::Value, secret: &[u8], algorithm: Algorithm) -> String {
        encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(secret)).expect("signs")
    }

    fn claims() -> serde_json::Value {
        serde_json::json!({ "iss": "entourage", "aud": "entourage", "sub": "7", "exp": 1_000 })
    }

    #[test]
    fn a_token_names_its_user_until_it_expires() {
        let token = tokens().issue(UserId(7), Some("follow"), at(0), TimeDelta::hours(1));
        let token = token.expect("signs");

        let read = tokens().read(&token, at(3_599)).expect("valid");
        assert_eq!(read.subject, Subject::User(UserId(7)));
        assert_eq!(read.scope, Some(Permissions::from_scope("follow")));
        assert!(tokens().read(&token, at(3_606)).is_err());
    }

    #[test]
    fn a_short_secret_is_refused() {
        assert_eq!(Tokens::new(b"short", None).err(), Some(SecretError { bytes: 5 }));
    }

    #[test]
    fn whatever_is_not_exactly_ours_is_refused() {
        let with = |key: &str, value: serde_json::Value| {
            let mut claims = claims();
            claims[key] = value;
            signed(&claims, SECRET, Algorithm::HS256)
        };
        let without = |key: &str| {
            let mut claims = claims();
            claims.as_object_mut().expect("an object").remove(key);
            signed(&claims, SECRET, Algorithm::HS256)
        };
        let good = signed(&claims(), SECRET, Algorithm::HS256);
        assert!(tokens().read(&good, at(0)).is_ok());

        let unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiI3IiwiZXhwIjo5OTk5OTk5OTk5fQ.";
        let tampered = good.replacen('.', ".x", 1);
        let bad = [
            ("alg none", unsigned.to_owned()),
            ("another key", signed(&claims(), &[1; 32], Algorithm::HS256)),
            ("another algorithm", signed(&claims(), SECRET, Algorithm::HS512)),
            ("another issuer", with("iss", "someone".into())),
            ("another audience", with("aud", "someone".into())),
            ("no issuer", without("iss")),
            ("no audience", without("aud")),
            ("no expiry", without("exp")),
            ("no subject", without("sub")),
            ("a subject that is no id", with("sub", "alice".into())),
            ("not yet valid", with("nbf", 500.into())),
            ("tampered with", tampered),
            ("cut off", good[..good.len() - 1].to_owned()),
            ("nothing", String::new()),
        ];
        for (what, token) in bad {
            assert!(tokens().read(&token, at(0)).is_err(), "{what}");
        }
    }
}
