//! What a token says, once its signature has been checked: whom it names, what it allows, and
//! when it is worth something.
//!
//! **Invariant:** `exp` is required, `nbf` is honoured, and `iat` is not in the future where it
//! decides; all three are read by the passed-in clock with [`LEEWAY_S`].

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::{Account, Permissions, UserId};

/// How far the clocks of two machines may be apart, in seconds.
const LEEWAY_S: f64 = 5.0;
/// The most bytes of a subject.
const SUBJECT_BYTES_MAX: usize = 255;

/// Whom a valid token names, and what it allows.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenClaims {
    /// Whom it names.
    pub subject: Subject,
    /// What it narrows the role's permissions to; `None` when it narrows nothing.
    pub scope: Option<Permissions>,
    /// The epoch of the account in which it was made, if it is ours and tells.
    epoch: Option<i64>,
    /// When it was made, in seconds since 1970, if it tells.
    issued_at_s: Option<f64>,
}

impl TokenClaims {
    /// Looks whether a token that ends by its age tells a true one. One that claims to be made
    /// later than it was would outlive every end of the account's tokens until then. A token with
    /// an epoch ends by that, and a clock that is put back ends nobody's sign-in.
    pub(crate) fn check_age(&self, now: DateTime<Utc>) -> Result<(), &'static str> {
        let is_of_the_future = |made| made > seconds(now) + LEEWAY_S;
        if self.epoch.is_none() && self.issued_at_s.is_some_and(is_of_the_future) {
            return Err("it was made in the future");
        }
        Ok(())
    }

    /// Whether its account has ended all tokens since it was made.
    ///
    /// A token with an epoch is of the account's own or has ended. One without has to be newer
    /// than the end by its own word: without leeway, and not when it gives none.
    pub(crate) fn is_ended(&self, account: &Account) -> bool {
        match (self.epoch, account.tokens_valid_after) {
            (Some(epoch), _) => epoch != account.token_epoch,
            (None, None) => false,
            (None, Some(end)) => self.issued_at_s.is_none_or(|made| made <= seconds(end)),
        }
    }
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

/// What is written into a token of ours.
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

/// What is read of a token. Times may have fractions (RFC 7519, 2).
#[derive(Deserialize)]
pub(crate) struct Claims {
    sub: String,
    exp: f64,
    nbf: Option<f64>,
    iat: Option<f64>,
    /// In tokens of others it may be anything, and means nothing.
    epoch: Option<Value>,
    scope: Option<String>,
    preferred_username: Option<String>,
    name: Option<String>,
    picture: Option<String>,
}

impl Claims {
    /// Looks whether the token is worth something now.
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

    /// What a token of ours says. The host makes some itself, and those may have no epoch.
    pub(crate) fn into_own(self) -> Result<TokenClaims, &'static str> {
        let id = self.sub.parse().map_err(|_| "its subject is no user's id")?;
        let epoch = self.epoch.map(|epoch| epoch.as_i64().ok_or("its epoch is no number"));
        Ok(TokenClaims {
            subject: Subject::User(UserId(id)),
            scope: self.scope.as_deref().map(Permissions::from_scope),
            epoch: epoch.transpose()?,
            issued_at_s: self.iat,
        })
    }

    /// What a token of the identity provider says.
    pub(crate) fn into_foreign(self) -> Result<TokenClaims, &'static str> {
        let fits = (1..=SUBJECT_BYTES_MAX).contains(&self.sub.len());
        if !fits || self.sub.contains('\0') {
            return Err("its subject is empty, too long or has a character that no text may have");
        }
        Ok(TokenClaims {
            subject: Subject::Foreign(ForeignAccount {
                subject: self.sub,
                preferred_username: self.preferred_username,
                name: self.name,
                picture: self.picture,
            }),
            scope: self.scope.as_deref().map(Permissions::from_scope),
            epoch: None,
            issued_at_s: self.iat,
        })
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

    fn claims(more: Value) -> Claims {
        let mut claims = json!({ "sub": "7", "exp": 1_000 });
        let Value::Object(more) = more else { panic!("claims are an object") };
        claims.as_object_mut().expect("an object").extend(more);
        serde_json::from_value(claims).expect("claims")
    }

    #[test]
    fn clocks_may_be_five_seconds_apart_and_no_more() {
        let claims = claims(json!({ "nbf": 500 }));
        for (ms, is_valid) in
            [(494_999, false), (495_000, true), (1_004_999, true), (1_005_000, false)]
        {
            assert_eq!(claims.check_times(at_ms(ms)).is_ok(), is_valid, "{ms}");
        }
    }

    #[test]
    fn a_token_ends_with_its_epoch_and_one_without_by_its_age() {
        let account = |token_epoch, end: Option<i64>| Account {
            user: Arc::new(User {
                id: UserId(7),
                username: "alice".into(),
                name: None,
                bio: None,
                avatar_url: None,
                created_at: DateTime::UNIX_EPOCH,
            }),
            role: Role { name: "user".to_owned(), permissions: Permissions::NONE },
            token_epoch,
            tokens_valid_after: end.map(at_ms),
        };
        let never = account(0, None);
        let ended = account(2, Some(100_500));

        for (more, is_ended_never, is_ended) in [
            (json!({ "epoch": 0, "iat": 200 }), false, true),
            (json!({ "epoch": 2 }), true, false),
            (json!({ "epoch": 3, "iat": 200 }), true, true),
            (json!({}), false, true),
            (json!({ "iat": 100 }), false, true),
            (json!({ "iat": 100.5 }), false, true),
            (json!({ "iat": 100.6 }), false, false),
            (json!({ "iat": 101 }), false, false),
        ] {
            let token = claims(more.clone()).into_own().expect("of ours");
            assert_eq!(token.is_ended(&never), is_ended_never, "{more}");
            assert_eq!(token.is_ended(&ended), is_ended, "{more}");
        }
    }

    #[test]
    fn only_a_token_of_ours_has_an_epoch() {
        let account = claims(json!({ "epoch": "x" })).into_foreign().expect("of others");
        assert_eq!(account.epoch, None);
        assert!(claims(json!({ "epoch": "x" })).into_own().is_err());
    }
}
