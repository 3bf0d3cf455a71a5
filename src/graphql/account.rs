//! Accounts: signing up and in, changing a profile, deleting an account.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, MaybeUndefined, Object, SimpleObject};

use super::{context::RequestContext, error::Failure, global_id, user::User, viewer::Viewer};
use crate::{
    domain::{AvatarUrl, Bio, DisplayName, ProfileChange, TextError},
    graph::{NewAccount, SignIn, SignUpError, SignedIn},
};

/// Why something could not be done to an account.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
pub(super) enum AccountErrorCode {
    /// Somebody has this username, in whatever case.
    UsernameTaken,
    /// The username or the password is wrong.
    WrongCredentials,
    /// The password is wrong.
    WrongPassword,
}

/// An expected failure of a change to an account, to show to its owner.
#[derive(Clone, SimpleObject)]
pub(super) struct AccountError {
    /// What went wrong, for programs.
    code: AccountErrorCode,
    /// The path of the input field that is at fault.
    field: Option<Vec<String>>,
    /// What went wrong, for people.
    message: &'static str,
}

impl AccountError {
    fn new(code: AccountErrorCode) -> Self {
        let (field, message) = match code {
            AccountErrorCode::UsernameTaken => (Some("username"), "That username is taken."),
            AccountErrorCode::WrongCredentials => (None, "Wrong username or password."),
            AccountErrorCode::WrongPassword => (Some("password"), "Wrong password."),
        };
        let field = field.map(|field| vec!["input".to_owned(), field.to_owned()]);
        Self { code, field, message }
    }
}

/// The input of `signUp`.
#[derive(InputObject)]
pub(super) struct SignUpInput {
    /// A string of the client's own, handed back in the payload.
    client_mutation_id: Option<String>,
    /// The name that the user goes by, at most 100 characters.
    name: Option<String>,
    /// At least 8 characters and at most 256 bytes.
    #[graphql(secret)]
    password: String,
    /// 1 to 30 characters of `a-z A-Z 0-9 _`, unique without regard to case.
    username: String,
}

/// The input of `signIn`.
#[derive(InputObject)]
pub(super) struct SignInInput {
    /// A string of the client's own, handed back in the payload.
    client_mutation_id: Option<String>,
    /// The password.
    #[graphql(secret)]
    password: String,
    /// The username, without regard to case.
    username: String,
}

/// The result of `signUp`.
pub(super) struct SignUpPayload(Session);

/// The result of `signIn`.
pub(super) struct SignInPayload(Session);

/// What both payloads show.
struct Session {
    client_mutation_id: Option<String>,
    signed_in: Result<SignedIn, AccountError>,
}

impl Session {
    fn token(&self) -> Option<&str> {
        self.signed_in.as_ref().ok().map(|signed_in| signed_in.token.as_str())
    }

    fn errors(&self) -> Vec<AccountError> {
        self.signed_in.as_ref().err().cloned().into_iter().collect()
    }

    fn viewer(&self) -> Option<Viewer> {
        self.signed_in.as_ref().ok().map(|signed_in| Viewer(Arc::new(signed_in.viewer.clone())))
    }
}

impl SignUpPayload {
    pub(super) async fn sign_up(ctx: &Context<'_>, input: SignUpInput) -> Result<Self, Failure> {
        let request = RequestContext::of(ctx);
        let new = NewAccount {
            username: input.username,
            name: input.name,
            password: Some(input.password),
        };

        let signed_in = request.graph.sign_up(new, request.address).await?;
        request.loaders.clear().await;

        let error = |error| match error {
            SignUpError::UsernameTaken => AccountError::new(AccountErrorCode::UsernameTaken),
        };
        let signed_in = signed_in.map_err(error);
        Ok(Self(Session { client_mutation_id: input.client_mutation_id, signed_in }))
    }
}

