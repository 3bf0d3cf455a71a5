//! Sessions: authenticating a token, signing in, and revoking all tokens of an account.
//!
//! **Invariant:** a token carries the epoch that was read together with the credentials, never a
//! later one. If the password changes or the tokens are revoked while the credentials are being
//! checked, the token that is issued for them is already revoked.

use std::net::IpAddr;

use chrono::TimeDelta;

use super::{
    claims::{Session, Subject},
    passwords::Passwords,
    tokens::refused_token,
};
use crate::{
    domain::{
        Account, AdminChange, AdminOutcome, BrokenRule, Form, FormError, PasswordHash, Permission,
        Permissions, Standing, UsernameKey,
    },
    service::{Error, Operator, Result, SeenBy, Service, Viewer},
};

/// Lifetime of a token from a sign-in.
const SIGN_IN_TTL: TimeDelta = TimeDelta::hours(24);

/// The credentials of a sign-in.
#[derive(Clone)]
pub struct SignIn {
    /// The username, in any case.
    pub username: String,
    /// The password.
    pub password: String,
    /// The caller's address, for rate limits.
    pub address: Option<IpAddr>,
}

/// A change of password.
#[derive(Clone)]
pub struct PasswordChange {
    /// The current password.
    pub current: String,
    /// The new password.
    pub new: String,
}

/// Why a sign-in is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInRefusal {
    /// The username or the password is wrong.
    Wrong,
    /// The password is right, and the account is suspended.
    Suspended,
}

/// The result of signing in.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// A bearer token for the next requests.
    pub token: String,
    /// The user who signed in.
    pub viewer: Viewer,
}

impl Service {
    /// The viewer that a bearer token identifies. The first token with a new subject of the
    /// identity provider creates the user.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when the token is invalid or revoked or its account is gone, or
    /// when the store fails.
    pub async fn authenticate(&self, token: &str) -> Result<Viewer> {
        let claims = self.tokens.read(token, self.clock.now()).await?;
        let account = match &claims.subject {
            Subject::User(id) => self.store.find_account(*id).await?,
            Subject::Foreign(foreign) => Some(self.find_or_create_foreign(foreign).await?),
        };
        let mut account = account.ok_or_else(|| refused_token("its account is gone"))?;
        if claims.session.is_revoked(&account) {
            return Err(refused_token("it has been revoked"));
        }
        if account.user.standing == Standing::Suspended {
            return Err(refused_token("its account is suspended"));
        }
        if let Subject::Foreign(foreign) = &claims.subject {
            self.take_role(&mut account, foreign).await?;
            self.refresh_profile(&account.user, foreign);
        }

        Ok(viewer(account, claims.session))
    }

    /// The viewer as they are now, with the same token.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when the token has expired or was revoked or the account is gone,
    /// or when the store fails.
    pub(crate) async fn find_again(&self, before: &Viewer) -> Result<Viewer> {
        let session = before.session;
        if session.left(self.clock.now()).is_some_and(|left| left.is_zero()) {
            return Err(Error::Unauthenticated);
        }
        let account = self.store.find_account(before.id()).await?.ok_or(Error::Unauthenticated)?;
        if session.is_revoked(&account) || account.user.standing == Standing::Suspended {
            return Err(Error::Unauthenticated);
        }
        Ok(viewer(account, session))
    }

    /// Issues a token that is valid while the account stays in `epoch`, which must be the epoch
    /// that was read with the credentials.
    pub(crate) fn start_session(&self, account: Account, epoch: i64) -> Result<SignedIn> {
        let now = self.clock.now();
        let token = self.tokens.issue(account.user.id, epoch, None, now, SIGN_IN_TTL)?;
        Ok(SignedIn { token, viewer: viewer(account, Session::default()) })
    }
}

