//! Where every read begins.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};

use super::{
    connection::UserConnection,
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

/// Where every read begins.
pub(crate) struct Query;

/// The object that a user is.
const fn node_of(user: Arc<domain::User>) -> AnyNode {
    AnyNode(Node::User(User(user)))
}

#[Object]
/// Where every read begins.
impl Query {
    /// What is left of the caller's budget after this operation; null when the server has no such
    /// limit.
    async fn rate_limit(&self, ctx: &Context<'_>) -> Option<RateLimit> {
        RequestContext::of(ctx).budget.map(RateLimit)
    }

    /// The object with this global ID; null when there is none.
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The global ID.")] id: ID,
    ) -> Option<Result<Projected<AnyNode>, Failure>> {
        let user = RequestContext::of(ctx).loaders.user(global_id::to_user(&id)?).await;
        user.map(|user| user.map(node_of).map(Projected)).transpose()
    }

    /// The objects with these global IDs, in their order; null where there is none. At most 100.
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The global IDs.")] ids: Vec<ID>,
    ) -> Projected<Vec<Option<Result<AnyNode, Failure>>>> {
        // An id that is malformed names nobody.
        let ids: Vec<_> = ids.iter().map(|id| global_id::to_user(id)).collect();
        let named = ids.iter().flatten().copied().collect();
        Projected(match RequestContext::of(ctx).loaders.users_of(named).await {
            Ok(users) => {
                let mut users = users.into_iter();
                let mut node = |_| users.next().flatten().map(node_of).map(Ok);
                ids.into_iter().map(|id| id.and_then(&mut node)).collect()
            }
            Err(failure) => ids.into_iter().map(|id| id.map(|_| Err(failure.clone()))).collect(),
        })
    }

    /// The user with this username; null when there is none.
    async fn user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The username, without regard to case.")] username: String,
    ) -> Option<Result<Projected<User>, Failure>> {
        let key = UsernameKey::parse(&username)?;
        let user = RequestContext::of(ctx).loaders.user_by_username(key).await;
        user.map(|user| user.map(User).map(Projected)).transpose()
    }

    /// All users.
    #[expect(clippy::too_many_arguments, reason = "the arguments of the field")]
    async fn users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only edges after this cursor.")] after: Option<String>,
        #[graphql(desc = "Only edges before this cursor.")] before: Option<String>,
        #[graphql(desc = "The first n edges, 0 to 100. Without `first` and `last`, 20.")]
        first: Option<i32>,
        #[graphql(desc = "The last n edges, 0 to 100.")] last: Option<i32>,
        #[graphql(default_with = "Some(UserOrder::DEFAULT)", desc = "The order of the edges.")]
        order_by: Option<UserOrder>,
        #[graphql(desc = "Only users whose username begins with this, without regard to case.")]
        username_prefix: Option<String>,
    ) -> Option<Result<Projected<UserConnection>, Failure>> {
        let arguments = PageArguments::new(first, last, after, before);
        let prefix = username_prefix.unwrap_or_default();
        Some(UserConnection::select(ctx, &arguments, order_by, &prefix).map(Projected))
    }

    /// The signed-in caller; null when signed out.
    async fn viewer(&self, ctx: &Context<'_>) -> Option<Viewer> {
        RequestContext::of(ctx).service.viewer().cloned().map(Viewer)
    }
}
