//! Users and their accounts.
//!
//! A [`Username`] can only be created by parsing, so code that has one need not check it.

use std::{borrow::Cow, fmt, sync::Arc};

use chrono::{DateTime, Utc};
use smol_str::SmolStr;

use super::{PageRequest, Role, UserId, UserSearch, text};

/// The public part of a user. The names, which most answers show, are short enough to be stored
/// inline, so reading them takes no further access to memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The identifier.
    pub id: UserId,
    /// The unique name, in the owner's spelling.
    pub username: SmolStr,
    /// The display name.
    pub name: Option<SmolStr>,
    /// The bio.
    pub bio: Option<String>,
    /// The URL of the picture.
    pub avatar_url: Option<String>,
    /// When the account was created.
    pub created_at: DateTime<Utc>,
}

impl User {
    /// A user with only the required columns, for tests.
    #[must_use]
    pub fn bare(id: UserId, username: &str, created_at: DateTime<Utc>) -> Self {
        let username = username.into();
        Self { id, username, name: None, bio: None, avatar_url: None, created_at }
    }
}

/// A user with their role: the account of a signed-in viewer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The user.
    pub user: Arc<User>,
    /// The current role in the database.
    pub role: Role,
    /// How often all its tokens have been revoked: a token of another epoch is not valid.
    pub token_epoch: i64,
    /// When they were last revoked: a token without an epoch must be newer.
    pub tokens_valid_after: Option<DateTime<Utc>>,
    /// Whether the user blocks anybody.
    pub is_blocking: bool,
    /// Whether anybody blocks the user.
    pub is_blocked: bool,
    /// The number of the last event in the user's log; 0 without any.
    pub last_event: i64,
}

/// The stored credentials of an account.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The account.
    pub id: UserId,
    /// The hash in PHC format; `None` for accounts of an identity provider.
    pub password_hash: Option<String>,
    /// The subject at the identity provider; `None` for accounts that were created here.
    pub subject: Option<String>,
    /// The epoch of the account's tokens, read together with the hash: a new password starts another
    /// epoch.
    pub token_epoch: i64,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A user to be created.
#[derive(Clone, PartialEq, Eq)]
pub struct NewUser {
    /// The identifier.
    pub id: UserId,
    /// The unique name.
    pub username: Username,
    /// The display name.
    pub name: Option<String>,
    /// The bio.
    pub bio: Option<String>,
    /// The URL of the picture.
    pub avatar_url: Option<String>,
    /// The subject at the identity provider.
    pub subject: Option<String>,
    /// The hash of the password in PHC format.
    pub password_hash: Option<String>,
    /// The name of an existing role.
    pub role: Cow<'static, str>,
    /// When the account is created.
    pub created_at: DateTime<Utc>,
}

impl NewUser {
    /// A user with a username, the default role and nothing else.
    #[must_use]
    pub const fn bare(id: UserId, username: Username, created_at: DateTime<Utc>) -> Self {
        Self {
            id,
            username,
            name: None,
            bio: None,
            avatar_url: None,
            subject: None,
            password_hash: None,
            role: Cow::Borrowed(Role::DEFAULT),
            created_at,
        }
    }
}

impl fmt::Debug for NewUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewUser")
            .field("id", &self.id)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// The unique name of an account: 1 to 30 of `a-z A-Z 0-9 _`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Username(String);

/// Why a text is not a username. `Display` is the whole rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsernameError {
    /// It has no characters.
    #[error("must be 1 to 30 characters of a-z, A-Z, 0-9 and _")]
    Empty,
    /// It has too many characters.
    #[error("must be 1 to 30 characters of a-z, A-Z, 0-9 and _")]
    TooLong,
    /// It has a character that is not allowed.
    #[error("must be 1 to 30 characters of a-z, A-Z, 0-9 and _")]
    OtherCharacter,
}

fn is_username_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

impl Username {
    /// The most characters of a username.
    pub const LENGTH_MAX: usize = 30;

    /// Parses a username.
    ///
    /// # Errors
    /// If it is empty, too long or has another character.
    pub fn parse(text: &str) -> Result<Self, UsernameError> {
        if text.is_empty() {
            return Err(UsernameError::Empty);
        }
        if text.chars().count() > Self::LENGTH_MAX {
            return Err(UsernameError::TooLong);
        }
        if !text.chars().all(is_username_character) {
            return Err(UsernameError::OtherCharacter);
        }
        Ok(Self(text.to_owned()))
    }

    /// The name in the owner's spelling.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key that look-ups use.
    #[must_use]
    pub fn key(&self) -> UsernameKey {
        UsernameKey(self.0.to_ascii_lowercase())
    }
}

/// A username in lower case: unique, used for look-ups and for the order of users.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UsernameKey(String);

impl UsernameKey {
    /// The key of a name as people write it, such as ` @Ada `; `None` if it is not a valid
    /// username.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Username::parse(&text::mention(text)).ok().map(|name| name.key())
    }

    /// The key of a user from the database.
    #[must_use]
    pub fn of(user: &User) -> Self {
        Self(user.username.to_ascii_lowercase())
    }

    /// The lower-case text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The orders of a list of users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UserOrderField {
    /// By creation time, then id.
    CreatedAt,
    /// By username key.
    Username,
}

/// A position in a list of users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UserPosition<'a> {
    /// In the order of [`UserOrderField::CreatedAt`].
    CreatedAt(DateTime<Utc>, UserId),
    /// In the order of [`UserOrderField::Username`]: a key in lower case.
    Username(&'a str),
}

/// A request for a page of the list of users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserListRequest<'a> {
    /// The order. Positions in `page` must be of the same order.
    pub order: UserOrderField,
    /// The page.
    pub page: PageRequest<UserPosition<'a>>,
    /// Only users who match this.
    pub search: UserSearch,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_username_is_1_to_30_letters_digits_and_underscores() {
        for good in ["a", "A_9", &"x".repeat(30)] {
            assert_eq!(Username::parse(good).expect("good").as_str(), good);
        }
        for (bad, error) in [
            ("", UsernameError::Empty),
            (" a", UsernameError::OtherCharacter),
            ("a-b", UsernameError::OtherCharacter),
            ("é", UsernameError::OtherCharacter),
            ("a\0", UsernameError::OtherCharacter),
            (&"x".repeat(31), UsernameError::TooLong),
            (&"é".repeat(31), UsernameError::TooLong),
        ] {
            assert_eq!(Username::parse(bad), Err(error), "{bad:?}");
        }
    }

    #[test]
    fn keys_ignore_case() {
        assert_eq!(UsernameKey::parse("AliCE"), UsernameKey::parse("alice"));
    }

    #[test]
    fn a_look_up_takes_a_username_as_people_write_it() {
        let alice = UsernameKey::parse("alice");
        for typed in [" alice", "alice\n", "@alice", " @Alice ", "ａｌｉｃｅ", "\u{200e}alice"]
        {
            assert_eq!(UsernameKey::parse(typed), alice, "{typed:?}");
        }
        for wrong in ["", "@", "@@alice", "al ice", "àlice"] {
            assert_eq!(UsernameKey::parse(wrong), None, "{wrong:?}");
        }
    }
}
