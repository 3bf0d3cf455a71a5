//! Administration: the inputs and payloads of the mutations for moderators and administrators.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, MaybeUndefined, Object, SimpleObject};

use super::{
    account::{AccountError, parsed},
    follow::UserRef,
    query::Query,
    user::User,
    viewer::Viewer,
};
use crate::{
    domain::{
        self, AdminRefusal, AvatarUrl, Bio, DisplayName, ExternalId, Form, FormError,
        ProfileChange, Username, text,
    },
    graphql::{
        context::RequestContext, error::Failure, global_id::GlobalId, projection::Projected,
    },
    service::{SeenBy, UpsertOutcome, UserUpsert},
};

/// Why an administrator's change was refused.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum AdminErrorCode {
    /// The reason is too long, or has characters that are not allowed.
    Invalid,
    /// There is no such role.
    NoSuchRole,
    /// There is no such user.
    NotFound,
    /// The user, or the role, may moderate or administer, and the caller's token may not do all of that.
    Outranked,
    /// It is the caller.
    Yourself,
}

/// An expected failure of an administrator's change.
#[derive(Clone, SimpleObject)]
pub(crate) struct AdminError {
    /// What went wrong, for programs.
    code: AdminErrorCode,
    /// The path of the input field at fault.
    field: Option<Vec<String>>,
    /// What went wrong, for people.
    message: String,
}

impl AdminError {
    fn new(code: AdminErrorCode, field: Vec<String>, message: impl Into<String>) -> Self {
        Self { code, field: Some(field), message: message.into() }
    }

    fn no_such_user(user: &UserRef) -> Self {
        Self::new(AdminErrorCode::NotFound, user.path(), "There is no such user.")
    }

    fn of_refusal(refusal: AdminRefusal, user: &UserRef) -> Self {
        let (code, message) = match refusal {
            AdminRefusal::Yourself => (AdminErrorCode::Yourself, "You cannot do this to yourself."),
            AdminRefusal::Outranked => {
                (AdminErrorCode::Outranked, "Only those who may do as much can do this.")
            }
        };
        Self::new(code, user.path(), message)
    }
}

/// The outcome of an administrator's change.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum AdminOutcome {
    /// The change was made, and is in the audit log.
    Changed,
    /// It was so already; nothing changed.
    Unchanged,
}

/// What became of a change: the user before it, and the outcome.
type Administered = Result<(Arc<domain::User>, AdminOutcome), AdminError>;

/// Finds the user, makes the change, and says what became of it.
async fn administer(
    ctx: &Context<'_>,
    user: &UserRef,
    change: impl AsyncFnOnce(
        &SeenBy,
        &domain::User,
    ) -> crate::service::Result<Result<domain::AdminOutcome, AdminRefusal>>,
) -> Result<Administered, Failure> {
    let request = RequestContext::of(ctx);
    // The guard has checked the permission.
    let Some(found) = user.find(&request.service.for_administration()).await? else {
        return Ok(Err(AdminError::no_such_user(user)));
    };
    let outcome = change(&request.service, &found).await?;
    request.loaders.clear().await;
    Ok(match outcome {
        Ok(domain::AdminOutcome::Done) => Ok((found, AdminOutcome::Changed)),
        Ok(domain::AdminOutcome::Unchanged) => Ok((found, AdminOutcome::Unchanged)),
        Ok(domain::AdminOutcome::NoSuchRole) => {
            let field = ["input", "role"].map(str::to_owned).into();
            Err(AdminError::new(AdminErrorCode::NoSuchRole, field, "There is no such role."))
        }
        // Machines are not found here.
        Ok(domain::AdminOutcome::NoSuchUser | domain::AdminOutcome::IsMachine) => {
            Err(AdminError::no_such_user(user))
        }
        Ok(_) => return Err(Failure::internal()),
        Err(refusal) => Err(AdminError::of_refusal(refusal, user)),
    })
}

