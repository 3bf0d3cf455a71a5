//! Accounts: changing a profile, deleting an account, and their errors.

use async_graphql::{Context, Enum, ID, InputObject, MaybeUndefined, SimpleObject};

use super::{query::Query, user::User, viewer::Viewer};
use crate::{
    domain::{AvatarUrl, Bio, DisplayName, ProfileChange, TextError},
    graphql::{
        context::RequestContext, error::Failure, global_id::GlobalId, projection::Projected,
    },
};

/// Why a change to an account was refused.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum AccountErrorCode {
    /// The username is taken, regardless of case.
    UsernameTaken,
    /// The username or the password is wrong.
    WrongCredentials,
    /// The password is wrong.
    WrongPassword,
}

/// An expected failure of a change to an account, to be shown to its owner.
#[derive(Clone, SimpleObject)]
pub(crate) struct AccountError {
    /// What went wrong, for programs.
    code: AccountErrorCode,
    /// The path of the input field at fault.
    field: Option<Vec<String>>,
    /// What went wrong, for people.
    message: &'static str,
}

impl AccountError {
    pub(crate) fn username_taken() -> Self {
        Self::new(AccountErrorCode::UsernameTaken, "That username is taken.", Some("username"))
    }

    pub(crate) fn wrong_credentials() -> Self {
        Self::new(AccountErrorCode::WrongCredentials, "Wrong username or password.", None)
    }

    /// The password in this field of the input is wrong.
    pub(crate) fn wrong_password(field: &str) -> Self {
        Self::new(AccountErrorCode::WrongPassword, "Wrong password.", Some(field))
    }

    fn new(code: AccountErrorCode, message: &'static str, field: Option<&str>) -> Self {
        let field = field.map(|field| ["input", field].map(str::to_owned).into());
        Self { code, field, message }
    }
}

/// The input of `updateProfile`. A field that is left out stays unchanged; null removes its value.
#[derive(InputObject)]
pub(crate) struct UpdateProfileInput {
    /// The URL of a picture: absolute, http or https, at most 2,000 characters.
    avatar_url: MaybeUndefined<String>,
    /// What the user says about themselves, at most 500 characters.
    bio: MaybeUndefined<String>,
    /// The display name, at most 100 characters.
    name: MaybeUndefined<String>,
}

/// The result of `updateProfile`.
#[derive(SimpleObject)]
pub(crate) struct UpdateProfilePayload {
    /// The root of all queries, read after the change.
    query: Query,
    /// The viewer's user after the change.
    user: Option<Projected<User>>,
    /// What went wrong; empty on success.
    user_errors: Vec<AccountError>,
    /// The viewer after the change.
    viewer: Option<Viewer>,
}

/// The change of a field: none, removing its value, or a new value that keeps its rule.
#[expect(clippy::option_option, reason = "as `ProfileChange` tells the three apart")]
fn parsed<T>(
    field: &str,
    text: MaybeUndefined<String>,
    parse: impl Fn(&str) -> Result<T, TextError>,
) -> Result<Option<Option<T>>, Failure> {
    match text {
        MaybeUndefined::Undefined => Ok(None),
        MaybeUndefined::Null => Ok(Some(None)),
        MaybeUndefined::Value(text) => parse(&text).map(Some).map(Some).map_err(|error| {
            Failure::bad_input(field, error).with_argument(format!("input.{field}"))
        }),
    }
}

impl UpdateProfilePayload {
    pub(crate) async fn update_profile(
        ctx: &Context<'_>,
        input: UpdateProfileInput,
    ) -> Result<Self, Failure> {
        let request = RequestContext::of(ctx);
        let change = ProfileChange {
            name: parsed("name", input.name, DisplayName::parse)?,
            bio: parsed("bio", input.bio, Bio::parse)?,
            avatar_url: parsed("avatarUrl", input.avatar_url, AvatarUrl::parse)?,
        };

        let user = request.service.update_profile(&change).await?;
        request.loaders.clear().await;

        Ok(Self {
            query: Query,
            user: user.map(User).map(Projected),
            user_errors: Vec::new(),
            viewer: request.service.viewer().cloned().map(Viewer),
        })
    }
}

/// The input of `deleteAccount`.
#[derive(InputObject)]
pub(crate) struct DeleteAccountInput {
    /// The password of the account. Accounts of an identity provider have none and need none here.
    #[graphql(secret)]
    password: Option<String>,
}

/// The result of `deleteAccount`.
#[derive(SimpleObject)]
pub(crate) struct DeleteAccountPayload {
    /// The global ID of the deleted user; null if something went wrong.
    deleted_user_id: Option<ID>,
    /// The root of all queries, read after the change.
    query: Query,
    /// What went wrong; empty on success.
    user_errors: Vec<AccountError>,
}

impl DeleteAccountPayload {
    pub(crate) async fn delete_account(
        ctx: &Context<'_>,
        input: DeleteAccountInput,
    ) -> Result<Self, Failure> {
        let request = RequestContext::of(ctx);
        let viewer = request.service.signed_in()?;

        let password = input.password.as_deref();
        let deleted = request.service.delete_account(password).await?;
        request.loaders.clear().await;

        let wrong = || AccountError::wrong_password("password");
        Ok(Self {
            deleted_user_id: deleted.then(|| GlobalId::User(viewer.id()).into()),
            query: Query,
            user_errors: (!deleted).then(wrong).into_iter().collect(),
        })
    }
}
