//! Accounts: making them, signing in to them, changing and deleting them.

use std::{fmt, net::IpAddr, sync::Arc};

use chrono::TimeDelta;

use super::{
    Error, Graph, Result, Viewer,
    passwords::Passwords,
    tokens::{ForeignAccount, Subject},
};
use crate::{
    domain::{
        Account, AvatarUrl, DisplayName, NewUser, Permissions, ProfileChange, User, UserId,
        Username, UsernameKey,
    },
    store::{CreateOutcome, SetRoleOutcome},
};

/// How long a sign-in lasts.
const SIGN_IN_TTL: TimeDelta = TimeDelta::hours(24);
/// How often a name or an id is drawn anew before giving up.
const DRAWS_MAX: u32 = 20;

/// An account that somebody asks for.
#[derive(Clone)]
pub struct NewAccount {
    /// The unique name.
    pub username: String,
    /// The name that the user goes by.
    pub name: Option<String>,
    /// The password; without one nobody can sign in with a password.
    pub password: Option<String>,
}

/// What is needed to sign in.
#[derive(Clone)]
pub struct SignIn {
    /// The unique name of the account, in whatever case.
    pub username: String,
    /// The password.
    pub password: String,
    /// Where the attempt comes from.
    pub address: Option<IpAddr>,
}

/// Somebody who has just signed in.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// A bearer token for the next requests.
    pub token: String,
    /// Who they are.
    pub viewer: Viewer,
}

/// Why an account was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignUpError {
    /// Somebody has the username, in whatever case.
    UsernameTaken,
}

impl Graph {
    /// Who sends this bearer token. A token of the identity provider whose subject is new makes
    /// a user.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when the token is not valid or its account is gone, or when the
    /// store fails.
    pub async fn authenticate(&self, token: &str) -> Result<Viewer> {
        let claims = self.tokens.read(token, self.clock.now())?;
        let account = match claims.subject {
            Subject::User(id) => self.store.find_account(id).await?,
            Subject::Foreign(foreign) => Some(self.foreign_account(foreign).await?),
        };
        let account = account.ok_or(Error::Unauthenticated)?;

        Ok(viewer(account, claims.scope))
    }

    /// Makes an account with a password and signs in to it.
    ///
    /// # Errors
    /// [`Error::BadInput`] for a name or password that breaks a rule, [`Error::RateLimited`] after
    /// too many attempts from the address, or when the store fails.
    pub async fn sign_up(
        &self,
        new: NewAccount,
        address: Option<IpAddr>,
    ) -> Result<Result<SignedIn, SignUpError>> {
        if let Some(attempts) = &self.attempts {
            attempts.count_address(address)?;
        }
        let id = match self.add_user(new).await? {
            Ok(user) => user,
            Err(error) => return Ok(Err(error)),
        };
        let account = self.store.find_account(id).await?.ok_or(Error::Unauthenticated)?;
        Ok(Ok(self.signed_in(account)?))
    }

    /// Signs in with a password; `None` when the name or the password is wrong, which take the
    /// same time and cannot be told apart.
    ///
    /// # Errors
    /// [`Error::RateLimited`] after too many attempts, or when the store fails.
    pub async fn sign_in(&self, sign_in: SignIn) -> Result<Option<SignedIn>> {
        let key = UsernameKey::parse(&sign_in.username);
        if let Some(attempts) = &self.attempts {
            attempts.count_address(sign_in.address)?;
            if let Some(key) = &key {
                attempts.count_account(key)?;
            }
        }

        let credentials = match &key {
            Some(key) => self.store.find_credentials(key).await?,
            None => None,
        };
        let (id, hash) = credentials.map_or((None, None), |c| (Some(c.id), c.password_hash));
        if !self.passwords.verify(&sign_in.password, hash).await? {
            return Ok(None);
        }

        let Some(id) = id else { return Ok(None) };
        let account = self.store.find_account(id).await?;
        account.map(|account| self.signed_in(account)).transpose()
    }