/// Defines the payload of a change to a user. The texts are descriptions.
macro_rules! payload {
    ($payload:ident: $of_payload:literal) => {
        #[doc = $of_payload]
        pub(crate) struct $payload(Administered);

        #[Object]
        #[doc = $of_payload]
        impl $payload {
            /// The outcome; null exactly if `userErrors` is not empty.
            async fn outcome(&self) -> Option<AdminOutcome> {
                self.0.as_ref().ok().map(|(_, outcome)| *outcome)
            }

            /// The root of all queries, read after the change.
            async fn query(&self) -> Query {
                Query
            }

            /// The user after the change.
            async fn user(&self, ctx: &Context<'_>) -> Option<Result<Projected<User>, Failure>> {
                let (user, _) = self.0.as_ref().ok()?;
                let user = RequestContext::of(ctx).loaders.users.one(user.id).await;
                user.map(|user| user.map(User).map(Projected)).transpose()
            }

            /// What went wrong; empty on success.
            async fn user_errors(&self) -> Vec<AdminError> {
                self.0.as_ref().err().cloned().into_iter().collect()
            }
        }
    };
}

/// The input of `setRole`.
#[derive(InputObject)]
pub(crate) struct SetRoleInput {
    /// The name of the role: one that is built in, or one of the operator's.
    role: String,
    /// Whom to give the role.
    user: UserRef,
}

payload!(SetRolePayload: "The result of `setRole`.");

impl SetRolePayload {
    pub(crate) async fn set_role(ctx: &Context<'_>, input: SetRoleInput) -> Result<Self, Failure> {
        let SetRoleInput { role, user } = input;
        let change = async |service: &SeenBy, user: &_| service.set_role(user, &role).await;
        administer(ctx, &user, change).await.map(Self)
    }
}

/// The input of `suspendUser`.
#[derive(InputObject)]
pub(crate) struct SuspendUserInput {
    /// Why, for the audit log: at most 500 characters.
    reason: Option<String>,
    /// Whom to suspend.
    user: UserRef,
}

payload!(SuspendUserPayload: "The result of `suspendUser`.");

impl SuspendUserPayload {
    pub(crate) async fn suspend_user(
        ctx: &Context<'_>,
        input: SuspendUserInput,
    ) -> Result<Self, Failure> {
        let SuspendUserInput { reason, user } = input;
        // The same rule as for a bio.
        let reason = match reason.as_deref().map(Bio::parse).transpose() {
            Ok(reason) => reason.map(|reason| reason.as_str().to_owned()),
            Err(error) => {
                let field = ["input", "reason"].map(str::to_owned).into();
                let message = format!("The reason {error}.");
                return Ok(Self(Err(AdminError::new(AdminErrorCode::Invalid, field, message))));
            }
        };
        let change = async |service: &SeenBy, user: &_| service.suspend_user(user, reason).await;
        administer(ctx, &user, change).await.map(Self)
    }
}

/// The input of `reinstateUser`.
#[derive(InputObject)]
pub(crate) struct ReinstateUserInput {
    /// Whose suspension to lift.
    user: UserRef,
}

payload!(ReinstateUserPayload: "The result of `reinstateUser`.");

impl ReinstateUserPayload {
    pub(crate) async fn reinstate_user(
        ctx: &Context<'_>,
        input: ReinstateUserInput,
    ) -> Result<Self, Failure> {
        let change = async |service: &SeenBy, user: &_| service.reinstate_user(user).await;
        administer(ctx, &input.user, change).await.map(Self)
    }
}

/// The input of `deleteUser`.
#[derive(InputObject)]
pub(crate) struct DeleteUserInput {
    /// Whom to delete.
    user: UserRef,
}

/// The result of `deleteUser`.
#[derive(SimpleObject)]
pub(crate) struct DeleteUserPayload {
    /// The global ID of the deleted user; null if something went wrong.
    deleted_user_id: Option<ID>,
    /// The root of all queries, read after the change.
    query: Query,
    /// What went wrong; empty on success.
    user_errors: Vec<AdminError>,
}

impl DeleteUserPayload {
    pub(crate) async fn delete_user(
        ctx: &Context<'_>,
        input: DeleteUserInput,
    ) -> Result<Self, Failure> {
        let change = async |service: &SeenBy, user: &_| service.delete_user(user).await;
        let (deleted, error) = match administer(ctx, &input.user, change).await? {
            Ok((user, _)) => (Some(GlobalId::User(user.id).into()), None),
            Err(error) => (None, Some(error)),
        };
        let user_errors = error.into_iter().collect();
        Ok(Self { deleted_user_id: deleted, query: Query, user_errors })
    }
}

