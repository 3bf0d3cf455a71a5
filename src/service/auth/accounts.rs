//! Creating, changing and deleting accounts.

use std::{borrow::Cow, net::IpAddr, sync::Arc};

use super::passwords::Passwords;
use crate::{
    domain::{
        Account, Actor, AdminOutcome, BrokenRule, Credentials, DisplayName, Form, FormError,
        NewUser, ProfileChange, Standing, User, UserId, Username, UsernameKey, text,
    },
    service::{Error, Operator, Result, SeenBy, Service, SignedIn},
    store::{CreateOutcome, Store},
};

/// How many random ids or names are tried before giving up.
pub(crate) const DRAWS_MAX: u32 = 20;

/// An account to create.
#[derive(Clone)]
pub struct NewAccount {
    /// The username.
    pub username: String,
    /// The display name.
    pub name: Option<String>,
    /// The password; without one the user cannot sign in with a password.
    pub password: Option<String>,
}

impl SeenBy {
    /// Creates an account with a password and signs in to it, or returns everything that is wrong
    /// with the fields `username`, `name` and `password`.
    ///
    /// # Errors
    /// [`Error::RateLimited`] after too many attempts from the address, or when the store fails.
    pub async fn sign_up(
        &self,
        new: NewAccount,
        address: Option<IpAddr>,
    ) -> Result<Result<SignedIn, Vec<FormError>>> {
        if let Some(attempts) = &self.service.attempts {
            attempts.count(None, address)?;
        }
        let id = match self.service.create_account(new).await? {
            Ok(id) => id,
            Err(errors) => return Ok(Err(errors)),
        };
        let account = self.service.store.find_account(id).await?.ok_or(Error::Unauthenticated)?;
        let epoch = account.token_epoch;
        Ok(Ok(self.service.start_session(account, epoch)?))
    }

    /// Changes the viewer's profile; `None` when the account is gone by now.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when signed out, or when the store fails.
    pub async fn update_profile(&self, change: &ProfileChange) -> Result<Option<Arc<User>>> {
        let (id, change) = (self.signed_in()?.id(), change.clone());
        let update = |store: Arc<dyn Store>| async move { store.update_profile(id, &change).await };
        self.service.change_user(id, update).await
    }

    /// Deletes the viewer's account; false when the password is wrong. Accounts of an identity
    /// provider have no password and need none.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when signed out or when the account is gone by now,
    /// [`Error::RateLimited`] after too many attempts, or when the store fails.
    pub async fn delete_account(&self, password: Option<&str>) -> Result<bool> {
        let (service, id) = (&self.service, self.signed_in()?.id());
        let Some(credentials) = service.store.find_credentials_by_id(id).await? else {
            return Err(Error::Unauthenticated);
        };
        if let Some(hash) = credentials.password_hash {
            if let Some(attempts) = &service.attempts {
                attempts.count_confirmation(id)?;
            }
            if !service.passwords.verify(password.unwrap_or_default(), Some(hash)).await? {
                return Ok(false);
            }
        }

        service.remove_user(id).await?;
        Ok(true)
    }
}

impl Operator<'_> {
    /// Creates an account, or returns everything that is wrong with it. An account of kind
    /// [`Standing::Service`] is a machine's.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn add_user(
        self,
        new: NewAccount,
        standing: Standing,
        role: Option<String>,
    ) -> Result<Result<UserId, Vec<FormError>>> {
        let mut user = match self.0.new_user(new).await? {
            Ok(user) => user,
            Err(errors) => return Ok(Err(errors)),
        };
        user.standing = standing;
        user.role = role.map_or(user.role, Cow::Owned);
        match self.0.add_user(&Actor::Operator, &mut user).await? {
            AdminOutcome::Done => Ok(Ok(user.id)),
            AdminOutcome::UsernameTaken => Ok(Err(vec![username_taken()])),
            AdminOutcome::NoSuchRole => {
                Ok(Err(vec![FormError::new("role", BrokenRule::Invalid, "does not exist")]))
            }
            outcome => Err(Error::Internal(format!("could not create a user: {outcome:?}"))),
        }
    }

    /// The account with this username, and how its user signs in; `None` when there is no such
    /// user.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn account(self, username: &UsernameKey) -> Result<Option<(Account, Credentials)>> {
        let Some(credentials) = self.0.store.find_credentials(username).await? else {
            return Ok(None);
        };
        let account = self.0.store.find_account(credentials.id).await?;
        Ok(account.map(|account| (account, credentials)))
    }

    /// Hashes a password, for accounts that are created in bulk.
    ///
    /// # Errors
    /// [`Error::Internal`] when hashing fails, which is a bug.
    pub async fn hash_password(self, password: &str) -> Result<String> {
        self.0.passwords.hash(password).await
    }
}

impl Service {
    async fn create_account(&self, new: NewAccount) -> Result<Result<UserId, Vec<FormError>>> {
        let mut user = match self.new_user(new).await? {
            Ok(user) => user,
            Err(errors) => return Ok(Err(errors)),
        };
        match self.create_with_new_id(&mut user).await? {
            CreateOutcome::Created => Ok(Ok(user.id)),
            CreateOutcome::UsernameTaken => Ok(Err(vec![username_taken()])),
            taken @ (CreateOutcome::ExternalIdTaken | CreateOutcome::IdTaken) => {
                Err(Error::Internal(format!("could not create a user: {taken:?}")))
            }
        }
    }

    /// The user of a form, to be created with an id; or everything that is wrong with it.
    async fn new_user(&self, new: NewAccount) -> Result<Result<NewUser, Vec<FormError>>> {
        let mut form = Form::default();
        // White space around it cannot be seen. A leading `@` can, and is refused, so that the
        // username is the one that was typed.
        let username = form.check("username", Username::parse(text::trimmed(&new.username)));
        let name = new.name.as_deref().map(DisplayName::parse).transpose();
        let name = form.check("name", name).flatten();
        if let Some(password) = &new.password {
            form.check("password", Passwords::check_rules(password));
        }

        // The insert finds out whether the username is taken, unless the form is refused anyway.
        let Some(username) = username else { return Ok(Err(form.errors)) };
        if !form.errors.is_empty() {
            if self.store.find_credentials(&username.key()).await?.is_some() {
                form.errors.insert(0, username_taken());
            }
            return Ok(Err(form.errors));
        }

        let password_hash = match new.password {
            Some(password) => Some(self.passwords.hash(&password).await?),
            None => None,
        };
        let mut user = NewUser::bare(UserId::MIN, username, self.clock.now());
        user.name = name.map(|name| name.as_str().to_owned());
        user.password_hash = password_hash;
        Ok(Ok(user))
    }

    async fn remove_user(&self, id: UserId) -> Result<bool> {
        let at = self.clock.now();
        let delete = |store: Arc<dyn Store>| async move { store.delete_user(id, at).await };
        self.change_user(id, delete).await
    }

    /// Creates a user with a new id, and tries again with another while the id is taken.
    pub(crate) async fn create_with_new_id(&self, user: &mut NewUser) -> Result<CreateOutcome> {
        for _ in 0..DRAWS_MAX {
            user.id = self.ids.next(self.clock.now(), self.random.next_u32());
            let outcome = self.store.create_user(user).await?;
            if outcome != CreateOutcome::IdTaken {
                return Ok(outcome);
            }
        }
        Ok(CreateOutcome::IdTaken)
    }
}

fn username_taken() -> FormError {
    FormError::new("username", BrokenRule::Taken, "is taken")
}
