//! Administration: creating, changing, suspending and deleting the users of a host, and the log of
//! that. Viewers do it by their permissions, the operator without.

use std::{slice, sync::Arc};

use super::{Error, Operator, Result, SeenBy, Service, Viewer, auth::DRAWS_MAX, authorize};
use crate::{
    domain::{
        Actor, AdminChange, AdminOutcome, AdminRefusal, Administration, Audience, AuditEntry,
        BrokenRule, ExternalId, FormError, NewUser, Page, PageRequest, Permission, Permissions,
        ProfileChange, Role, User, UserId, Username, UsernameKey, outranks,
    },
    store::Store,
};

/// The outcome of a change, or why it was refused.
type Administered = Result<std::result::Result<AdminOutcome, AdminRefusal>>;

/// A user of the host, to be created or brought up to date.
#[derive(Clone, Debug)]
pub struct UserUpsert {
    /// The id at the host.
    pub external_id: ExternalId,
    /// The username, which a new user needs, and which never changes.
    pub username: Option<Username>,
    /// What the profile is to be.
    pub profile: ProfileChange,
}

/// What became of a user of the host.
#[derive(Clone, Debug)]
pub enum UpsertOutcome {
    /// They were created.
    Created(Arc<User>),
    /// Their profile was changed.
    Updated(Arc<User>),
    /// They were as they should be.
    Unchanged(Arc<User>),
    /// Nothing was changed, because of this field.
    Refused(FormError),
}

impl SeenBy {
    /// Gives a user a role, which must not have a permission to administer that the viewer lacks. It
    /// needs `ADMIN`.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] or [`Error::Forbidden`] without the permission, or when the store
    /// fails. So do all methods below.
    pub async fn set_role(&self, user: &User, role: &str) -> Administered {
        let viewer = self.permitted(Permission::Admin)?;
        let roles = self.service.store.roles().await?;
        let given = roles.iter().find(|known| known.name == role);
        if given.is_some_and(|given| !outranks(viewer.permissions, given.permissions)) {
            return Ok(Err(AdminRefusal::Outranked));
        }
        self.administer(Permission::Admin, user, AdminChange::SetRole(user.id, role.to_owned()))
            .await
    }

    /// Suspends a user. It needs `MODERATE`.
    ///
    /// # Errors
    /// See [`set_role`](Self::set_role).
    pub async fn suspend_user(&self, user: &User, reason: Option<String>) -> Administered {
        self.administer(Permission::Moderate, user, AdminChange::Suspend(user.id, reason)).await
    }

    /// Lifts a suspension. It needs `MODERATE`.
    ///
    /// # Errors
    /// See [`set_role`](Self::set_role).
    pub async fn reinstate_user(&self, user: &User) -> Administered {
        self.administer(Permission::Moderate, user, AdminChange::Reinstate(user.id)).await
    }

    /// Deletes a user with all their edges. It needs `ADMIN`.
    ///
    /// # Errors
    /// See [`set_role`](Self::set_role).
    pub async fn delete_user(&self, user: &User) -> Administered {
        self.administer(Permission::Admin, user, AdminChange::Delete(user.id)).await
    }

    /// Creates the users of a host who are new, and changes the profiles of those who differ, one after
    /// the other; the results are in the order of the input. It needs `ADMIN`.
    ///
    /// # Errors
    /// See [`set_role`](Self::set_role).
    pub async fn upsert_users(&self, upserts: &[UserUpsert]) -> Result<Vec<UpsertOutcome>> {
        let actor = self.permitted(Permission::Admin)?;
        let actor = Actor::User(actor.id(), actor.account.user.username.to_string());
        let ids: Vec<_> = upserts.iter().map(|upsert| upsert.external_id.clone()).collect();
        // Also those who block the caller.
        let store = &self.service.store;
        let mut users = store.users_by_external_ids(Audience::EVERYBODY, &ids).await?;
        let mut outcomes = Vec::with_capacity(upserts.len());
        for upsert in upserts {
            let id = &upsert.external_id;
            let mut outcome = self.service.upsert(&actor, upsert, users.get(id)).await?;
            if outcome.is_none() {
                let ids = slice::from_ref(id);
                let found = store.users_by_external_ids(Audience::EVERYBODY, ids).await?;
                outcome = self.service.upsert(&actor, upsert, found.get(id)).await?;
            }
            let Some(outcome) = outcome else {
                let reason =
                    format!("the user {} is created and deleted all the time", id.as_str());
                return Err(Error::Unavailable(reason));
            };
            if let UpsertOutcome::Created(user) | UpsertOutcome::Updated(user) = &outcome {
                users.insert(upsert.external_id.clone(), Arc::clone(user));
            }
            outcomes.push(outcome);
        }
        Ok(outcomes)
    }

