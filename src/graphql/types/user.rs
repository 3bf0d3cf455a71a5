//! Users, and how they stand to the viewer.

use std::{borrow::Cow, sync::Arc};

use async_graphql::{
    Context, ContextSelectionSet, Enum, ID, Interface, Object, OutputType, Positioned,
    ServerResult, Value, parser::types::Field, registry::Registry,
};

use super::{
    avatar,
    connection::{FollowerConnection, FollowingConnection},
    order::FollowOrder,
    page::PageArguments,
    scalar::{DateTime, Uri},
};
use crate::{
    domain,
    graphql::{context::RequestContext, error::Failure, global_id},
    service,
};

/// An object with a globally unique ID.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "The opaque global ID of the object."))]
pub(crate) enum Node {
    User(User),
}

/// An object where the schema says [`Node`], resolved as what it is: no fragment is left in a
/// selection that would tell which fields are those of its type.
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

/// Why the viewer cannot follow a user.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "service::FollowDenial")]
pub(crate) enum FollowDenialReason {
    /// The role or the token lacks the FOLLOW permission.
    MissingPermission,
    /// Nobody is signed in.
    Unauthenticated,
    /// Nobody can follow themselves.
    Yourself,
}

/// An account that can follow others and be followed.
pub(crate) struct User(pub Arc<domain::User>);

impl User {
    fn denials(&self, ctx: &Context<'_>) -> Vec<service::FollowDenial> {
        service::follow_denials(RequestContext::of(ctx).viewer(), self.0.id)
    }
}

#[expect(clippy::unused_async, reason = "the executor wants resolvers to be async")]
#[Object]
/// An account that can follow others and be followed.
impl User {
    /// A square picture of the user. Users without one get a drawn one, as a `data:` URI.
    async fn avatar_url(
        &self,
        #[graphql(
            default_with = "Some(96)",
            desc = "The wanted width and height in pixels, from 16 to 1024."
        )]
        size: Option<i32>,
    ) -> Uri {
        Uri(avatar::uri(&self.0, size.unwrap_or(96)))
    }

    /// What users say about themselves.
    async fn bio(&self) -> Option<&str> {
        self.0.bio.as_deref()
    }

    /// When the account was made.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// The users who follow this user, the newest follow first.
    async fn followers(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only edges after this cursor.")] after: Option<String>,
        #[graphql(desc = "Only edges before this cursor.")] before: Option<String>,
        #[graphql(desc = "The first n edges, 0 to 100. Without `first` and `last`, 20.")]
        first: Option<i32>,
        #[graphql(desc = "The last n edges, 0 to 100.")] last: Option<i32>,
        #[graphql(default_with = "Some(FollowOrder::DEFAULT)", desc = "The order of the edges.")]
        order_by: Option<FollowOrder>,
    ) -> Result<FollowerConnection, Failure> {
        let arguments = PageArguments::new(first, last, after, before);
        FollowerConnection::select(ctx, self.0.id, &arguments, order_by)
    }

    /// The users whom this user follows, the newest follow first.
    async fn following(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only edges after this cursor.")] after: Option<String>,
        #[graphql(desc = "Only edges before this cursor.")] before: Option<String>,
        #[graphql(desc = "The first n edges, 0 to 100. Without `first` and `last`, 20.")]
        first: Option<i32>,
        #[graphql(desc = "The last n edges, 0 to 100.")] last: Option<i32>,
        #[graphql(default_with = "Some(FollowOrder::DEFAULT)", desc = "The order of the edges.")]
        order_by: Option<FollowOrder>,
    ) -> Result<FollowingConnection, Failure> {
        let arguments = PageArguments::new(first, last, after, before);
        FollowingConnection::select(ctx, self.0.id, &arguments, order_by)
    }

    /// The opaque global ID of the user.
    async fn id(&self) -> ID {
        global_id::of_user(self.0.id)
    }

    /// Whether this user follows the viewer: the "Follows you" label. False when signed out.
    async fn is_following_viewer(&self, ctx: &Context<'_>) -> Result<bool, Failure> {
        let relation = RequestContext::of(ctx).loaders.following_back(self.0.id).await?;
        Ok(relation.followed_back_at.is_some())
    }

    /// Whether this user is the viewer.
    async fn is_viewer(&self, ctx: &Context<'_>) -> bool {
        RequestContext::of(ctx).viewer().is_some_and(|viewer| viewer.id() == self.0.id)
    }

    /// The name that the user goes by.
    async fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// The unique name of the account. It is matched without regard to case.
    async fn username(&self) -> &str {
        &self.0.username
    }

    /// Whether a follow by the viewer would be accepted now: it drives the Follow button.
    async fn viewer_can_follow(&self, ctx: &Context<'_>) -> bool {
        self.denials(ctx).is_empty()
    }

    /// Why the viewer cannot follow this user; empty when they can.
    async fn viewer_cannot_follow_reasons(&self, ctx: &Context<'_>) -> Vec<FollowDenialReason> {
        self.denials(ctx).into_iter().map(FollowDenialReason::from).collect()
    }

    /// When the viewer began to follow this user; null when they do not.
    async fn viewer_followed_at(&self, ctx: &Context<'_>) -> Option<Result<DateTime, Failure>> {
        let relation = RequestContext::of(ctx).loaders.followed(self.0.id).await;
        relation.map(|relation| relation.followed_at.map(DateTime)).transpose()
    }

    /// Whether the viewer follows this user. False when signed out.
    async fn viewer_is_following(&self, ctx: &Context<'_>) -> Result<bool, Failure> {
        let relation = RequestContext::of(ctx).loaders.followed(self.0.id).await?;
        Ok(relation.followed_at.is_some())
    }
}
