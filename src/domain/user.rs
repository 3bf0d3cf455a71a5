//! Users and their accounts.

use std::{borrow::Cow, fmt, sync::Arc};

use chrono::{DateTime, Utc};
use smol_str::SmolStr;

use super::{ExternalId, PageRequest, Role, Standing, UserId, UserSearch, Username};

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
    /// The id at the host.
    pub external_id: Option<SmolStr>,
    /// What kind of account it is, and whether it is in use.
    pub standing: Standing,
}

impl User {
    /// A user with only the required columns, for tests.
    #[must_use]
    pub fn bare(id: UserId, username: &str, created_at: DateTime<Utc>) -> Self {
        let username = username.into();
        let (name, bio, avatar_url, external_id) = (None, None, None, None);
        let standing = Standing::Active;
        Self { id, username, name, bio, avatar_url, created_at, external_id, standing }
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
    /// The id at the host; `None` for accounts that the host does not know.
    pub external_id: Option<String>,
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
    /// The id at the host.
    pub external_id: Option<ExternalId>,
    /// The hash of the password in PHC format.
    pub password_hash: Option<String>,
    /// The name of an existing role.
    pub role: Cow<'static, str>,
    /// When the account is created.
    pub created_at: DateTime<Utc>,
    /// What kind of account it is.
    pub standing: Standing,
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
            external_id: None,
            password_hash: None,
            role: Cow::Borrowed(Role::DEFAULT),
            created_at,
            standing: Standing::Active,
        }
    }
}

/// The public part of a user who is created.
impl From<&NewUser> for User {
    fn from(new: &NewUser) -> Self {
        Self {
            id: new.id,
            username: new.username.as_str().into(),
            name: new.name.as_deref().map(Into::into),
            bio: new.bio.clone(),
            avatar_url: new.avatar_url.clone(),
            created_at: new.created_at,
            external_id: new.external_id.as_ref().map(ExternalId::as_str).map(Into::into),
            standing: new.standing,
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
