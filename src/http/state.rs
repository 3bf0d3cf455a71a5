//! What the handlers share.

use std::{sync::Arc, time::Duration};

use tokio::sync::{Semaphore, watch};

use super::{
    base_path::BasePath, client::ProxyNet, cors::Origin, live::Seats, metrics::Metrics,
    pages::Playground, server::Timeouts,
};
use crate::{
    domain::Limits,
    graphql::Api,
    service::{Outage, Random, Service},
    store::Store,
};

/// The parts of a server that its handlers share.
pub struct State {
    /// Executes operations.
    pub api: Api,
    /// Authenticates tokens and limits addresses.
    pub service: Arc<Service>,
    /// Probed by `/readyz`.
    pub store: Arc<dyn Store>,
    /// Source of request ids.
    pub random: Arc<dyn Random>,
    /// Bounds on one request.
    pub limits: Limits,
    /// The path below which a proxy publishes the server.
    pub base_path: BasePath,
    /// The sites whose scripts may call the server.
    pub cors_origins: Vec<Origin>,
    /// Proxies whose `X-Forwarded-For` is trusted.
    pub proxies: Vec<ProxyNet>,
    /// One permit for each account that may be exported at once.
    pub exports: Arc<Semaphore>,
    /// One permit for each operation that may run at once.
    pub operation_permits: Semaphore,
    /// The places of sockets, event streams and subscriptions.
    pub seats: Arc<Seats>,
    /// Operations that take at least so long are logged with the calls of the store that they made.
    pub slow_operation: Option<Duration>,
    /// When the viewers of idle sockets cannot be looked up.
    pub(crate) checks_outage: Outage,
    /// How long a client may take.
    pub timeouts: Timeouts,
    /// The pages for the browser; `None` serves none.
    pub playground: Option<Playground>,
    /// The measurements of the process.
    pub metrics: Metrics,
    /// True from shutdown on: the server is alive, but no longer ready.
    pub draining: watch::Sender<bool>,
}
