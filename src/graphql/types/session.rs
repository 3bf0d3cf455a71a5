//! Sessions: signing up, in and out, and changing a password.

use std::sync::Arc;

use async_graphql::{Context, InputObject, SimpleObject};

use super::{account::AccountError, viewer::Viewer};
use crate::{
    graphql::{context::RequestContext, error::Failure},
    service::{NewAccount, PasswordChange, SignIn, SignUpError, SignedIn},
};

/// The input of `signUp`.
#[derive(InputObject)]
pub(crate) struct SignUpInput {
    /// A string of the client's choice, returned in the payload.
    client_mutation_id: Option<String>,
    /// The display name, at most 100 characters.
    name: Option<String>,
    /// At least 8 characters and at most 256 bytes.
    #[graphql(secret)]
    password: String,
    /// 1 to 30 characters of `a-z A-Z 0-9 _`, unique regardless of case.
    username: String,
}

/// The input of `signIn`.
#[derive(InputObject)]
pub(crate) struct SignInInput {
    /// A string of the client's choice, returned in the payload.
    client_mutation_id: Option<String>,
    /// The password.
    #[graphql(secret)]
    password: String,
    /// The username, regardless of case.
    username: String,
}

/// The input of `changePassword`.
#[derive(InputObject)]
pub(crate) struct ChangePasswordInput {
    /// A string of the client's choice, returned in the payload.
    client_mutation_id: Option<String>,
    /// The current password.
    #[graphql(secret)]
    current_password: String,
    /// The new password: at least 8 characters and at most 256 bytes.
    #[graphql(secret)]
    new_password: String,
}

/// The input of `signOutEverywhere`.
#[derive(InputObject)]
pub(crate) struct SignOutEverywhereInput {
    /// A string of the client's choice, returned in the payload.
    client_mutation_id: Option<String>,
}

/// The result of `signUp`.
#[derive(SimpleObject)]
pub(crate) struct SignUpPayload {
    /// The `clientMutationId` of the input.
    client_mutation_id: Option<String>,
    /// A bearer token, valid for a day; null if something went wrong.
    token: Option<String>,
    /// What went wrong; empty on success.
    user_errors: Vec<AccountError>,
    /// The account that the token is for.
    viewer: Option<Viewer>,
}

/// The result of `signIn`.
#[derive(SimpleObject)]
pub(crate) struct SignInPayload {
    /// The `clientMutationId` of the input.
    client_mutation_id: Option<String>,
    /// A bearer token, valid for a day; null if something went wrong.
    token: Option<String>,
    /// What went wrong; empty on success.
    user_errors: Vec<AccountError>,
    /// The account that the token is for.
    viewer: Option<Viewer>,
}

/// The result of `changePassword`.
#[derive(SimpleObject)]
pub(crate) struct ChangePasswordPayload {
    /// The `clientMutationId` of the input.
    client_mutation_id: Option<String>,
    /// A bearer token, valid for a day, that replaces the token of this request; null if something
    /// went wrong.
    token: Option<String>,
    /// What went wrong; empty on success.
    user_errors: Vec<AccountError>,
    /// The account that the token is for.
    viewer: Option<Viewer>,
}

/// The result of `signOutEverywhere`.
#[derive(SimpleObject)]
pub(crate) struct SignOutEverywherePayload {
    /// The `clientMutationId` of the input.
    client_mutation_id: Option<String>,
    /// What went wrong; empty on success.
    user_errors: Vec<AccountError>,
}

/// The fields that the payloads of a sign-in share.
struct Session {
    token: Option<String>,
    user_errors: Vec<AccountError>,
    viewer: Option<Viewer>,
}

impl From<Result<SignedIn, AccountError>> for Session {
    fn from(signed_in: Result<SignedIn, AccountError>) -> Self {
        match signed_in {
            Ok(SignedIn { token, viewer }) => Self {
                token: Some(token),
                user_errors: Vec::new(),
                viewer: Some(Viewer(Arc::new(viewer))),
            },
            Err(error) => Self { token: None, user_errors: vec![error], viewer: None },
        }
    }
}

impl SignUpPayload {
    pub(crate) async fn sign_up(ctx: &Context<'_>, input: SignUpInput) -> Result<Self, Failure> {
        let request = RequestContext::of(ctx);
        let new = NewAccount {
            username: input.username,
            name: input.name,
            password: Some(input.password),
        };

        let signed_in = request.service.sign_up(new, request.address).await?;
        request.loaders.clear().await;

        let error = |error| match error {
            SignUpError::UsernameTaken => AccountError::username_taken(),
        };
        let Session { token, user_errors, viewer } = signed_in.map_err(error).into();
        let client_mutation_id = input.client_mutation_id;
        Ok(Self { client_mutation_id, token, user_errors, viewer })
    }
}

impl SignInPayload {
    pub(crate) async fn sign_in(ctx: &Context<'_>, input: SignInInput) -> Result<Self, Failure> {
        let request = RequestContext::of(ctx);
        let sign_in =
            SignIn { username: input.username, password: input.password, address: request.address };

        let signed_in = request.service.sign_in(sign_in).await?;

        let signed_in = signed_in.ok_or_else(AccountError::wrong_credentials);
        let Session { token, user_errors, viewer } = signed_in.into();
        let client_mutation_id = input.client_mutation_id;
        Ok(Self { client_mutation_id, token, user_errors, viewer })
    }
}

impl ChangePasswordPayload {
    pub(crate) async fn change(
        ctx: &Context<'_>,
        input: ChangePasswordInput,
    ) -> Result<Self, Failure> {
        let request = RequestContext::of(ctx);
        let change = PasswordChange { current: input.current_password, new: input.new_password };

        let signed_in = request.service.change_password(change).await?;

        let signed_in = signed_in.ok_or_else(|| AccountError::wrong_password("currentPassword"));
        let Session { token, user_errors, viewer } = signed_in.into();
        let client_mutation_id = input.client_mutation_id;
        Ok(Self { client_mutation_id, token, user_errors, viewer })
    }
}

impl SignOutEverywherePayload {
    pub(crate) async fn sign_out(
        ctx: &Context<'_>,
        input: SignOutEverywhereInput,
    ) -> Result<Self, Failure> {
        let request = RequestContext::of(ctx);
        request.service.sign_out_everywhere().await?;
        Ok(Self { client_mutation_id: input.client_mutation_id, user_errors: Vec::new() })
    }
}
