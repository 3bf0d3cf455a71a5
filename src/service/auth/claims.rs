//! The claims of a token whose signature has been verified: subject, scope and validity.
//!
//! **Invariant:** `exp` is required, `nbf` is honoured, and `iat` must not be in the future for
//! tokens that are revoked by it. All three are compared to the injected clock with [`LEEWAY_S`].

use std::{borrow::Cow, time::Duration};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize, de::IntoDeserializer};
use serde_json::{Map, Value};

use super::provider::Trust;
use crate::domain::{Account, AvatarUrl, DisplayName, ExternalId, Permissions, UserId, Username};

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
    /// The identifier: the subject, after the name of a provider that has one.
    pub subject: ExternalId,
    /// What operators read of the provider.
    pub provider: String,
    /// The preferred username, which may be taken.
    pub username: Option<Username>,
    /// The display name.
    pub name: Option<DisplayName>,
    /// The URL of a picture.
    pub picture: Option<AvatarUrl>,
    /// Words that may name roles, in the order of the token.
    pub roles: Vec<String>,
    /// Whether the user's name and picture become those of the token.
    pub updates_profiles: bool,
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

/// The claims that we read.
#[derive(Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub(crate) struct Claims {
    registered: Registered,
    all: Map<String, Value>,
}

/// Claims that mean the same in every token. Times may have fractions (RFC 7519, 2).
#[derive(Deserialize)]
struct Registered {
    sub: String,
    exp: f64,
    nbf: Option<f64>,
    iat: Option<f64>,
}

impl TryFrom<Map<String, Value>> for Claims {
    type Error = serde_json::Error;

    fn try_from(all: Map<String, Value>) -> Result<Self, Self::Error> {
        Ok(Self { registered: Registered::deserialize((&all).into_deserializer())?, all })
    }
}

impl Claims {
    /// Checks `exp` and `nbf`.
    pub(crate) fn check_times(&self, now: DateTime<Utc>) -> Result<(), &'static str> {
        let (now, Registered { exp, nbf, .. }) = (seconds(now), &self.registered);
        if now >= exp + LEEWAY_S {
            return Err("it has expired");
        }
        if nbf.is_some_and(|nbf| nbf - LEEWAY_S > now) {
            return Err("it is not valid yet");
        }
        Ok(())
    }

    /// The claims of a token signed with our secret. The host application may sign tokens with it
    /// too, and those may lack an epoch.
    pub(crate) fn into_own(self) -> Result<TokenClaims, &'static str> {
        let id = self.registered.sub.parse().map_err(|_| "its subject is not a user id")?;
        let claim = |name| self.all.get(name).filter(|value| !value.is_null());
        let epoch = claim("epoch").map(|epoch| epoch.as_i64().ok_or("its epoch is not a number"));
        let scope = claim("scope").map(|scope| scope.as_str().ok_or("its scope is not a text"));
        let scope = scope.transpose()?.map(|scope| Permissions::from_words(scope.split(' ')));
        let session = Session { epoch: epoch.transpose()?, ..self.session(scope) };
        Ok(TokenClaims { subject: Subject::User(UserId(id)), session })
    }

    /// The claims of a token from an identity provider.
    pub(crate) fn into_foreign(self, trust: &Trust) -> Result<TokenClaims, &'static str> {
        let (rules, sub) = (&trust.claims, &self.registered.sub);
        let id = match &trust.name {
            // An empty subject is not an id, whatever precedes it.
            Some(name) if !sub.is_empty() => Cow::Owned(format!("{}:{sub}", name.as_str())),
            Some(_) | None => Cow::Borrowed(sub.as_str()),
        };
        let subject = ExternalId::parse(&id)
            .map_err(|_| "its subject is empty, too long or contains a control character")?;
        let account = ForeignAccount {
            subject,
            provider: trust.title(),
            username: rules.username(&self.all),
            name: rules.name(&self.all),
            picture: rules.picture(&self.all),
            roles: rules.roles(&self.all),
            updates_profiles: trust.updates_profiles,
        };
        let session = self.session(rules.scope(&self.all));
        Ok(TokenClaims { subject: Subject::Foreign(account), session })
    }

    /// The session of a token without an epoch.
    fn session(&self, scope: Option<Permissions>) -> Session {
        let Registered { exp, iat, .. } = self.registered;
        Session { scope, expires_at_s: Some(exp), epoch: None, issued_at_s: iat }
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
