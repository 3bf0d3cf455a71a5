//! The root of all mutations.
//!
//! Clients read `@hasPermission` in the schema, and the guard enforces it: it reads the directive
//! from the schema before any resolver of the operation runs.

use std::sync::Arc;

use async_graphql::{Context, Object, TypeDirective};

use super::{
    account::{DeleteAccountInput, DeleteAccountPayload, UpdateProfileInput, UpdateProfilePayload},
    administration::{
        DeleteUserInput, DeleteUserPayload, ReinstateUserInput, ReinstateUserPayload, SetRoleInput,
        SetRolePayload, SuspendUserInput, SuspendUserPayload, UpsertUsersInput, UpsertUsersPayload,
    },
    follow::{FollowInput, FollowPayload, UnfollowInput, UnfollowPayload},
    privacy::{UpdatePrivacyInput, UpdatePrivacyPayload},
    safety::{
        AcceptFollowRequestInput, AcceptFollowRequestPayload, BlockInput, BlockPayload, MuteInput,
        MutePayload, RejectFollowRequestInput, RejectFollowRequestPayload, RemoveFollowerInput,
        RemoveFollowerPayload, UnblockInput, UnblockPayload, UnmuteInput, UnmutePayload,
    },
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
    /// Accept the request of a user to follow the viewer. The caller must be signed in.
    #[graphql(directive = has_permission::apply(Vec::new()))]
    accept_follow_request(input: AcceptFollowRequestInput, "Whose request to accept.")
        -> AcceptFollowRequestPayload;

    /// Block a user. For a blocked user who is signed in, the viewer does not exist, and all follows
    /// and requests between the two are gone. Somebody who signs out sees what everybody sees. The
    /// caller must be signed in.
    #[graphql(directive = has_permission::apply(Vec::new()))]
    block(input: BlockInput, "Whom to block.") -> BlockPayload;

    /// Change the viewer's password, and revoke all tokens issued before. The payload has a new
    /// token. The caller must be signed in.
    #[graphql(visible = "sign_up_is_open", directive = has_permission::apply(Vec::new()))]
    change_password(input: ChangePasswordInput, "The current and the new password.")
        -> ChangePasswordPayload;

    /// Delete the viewer's account, with all follows from and to it. The caller must be signed in.
    #[graphql(directive = has_permission::apply(Vec::new()))]
    delete_account(input: DeleteAccountInput, "The password, as confirmation.") -> DeleteAccountPayload;

    /// Delete a user with all their follows. The caller needs the ADMIN permission.
    #[graphql(directive = has_permission::apply(vec![Permission::Admin]))]
    delete_user(input: DeleteUserInput, "Whom to delete.") -> DeleteUserPayload;

    /// Follow a user, or ask to if the user is private. Following a user again changes nothing and is
    /// not an error. The caller needs the FOLLOW permission.
    #[graphql(directive = has_permission::apply(vec![Permission::Follow]))]
    follow(input: FollowInput, "Whom to follow.") -> FollowPayload;

    /// Mute a user: they disappear from the viewer's events and suggestions, and from nothing else.
    /// Muting a user again changes when the mute ends. The caller must be signed in.
    #[graphql(directive = has_permission::apply(Vec::new()))]
    mute(input: MuteInput, "Whom to mute.") -> MutePayload;

    /// Lift the suspension of a user. The caller needs the MODERATE permission.
    #[graphql(directive = has_permission::apply(vec![Permission::Moderate]))]
    reinstate_user(input: ReinstateUserInput, "Whom to reinstate.") -> ReinstateUserPayload;

    /// Reject the request of a user to follow the viewer. The user is not notified. The caller must
    /// be signed in.
    #[graphql(directive = has_permission::apply(Vec::new()))]
    reject_follow_request(input: RejectFollowRequestInput, "Whose request to reject.")
        -> RejectFollowRequestPayload;

    /// Remove a user from the viewer's followers. The caller must be signed in.
    #[graphql(directive = has_permission::apply(Vec::new()))]
    remove_follower(input: RemoveFollowerInput, "Whom to remove.") -> RemoveFollowerPayload;

    /// Give a user a role. The caller needs the ADMIN permission.
    #[graphql(directive = has_permission::apply(vec![Permission::Admin]))]
    set_role(input: SetRoleInput, "The user and the role.") -> SetRolePayload;

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

    /// Suspend a user: they cannot sign in, and lists of all users and searches leave them out. Their
    /// follows stay. The caller needs the MODERATE permission.
    #[graphql(directive = has_permission::apply(vec![Permission::Moderate]))]
    suspend_user(input: SuspendUserInput, "Whom to suspend.") -> SuspendUserPayload;

    /// Unblock a user. What the block removed stays removed. The caller must be signed in.
    #[graphql(directive = has_permission::apply(Vec::new()))]
    unblock(input: UnblockInput, "Whom to unblock.") -> UnblockPayload;

    /// Unfollow a user, or withdraw the request to follow them. Unfollowing a user again changes
    /// nothing and is not an error. The caller needs the FOLLOW permission.
    #[graphql(directive = has_permission::apply(vec![Permission::Follow]))]
    unfollow(input: UnfollowInput, "Whom to unfollow.") -> UnfollowPayload;

    /// End the mute of a user. The caller must be signed in.
    #[graphql(directive = has_permission::apply(Vec::new()))]
    unmute(input: UnmuteInput, "Whom to hear of again.") -> UnmutePayload;

    /// Change the viewer's privacy settings. The caller must be signed in.
    #[graphql(directive = has_permission::apply(Vec::new()))]
    update_privacy(input: UpdatePrivacyInput, "What to change.") -> UpdatePrivacyPayload;

    /// Change the viewer's profile. The caller must be signed in. If the account is one of an identity
    /// provider, the server may replace the name and picture by those of a later token.
    #[graphql(directive = has_permission::apply(Vec::new()))]
    update_profile(input: UpdateProfileInput, "What to change.") -> UpdateProfilePayload;

    /// Create the users of the host application who are new, and change the profiles of those who
    /// differ. Each is done by itself, so that some may fail; doing it again changes nothing. It costs
    /// 10 for each user. The caller needs the ADMIN permission.
    #[graphql(directive = has_permission::apply(vec![Permission::Admin]))]
    upsert_users(input: UpsertUsersInput, "The users.") -> UpsertUsersPayload;
}
