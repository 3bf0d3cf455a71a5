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

/// Defines the payload of a mutation that signs in. The texts are the descriptions of the payload
/// and of its token.
macro_rules! session_payload {
    ($payload:ident, $of_payload:literal, $of_token:literal) => {
        #[doc = $of_payload]
        #[derive(SimpleObject)]
        pub(crate) struct $payload {
            /// The `clientMutationId` of the input.
            client_mutation_id: Option<String>,
            #[doc = $of_token]
            token: Option<String>,
            /// What went wrong; empty on success.
            user_errors: Vec<AccountError>,
            /// The account that the token is for.
            viewer: Option<Viewer>,
        }

        impl $payload {
            fn new(
                client_mutation_id: Option<String>,
                signed_in: Result<SignedIn, AccountError>,
            ) -> Self {
                let (token, viewer, user_errors) = match signed_in {
                    Ok(SignedIn { token, viewer }) => {
                        (Some(token), Some(Viewer(Arc::new(viewer))), Vec::new())
                    }
                    Err(error) => (None, None, vec![error]),
                };
                Self { client_mutation_id, token, user_errors, viewer }
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
    /// The `clientMutationId` of the input.
    client_mutation_id: Option<String>,
    /// What went wrong; empty on success.
    user_errors: Vec<AccountError>,
}

impl SignUpPayload {
    pub(crate) async fn sign_up(ctx: &Context<'_>, input: SignUpInput) -> Result<Self, Failure> {
        let request = RequestContext::of(ctx);
        let SignUpInput { client_mutation_id, name, password, username } = input;
        let new = NewAccount { username, name, password: Some(password) };

        let signed_in = request.service.sign_up(new, request.address).await?;
        request.loaders.clear().await;

        let error = |SignUpError::UsernameTaken| AccountError::username_taken();
        Ok(Self::new(client_mutation_id, signed_in.map_err(error)))
    }
}

impl SignInPayload {
    pub(crate) async fn sign_in(ctx: &Context<'_>, input: SignInInput) -> Result<Self, Failure> {
        let request = RequestContext::of(ctx);
        let sign_in =
            SignIn { username: input.username, password: input.password, address: request.address };

        let signed_in = request.service.sign_in(sign_in).await?;

        let signed_in = signed_in.ok_or_else(AccountError::wrong_credentials);
        Ok(Self::new(input.client_mutation_id, signed_in))
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

        let signed_in = signed_in.ok_or_else(|| AccountError::wrong_password("currentPassword"));
        Ok(Self::new(input.client_mutation_id, signed_in))
    }
}

impl SignOutEverywherePayload {
    pub(crate) async fn sign_out_everywhere(
        ctx: &Context<'_>,
        input: SignOutEverywhereInput,
    ) -> Result<Self, Failure> {
        RequestContext::of(ctx).service.sign_out_everywhere().await?;
        Ok(Self { client_mutation_id: input.client_mutation_id, user_errors: Vec::new() })
    }
}