impl SignInPayload {
    pub(super) async fn sign_in(ctx: &Context<'_>, input: SignInInput) -> Result<Self, Failure> {
        let request = RequestContext::of(ctx);
        let sign_in =
            SignIn { username: input.username, password: input.password, address: request.address };

        let signed_in = request.graph.sign_in(sign_in).await?;

        let wrong = || AccountError::new(AccountErrorCode::WrongCredentials);
        let signed_in = signed_in.ok_or_else(wrong);
        Ok(Self(Session { client_mutation_id: input.client_mutation_id, signed_in }))
    }
}

#[Object]
/// The result of `signUp`.
impl SignUpPayload {
    /// The string that the client sent.
    async fn client_mutation_id(&self) -> Option<&str> {
        self.0.client_mutation_id.as_deref()
    }

    /// A bearer token for the next requests, good for a day; null when something went wrong.
    async fn token(&self) -> Option<&str> {
        self.0.token()
    }

    /// What went wrong; empty when nothing did.
    async fn user_errors(&self) -> Vec<AccountError> {
        self.0.errors()
    }

    /// Who is signed in with the token.
    async fn viewer(&self) -> Option<Viewer> {
        self.0.viewer()
    }
}

#[Object]
/// The result of `signIn`.
impl SignInPayload {
    /// The string that the client sent.
    async fn client_mutation_id(&self) -> Option<&str> {
        self.0.client_mutation_id.as_deref()
    }

    /// A bearer token for the next requests, good for a day; null when something went wrong.
    async fn token(&self) -> Option<&str> {
        self.0.token()
    }

    /// What went wrong; empty when nothing did.
    async fn user_errors(&self) -> Vec<AccountError> {
        self.0.errors()
    }

    /// Who is signed in with the token.
    async fn viewer(&self) -> Option<Viewer> {
        self.0.viewer()
    }
}

/// The input of `updateProfile`. What is left out stays as it is; null empties it.
#[derive(InputObject)]
pub(super) struct UpdateProfileInput {
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
pub(super) struct UpdateProfilePayload {
    /// The string that the client sent.
    client_mutation_id: Option<String>,
    /// The viewer's account, as it is after the change.
    user: Option<User>,
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
    pub(super) async fn update(
        ctx: &Context<'_>,
        input: UpdateProfileInput,
    ) -> Result<Self, Failure> {
        let request = RequestContext::of(ctx);
        let change = ProfileChange {
            name: parsed("name", input.name, DisplayName::parse)?,
            bio: parsed("bio", input.bio, Bio::parse)?,
            avatar_url: parsed("avatarUrl", input.avatar_url, AvatarUrl::parse)?,
        };

        let user = request.graph.update_profile(request.signed_in()?, &change).await?;
        request.loaders.clear().await;

        Ok(Self {
            client_mutation_id: input.client_mutation_id,
            user: user.map(User),
            user_errors: Vec::new(),
        })
    }
}

/// The input of `deleteAccount`.
#[derive(InputObject)]
pub(super) struct DeleteAccountInput {
    /// A string of the client's own, handed back in the payload.
    client_mutation_id: Option<String>,
    /// The password of the account. Accounts of an identity provider have none and need none.
    #[graphql(secret)]
    password: Option<String>,
}

/// The result of `deleteAccount`.
#[derive(SimpleObject)]
pub(super) struct DeleteAccountPayload {
    /// The string that the client sent.
    client_mutation_id: Option<String>,
    /// The global ID that the user had; null when something went wrong.
    deleted_user_id: Option<ID>,
    /// What went wrong; empty when nothing did.
    user_errors: Vec<AccountError>,
}

impl DeleteAccountPayload {
    pub(super) async fn delete(
        ctx: &Context<'_>,
        input: DeleteAccountInput,
    ) -> Result<Self, Failure> {
        let request = RequestContext::of(ctx);
        let viewer = request.signed_in()?;

        let password = input.password.as_deref();
        let deleted = request.graph.delete_account(viewer, password, request.address).await?;
        request.loaders.clear().await;

        let wrong = || AccountError::new(AccountErrorCode::WrongPassword);
        Ok(Self {
            client_mutation_id: input.client_mutation_id,
            deleted_user_id: deleted.then(|| global_id::of_user(viewer.id())),
            user_errors: (!deleted).then(wrong).into_iter().collect(),
        })
    }
}
