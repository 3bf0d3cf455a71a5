//! Accounts: what can go wrong with them, changing a profile, deleting an account.

use async_graphql::{Context, Enum, ID, InputObject, MaybeUndefined, SimpleObject};

use super::user::User;
use crate::{
    domain::{AvatarUrl, Bio, DisplayName, ProfileChange, TextError},
    graphql::{context::RequestContext, error::Failure, global_id, projection::Projected},
};

/// Why something could not be done to an account.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum AccountErrorCode {
    /// Somebody has this username, in whatever case.
    UsernameTaken,
    /// The username or the password is wrong.
    WrongCredentials,
    /// The password is wrong.
    WrongPassword,
}

/// An expected failure of a change to an account, to show to its owner.
#[derive(Clone, SimpleObject)]
pub(crate) struct AccountError {
    /// What went wrong, for programs.
    code: AccountErrorCode,
    /// The path of the input field that is at fault.
    field: Option<Vec<String>>,
    /// What went wrong, for people.
    message: &'static str,
}

impl AccountError {
    pub(crate) fn username_taken() -> Self {
        Self::of(AccountErrorCode::UsernameTaken, "That username is taken.").at("username")
    }

    pub(crate) fn wrong_credentials() -> Self {
        Self::of(AccountErrorCode::WrongCredentials, "Wrong username or password.")
    }

    /// The password in this field of the input is wrong.
    pub(crate) fn wrong_password(field: &str) -> Self {
        Self::of(AccountErrorCode::WrongPassword, "Wrong password.").at(field)
    }

    const fn of(code: AccountErrorCode, message: &'static str) -> Self {
        Self { code, field: None, message }
    }

    fn at(self, field: &str) -> Self {
        Self { field: Some(vec!["input".to_owned(), field.to_owned()]), ..self }
    }
}

/// The input of `updateProfile`. What is left out stays as it is; null empties it.
#[derive(InputObject)]
pub(crate) struct UpdateProfileInput {
    /// The URL of a picture: absolute, http or https, at most 2,000 characters.
    avatar_url: MaybeUndefined<String>,
    /// What the user says about themselves, at most 500 characters.
    bio: MaybeUndefined<String>,
    /// A string of the client's own, handed back in the payload.
    client_mutation_id: Option<String>,
    /// The name that the user goes by, at most 100 characters.
    name: MaybeUndefined<String>,
}

/// The result of `updateProfile`.
#[derive(SimpleObject)]
pub(crate) struct UpdateProfilePayload {
    /// The string that the client sent.
    client_mutation_id: Option<String>,
    /// The viewer's account, as it is after the change.
    user: Option<Projected<User>>,
    /// What went wrong; empty when nothing did.
    user_errors: Vec<AccountError>,
}

/// What a field of the input asks for: nothing, to be emptied, or a text that keeps its rule.
#[expect(clippy::option_option, reason = "as `ProfileChange` tells the three apart")]
fn parsed<T>(
    field: &str,
    text: MaybeUndefined<String>,
    parse: impl Fn(&str) -> Result<T, TextError>,
) -> Result<Option<Option<T>>, Failure> {
    match text {
        MaybeUndefined::Undefined => Ok(None),
        MaybeUndefined::Null => Ok(Some(None)),
        MaybeUndefined::Value(text) => match parse(&text) {
            Ok(value) => Ok(Some(Some(value))),
            Err(error) => {
                Err(Failure::bad_input(field, error).with_argument(format!("input.{field}")))
            }
        },
    }
}

impl UpdateProfilePayload {
    pub(crate) async fn update(
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
            client_mutation_id: input.client_mutation_id,
            user: user.map(User).map(Projected),
            user_errors: Vec::new(),
        })
    }
}

/// The input of `deleteAccount`.
#[derive(InputObject)]
pub(crate) struct DeleteAccountInput {
    /// A string of the client's own, handed back in the payload.
    client_mutation_id: Option<String>,
    /// The password of the account. Accounts of an identity provider have none and need none.
    #[graphql(secret)]
    password: Option<String>,
}

/// The result of `deleteAccount`.
#[derive(SimpleObject)]
pub(crate) struct DeleteAccountPayload {
    /// The string that the client sent.
    client_mutation_id: Option<String>,
    /// The global ID that the user had; null when something went wrong.
    deleted_user_id: Option<ID>,
    /// What went wrong; empty when nothing did.
    user_errors: Vec<AccountError>,
}

impl DeleteAccountPayload {
    pub(crate) async fn delete(
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
            client_mutation_id: input.client_mutation_id,
            deleted_user_id: deleted.then(|| global_id::of_user(viewer.id())),
            user_errors: (!deleted).then(wrong).into_iter().collect(),
        })
    }
}
