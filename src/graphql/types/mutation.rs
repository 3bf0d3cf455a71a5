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
        SignOutEverywhereInput, SignOutEverywherePayload, SignUpInput, SignUpPayload,
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

#[Object]
/// Root of all mutations.
impl Mutation {
    /// Change the viewer's password, and revoke all tokens issued before. The payload has a new
    /// token.
    #[graphql(visible = "sign_up_is_open", directive = has_permission::apply(Vec::new()))]
    async fn change_password(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The current and the new password.")] input: ChangePasswordInput,
    ) -> Option<Result<ChangePasswordPayload, Failure>> {
        Some(ChangePasswordPayload::change(ctx, input).await.map_err(|failure| failure.within(ctx)))
    }

    /// Delete the viewer's account, with all follows from and to it.
    #[graphql(directive = has_permission::apply(Vec::new()))]
    async fn delete_account(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The password, as confirmation.")] input: DeleteAccountInput,
    ) -> Option<Result<DeleteAccountPayload, Failure>> {
        Some(DeleteAccountPayload::delete(ctx, input).await.map_err(|failure| failure.within(ctx)))
    }

    /// Follow a user. Following a user again changes nothing and is not an error.
    #[graphql(directive = has_permission::apply(vec![Permission::Follow]))]
    async fn follow(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whom to follow.")] input: FollowInput,
    ) -> Option<Result<FollowPayload, Failure>> {
        Some(FollowPayload::follow(ctx, input).await.map_err(|failure| failure.within(ctx)))
    }

    /// Sign in with a password.
    #[graphql(visible = "sign_up_is_open")]
    async fn sign_in(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The username and the password.")] input: SignInInput,
    ) -> Option<Result<SignInPayload, Failure>> {
        Some(SignInPayload::sign_in(ctx, input).await.map_err(|failure| failure.within(ctx)))
    }

    /// Revoke all tokens of the viewer, including the token of this request.
    #[graphql(directive = has_permission::apply(Vec::new()))]
    async fn sign_out_everywhere(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Nothing but an optional `clientMutationId`.")]
        input: SignOutEverywhereInput,
    ) -> Option<Result<SignOutEverywherePayload, Failure>> {
        Some(
            SignOutEverywherePayload::sign_out(ctx, input)
                .await
                .map_err(|failure| failure.within(ctx)),
        )
    }

    /// Create an account and sign in to it.
    #[graphql(visible = "sign_up_is_open")]
    async fn sign_up(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The account to create.")] input: SignUpInput,
    ) -> Option<Result<SignUpPayload, Failure>> {
        Some(SignUpPayload::sign_up(ctx, input).await.map_err(|failure| failure.within(ctx)))
    }

    /// Unfollow a user. Unfollowing a user again changes nothing and is not an error.
    #[graphql(directive = has_permission::apply(vec![Permission::Follow]))]
    async fn unfollow(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whom to unfollow.")] input: UnfollowInput,
    ) -> Option<Result<UnfollowPayload, Failure>> {
        Some(UnfollowPayload::unfollow(ctx, input).await.map_err(|failure| failure.within(ctx)))
    }

    /// Change the viewer's profile.
    #[graphql(directive = has_permission::apply(Vec::new()))]
    async fn update_profile(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to change.")] input: UpdateProfileInput,
    ) -> Option<Result<UpdateProfilePayload, Failure>> {
        Some(UpdateProfilePayload::update(ctx, input).await.map_err(|failure| failure.within(ctx)))
    }
}
