//! Sessions: who sends a token, how somebody gets one, and how all of an account's end.
//!
//! **Invariant:** a token is made for the epoch in which its reason was checked, never for a later
//! one. A password that is changed while an older one is being checked, or tokens that are ended
//! meanwhile, leave nobody with a token that works.

use std::net::IpAddr;

use chrono::TimeDelta;

use super::{accounts::bad_input, claims::Subject, passwords::Passwords, tokens::refused};
use crate::{
    domain::{Account, Permissions, UsernameKey},
    service::{Error, Operator, Result, SeenBy, Service, Viewer},
};

/// How long a sign-in lasts.
const SIGN_IN_TTL: TimeDelta = TimeDelta::hours(24);

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

/// What is needed to change a password.
#[derive(Clone)]
pub struct PasswordChange {
    /// The password as it is.
    pub current: String,
    /// The password as it is to be.
    pub new: String,
}

/// Somebody who has just signed in.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// A bearer token for the next requests.
    pub token: String,
    /// Who they are.
    pub viewer: Viewer,
}

impl Service {
    /// Who sends this bearer token. A token of the identity provider whose subject is new makes
    /// a user.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when the token is not valid, its account is gone or has ended
    /// it, or when the store fails.
    pub async fn authenticate(&self, token: &str) -> Result<Viewer> {
        let claims = self.tokens.read(token, self.clock.now()).await?;
        let account = match &claims.subject {
            Subject::User(id) => self.store.find_account(*id).await?,
            Subject::Foreign(foreign) => Some(self.foreign_account(foreign).await?),
        };
        let account = account.ok_or_else(|| refused("its account is gone"))?;
        if claims.is_ended(&account) {
            return Err(refused("its account has ended it"));
        }

        Ok(viewer(account, claims.scope))
    }

    /// A token for an account, in an epoch of it.
    pub(crate) fn signed_in_to(&self, account: Account, epoch: i64) -> Result<SignedIn> {
        let now = self.clock.now();
        let token = self.tokens.issue(account.user.id, epoch, None, now, SIGN_IN_TTL)?;
        Ok(SignedIn { token, viewer: viewer(account, None) })
    }
}

impl SeenBy {
    /// Signs in with a password; `None` when the name or the password is wrong, which take the
    /// same time and cannot be told apart.
    ///
    /// # Errors
    /// [`Error::RateLimited`] after too many attempts, or when the store fails.
    pub async fn sign_in(&self, sign_in: SignIn) -> Result<Option<SignedIn>> {
        let key = UsernameKey::parse(&sign_in.username);
        if let Some(attempts) = &self.service.attempts {
            attempts.count(key.as_ref(), sign_in.address)?;
        }

        let mut credentials = match &key {
            Some(key) => self.service.store.find_credentials(key).await?,
            None => None,
        };
        let hash = credentials.as_mut().and_then(|credentials| credentials.password_hash.take());
        if !self.service.passwords.verify(&sign_in.password, hash).await? {
            return Ok(None);
        }

        let Some(credentials) = credentials else { return Ok(None) };
        let account = self.service.store.find_account(credentials.id).await?;
        account
            .map(|account| self.service.signed_in_to(account, credentials.token_epoch))
            .transpose()
    }

    /// Changes the viewer's password, ends all tokens of the account and gives a new one; `None`
    /// when the current password is wrong or there is none.
    ///
    /// # Errors
    /// [`Error::BadInput`] for a new password that breaks a rule, [`Error::RateLimited`] after too
    /// many attempts, [`Error::Unauthenticated`] when the account is gone or has ended the
    /// viewer's token by now, or when the store fails.
    pub async fn change_password(&self, change: PasswordChange) -> Result<Option<SignedIn>> {
        let (service, viewer) = (&self.service, self.signed_in()?);
        if let Some(refusal) = Passwords::refusal(&change.new) {
            return Err(bad_input("newPassword", refusal));
        }
        if let Some(attempts) = &service.attempts {
            attempts.count_confirmation(viewer.id())?;
        }
        let epoch = viewer.account.token_epoch;
        let credentials = service.store.find_credentials_by_id(viewer.id()).await?;
        let credentials = credentials.filter(|credentials| credentials.token_epoch == epoch);
        let credentials = credentials.ok_or(Error::Unauthenticated)?;
        if !service.passwords.verify(&change.current, credentials.password_hash).await? {
            return Ok(None);
        }

        let hash = service.passwords.hash(&change.new).await?;
        let now = service.clock.now();
        if !service.store.change_password(viewer.id(), Some(epoch), &hash, now).await? {
            return Err(Error::Unauthenticated);
        }
        service.signed_in_to(viewer.account.clone(), epoch + 1).map(Some)
    }

    /// Ends all tokens of the viewer, also the one of this request.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when the account is gone by now, or when the store fails.
    pub async fn sign_out_everywhere(&self) -> Result<()> {
        let (service, viewer) = (&self.service, self.signed_in()?);
        let is_done = service.store.end_tokens(viewer.id(), service.clock.now()).await?;
        if is_done { Ok(()) } else { Err(Error::Unauthenticated) }
    }
}

impl Operator<'_> {
    /// Gives a user a password, whatever they had, and ends all their tokens; tells whether there
    /// is such a user.
    ///
    /// # Errors
    /// [`Error::BadInput`] for a password that breaks a rule, or when the store fails.
    pub async fn set_password(self, username: &UsernameKey, password: &str) -> Result<bool> {
        if let Some(refusal) = Passwords::refusal(password) {
            return Err(bad_input("password", refusal));
        }
        let Some(user) = self.0.find_user(username).await? else { return Ok(false) };
        let hash = self.0.passwords.hash(password).await?;
        Ok(self.0.store.change_password(user.id, None, &hash, self.0.clock.now()).await?)
    }

    /// Ends all tokens of a user; tells whether there is such a user.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn sign_out(self, username: &UsernameKey) -> Result<bool> {
        match self.0.find_user(username).await? {
            Some(user) => Ok(self.0.store.end_tokens(user.id, self.0.clock.now()).await?),
            None => Ok(false),
        }
    }

    /// A bearer token for a user, or `None` when there is no such user.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn token(
        self,
        username: &UsernameKey,
        scope: Option<&str>,
        ttl: TimeDelta,
    ) -> Result<Option<String>> {
        let Some(credentials) = self.0.store.find_credentials(username).await? else {
            return Ok(None);
        };
        let (id, epoch) = (credentials.id, credentials.token_epoch);
        self.0.tokens.issue(id, epoch, scope, self.0.clock.now(), ttl).map(Some)
    }
}

fn viewer(account: Account, scope: Option<Permissions>) -> Viewer {
    let permissions = account.role.permissions;
    let permissions = scope.map_or(permissions, |scope| permissions.intersection(scope));
    Viewer { account, permissions }
}