impl SeenBy {
    /// Signs in with a password. A wrong username and a wrong password take the same time, so a
    /// response does not reveal which it was.
    ///
    /// # Errors
    /// [`Error::RateLimited`] after too many attempts, or when the store fails.
    pub async fn sign_in(&self, sign_in: SignIn) -> Result<Result<SignedIn, SignInRefusal>> {
        let key = UsernameKey::parse(&sign_in.username);
        if let Some(attempts) = &self.service.attempts {
            attempts.count(key.as_ref(), sign_in.address)?;
        }

        let mut credentials = match &key {
            Some(key) => self.service.store.find_credentials(key).await?,
            None => None,
        };
        let hash = credentials.as_mut().and_then(|credentials| credentials.password_hash.take());
        let imported = hash.clone().filter(|hash| Passwords::is_imported(hash));
        let is_right = self.service.passwords.verify(&sign_in.password, hash).await?;
        let Some(credentials) = credentials.filter(|_| is_right) else {
            return Ok(Err(SignInRefusal::Wrong));
        };

        if let Some(imported) = imported {
            let new = self.service.passwords.hash(&sign_in.password).await?;
            self.service.store.replace_password_hash(credentials.id, &imported, &new).await?;
        }
        let Some(account) = self.service.store.find_account(credentials.id).await? else {
            return Ok(Err(SignInRefusal::Wrong));
        };
        match account.user.standing {
            Standing::Active => {}
            Standing::Suspended => return Ok(Err(SignInRefusal::Suspended)),
            Standing::Service => return Ok(Err(SignInRefusal::Wrong)),
        }
        self.service.start_session(account, credentials.token_epoch).map(Ok)
    }

    /// Changes the viewer's password, revokes all tokens of the account and issues a new one; or
    /// returns everything that is wrong with the fields `newPassword` and `currentPassword`. An
    /// account without a password has no right one.
    ///
    /// # Errors
    /// [`Error::RateLimited`] after too many attempts, [`Error::Unauthenticated`] when signed out,
    /// when the account is gone or when the viewer's token has been revoked meanwhile, or when the
    /// store fails.
    pub async fn change_password(
        &self,
        change: PasswordChange,
    ) -> Result<Result<SignedIn, Vec<FormError>>> {
        let (service, viewer) = (&self.service, self.signed_in()?);
        let mut form = Form::default();
        form.check("newPassword", Passwords::check_rules(&change.new));
        if let Some(attempts) = &service.attempts {
            attempts.count_confirmation(viewer.id())?;
        }
        let epoch = viewer.account.token_epoch;
        let credentials = service.store.find_credentials_by_id(viewer.id()).await?;
        let credentials = credentials.filter(|credentials| credentials.token_epoch == epoch);
        let credentials = credentials.ok_or(Error::Unauthenticated)?;
        if !service.passwords.verify(&change.current, credentials.password_hash).await? {
            form.errors.insert(0, FormError::new("currentPassword", BrokenRule::Wrong, "is wrong"));
        }
        if !form.errors.is_empty() {
            return Ok(Err(form.errors));
        }

        let hash = service.passwords.hash(&change.new).await?;
        let now = service.clock.now();
        if !service.store.change_password(viewer.id(), Some(epoch), &hash, now).await? {
            return Err(Error::Unauthenticated);
        }
        service.start_session(viewer.account.clone(), epoch + 1).map(Ok)
    }

    /// Revokes all of the viewer's tokens, including the one on this request.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when signed out or when the account is gone by now, or when the
    /// store fails.
    pub async fn sign_out_everywhere(&self) -> Result<()> {
        let (service, viewer) = (&self.service, self.signed_in()?);
        let exists = service.store.end_tokens(viewer.id(), service.clock.now()).await?;
        if exists { Ok(()) } else { Err(Error::Unauthenticated) }
    }
}

impl Operator<'_> {
    /// Sets a user's password, whether or not there was one, and revokes all tokens of the
    /// account; or returns the rule that the password breaks. False when there is no such user.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn set_password(
        self,
        username: &UsernameKey,
        password: &str,
    ) -> Result<Result<bool, FormError>> {
        if let Err(error) = Passwords::check_rules(password) {
            return Ok(Err(FormError::new("password", error.into(), error)));
        }
        let hash = PasswordHash(self.0.passwords.hash(password).await?);
        let outcome = self.change(username, |id| AdminChange::SetPassword(id, hash)).await?;
        Ok(Ok(outcome == AdminOutcome::Done))
    }

    /// Issues a bearer token for a user. `scope` narrows the role's permissions. `None` when there
    /// is no such user.
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

/// A viewer with the permissions that both the role and the token's scope grant.
fn viewer(account: Account, session: Session) -> Viewer {
    let permissions = account.role.permissions;
    let permissions = session.scope.map_or(permissions, |scope| permissions.intersection(scope));
    // A machine is in no list, so it follows no user.
    let permissions = match account.user.standing {
        Standing::Service => permissions.without(Permissions::from_iter([Permission::Follow])),
        Standing::Active | Standing::Suspended => permissions,
    };
    Viewer { account, permissions, session }
}