/// A user of the host, as they should be. A field of the profile that is left out stays as it is;
/// null removes its value.
#[derive(InputObject)]
pub(crate) struct UpsertUserInput {
    /// The URL of a picture: absolute, http or https, at most 2,000 characters.
    avatar_url: MaybeUndefined<String>,
    /// What the user says about themselves, at most 500 characters.
    bio: MaybeUndefined<String>,
    /// The user's ID at the host application, which says who it is: 1 to 255 bytes without control
    /// characters.
    external_id: String,
    /// The display name, at most 100 characters.
    name: MaybeUndefined<String>,
    /// The username, which a new user needs and which cannot be changed: 1 to 64 of
    /// `a-z A-Z 0-9 _ . -`, first a letter, a digit or `_`.
    username: Option<String>,
}

/// The input of `upsertUsers`.
#[derive(InputObject)]
pub(crate) struct UpsertUsersInput {
    /// The users, at most as many as the server's page size.
    users: Vec<UpsertUserInput>,
}

/// What became of a user in `upsertUsers`.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum UpsertUserOutcome {
    /// The user was created.
    Created,
    /// The user was as they should be; nothing changed.
    Unchanged,
    /// The profile was changed.
    Updated,
}

/// The result for one of the users of `upsertUsers`.
#[derive(SimpleObject)]
pub(crate) struct UpsertUserResult {
    /// The outcome; null exactly if `userErrors` is not empty.
    outcome: Option<UpsertUserOutcome>,
    /// The user after the change; null if something went wrong.
    user: Option<Projected<User>>,
    /// What went wrong; empty on success. Paths begin at `input`, `users` and the place of the user.
    user_errors: Vec<AccountError>,
}

/// The result of `upsertUsers`.
#[derive(SimpleObject)]
pub(crate) struct UpsertUsersPayload {
    /// The root of all queries, read after the changes.
    query: Query,
    /// One result for each user, in the order of the input.
    results: Vec<UpsertUserResult>,
    /// The caller.
    viewer: Option<Viewer>,
}

impl UpsertUserInput {
    fn parse(&self) -> Result<UserUpsert, Vec<FormError>> {
        let mut form = Form::default();
        let external_id = form.check("externalId", ExternalId::parse(&self.external_id));
        let username = self.username.as_deref().map(text::trimmed).map(Username::parse);
        let username = username.and_then(|username| form.check("username", username));
        let profile = ProfileChange {
            name: parsed(&mut form, "name", &self.name, DisplayName::parse),
            bio: parsed(&mut form, "bio", &self.bio, Bio::parse),
            avatar_url: parsed(&mut form, "avatarUrl", &self.avatar_url, AvatarUrl::parse),
        };
        match external_id {
            Some(external_id) if form.errors.is_empty() => {
                Ok(UserUpsert { external_id, username, profile })
            }
            _ => Err(form.errors),
        }
    }
}

impl UpsertUserResult {
    fn new(outcome: UpsertOutcome, place: usize) -> Self {
        let (outcome, user) = match outcome {
            UpsertOutcome::Created(user) => (UpsertUserOutcome::Created, user),
            UpsertOutcome::Updated(user) => (UpsertUserOutcome::Updated, user),
            UpsertOutcome::Unchanged(user) => (UpsertUserOutcome::Unchanged, user),
            UpsertOutcome::Refused(error) => return Self::refused(vec![error], place),
        };
        let user = Some(Projected(User(user)));
        Self { outcome: Some(outcome), user, user_errors: Vec::new() }
    }

    fn refused(errors: Vec<FormError>, place: usize) -> Self {
        let errors = errors.into_iter().map(|error| AccountError::of_item(error, place));
        Self { outcome: None, user: None, user_errors: errors.collect() }
    }
}

impl UpsertUsersPayload {
    pub(crate) async fn upsert_users(
        ctx: &Context<'_>,
        input: UpsertUsersInput,
    ) -> Result<Self, Failure> {
        let request = RequestContext::of(ctx);
        let parsed: Vec<_> = input.users.iter().map(UpsertUserInput::parse).collect();
        let upserts: Vec<_> =
            parsed.iter().filter_map(|user| user.as_ref().ok().cloned()).collect();
        let mut outcomes = request.service.upsert_users(&upserts).await?.into_iter();
        request.loaders.clear().await;

        let result = |(place, parsed)| match parsed {
            Err(errors) => Some(UpsertUserResult::refused(errors, place)),
            Ok(_) => outcomes.next().map(|outcome| UpsertUserResult::new(outcome, place)),
        };
        let results = parsed.into_iter().enumerate().filter_map(result).collect();
        Ok(Self { query: Query, results, viewer: request.service.viewer().cloned().map(Viewer) })
    }
}
