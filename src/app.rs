//! The composition root: store, service, API and routes, assembled once.
//!
//! Every part of a server is passed in here, so a test builds the same server as the command line.

use std::{io, os::fd::AsFd, sync::Arc, time::Duration};

use axum::Router;
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
    time::{sleep, timeout},
};

use crate::{
    domain::{Clock, Limits, SystemClock},
    graphql::{Api, DocumentRules, Projections},
    http::{self, BasePath, Metrics, Origin, Part, Playground, ProxyNet, Seats, Timeouts},
    service::{Outage, Parts, Random, Service, SystemRandom, Tokens, WebhookReceiver},
    store::{Metered, Statements, Store},
};

/// How long the database connections may take to close.
const CLOSE_TIME_MAX: Duration = Duration::from_secs(5);

/// What an operator decides about a server.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Settings {
    /// The limits.
    pub limits: Limits,
    /// How long clients may take.
    pub timeouts: Timeouts,
    /// Operations that take at least so long are logged with their calls of the store.
    pub slow_operation: Option<Duration>,
    /// The path below which a proxy publishes the server.
    pub base_path: BasePath,
    /// The sites whose scripts may call the server.
    pub cors_origins: Vec<Origin>,
    /// Proxies whose `X-Forwarded-For` is trusted.
    pub proxies: Vec<ProxyNet>,
    /// Whether `signUp`, `signIn` and `changePassword` exist.
    pub sign_up: bool,
    /// Whether the server is a subgraph of a federation, whose members see all external ids.
    pub federation: bool,
    /// Whether the limits over time apply.
    pub rate_limits: bool,
    /// How long events are kept; zero for no events.
    pub events_kept: Duration,
    /// The host's webhook. The store has to write messages for it.
    pub webhook: Option<WebhookReceiver>,
    /// Whether errors suggest names of the schema.
    pub suggestions: bool,
    /// Whether plain data is projected. If not, resolvers answer everything, with the same result.
    pub projection: bool,
    /// Which documents run, and which have names.
    pub documents: DocumentRules,
    /// The pages for the browser; `None` serves none. Their documents are always trusted.
    pub playground: Option<Playground>,
    /// Source of the time.
    pub clock: Arc<dyn Clock>,
    /// Source of randomness.
    pub random: Arc<dyn Random>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            slow_operation: Some(Duration::from_secs(1)),
            base_path: BasePath::default(),
            cors_origins: Vec::new(),
            proxies: Vec::new(),
            sign_up: false,
            federation: false,
            rate_limits: true,
            events_kept: Duration::from_hours(30 * 24),
            webhook: None,
            suggestions: true,
            projection: true,
            documents: DocumentRules::default(),
            playground: None,
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
        }
    }
}

/// A server that is not listening yet.
pub struct App {
    state: Arc<http::State>,
    metrics_listener: Option<TcpListener>,
    statements: Statements,
}

impl App {
    /// Assembles a server. The store should be migrated; until it is, `/readyz` answers 503.
    pub fn new(store: Arc<dyn Store>, tokens: Tokens, settings: Settings) -> Self {
        let metrics = Metrics::install();
        let store = Metered::new(store);
        let statements = store.statements();
        let store: Arc<dyn Store> = Arc::new(store);
        let service = Service::new(Parts {
            store: Arc::clone(&store),
            tokens,
            clock: settings.clock,
            random: Arc::clone(&settings.random),
            sign_up: settings.sign_up,
            federation: settings.federation,
            rate_limits: settings.rate_limits,
            events_kept: settings.events_kept,
            webhook: settings.webhook,
            limits: settings.limits,
        });
        let mut documents = settings.documents;
        if documents.only_trusted
            && let Some(playground) = &settings.playground
        {
            let texts = playground.documents();
            documents.trust_texts(texts.iter().map(String::as_str), &settings.limits);
        }
        let api = Api::new(Arc::clone(&service), settings.limits).with_documents(documents);
        let api = api.with_avatars_below(settings.base_path.as_str());
        let api = if settings.projection { api } else { api.without_projection() };
        let api = if settings.suggestions { api } else { api.without_suggestions() };
        let (draining, _) = watch::channel(false);
        let state = Arc::new(http::State {
            api,
            service,
            store,
            random: settings.random,
            limits: settings.limits,
            playground: settings.playground.map(|pages| pages.below(&settings.base_path)),
            base_path: settings.base_path,
            cors_origins: settings.cors_origins,
            proxies: settings.proxies,
            seats: Seats::new(&settings.limits),
            exports: Arc::new(Semaphore::new(http::EXPORTS_MAX)),
            operation_permits: Semaphore::new(settings.limits.operations_max),
            checks_outage: Outage::new("viewers of idle sockets cannot be looked up"),
            timeouts: settings.timeouts,
            slow_operation: settings.slow_operation,
            metrics,
            draining,
        });

        Self { state, metrics_listener: None, statements }
    }

