//! The context that all resolvers of a request share.

use std::{net::IpAddr, sync::Arc};

use async_graphql::ContextBase;

use super::{loaders::Loaders, projection::count::Projections};
use crate::{
    domain::Limits,
    service::{Budget, SeenBy},
};

/// A request, for its resolvers.
pub(super) struct RequestContext {
    pub service: SeenBy,
    pub loaders: Arc<Loaders>,
    pub address: Option<IpAddr>,
    pub limits: Limits,
    /// The path of the drawn pictures.
    pub avatars: Arc<str>,
    /// Counts projections; `None` if the resolvers answer everything.
    pub projections: Option<Projections>,
    /// The remaining budget of the caller; `None` without rate limits.
    pub budget: Option<Budget>,
}

impl RequestContext {
    /// The context of a resolver's request.
    pub(super) fn of<'a, T>(ctx: &ContextBase<'a, T>) -> &'a Self {
        ctx.data_unchecked::<Arc<Self>>()
    }
}