    /// A page of the log of administrators. It needs `ADMIN`.
    ///
    /// # Errors
    /// See [`set_role`](Self::set_role).
    pub async fn page_of_audit_log(&self, request: &PageRequest<i64>) -> Result<Page<AuditEntry>> {
        self.permitted(Permission::Admin)?;
        Ok(self.service.store.page_of_audit_log(request).await?)
    }

    fn permitted(&self, permission: Permission) -> Result<&Viewer> {
        authorize(self.viewer().map(|viewer| &**viewer), Permissions::from_iter([permission]))
    }

    async fn administer(
        &self,
        permission: Permission,
        user: &User,
        change: AdminChange,
    ) -> Administered {
        let viewer = self.permitted(permission)?;
        if viewer.id() == user.id {
            return Ok(Err(AdminRefusal::Yourself));
        }
        let Some(account) = self.service.store.find_account(user.id).await? else {
            return Ok(Ok(AdminOutcome::NoSuchUser));
        };
        if !outranks(viewer.permissions, account.role.permissions) {
            return Ok(Err(AdminRefusal::Outranked));
        }
        let actor = Actor::User(viewer.id(), viewer.account.user.username.to_string());
        let username = Some(user.username.to_string());
        self.service.administer(actor, username, change).await.map(Ok)
    }
}

impl Operator<'_> {
    /// Makes a change to the account with this username.
    ///
    /// # Errors
    /// When the store fails. So do all methods below.
    pub async fn change(
        self,
        username: &UsernameKey,
        change: impl FnOnce(UserId) -> AdminChange,
    ) -> Result<AdminOutcome> {
        // Of every kind: look-ups by viewers do not find the accounts of machines.
        let Some(credentials) = self.0.store.find_credentials(username).await? else {
            return Ok(AdminOutcome::NoSuchUser);
        };
        let Some(account) = self.0.store.find_account(credentials.id).await? else {
            return Ok(AdminOutcome::NoSuchUser);
        };
        let username = Some(account.user.username.to_string());
        self.0.administer(Actor::Operator, username, change(credentials.id)).await
    }

    /// Makes a change that is not about a user.
    ///
    /// # Errors
    /// See [`change`](Self::change).
    pub async fn change_roles(self, change: AdminChange) -> Result<AdminOutcome> {
        self.0.administer(Actor::Operator, None, change).await
    }

    /// All roles.
    ///
    /// # Errors
    /// See [`change`](Self::change).
    pub async fn roles(self) -> Result<Vec<Role>> {
        Ok(self.0.store.roles().await?)
    }

    /// A page of the log.
    ///
    /// # Errors
    /// See [`change`](Self::change).
    pub async fn page_of_audit_log(self, request: &PageRequest<i64>) -> Result<Page<AuditEntry>> {
        Ok(self.0.store.page_of_audit_log(request).await?)
    }
}

