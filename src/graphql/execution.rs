//! Executing what was prepared: with a context that its resolvers share, within the time limit.

use std::{net::IpAddr, panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt;

use super::{
    context::RequestContext,
    error::{Code, Failure},
    loaders::Loaders,
    projection::count::Projections,
    reply::Reply,
    schema,
};
use crate::{
    domain::Limits,
    service::{Budget, SeenBy},
};

/// What an execution needs besides the operation. Clones are cheap.
#[derive(Clone)]
pub(super) struct Execution {
    pub executable: schema::Executable,
    pub limits: Limits,
    /// The path of the drawn pictures.
    pub avatars: Arc<str>,
    /// `None` if projection is switched off.
    pub projections: Option<Projections>,
}

impl Execution {
    /// A context with loaders of its own.
    pub(super) async fn context(
        &self,
        service: SeenBy,
        address: Option<IpAddr>,
        budget: Option<Budget>,
    ) -> Arc<RequestContext> {
        let loaders = Loaders::new(&service);
        if let Some(viewer) = service.viewer() {
            loaders.prime_viewer(viewer).await;
        }
        Arc::new(RequestContext {
            loaders,
            service,
            address,
            limits: self.limits,
            avatars: Arc::clone(&self.avatars),
            projections: self.projections.clone(),
            budget,
        })
    }

    /// Runs an execution to its end, within the time limit.
    ///
    /// # Errors
    /// The reply to an execution that panics or takes too long. Its cost stays charged.
    pub(super) async fn bounded<T>(
        &self,
        request_id: &str,
        execution: impl Future<Output = T>,
    ) -> Result<T, Reply> {
        let limit = self.limits.execution_time_max;
        let execution = AssertUnwindSafe(execution).catch_unwind();
        match tokio::time::timeout(limit, execution).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(_panic)) => {
                tracing::error!("a resolver panicked");
                let reply = Reply::failed(Failure::internal(), request_id);
                Err(Reply { is_charged: true, ..reply })
            }
            Err(_elapsed) => {
                tracing::warn!(?limit, "an operation took too long");
                let message = format!("the operation took longer than {limit:?}");
                Err(Reply { is_charged: true, ..Failure::new(Code::Timeout, message).into() })
            }
        }
    }
}
