//! The root of all queries.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};

use super::{
    connection::{Listed, UserConnection},
    order::UserOrder,
    page::PageArguments,
    quota::RateLimit,
    user::{AnyNode, Node, User},
    viewer::Viewer,
};
use crate::{
    domain::{self, UsernameKey},
    graphql::{context::RequestContext, error::Failure, global_id, projection::Projected},
};

/// Root of all queries.
pub(crate) struct Query;

/// A user as a node.
const fn node_of(user: Arc<domain::User>) -> AnyNode {
    AnyNode(Node::User(User(user)))
}

#[Object]
/// Root of all queries.
impl Query {
    /// The caller's remaining budget after this operation; null if the server has no rate limits.
    async fn rate_limit(&self, ctx: &Context<'_>) -> Option<RateLimit> {
        RequestContext::of(ctx).budget.map(RateLimit::from)
    }

    /// The object with this global ID; null if it does not exist.
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The global ID.")] id: ID,
    ) -> Option<Result<Projected<AnyNode>, Failure>> {
        let user = RequestContext::of(ctx).loaders.users.one(global_id::to_user(&id)?).await;
        user.map(|user| user.map(node_of).map(Projected)).transpose()
    }

    /// The objects with these global IDs, in their order; null for IDs without an object.
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The global IDs, at most as many as the server's page size.")] ids: Vec<
            ID,
        >,
    ) -> Projected<Vec<Option<Result<AnyNode, Failure>>>> {
        // A malformed id names no object.
        let ids: Vec<_> = ids.iter().map(|id| global_id::to_user(id)).collect();
        let named = ids.iter().flatten().copied().collect();
        Projected(match RequestContext::of(ctx).loaders.users.many(named).await {
            Ok(users) => {
                let mut users = users.into_iter();
                let mut node = |_| users.next().flatten().map(node_of).map(Ok);
                ids.into_iter().map(|id| id.and_then(&mut node)).collect()
            }
            Err(failure) => ids.into_iter().map(|id| id.map(|_| Err(failure.clone()))).collect(),
        })
    }

    /// The user with this username; null if no user has it.
    async fn user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The username, regardless of case.")] username: String,
    ) -> Option<Result<Projected<User>, Failure>> {
        let key = UsernameKey::parse(&username)?;
        let user = RequestContext::of(ctx).loaders.usernames.one(key).await;
        user.map(|user| user.map(User).map(Projected)).transpose()
    }

    /// All users, by default ordered by username.
    #[expect(clippy::too_many_arguments, reason = "the arguments of the field")]
    async fn users(
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
        #[graphql(default_with = "Some(UserOrder::default())", desc = "The order of the edges.")]
        order_by: Option<UserOrder>,
        #[graphql(desc = "Only users whose username begins with this text, regardless of case.")]
        username_prefix: Option<String>,
    ) -> Option<Result<Projected<UserConnection>, Failure>> {
        let arguments = PageArguments::new(first, last, after, before, order_by);
        let prefix = username_prefix.unwrap_or_default();
        Some(Listed::users(ctx, &arguments, &prefix).map(UserConnection).map(Projected))
    }

    /// The signed-in caller; null when signed out.
    async fn viewer(&self, ctx: &Context<'_>) -> Option<Viewer> {
        RequestContext::of(ctx).service.viewer().cloned().map(Viewer)
    }
}