impl Service {
    /// Makes a change and writes it to the log, as this actor.
    pub(super) async fn administer(
        &self,
        actor: Actor,
        username: Option<String>,
        change: AdminChange,
    ) -> Result<AdminOutcome> {
        let (user, at) = (change.user(), self.clock.now());
        let id = self.ids.next(at, self.random.next_u32()).0;
        let step = Administration { id, at, actor, username, change };
        let administer = |store: Arc<dyn Store>| async move { store.administer(&step).await };
        match user {
            Some(user) => self.change_user(user, administer).await,
            None => Ok(administer(Arc::clone(&self.store)).await?),
        }
    }

    /// Creates a user as an administrator, and tries again with another id while that is taken.
    pub(super) async fn add_user(&self, actor: &Actor, user: &mut NewUser) -> Result<AdminOutcome> {
        for _ in 0..DRAWS_MAX {
            user.id = self.ids.next(self.clock.now(), self.random.next_u32());
            let (username, change) = (user.username.as_str().to_owned(), Box::new(user.clone()));
            let create = AdminChange::Create(change);
            let outcome = self.administer(actor.clone(), Some(username), create).await?;
            if outcome != AdminOutcome::IdTaken {
                return Ok(outcome);
            }
        }
        Ok(AdminOutcome::IdTaken)
    }

    /// Creates a user, or changes one who was found; `None` if another write came first, so that the
    /// user is there by now, or gone.
    async fn upsert(
        &self,
        actor: &Actor,
        upsert: &UserUpsert,
        found: Option<&Arc<User>>,
    ) -> Result<Option<UpsertOutcome>> {
        match found {
            Some(user) => self.update_from(actor, upsert, user).await,
            None => self.create_from(actor, upsert).await,
        }
    }

    async fn create_from(
        &self,
        actor: &Actor,
        upsert: &UserUpsert,
    ) -> Result<Option<UpsertOutcome>> {
        let refused = |rule, reason: &str| {
            Ok(Some(UpsertOutcome::Refused(FormError::new("username", rule, reason))))
        };
        let Some(username) = upsert.username.clone() else {
            return refused(BrokenRule::TooShort, "must be given for a new user");
        };
        let profile = &upsert.profile;
        let mut new = NewUser::bare(UserId::MIN, username, self.clock.now());
        new.name = profile.name.iter().flatten().map(|name| name.as_str().to_owned()).next();
        new.bio = profile.bio.iter().flatten().map(|bio| bio.as_str().to_owned()).next();
        new.avatar_url =
            profile.avatar_url.iter().flatten().map(|url| url.as_str().to_owned()).next();
        new.external_id = Some(upsert.external_id.clone());
        match self.add_user(actor, &mut new).await? {
            AdminOutcome::Done => Ok(Some(UpsertOutcome::Created(Arc::new(User::from(&new))))),
            AdminOutcome::UsernameTaken => refused(BrokenRule::Taken, "is taken"),
            AdminOutcome::ExternalIdTaken => Ok(None),
            outcome => Err(Error::Internal(format!("could not create a user: {outcome:?}"))),
        }
    }

    async fn update_from(
        &self,
        actor: &Actor,
        upsert: &UserUpsert,
        user: &Arc<User>,
    ) -> Result<Option<UpsertOutcome>> {
        let is_other = |username: &Username| username.key() != UsernameKey::of(user);
        if upsert.username.as_ref().is_some_and(is_other) {
            let error = FormError::new("username", BrokenRule::Invalid, "cannot be changed");
            return Ok(Some(UpsertOutcome::Refused(error)));
        }
        let change = upsert.profile.clone().that_differs_from(user);
        if change == ProfileChange::default() {
            return Ok(Some(UpsertOutcome::Unchanged(Arc::clone(user))));
        }
        let updated = change.applied_to(user);
        let change = AdminChange::UpdateProfile(user.id, Box::new(change));
        match self.administer(actor.clone(), Some(user.username.to_string()), change).await? {
            AdminOutcome::Done => Ok(Some(UpsertOutcome::Updated(Arc::new(updated)))),
            AdminOutcome::NoSuchUser => Ok(None),
            outcome => Err(Error::Internal(format!("could not change a user: {outcome:?}"))),
        }
    }
}
