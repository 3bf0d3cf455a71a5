//! The root of all mutations.
//!
//! Clients read `@hasPermission` in the schema, and the guard enforces it: it reads the directive
//! from the schema before any resolver of the operation runs.

use std::sync::Arc;

use async_graphql::{Context, Object, TypeDirective};

use super::{
    account::{DeleteAccountInput, DeleteAccountPayload, UpdateProfileInput, UpdateProfilePayload},
    follow::{FollowInput, FollowPayload, UnfollowInput, UnfollowPayload},
    session::{
        ChangePasswordInput, ChangePasswordPayload, SignInInput, SignInPayload,
        SignOutEverywherePayload, SignUpInput, SignUpPayload,
    },
};
use crate::{
    graphql::{error::Failure, permission::Permission},
    service::Service,
};

/// The caller must be signed in and hold every listed permission. It is checked before any
/// resolver of the operation runs.
#[TypeDirective(name = "hasPermission", location = "FieldDefinition")]
pub(crate) fn has_permission(permissions: Vec<Permission>) {}

/// Root of all mutations.
pub(crate) struct Mutation;

fn sign_up_is_open(ctx: &Context<'_>) -> bool {
    ctx.data_unchecked::<Arc<Service>>().sign_up_is_open()
}

/// Defines the root from its fields. What a field does is a function of its payload with the same
/// name; the text describes the input.
macro_rules! mutations {
    ($(
        $(#[$($attribute:tt)*])*
        $mutation:ident($($name:ident: $input:ident, $of_input:tt)?) -> $payload:ident;
    )+) => {
        #[Object]
        /// Root of all mutations.
        impl Mutation {
            $(
            $(#[$($attribute)*])*
            async fn $mutation(
                &self,
                ctx: &Context<'_>,
                $(#[graphql(desc = $of_input)] $name: $input,)?
            ) -> Option<Result<$payload, Failure>> {
                let payload = $payload::$mutation(ctx, $($name)?).await;
                Some(payload.map_err(|failure| failure.below(ctx.path_node.as_ref())))
            }
            )+
        }
    };
}

mutations! {
    /// Change the viewer's password, and revoke all tokens issued before. The payload has a new
    /// token. The caller must be signed in.
    #[graphql(visible = "sign_up_is_open", directive = has_permission::apply(Vec::new()))]
    change_password(input: ChangePasswordInput, "The current and the new password.")
        -> ChangePasswordPayload;

    /// Delete the viewer's account, with all follows from and to it. The caller must be signed in.
    #[graphql(directive = has_permission::apply(Vec::new()))]
    delete_account(input: DeleteAccountInput, "The password, as confirmation.") -> DeleteAccountPayload;

    /// Follow a user. Following a user again changes nothing and is not an error. The caller needs
    /// the FOLLOW permission.
    #[graphql(directive = has_permission::apply(vec![Permission::Follow]))]
    follow(input: FollowInput, "Whom to follow.") -> FollowPayload;

    /// Sign in with a password.
    #[graphql(visible = "sign_up_is_open")]
    sign_in(input: SignInInput, "The username and the password.") -> SignInPayload;

    /// Revoke all tokens of the viewer, including the token of this request. The caller must be
    /// signed in.
    #[graphql(directive = has_permission::apply(Vec::new()))]
    sign_out_everywhere() -> SignOutEverywherePayload;

    /// Create an account and sign in to it.
    #[graphql(visible = "sign_up_is_open")]
    sign_up(input: SignUpInput, "The account to create.") -> SignUpPayload;

    /// Unfollow a user. Unfollowing a user again changes nothing and is not an error. The caller
    /// needs the FOLLOW permission.
    #[graphql(directive = has_permission::apply(vec![Permission::Follow]))]
    unfollow(input: UnfollowInput, "Whom to unfollow.") -> UnfollowPayload;

    /// Change the viewer's profile. The caller must be signed in.
    #[graphql(directive = has_permission::apply(Vec::new()))]
    update_profile(input: UpdateProfileInput, "What to change.") -> UpdateProfilePayload;
}
