//! Plain data, answered level by level and written straight into JSON.
//!
//! The executor runs a future, with a context, for every field of every object. Most of an answer
//! needs none of that: users, edges, pages and counts are known once a level of the graph is
//! loaded. So where a resolver gives an object of the graph, everything below it is *projected*: a
//! plan is made of the selection (`plan`), what it asks for is loaded a level at a time (`load`),
//! and the answer is written at once (`write`), as JSON that the executor passes on unread.
//!
//! The types of the schema keep their resolvers. They say what the answer is, and answer
//! themselves whenever a projection cannot: when something fails, since errors with their paths,
//! and the nulls around them, are the executor's.
//!
//! **Invariant:** a projected answer is the answer of the resolvers, byte for byte. A test
//! compares the two for random documents.

mod load;
mod plan;
mod write;

use std::borrow::Cow;

use async_graphql::{
    ContextSelectionSet, OutputType, Positioned, ServerResult, Value,
    parser::types::{Field, SelectionSet},
    registry::Registry,
};

use self::{
    load::load,
    plan::{ConnectionPlan, EdgePlan, UserPlan},
    write::{Entries, Entry, Known, PageOf, Writer},
};
use super::{
    context::RequestContext,
    cursor::List,
    error::Failure,
    types::{
        connection::{Edge, FollowerEdge, FollowingEdge, UserConnection},
        user::{AnyNode, Node, User},
    },
};

/// An object of the graph, or a list of them, to be projected.
pub(super) struct Projected<T>(pub T);

/// Of what an answer can be projected.
pub(super) trait Project: OutputType {
    /// The answer to a selection as JSON; `None` when the resolvers have to answer.
    fn project(
        &self,
        request: &RequestContext,
        selection: &SelectionSet,
    ) -> impl Future<Output = Option<Vec<u8>>> + Send;
}

impl<T: Project> OutputType for Projected<T> {
    fn type_name() -> Cow<'static, str> {
        T::type_name()
    }

    fn qualified_type_name() -> String {
        T::qualified_type_name()
    }

    fn introspection_type_name(&self) -> Cow<'static, str> {
        self.0.introspection_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        T::create_type_info(registry)
    }

    async fn resolve(
        &self,
        ctx: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        let request = RequestContext::of(ctx);
        if request.projects
            && let Some(json) = self.0.project(request, &field.node.selection_set.node).await
        {
            return Ok(Value::Binary(json.into()));
        }
        self.0.resolve(ctx, field).await
    }
}

impl Project for User {
    async fn project(&self, request: &RequestContext, selection: &SelectionSet) -> Option<Vec<u8>> {
        let plan = UserPlan::new(selection, request.limits.page_size_max)?;
        let batches = load(request, vec![(&plan, vec![self.0.clone()])]).await.ok()?;
        let mut writer = Writer::new(request, &batches);
        writer.root(0);
        Some(writer.finish())
    }
}

impl Project for AnyNode {
    async fn project(&self, request: &RequestContext, selection: &SelectionSet) -> Option<Vec<u8>> {
        let Self(Node::User(user)) = self;
        user.project(request, selection).await
    }
}

impl Project for Vec<Option<Result<AnyNode, Failure>>> {
    async fn project(&self, request: &RequestContext, selection: &SelectionSet) -> Option<Vec<u8>> {
        let user = |node: &Option<Result<AnyNode, Failure>>| match node {
            None => Some(None),
            Some(Ok(AnyNode(Node::User(user)))) => Some(Some(user.0.clone())),
            Some(Err(_)) => None,
        };
        let users: Vec<_> = self.iter().map(user).collect::<Option<_>>()?;
        let plan = UserPlan::new(selection, request.limits.page_size_max)?;
        let batches = load(request, vec![(&plan, users.iter().flatten().cloned().collect())]);
        let batches = batches.await.ok()?;

        let mut writer = Writer::new(request, &batches);
        let mut found = 0..;
        writer.list(users.iter(), |writer, user| match user {
            Some(_) => writer.root(found.next().unwrap_or_default()),
            None => writer.value(Value::Null),
        });
        Some(writer.finish())
    }
}

impl Project for FollowerEdge {
    async fn project(&self, request: &RequestContext, selection: &SelectionSet) -> Option<Vec<u8>> {
        edge(&self.0, request, selection).await
    }
}

impl Project for FollowingEdge {
    async fn project(&self, request: &RequestContext, selection: &SelectionSet) -> Option<Vec<u8>> {
        edge(&self.0, request, selection).await
    }
}

async fn edge(edge: &Edge, request: &RequestContext, selection: &SelectionSet) -> Option<Vec<u8>> {
    let plan = EdgePlan::new(selection, request.limits.page_size_max)?;
    let roots = plan.users.iter().map(|plan| (plan, vec![edge.item.user.clone()]));
    let batches = load(request, roots.collect()).await.ok()?;

    let list = List::Follows(edge.direction, edge.order);
    let mut writer = Writer::new(request, &batches);
    writer.edge(list, &plan.fields, Entry::Follow(&edge.item), |of| {
        (&plan.users[of], Known { user: &edge.item.user, at: Some((&batches[of], 0)) })
    });
    Some(writer.finish())
}

impl Project for UserConnection {
    async fn project(&self, request: &RequestContext, selection: &SelectionSet) -> Option<Vec<u8>> {
        let plan = ConnectionPlan::new(self.list(), selection, request.limits.page_size_max)?;
        let page = if plan.asks_for_page() { Some(self.page(request).await.ok()?) } else { None };
        let total_count = if plan.asks_for_count() { self.count(request).await.ok()? } else { 0 };
        let users = || page.iter().flat_map(|page| &page.items);
        let roots = plan.users.iter().map(|plan| (plan, users().cloned().collect()));
        let batches = load(request, roots.collect()).await.ok()?;

        let mut writer = Writer::new(request, &batches);
        let page = PageOf {
            entries: Entries::Users(page.as_ref().map_or(&[], |page| &page.items)),
            has_next: page.as_ref().is_some_and(|page| page.has_next),
            has_previous: page.as_ref().is_some_and(|page| page.has_previous),
            total_count,
        };
        writer.connection(&plan, &page, |of, entry| Some((&batches[of], entry)));
        Some(writer.finish())
    }
}