    /// Moves `/metrics` to its own listener, so that API clients cannot reach it.
    #[must_use]
    pub fn with_metrics_on(self, listener: TcpListener) -> Self {
        Self { metrics_listener: Some(listener), ..self }
    }

    /// The number of statements that the server has sent to its store.
    pub fn statements(&self) -> Statements {
        self.statements.clone()
    }

    /// The numbers of answers that were projected, and that could not be.
    pub fn projections(&self) -> Projections {
        self.state.api.projections()
    }

    /// The service that the server works with.
    pub fn service(&self) -> Arc<Service> {
        Arc::clone(&self.state.service)
    }

    /// The routes of the main listener.
    pub fn router(&self) -> Router {
        let part = if self.metrics_listener.is_some() { Part::Public } else { Part::All };
        http::router(Arc::clone(&self.state), part)
    }
}

/// Runs `work`, which prepares the server, and answers on the listener meanwhile that the server is
/// alive but not ready.
///
/// # Errors
/// If the listener cannot be shared.
pub async fn not_ready_during<T>(
    listener: &TcpListener,
    base_path: BasePath,
    work: impl Future<Output = T>,
) -> io::Result<T> {
    // A second handle of the same socket: connections that wait to be accepted are never refused.
    let shared = listener.as_fd().try_clone_to_owned()?;
    let listener = TcpListener::from_std(shared.into())?;
    let (draining, is_draining) = watch::channel(false);
    let work = async {
        let result = work.await;
        draining.send_replace(true);
        result
    };
    let timeouts = Timeouts { drain: Duration::from_secs(1), ..Timeouts::default() };
    let most = Limits::default().client_connections_max;
    let answering =
        http::serve(listener, http::not_ready(), base_path, timeouts, most, is_draining);
    Ok(tokio::join!(work, answering).0)
}

/// Serves until `shutdown` resolves. Then, in this order: `/readyz` answers 503, the server stops
/// accepting, idle connections are closed, requests in flight are answered, the store is closed.
/// Each step is bounded by the [`Timeouts`].
///
/// # Errors
/// If a listener has no local address.
pub async fn serve(
    app: App,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let router = app.router();
    let App { state, metrics_listener, .. } = app;
    let (address, timeouts) = (listener.local_addr()?, state.timeouts);
    let base_path = || state.base_path.clone();
    let most = state.limits.client_connections_max;
    tracing::info!(%address, "listening");

    let stopping = async {
        shutdown.await;
        tracing::info!("stopping");
        state.draining.send_replace(true);
    };
    let metrics = async {
        if let Some(listener) = metrics_listener {
            let router = http::router(Arc::clone(&state), Part::Metrics);
            let draining = state.draining.subscribe();
            http::serve(listener, router, base_path(), timeouts, most, draining).await;
        }
    };
    let draining = state.draining.subscribe();
    let public = http::serve(listener, router, base_path(), timeouts, most, draining);
    let webhooks = async {
        let (draining, mut is_draining) = (state.draining.subscribe(), state.draining.subscribe());
        let time_is_up = async {
            let _ = is_draining.wait_for(|is_draining| *is_draining).await;
            sleep(timeouts.drain).await;
        };
        tokio::select! {
            () = state.service.keep_webhooks_delivered(draining) => {}
            () = time_is_up => {}
        }
    };
    let served = async { tokio::join!(stopping, public, metrics, webhooks) };
    tokio::select! {
        _ = served => {}
        () = state.metrics.keep_up() => {}
        () = state.service.keep_providers_loaded() => {}
        () = state.service.keep_profiles_fresh() => {}
        () = state.service.keep_users_fresh() => {}
        () = state.service.keep_events_flowing() => {}
        () = state.service.keep_logs_short() => {}
    }

    if timeout(CLOSE_TIME_MAX, state.store.close()).await.is_err() {
        tracing::warn!("the database connections did not close in time");
    }
    Ok(())
}
