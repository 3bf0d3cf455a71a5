//! The claims of a token whose signature has been verified: subject, scope and validity.
//!
//! **Invariant:** `exp` is required, `nbf` is honoured, and `iat` must not be in the future for
//! tokens that are revoked by it. All three are compared to the injected clock with [`LEEWAY_S`].

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::{Account, ExternalId, Permissions, UserId};

/// Tolerated clock skew between two machines, in seconds.
const LEEWAY_S: f64 = 5.0;

/// The claims of a valid token.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenClaims {
    /// The user that it identifies.
    pub subject: Subject,
    /// What it permits, and for how long.
    pub session: Session,
}

/// What a token permits, and for how long. The default is everything, for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Session {
    /// Narrows the role's permissions; `None` leaves them as they are.
    pub scope: Option<Permissions>,
    /// When it expires, in seconds since 1970.
    expires_at_s: Option<f64>,
    /// The account's epoch when it was issued. Only our own tokens have one, and not all of them.
    epoch: Option<i64>,
    /// When it was issued, in seconds since 1970, if it says so.
    issued_at_s: Option<f64>,
}

impl Session {
    /// How long it is still valid; `None` without an end.
    pub(crate) fn left(&self, now: DateTime<Utc>) -> Option<Duration> {
        let left_s = self.expires_at_s? - seconds(now);
        Some(Duration::try_from_secs_f64(left_s.max(0.0)).unwrap_or(Duration::MAX))
    }

    /// Refuses a token without an epoch whose `iat` is in the future: until that time, revoking
    /// the account's tokens would not revoke it. Tokens with an epoch do not depend on `iat`, so
    /// setting the server's clock back invalidates no sign-in.
    pub(crate) fn check_issued_at(&self, now: DateTime<Utc>) -> Result<(), &'static str> {
        let is_future = |issued_at_s| issued_at_s > seconds(now) + LEEWAY_S;
        if self.epoch.is_none() && self.issued_at_s.is_some_and(is_future) {
            return Err("it was issued in the future");
        }
        Ok(())
    }

    /// Whether the account's tokens have been revoked since this one was issued.
    ///
    /// A token with an epoch is revoked unless the account is still in it. A token without one is
    /// revoked unless its `iat`, without leeway, is after the last revocation.
    pub(crate) fn is_revoked(&self, account: &Account) -> bool {
        match (self.epoch, account.tokens_valid_after) {
            (Some(epoch), _) => epoch != account.token_epoch,
            (None, None) => false,
            (None, Some(end)) => self.issued_at_s.is_none_or(|issued| issued <= seconds(end)),
        }
    }
}

/// The user that a token identifies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// One of our users.
    User(UserId),
    /// An account at the identity provider.
    Foreign(ForeignAccount),
}

/// An account at the identity provider, as its token describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignAccount {
    /// The identifier at the provider.
    pub subject: ExternalId,
    /// The preferred username; it may break our rules or be taken.
    pub preferred_username: Option<String>,
    /// The display name.
    pub name: Option<String>,
    /// The URL of a picture.
    pub picture: Option<String>,
}

/// The claims that we write into our own tokens.
#[derive(Serialize)]
pub(crate) struct OwnClaims<'a> {
    pub(crate) iss: &'a str,
    pub(crate) aud: &'a str,
    pub(crate) sub: String,
    pub(crate) iat: i64,
    pub(crate) exp: i64,
    pub(crate) epoch: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) scope: Option<&'a str>,
}

/// The claims that we read. Times may have fractions (RFC 7519, 2).
#[derive(Deserialize)]
pub(crate) struct Claims {
    sub: String,
    exp: f64,
    nbf: Option<f64>,
    iat: Option<f64>,
    /// Of any type: other issuers may use this name for something else, and it is ignored then.
    epoch: Option<Value>,
    scope: Option<String>,
    preferred_username: Option<String>,
    name: Option<String>,
    picture: Option<String>,
}

