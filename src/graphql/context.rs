//! What the resolvers of one request share.

use std::{net::IpAddr, sync::Arc};

use async_graphql::ContextBase;

use super::{error::Failure, loaders::Loaders};
use crate::{
    domain::{Limits, Permissions},
    service::{self, Budget, Service, Viewer},
};

/// One request, as its resolvers see it.
pub(super) struct RequestContext {
    pub service: Arc<Service>,
    pub loaders: Arc<Loaders>,
    pub viewer: Option<Arc<Viewer>>,
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

    /// The signed-in viewer, for fields that the guard has let nobody else reach.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` should the guard ever be wrong.
    pub(super) fn signed_in(&self) -> Result<&Arc<Viewer>, Failure> {
        service::authorize(self.viewer.as_deref(), Permissions::NONE)?;
        self.viewer.as_ref().ok_or_else(|| service::Error::Unauthenticated.into())
    }
}
