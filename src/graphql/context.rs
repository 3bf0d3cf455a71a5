//! What the resolvers of one request share.

use std::{net::IpAddr, sync::Arc};

use async_graphql::ContextBase;

use super::loaders::Loaders;
use crate::{
    domain::Limits,
    service::{Budget, SeenBy, Viewer},
};

/// One request, as its resolvers see it.
pub(super) struct RequestContext {
    pub service: SeenBy,
    pub loaders: Arc<Loaders>,
    pub address: Option<IpAddr>,
    pub limits: Limits,
    /// Whether plain data is projected, or left to the resolvers.
    pub projects: bool,
    /// What is left of the caller's budget; `None` when nothing limits it.
    pub budget: Option<Budget>,
}

impl RequestContext {
    /// The request that a resolver works for.
    pub(super) fn of<'a, T>(ctx: &ContextBase<'a, T>) -> &'a Self {
        ctx.data_unchecked::<Self>()
    }

    /// The signed-in viewer; `None` when signed out.
    pub(super) fn viewer(&self) -> Option<&Viewer> {
        self.service.viewer().map(|viewer| &**viewer)
    }
}
