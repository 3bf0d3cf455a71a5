//! Accounts: changing a profile, deleting an account, and their errors.

use async_graphql::{Context, Enum, ID, InputObject, MaybeUndefined, SimpleObject};

use super::{query::Query, user::User, viewer::Viewer};
use crate::{
    domain::{AvatarUrl, Bio, BrokenRule, DisplayName, Form, FormError, ProfileChange, TextError},
    graphql::{
        context::RequestContext, error::Failure, global_id::GlobalId, projection::Projected,
    },
    service::SignInRefusal,
};

/// Why a change to an account was refused.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum AccountErrorCode {
    /// The value has a wrong form, or characters that are not allowed.
    Invalid,
    /// The password is right, but the account is suspended.
    Suspended,
    /// Another user has the value, regardless of case.
    Taken,
    /// The value is too long.
    TooLong,
    /// The value is empty or too short.
    TooShort,
    /// The username or the password is wrong.
    WrongCredentials,
    /// The password is wrong.
    WrongPassword,
}

/// An expected failure of a change to an account, to be shown to its owner. A form with several
/// fields at fault has an error for each.
#[derive(Clone, SimpleObject)]
pub(crate) struct AccountError {
    /// What went wrong, for programs.
    code: AccountErrorCode,
    /// The path of the input field at fault; null if it is not one field.
    field: Option<Vec<String>>,
    /// What went wrong, for people.
    message: String,
}

impl AccountError {
    pub(crate) fn of_sign_in(refusal: SignInRefusal) -> Self {
        let (code, message) = match refusal {
            SignInRefusal::Wrong => {
                (AccountErrorCode::WrongCredentials, "Wrong username or password.")
            }
            SignInRefusal::Suspended => (AccountErrorCode::Suspended, "The account is suspended."),
        };
        Self { code, field: None, message: message.to_owned() }
    }

    /// The errors of a form.
    pub(crate) fn of_form(errors: Vec<FormError>) -> Vec<Self> {
        errors.into_iter().map(Self::from).collect()
    }
}

impl AccountError {
    /// The error of an item of a list of users.
    pub(crate) fn of_item(error: FormError, place: usize) -> Self {
        let path = ["input", "users", &place.to_string(), error.field].map(str::to_owned).into();
        Self { field: Some(path), ..Self::from(error) }
    }
}

impl From<FormError> for AccountError {
    fn from(FormError { field, rule, reason }: FormError) -> Self {
        let label = match field {
            "avatarUrl" => "The URL of the picture",
            "bio" => "The bio",
            "externalId" => "The external ID",
            "name" => "The name",
            "newPassword" => "The new password",
            "username" => "The username",
            _ => "The password",
        };
        let rule_text = format!("{label} {reason}.");
        let (code, message) = match rule {
            BrokenRule::Invalid => (AccountErrorCode::Invalid, rule_text),
            BrokenRule::TooLong => (AccountErrorCode::TooLong, rule_text),
            BrokenRule::TooShort => (AccountErrorCode::TooShort, rule_text),
            BrokenRule::Taken => (AccountErrorCode::Taken, "That username is taken.".to_owned()),
            BrokenRule::Wrong => (AccountErrorCode::WrongPassword, "Wrong password.".to_owned()),
        };
        Self { code, field: Some(["input", field].map(str::to_owned).into()), message }
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
pub(crate) fn parsed<T>(
    form: &mut Form,
    field: &'static str,
    text: &MaybeUndefined<String>,
    parse: impl Fn(&str) -> Result<T, TextError>,
) -> Option<Option<T>> {
    match text {
        MaybeUndefined::Undefined => None,
        MaybeUndefined::Null => Some(None),
        MaybeUndefined::Value(text) => form.check(field, parse(text)).map(Some),
    }
}

impl UpdateProfilePayload {
    pub(crate) async fn update_profile(
        ctx: &Context<'_>,
        input: UpdateProfileInput,
    ) -> Result<Self, Failure> {
        let request = RequestContext::of(ctx);
        let mut form = Form::default();
        let change = ProfileChange {
            name: parsed(&mut form, "name", &input.name, DisplayName::parse),
            bio: parsed(&mut form, "bio", &input.bio, Bio::parse),
            avatar_url: parsed(&mut form, "avatarUrl", &input.avatar_url, AvatarUrl::parse),
        };
        let user = if form.errors.is_empty() {
            request.service.update_profile(&change).await?
        } else {
            None
        };
        request.loaders.clear().await;

        Ok(Self {
            query: Query,
            user: user.map(User).map(Projected),
            user_errors: AccountError::of_form(form.errors),
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

        let wrong = || FormError::new("password", BrokenRule::Wrong, "is wrong").into();
        Ok(Self {
            deleted_user_id: deleted.then(|| GlobalId::User(viewer.id()).into()),
            query: Query,
            user_errors: (!deleted).then(wrong).into_iter().collect(),
        })
    }
}