    /// Changes the viewer's profile; `None` when the account is gone by now.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn update_profile(
        &self,
        viewer: &Viewer,
        change: &ProfileChange,
    ) -> Result<Option<Arc<User>>> {
        Ok(self.store.update_profile(viewer.id(), change).await?)
    }

    /// Deletes the viewer's account, if the password is right. Accounts without a password, those
    /// of an identity provider, need none.
    ///
    /// # Errors
    /// [`Error::RateLimited`] after too many attempts, or when the store fails.
    pub async fn delete_account(
        &self,
        viewer: &Viewer,
        password: Option<&str>,
        address: Option<IpAddr>,
    ) -> Result<bool> {
        let Some(credentials) = self.store.find_credentials_by_id(viewer.id()).await? else {
            return Err(Error::Unauthenticated);
        };
        if let Some(hash) = credentials.password_hash {
            if let Some(attempts) = &self.attempts {
                attempts.count_address(address)?;
                attempts.count_account(&UsernameKey::of(&viewer.account.user))?;
            }
            let password = password.unwrap_or_default();
            if !self.passwords.verify(password, Some(hash)).await? {
                return Ok(false);
            }
        }

        self.store.delete_user(viewer.id()).await?;
        Ok(true)
    }

    /// Makes a user.
    ///
    /// # Errors
    /// [`Error::BadInput`] for a name or password that breaks a rule, or when the store fails.
    pub async fn add_user(&self, new: NewAccount) -> Result<Result<UserId, SignUpError>> {
        let username = Username::parse(&new.username).map_err(|e| bad_input("username", e))?;
        let name = new.name.as_deref().map(DisplayName::parse).transpose();
        let name = name.map_err(|e| bad_input("name", e))?;
        let password_hash = match new.password {
            Some(password) => {
                if let Some(refusal) = Passwords::refusal(&password) {
                    return Err(bad_input("password", refusal));
                }
                Some(self.passwords.hash(&password).await?)
            }
            None => None,
        };

        let mut user = NewUser::bare(UserId::MIN, username, self.clock.now());
        user.name = name.map(|name| name.as_str().to_owned());
        user.password_hash = password_hash;
        match self.create(&mut user).await? {
            CreateOutcome::Created => Ok(Ok(user.id)),
            CreateOutcome::UsernameTaken => Ok(Err(SignUpError::UsernameTaken)),
            taken @ (CreateOutcome::SubjectTaken | CreateOutcome::IdTaken) => {
                Err(Error::Internal(format!("a new user was refused: {taken:?}")))
            }
        }
    }

    /// The hash of a password for many accounts that are loaded at once.
    ///
    /// # Errors
    /// [`Error::Internal`] when hashing fails, which is a bug.
    pub async fn hash_password(&self, password: &str) -> Result<String> {
        self.passwords.hash(password).await
    }

    /// Gives a user a role.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn set_role(&self, username: &UsernameKey, role: &str) -> Result<SetRoleOutcome> {
        match self.find_user(username).await? {
            Some(user) => Ok(self.store.set_role(user.id, role).await?),
            None => Ok(SetRoleOutcome::NoSuchUser),
        }
    }

    /// Deletes a user with all their edges; tells whether there was one.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn delete_user(&self, username: &UsernameKey) -> Result<bool> {
        match self.find_user(username).await? {
            Some(user) => Ok(self.store.delete_user(user.id).await?),
            None => Ok(false),
        }
    }

    /// A bearer token for a user, or `None` when there is no such user.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn token(
        &self,
        username: &UsernameKey,
        scope: Option<&str>,
        ttl: TimeDelta,
    ) -> Result<Option<String>> {
        match self.find_user(username).await? {
            Some(user) => self.tokens.issue(user.id, scope, self.clock.now(), ttl).map(Some),
            None => Ok(None),
        }
    }

    async fn find_user(&self, username: &UsernameKey) -> Result<Option<Arc<User>>> {
        let key = std::slice::from_ref(username);
        Ok(self.store.users_by_usernames(key).await?.remove(username))
    }

    fn signed_in(&self, account: Account) -> Result<SignedIn> {
        let token = self.tokens.issue(account.user.id, None, self.clock.now(), SIGN_IN_TTL)?;
        Ok(SignedIn { token, viewer: viewer(account, None) })
    }

    /// Makes a user under a new id, drawn again while it is taken.
    async fn create(&self, user: &mut NewUser) -> Result<CreateOutcome> {
        for _ in 0..DRAWS_MAX {
            user.id = self.ids.next(self.clock.now(), self.random.next_u32());
            let outcome = self.store.create_user(user).await?;
            if outcome != CreateOutcome::IdTaken {
                return Ok(outcome);
            }
        }
        Ok(CreateOutcome::IdTaken)
    }

    /// The account of a subject, made on its first request. What the provider says is taken as
    /// far as it keeps our rules; a username that is taken gets a number.
    async fn foreign_account(&self, foreign: ForeignAccount) -> Result<Account> {
        let wanted = wanted_username(&foreign);
        let name = foreign.name.as_deref().and_then(|name| DisplayName::parse(name).ok());
        let picture = foreign.picture.as_deref().and_then(|url| AvatarUrl::parse(url).ok());

        for _ in 0..DRAWS_MAX {
            if let Some(account) = self.store.find_account_by_subject(&foreign.subject).await? {
                return Ok(account);
            }
            let username = self.free_username(&wanted).await?;
            let mut user = NewUser::bare(UserId::MIN, username, self.clock.now());
            user.name = name.as_ref().map(|name| name.as_str().to_owned());
            user.avatar_url = picture.as_ref().map(|url| url.as_str().to_owned());
            user.subject = Some(foreign.subject.clone());
            self.create(&mut user).await?;
        }
        Err(Error::Unavailable("no free username was found".to_owned()))
    }

    /// The wanted username, or with a random number behind it when somebody has it.
    async fn free_username(&self, wanted: &str) -> Result<Username> {
        let parse = |text: &str| {
            Username::parse(text).map_err(|e| Error::Internal(format!("username {text:?} {e}")))
        };
        let plain = parse(wanted)?;
        if self.find_user(&plain.key()).await?.is_none() {
            return Ok(plain);
        }
        let number = self.random.next_u32().to_string();
        let room = Username::LENGTH_MAX - number.len() - 1;
        parse(&format!("{}_{number}", &wanted[..wanted.len().min(room)]))
    }
}

