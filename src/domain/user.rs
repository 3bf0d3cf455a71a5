//! Users and their accounts.
//!
//! A [`Username`] can only be made by parsing, so whatever holds one needs no check of its own.

use std::{borrow::Cow, fmt, sync::Arc};

use chrono::{DateTime, Utc};
use smol_str::SmolStr;

use super::{PageRequest, Role, UserId};

/// A user as everybody may see them. What most answers show of one is part of the value itself, and
/// so takes no memory of its own to be fetched: names are short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The identifier.
    pub id: UserId,
    /// The unique name, in the letters that its owner chose.
    pub username: SmolStr,
    /// The name that the user goes by.
    pub name: Option<SmolStr>,
    /// What the user says about themselves.
    pub bio: Option<String>,
    /// A picture of the user.
    pub avatar_url: Option<String>,
    /// When the account was made.
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

/// A user with their role: what a signed-in caller is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The user.
    pub user: Arc<User>,
    /// The role, as the database has it now.
    pub role: Role,
    /// How often all its tokens have been ended: a token of another epoch is worth nothing.
    pub token_epoch: i64,
    /// When they were ended last: a token without an epoch has to be newer.
    pub tokens_valid_after: Option<DateTime<Utc>>,
}

/// What a password is checked against.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Whose password.
    pub id: UserId,
    /// The hash in PHC format; `None` for accounts of an identity provider.
    pub password_hash: Option<String>,
    /// The epoch of the account's tokens, of the same moment: a new password begins another one.
    pub token_epoch: i64,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A user to be made.
#[derive(Clone, PartialEq, Eq)]
pub struct NewUser {
    /// The identifier.
    pub id: UserId,
    /// The unique name.
    pub username: Username,
    /// The name that the user goes by.
    pub name: Option<String>,
    /// What the user says about themselves.
    pub bio: Option<String>,
    /// A picture of the user.
    pub avatar_url: Option<String>,
    /// The account at the host's identity provider.
    pub subject: Option<String>,
    /// The hash of the password in PHC format.
    pub password_hash: Option<String>,
    /// The name of the role, which has to be there.
    pub role: Cow<'static, str>,
    /// When the account is made.
    pub created_at: DateTime<Utc>,
}

impl NewUser {
    /// A user with nothing but a name, and the default role.
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

/// A username that breaks the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsernameError;

impl fmt::Display for UsernameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be 1 to 30 characters of a-z, A-Z, 0-9 and _")
    }
}

impl std::error::Error for UsernameError {}

fn is_username_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

impl Username {
    /// The most characters of a username.
    pub const LENGTH_MAX: usize = 30;

    /// Parses a username.
    ///
    /// # Errors
    /// When it is empty, too long, or has another character.
    pub fn parse(text: &str) -> Result<Self, UsernameError> {
        let fits = (1..=Self::LENGTH_MAX).contains(&text.len());
        if fits && text.chars().all(is_username_character) {
            Ok(Self(text.to_owned()))
        } else {
            Err(UsernameError)
        }
    }

    /// The name in the letters that its owner chose.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as look-ups know it.
    #[must_use]
    pub fn key(&self) -> UsernameKey {
        UsernameKey(self.0.to_ascii_lowercase())
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A username in lower case: unique, and what look-ups and the order of users go by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UsernameKey(String);

impl UsernameKey {
    /// The key of a name, if the name could be one at all.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Username::parse(text).ok().map(|name| name.key())
    }

    /// The key of a name that the database gave.
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

/// The beginning of usernames, in lower case: 0 to 30 of `a-z 0-9 _`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct UsernamePrefix(String);

impl UsernamePrefix {
    /// The prefix, if any username could begin with it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = text.len() <= Username::LENGTH_MAX && text.chars().all(is_username_character);
        fits.then(|| Self(text.to_ascii_lowercase()))
    }

    /// Whether every username begins with it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The lowest key that could begin with it.
    #[must_use]
    pub fn lower_bound(&self) -> &str {
        &self.0
    }

    /// Above every key that begins with it, and below every other key above those. (`~` sorts
    /// after every character of a username.)
    #[must_use]
    pub fn upper_bound(&self) -> String {
        format!("{}~", self.0)
    }
}

/// What users can be ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UserOrderField {
    /// When the account was made, then the id.
    CreatedAt,
    /// The username key.
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

/// A page of the list of users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserListRequest<'a> {
    /// The order. Positions in `page` are of the same order.
    pub order: UserOrderField,
    /// The page.
    pub page: PageRequest<UserPosition<'a>>,
    /// Only users whose key begins with this; the empty prefix means all.
    pub prefix: UsernamePrefix,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_username_is_1_to_30_letters_digits_and_underscores() {
        for good in ["a", "A_9", &"x".repeat(30)] {
            assert_eq!(Username::parse(good).expect("good").as_str(), good);
        }
        for bad in ["", " a", "a-b", "é", "a\0", &"x".repeat(31)] {
            assert_eq!(Username::parse(bad), Err(UsernameError), "{bad:?}");
        }
    }

    #[test]
    fn case_does_not_matter_to_the_key() {
        assert_eq!(UsernameKey::parse("AliCE"), UsernameKey::parse("alice"));
    }

    #[test]
    fn a_prefix_bounds_exactly_the_keys_that_begin_with_it() {
        let prefix = UsernamePrefix::parse("Al_").expect("good");
        let (low, high) = (prefix.lower_bound(), prefix.upper_bound());
        assert!(("al_".."al_~").contains(&"al_zzz") && low == "al_" && high == "al_~");
        assert!(!(low..high.as_str()).contains(&"alz"));
        assert_eq!(UsernamePrefix::parse("a%"), None);
    }
}
