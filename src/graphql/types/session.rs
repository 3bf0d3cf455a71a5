//! Sessions: signing up, in and out, and changing a password.

use std::sync::Arc;

use async_graphql::{Context, InputObject, SimpleObject};

use super::{account::AccountError, query::Query, viewer::Viewer};
use crate::{
    graphql::{context::RequestContext, error::Failure},
    service::{NewAccount, PasswordChange, SignIn, SignedIn},
};

/// The input of `signUp`.
#[derive(InputObject)]
pub(crate) struct SignUpInput {
    /// The display name, at most 100 characters.
    name: Option<String>,
    /// At least 8 characters and at most 256 bytes.
    #[graphql(secret)]
    password: String,
    /// 1 to 64 of `a-z A-Z 0-9 _ . -`, first a letter, a digit or `_`; unique regardless of case.
    username: String,
}

/// The input of `signIn`.
#[derive(InputObject)]
pub(crate) struct SignInInput {
    /// The password.
    #[graphql(secret)]
    password: String,
    /// The username, regardless of case, white space around it and one leading `@`.
    username: String,
}

/// The input of `changePassword`.
#[derive(InputObject)]
pub(crate) struct ChangePasswordInput {
    /// The current password.
    #[graphql(secret)]
    current_password: String,
    /// The new password: at least 8 characters and at most 256 bytes.
    #[graphql(secret)]
    new_password: String,
}

/// Defines the payload of a mutation that signs in. The texts are the descriptions of the payload
/// and of its token.
macro_rules! session_payload {
    ($payload:ident, $of_payload:literal, $of_token:literal) => {
        #[doc = $of_payload]
        #[derive(SimpleObject)]
        pub(crate) struct $payload {
            /// The root of all queries, read after the change by the sender of this request.
            query: Query,
            #[doc = $of_token]
            token: Option<String>,
            /// What went wrong; empty on success.
            user_errors: Vec<AccountError>,
            /// The viewer that the token is for.
            viewer: Option<Viewer>,
        }

        impl $payload {
            async fn new(
                request: &RequestContext,
                signed_in: Result<SignedIn, Vec<AccountError>>,
            ) -> Self {
                match signed_in {
                    Ok(SignedIn { token, viewer }) => {
                        request.loaders.prime_viewer(&viewer).await;
                        let (token, viewer) = (Some(token), Some(Viewer(Arc::new(viewer))));
                        Self { query: Query, token, user_errors: Vec::new(), viewer }
                    }
                    Err(user_errors) => {
                        Self { query: Query, token: None, user_errors, viewer: None }
                    }
                }
            }
        }
    };
}

session_payload!(
    SignUpPayload,
    "The result of `signUp`.",
    "A bearer token, valid for a day; null if something went wrong."
);
session_payload!(
    SignInPayload,
    "The result of `signIn`.",
    "A bearer token, valid for a day; null if something went wrong."
);
session_payload!(
    ChangePasswordPayload,
    "The result of `changePassword`.",
    "A bearer token, valid for a day, that replaces the token of this request; null if something \
     went wrong."
);

/// The result of `signOutEverywhere`.
#[derive(SimpleObject)]
pub(crate) struct SignOutEverywherePayload {
    /// The root of all queries, read after the change.
    query: Query,
    /// What went wrong; empty on success.
    user_errors: Vec<AccountError>,
}

impl SignUpPayload {
    pub(crate) async fn sign_up(ctx: &Context<'_>, input: SignUpInput) -> Result<Self, Failure> {
        let request = RequestContext::of(ctx);
        let SignUpInput { name, password, username } = input;
        let new = NewAccount { username, name, password: Some(password) };

        let signed_in = request.service.sign_up(new, request.address).await?;
        request.loaders.clear().await;

        Ok(Self::new(request, signed_in.map_err(AccountError::of_form)).await)
    }
}

impl SignInPayload {
    pub(crate) async fn sign_in(ctx: &Context<'_>, input: SignInInput) -> Result<Self, Failure> {
        let request = RequestContext::of(ctx);
        let sign_in =
            SignIn { username: input.username, password: input.password, address: request.address };

        let signed_in = request.service.sign_in(sign_in).await?;

        let signed_in = signed_in.map_err(|refusal| vec![AccountError::of_sign_in(refusal)]);
        Ok(Self::new(request, signed_in).await)
    }
}

impl ChangePasswordPayload {
    pub(crate) async fn change_password(
        ctx: &Context<'_>,
        input: ChangePasswordInput,
    ) -> Result<Self, Failure> {
        let request = RequestContext::of(ctx);
        let change = PasswordChange { current: input.current_password, new: input.new_password };

        let signed_in = request.service.change_password(change).await?;

        Ok(Self::new(request, signed_in.map_err(AccountError::of_form)).await)
    }
}

impl SignOutEverywherePayload {
    pub(crate) async fn sign_out_everywhere(ctx: &Context<'_>) -> Result<Self, Failure> {
        RequestContext::of(ctx).service.sign_out_everywhere().await?;
        Ok(Self { query: Query, user_errors: Vec::new() })
    }
}
