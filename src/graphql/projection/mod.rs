//! Plain data, loaded level by level and written straight into JSON.
//!
//! The executor runs a future, with a context, for every field of every object. Most of an answer
//! does not need that: users, edges, pages and counts are complete once a level of the graph is
//! loaded. So where a resolver returns an object of the graph, everything below it is *projected*:
//! a plan is built from the selection (`plan`) by the rows of its fields (`fields`), the data is loaded
//! a level at a time (`load`), and the answer is written in one go (`write`), as JSON that the
//! executor passes on unread.
//!
//! The types of the schema keep their resolvers, which answer whenever a projection cannot: when
//! something fails, since errors with their paths, and the nulls around them, are the executor's
//! job. Such fallbacks are counted (`count`).
//!
//! **Invariant:** a projected answer is the answer of the resolvers, byte for byte. A test
//! compares the two for random documents.

pub(crate) mod count;
pub(crate) mod fields;
mod json;
mod load;
mod plan;
mod write;

use std::{borrow::Cow, sync::Arc};

use async_graphql::{
    ContextSelectionSet, OutputType, Positioned, ServerResult, Value,
    parser::types::{Field, SelectionSet},
    registry::Registry,
};

pub(super) use self::json::separate;
pub use self::plan::projected_fields;
use self::{
    fields::Needs,
    load::load,
    plan::{ConnectionPlan, UserPlan},
    write::{Length, Loaded, Writer},
};
use super::{
    context::RequestContext,
    error::Failure,
    types::{
        connection::{
            BlockedUserConnection, Edge, FollowRequestConnection, FollowerEdge, FollowingEdge,
            Listed, MutedUserConnection, UserConnection,
        },
        federation::Entity,
        user::{AnyNode, Node, User},
    },
};
use crate::{domain, service::ListPage};

/// An object of the graph, or a list of them, to be projected.
pub(super) struct Projected<T>(pub T);

/// A type that can be projected.
pub(super) trait Project: OutputType {
    /// Whether everything in the answer can be projected. A viewer cannot: few are read.
    fn is_plain(&self) -> bool {
        true
    }

    /// The answer to a selection as JSON; `None` if the resolvers have to answer.
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
        if let Some(projections) = request.projections.as_ref().filter(|_| self.0.is_plain()) {
            let json = self.0.project(request, &field.node.selection_set.node).await;
            projections.count(json.is_some());
            if let Some(json) = json {
                return Ok(Value::Binary(json.into()));
            }
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
        Some(writer.json)
    }
}

impl Project for AnyNode {
    fn is_plain(&self) -> bool {
        matches!(self.0, Node::User(_))
    }

    async fn project(&self, request: &RequestContext, selection: &SelectionSet) -> Option<Vec<u8>> {
        let Node::User(user) = &self.0 else { return None };
        user.project(request, plan::of_type(selection, "User")?).await
    }
}

impl Project for Vec<Option<Result<AnyNode, Failure>>> {
    fn is_plain(&self) -> bool {
        self.iter().flatten().flatten().all(Project::is_plain)
    }

    async fn project(&self, request: &RequestContext, selection: &SelectionSet) -> Option<Vec<u8>> {
        let user = |node: &Option<Result<AnyNode, Failure>>| match node {
            None => Some(None),
            Some(Ok(AnyNode(Node::User(user)))) => Some(Some(user.0.clone())),
            Some(Ok(AnyNode(Node::Viewer(_))) | Err(_)) => None,
        };
        let users: Vec<_> = self.iter().map(user).collect::<Option<_>>()?;
        list(&users, request, plan::of_type(selection, "User")?).await
    }
}

impl Project for Vec<Option<Result<User, Failure>>> {
    async fn project(&self, request: &RequestContext, selection: &SelectionSet) -> Option<Vec<u8>> {
        let user = |user: &Option<Result<User, Failure>>| match user {
            None => Some(None),
            Some(Ok(user)) => Some(Some(user.0.clone())),
            Some(Err(_)) => None,
        };
        let users: Vec<_> = self.iter().map(user).collect::<Option<_>>()?;
        list(&users, request, selection).await
    }
}

impl Project for Vec<Option<Result<Entity, Failure>>> {
    async fn project(&self, request: &RequestContext, selection: &SelectionSet) -> Option<Vec<u8>> {
        let user = |entity: &Option<Result<Entity, Failure>>| match entity {
            None => Some(None),
            Some(Ok(Entity::User(user))) => Some(Some(user.0.clone())),
            Some(Err(_)) => None,
        };
        let users: Vec<_> = self.iter().map(user).collect::<Option<_>>()?;
        list(&users, request, plan::of_type(selection, "User")?).await
    }
}

/// Users in their order, and null for those who were not found.
async fn list(
    users: &[Option<Arc<domain::User>>],
    request: &RequestContext,
    selection: &SelectionSet,
) -> Option<Vec<u8>> {
    let plan = UserPlan::new(selection, request.limits.page_size_max)?;
    let batches = load(request, vec![(&plan, users.iter().flatten().cloned().collect())]);
    let batches = batches.await.ok()?;

    let mut writer = Writer::new(request, &batches);
    let mut found = 0..;
    writer.list(users.iter(), |writer, user| match user {
        Some(_) => writer.root(found.next().unwrap_or_default()),
        None => writer.value(()),
    });
    Some(writer.json)
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
    let mut users = Vec::new();
    let fields = plan::edge(selection, request.limits.page_size_max, &mut users)?;
    let roots = users.iter().map(|plan| (plan, vec![edge.item.user.clone()]));
    let batches = load(request, roots.collect()).await.ok()?;

    let mut writer = Writer::new(request, &batches);
    writer.edge(&edge.list, &fields, &edge.item, |index| {
        let place = Some((&batches[index], 0));
        (&users[index], Loaded { user: &edge.item.user, place })
    });
    Some(writer.json)
}

/// Connections that are roots. Those of a user are parts of the user.
macro_rules! project_connections {
    ($($connection:ty),+) => {
        $(impl Project for $connection {
            async fn project(
                &self,
                request: &RequestContext,
                selection: &SelectionSet,
            ) -> Option<Vec<u8>> {
                connection(&self.0, request, selection).await
            }
        })+
    };
}
project_connections!(
    UserConnection,
    FollowRequestConnection,
    BlockedUserConnection,
    MutedUserConnection
);

async fn connection(
    listed: &Listed,
    request: &RequestContext,
    selection: &SelectionSet,
) -> Option<Vec<u8>> {
    let plan = ConnectionPlan::new(listed.list, selection, request.limits.page_size_max)?;
    let needs = plan.needs;
    let no_page = || Arc::new(ListPage::empty());
    let page =
        if needs.include(Needs::PAGE) { listed.page(request).await.ok()? } else { no_page() };
    let total = if needs.include(Needs::COUNT) { listed.count(request).await.ok()? } else { 0 };
    let rows = || page.page.items.iter().map(|item| Arc::clone(&item.user));
    let roots = plan.users.iter().map(|plan| (plan, rows().collect()));
    let batches = load(request, roots.collect()).await.ok()?;

    let mut writer = Writer::new(request, &batches);
    let length = Length { total, is_hidden: false };
    writer.connection(&plan, &page.page, length, |users, n| Some((&batches[users], n)));
    Some(writer.json)
}
