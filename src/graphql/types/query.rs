//! The root of all queries.

use std::sync::Arc;

use async_graphql::{Any, Context, ID, Object};
use futures_util::future::join_all;

use super::{
    audit::AuditConnection,
    connection::{Listed, UserConnection},
    federation::{self, Entity, Subgraph, is_federated},
    follow::UserRef,
    mutation::has_permission,
    order::UserOrder,
    page::PageArguments,
    quota::RateLimit,
    user::{AnyNode, Node, User},
    viewer::Viewer,
};
use crate::{
    domain::{OrderDirection, UserSearch},
    graphql::{
        context::RequestContext, error::Failure, global_id::GlobalId, lists::OrderField,
        permission::Permission, projection::Projected,
    },
};

/// Root of all queries.
pub(crate) struct Query;

/// Finds the object of an id, which may be missing.
async fn node(request: &RequestContext, id: &str) -> Result<Option<AnyNode>, Failure> {
    Ok(match GlobalId::parse(id) {
        Some(GlobalId::User(id)) => {
            request.loaders.users.one(id).await?.map(User).map(Node::User).map(AnyNode)
        }
        Some(GlobalId::Viewer(id)) => {
            let viewer = viewer(request).await?;
            viewer.filter(|viewer| viewer.0.id() == id).map(Node::Viewer).map(AnyNode)
        }
        None => None,
    })
}

/// The signed-in caller, unless this request has just deleted their account.
async fn viewer(request: &RequestContext) -> Result<Option<Viewer>, Failure> {
    let Some(viewer) = request.service.viewer() else { return Ok(None) };
    if viewer.is_service() {
        return Ok(Some(Viewer(Arc::clone(viewer))));
    }
    let user = request.loaders.users.one(viewer.id()).await?;
    Ok(user.map(|_| Viewer(Arc::clone(viewer))))
}

#[Object]
/// Root of all queries.
impl Query {
    /// The caller's remaining budget after this operation; null if the server has no rate limits.
    async fn rate_limit(&self, ctx: &Context<'_>) -> Option<RateLimit> {
        RequestContext::of(ctx).budget.map(RateLimit::from)
    }

    /// What administrators have changed, newest first. The caller needs the ADMIN permission.
    #[graphql(directive = has_permission::apply(vec![Permission::Admin]))]
    async fn audit_log(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only entries after this cursor, which are older.")] after: Option<String>,
        #[graphql(desc = "Only entries before this cursor, which are newer.")] before: Option<
            String,
        >,
        #[graphql(
            desc = "The first n entries, at most the server's page size. Without `first` and `last`, \
            a page of the default size."
        )]
        first: Option<i32>,
        #[graphql(desc = "The last n entries, at most the server's page size.")] last: Option<i32>,
    ) -> Result<AuditConnection, Failure> {
        let order = None::<(OrderField, OrderDirection)>;
        let arguments = PageArguments::new(first, last, after, before, order);
        AuditConnection::load(ctx, &arguments).await
    }

    /// This subgraph, for a gateway.
    #[graphql(name = "_service", visible = "is_federated")]
    async fn subgraph<'ctx>(&self, ctx: &Context<'ctx>) -> &'ctx Subgraph {
        ctx.data_unchecked()
    }

    /// The objects that other subgraphs refer to, in that order; null for those that do not exist.
    #[graphql(name = "_entities", visible = "is_federated")]
    async fn entities(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The references, at most as many as the server's page size.")]
        representations: Vec<Any>,
    ) -> Projected<Vec<Option<Result<Entity, Failure>>>> {
        let loaders = &RequestContext::of(ctx).loaders;
        let entity = async |Any(representation): &Any| {
            // The guard has refused malformed ones.
            let user = federation::referred(representation).ok().flatten()?;
            user.load(loaders).await.map(|user| user.map(Entity::User)).transpose()
        };
        Projected(join_all(representations.iter().map(entity)).await)
    }

    /// The object with this global ID; null if it does not exist.
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The global ID.")] id: ID,
    ) -> Option<Result<Projected<AnyNode>, Failure>> {
        let node = node(RequestContext::of(ctx), &id).await;
        node.map(|node| node.map(Projected)).transpose()
    }

    /// The objects with these global IDs, in their order; null for IDs without an object.
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The global IDs, at most as many as the server's page size.")] ids: Vec<
            ID,
        >,
    ) -> Projected<Vec<Option<Result<AnyNode, Failure>>>> {
        let request = RequestContext::of(ctx);
        let nodes = join_all(ids.iter().map(|id| node(request, id))).await;
        Projected(nodes.into_iter().map(Result::transpose).collect())
    }

    /// One user, by exactly one of the two arguments; null if there is no such user.
    async fn user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The ID, the ID at the host application or the username of the user.")] by: Option<UserRef>,
        #[graphql(desc = "The username, read as in `UserRef`.")] username: Option<String>,
    ) -> Option<Result<Projected<User>, Failure>> {
        // The guard has refused both and neither.
        let user = by.or(username.map(UserRef::Username))?;
        let user = user.load(&RequestContext::of(ctx).loaders).await;
        user.map(|user| user.map(Projected)).transpose()
    }

    /// The users who are referred to, in that order; null for those who do not exist.
    async fn users_by_ref(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The references, at most as many as the server's page size.")] refs: Vec<
            UserRef,
        >,
    ) -> Projected<Vec<Option<Result<User, Failure>>>> {
        let loaders = &RequestContext::of(ctx).loaders;
        let users = join_all(refs.iter().map(|user| user.load(loaders))).await;
        Projected(users.into_iter().map(Result::transpose).collect())
    }

    /// All users, or those whom a search finds; by default ordered by username.
    #[expect(clippy::too_many_arguments, reason = "the arguments of the field")]
    #[expect(clippy::unused_async, reason = "a resolver; it loads nothing by itself")]
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
        #[graphql(
            default_with = "Some(false)",
            desc = "Users who are suspended in place of those who are not. True needs the MODERATE \
            permission."
        )]
        is_suspended: Option<bool>,
        #[graphql(desc = "The last n edges, at most the server's page size.")] last: Option<i32>,
        #[graphql(default_with = "Some(UserOrder::default())", desc = "The order of the edges.")]
        order_by: Option<UserOrder>,
        #[graphql(
            desc = "Only users who match each word of this text: their username or a word of their \
            name begins with it, regardless of case and accents."
        )]
        query: Option<String>,
        #[graphql(
            desc = "Only users who have the role with this name. It needs the MODERATE permission."
        )]
        role: Option<String>,
    ) -> Result<Projected<UserConnection>, Failure> {
        let arguments = PageArguments::new(first, last, after, before, order_by);
        let search = UserSearch::parse(&query.unwrap_or_default());
        let is_suspended = is_suspended.unwrap_or_default();
        let search = search.map(|search| search.narrowed(is_suspended, role));
        Listed::users(ctx, &arguments, search).map(UserConnection).map(Projected)
    }

    /// The signed-in caller; null when signed out.
    async fn viewer(&self, ctx: &Context<'_>) -> Option<Result<Viewer, Failure>> {
        viewer(RequestContext::of(ctx)).await.transpose()
    }
}