/// The username that an account of the provider should have: what is left of its preferred one
/// when all else is made an underscore.
fn wanted_username(foreign: &ForeignAccount) -> String {
    let preferred = foreign.preferred_username.as_deref().unwrap_or_default();
    let letters = preferred.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' });
    let wanted: String = letters.take(Username::LENGTH_MAX).collect();
    if wanted.chars().any(|c| c != '_') { wanted } else { "user".to_owned() }
}

fn viewer(account: Account, scope: Option<Permissions>) -> Viewer {
    let permissions = account.role.permissions;
    let permissions = scope.map_or(permissions, |scope| permissions.intersection(scope));
    Viewer { account, permissions }
}

fn bad_input(field: &'static str, reason: impl fmt::Display) -> Error {
    Error::BadInput { field, reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preferred_username_is_made_to_keep_our_rules() {
        let wanted = |name: &str| {
            let preferred_username = Some(name.to_owned());
            wanted_username(&ForeignAccount { preferred_username, ..ForeignAccount::default() })
        };
        assert_eq!(wanted("alice"), "alice");
        assert_eq!(wanted("alice@example.com"), "alice_example_com");
        assert_eq!(wanted("é"), "user");
        assert_eq!(wanted(&"x".repeat(50)).len(), 30);
        assert_eq!(wanted_username(&ForeignAccount::default()), "user");
    }
}
