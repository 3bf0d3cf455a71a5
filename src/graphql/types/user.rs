//! Users, and how they stand to the viewer.
//!
//! The value of each plain field is in `projection/fields.rs`.

use std::{borrow::Cow, sync::Arc};

use async_graphql::{
    Context, ContextSelectionSet, ID, Interface, Object, OutputType, Positioned, ServerResult,
    Value, parser::types::Field, registry::Registry,
};

use super::{
    avatar,
    connection::{FollowerConnection, FollowingConnection, Listed},
    denial::FollowDenialReason,
    order::FollowOrder,
    page::PageArguments,
    scalar::{DateTime, Uri},
};
use crate::{
    domain,
    graphql::{
        error::Failure,
        lists::{FOLLOWERS, FOLLOWING},
        projection::fields,
    },
};

/// An object with a globally unique ID.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "The opaque global ID of the object."))]
pub(crate) enum Node {
    User(User),
}

/// A [`Node`] that is resolved as the object it is: a translated selection has no fragments left
/// that would say which fields are those of its type.
pub(crate) struct AnyNode(pub Node);

impl OutputType for AnyNode {
    fn type_name() -> Cow<'static, str> {
        Node::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        Node::create_type_info(registry)
    }

    async fn resolve(
        &self,
        ctx: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        let Node::User(user) = &self.0;
        user.resolve(ctx, field).await
    }
}

/// An account that can follow others and be followed.
pub(crate) struct User(pub Arc<domain::User>);

#[expect(clippy::unused_async, reason = "the executor wants resolvers to be async")]
#[Object]
/// An account that can follow others and be followed.
impl User {
    /// A square picture of the user. Without a picture of their own, users get a drawn one as a
    /// `data:` URI.
    async fn avatar_url(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            default_with = "Some(avatar::SIZE_DEFAULT)",
            desc = "The width and height of a drawn picture in pixels, from 16 to 1024."
        )]
        size: Option<i32>,
    ) -> Result<Uri, Failure> {
        fields::AVATAR_URL.resolve(&self.0, ctx, size).await
    }

    /// What the user says about themselves.
    async fn bio(&self, ctx: &Context<'_>) -> Option<Result<&str, Failure>> {
        fields::BIO.resolve(&self.0, ctx, None).await.transpose()
    }

    /// When the account was created.
    async fn created_at(&self, ctx: &Context<'_>) -> Result<DateTime, Failure> {
        fields::CREATED_AT.resolve(&self.0, ctx, None).await
    }

    /// The users who follow this user, by default the newest follow first.
    async fn followers(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only edges after this cursor.")] after: Option<String>,
        #[graphql(desc = "Only edges before this cursor.")] before: Option<String>,
        #[graphql(
            desc = "The first n edges, at most the server's page size. Without `first` and \
            `last`, a page of the default size."
        )]
        first: Option<i32>,
        #[graphql(desc = "The last n edges, at most the server's page size.")] last: Option<i32>,
        #[graphql(default_with = "Some(FollowOrder::default())", desc = "The order of the edges.")]
        order_by: Option<FollowOrder>,
    ) -> Result<FollowerConnection, Failure> {
        let arguments = PageArguments::new(first, last, after, before);
        let arguments = arguments.ordered_by(order_by.map(Into::into));
        Listed::follows(ctx, &FOLLOWERS, self.0.id, &arguments).map(FollowerConnection)
    }

    /// The users whom this user follows, by default the newest follow first.
    async fn following(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only edges after this cursor.")] after: Option<String>,
        #[graphql(desc = "Only edges before this cursor.")] before: Option<String>,
        #[graphql(
            desc = "The first n edges, at most the server's page size. Without `first` and \
            `last`, a page of the default size."
        )]
        first: Option<i32>,
        #[graphql(desc = "The last n edges, at most the server's page size.")] last: Option<i32>,
        #[graphql(default_with = "Some(FollowOrder::default())", desc = "The order of the edges.")]
        order_by: Option<FollowOrder>,
    ) -> Result<FollowingConnection, Failure> {
        let arguments = PageArguments::new(first, last, after, before);
        let arguments = arguments.ordered_by(order_by.map(Into::into));
        Listed::follows(ctx, &FOLLOWING, self.0.id, &arguments).map(FollowingConnection)
    }

    /// The opaque global ID of the user.
    async fn id(&self, ctx: &Context<'_>) -> Result<ID, Failure> {
        fields::ID_OF_USER.resolve(&self.0, ctx, None).await
    }

    /// Whether this user follows the viewer: the "Follows you" label. False when signed out.
    async fn is_following_viewer(&self, ctx: &Context<'_>) -> Result<bool, Failure> {
        fields::IS_FOLLOWING_VIEWER.resolve(&self.0, ctx, None).await
    }

    /// Whether this user is the viewer.
    async fn is_viewer(&self, ctx: &Context<'_>) -> Result<bool, Failure> {
        fields::IS_VIEWER.resolve(&self.0, ctx, None).await
    }

    /// The display name of the user.
    async fn name(&self, ctx: &Context<'_>) -> Option<Result<&str, Failure>> {
        fields::NAME.resolve(&self.0, ctx, None).await.transpose()
    }

    /// The unique name of the account. Case does not matter.
    async fn username(&self, ctx: &Context<'_>) -> Result<&str, Failure> {
        fields::USERNAME.resolve(&self.0, ctx, None).await
    }

    /// Whether the viewer's permissions allow them to follow this user: it drives the Follow
    /// button. Limits on follows are left out for now, so `follow` may still fail with
    /// `LIMIT_REACHED`.
    async fn viewer_can_follow(&self, ctx: &Context<'_>) -> Result<bool, Failure> {
        fields::VIEWER_CAN_FOLLOW.resolve(&self.0, ctx, None).await
    }

    /// Why the viewer cannot follow this user; empty when `viewerCanFollow` is true.
    async fn viewer_cannot_follow_reasons(
        &self,
        ctx: &Context<'_>,
    ) -> Result<Vec<FollowDenialReason>, Failure> {
        fields::VIEWER_CANNOT_FOLLOW_REASONS.resolve(&self.0, ctx, None).await
    }

    /// When the viewer followed this user; null if the viewer does not follow them.
    async fn viewer_followed_at(&self, ctx: &Context<'_>) -> Option<Result<DateTime, Failure>> {
        fields::VIEWER_FOLLOWED_AT.resolve(&self.0, ctx, None).await.transpose()
    }

    /// Whether the viewer follows this user. False when signed out.
    async fn viewer_is_following(&self, ctx: &Context<'_>) -> Result<bool, Failure> {
        fields::VIEWER_IS_FOLLOWING.resolve(&self.0, ctx, None).await
    }
}