impl Claims {
    /// Checks `exp` and `nbf`.
    pub(crate) fn check_times(&self, now: DateTime<Utc>) -> Result<(), &'static str> {
        let now = seconds(now);
        if now >= self.exp + LEEWAY_S {
            return Err("it has expired");
        }
        if self.nbf.is_some_and(|nbf| nbf - LEEWAY_S > now) {
            return Err("it is not valid yet");
        }
        Ok(())
    }

    /// The claims of a token signed with our secret. The host application may sign tokens with it
    /// too, and those may lack an epoch.
    pub(crate) fn into_own(self) -> Result<TokenClaims, &'static str> {
        let id = self.sub.parse().map_err(|_| "its subject is not a user id")?;
        let session = self.session();
        let epoch = self.epoch.map(|epoch| epoch.as_i64().ok_or("its epoch is not a number"));
        Ok(TokenClaims {
            subject: Subject::User(UserId(id)),
            session: Session { epoch: epoch.transpose()?, ..session },
        })
    }

    /// The claims of a token from the identity provider.
    pub(crate) fn into_foreign(self) -> Result<TokenClaims, &'static str> {
        let subject = ExternalId::parse(&self.sub)
            .map_err(|_| "its subject is empty, too long or contains a control character")?;
        let session = self.session();
        Ok(TokenClaims {
            subject: Subject::Foreign(ForeignAccount {
                subject,
                preferred_username: self.preferred_username,
                name: self.name,
                picture: self.picture,
            }),
            session,
        })
    }

    /// The session of a token without an epoch.
    fn session(&self) -> Session {
        Session {
            scope: self.scope.as_deref().map(Permissions::from_scope),
            expires_at_s: Some(self.exp),
            epoch: None,
            issued_at_s: self.iat,
        }
    }
}

/// Seconds since 1970.
#[expect(clippy::cast_precision_loss, reason = "exact to the microsecond for some 280 years")]
fn seconds(time: DateTime<Utc>) -> f64 {
    time.timestamp_micros() as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::domain::{Role, User};

    fn at_ms(ms: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(ms).expect("in range")
    }

    /// Claims with a subject, an expiry and `extra`.
    fn claims(extra: Value) -> Claims {
        let mut claims = json!({ "sub": "7", "exp": 1_000 });
        let Value::Object(extra) = extra else { panic!("claims are an object") };
        claims.as_object_mut().expect("an object").extend(extra);
        serde_json::from_value(claims).expect("claims")
    }

    #[test]
    fn a_token_is_revoked_by_its_epoch_or_else_by_its_age() {
        let account = |token_epoch, revoked_at_ms: Option<i64>| Account {
            user: Arc::new(User::bare(UserId(7), "alice", DateTime::UNIX_EPOCH)),
            role: Role { name: "user".to_owned(), permissions: Permissions::NONE },
            token_epoch,
            tokens_valid_after: revoked_at_ms.map(at_ms),
            is_blocking: false,
            is_blocked: false,
            last_event: 0,
        };
        let before = account(0, None);
        let after = account(2, Some(100_500));

        for (extra, is_revoked_before, is_revoked_after) in [
            (json!({ "epoch": 0, "iat": 200 }), false, true),
            (json!({ "epoch": 2 }), true, false),
            (json!({ "epoch": 3, "iat": 200 }), true, true),
            (json!({}), false, true),
            (json!({ "iat": 100 }), false, true),
            (json!({ "iat": 100.5 }), false, true),
            (json!({ "iat": 100.6 }), false, false),
            (json!({ "iat": 101 }), false, false),
        ] {
            let token = claims(extra.clone()).into_own().expect("valid claims").session;
            assert_eq!(token.is_revoked(&before), is_revoked_before, "{extra}");
            assert_eq!(token.is_revoked(&after), is_revoked_after, "{extra}");
        }
    }
}
