//! `entourage serve`

use std::{fs, future::pending, io, sync::Arc};

use anyhow::{Context, bail};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
};

use super::{
    banner::{Banner, Pages},
    database::{self, Migrate},
    demo, documents, print,
    providers::{self, Configured},
    signing::Signer,
    startup, webhooks,
};
use crate::{
    app::{self, App, Settings},
    config::{
        Address, Database, Documents, Front, LimitArgs, Listen, Logging, Provider, Service,
        Signing, SlowLog, Switch, Webhook,
    },
    graphql::Features,
    http::{Playground, Timeouts},
    service::Tokens,
    store::{LoadOutcome, Store},
};

/// Serve the GraphQL API
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    listen: Listen,
    #[command(flatten)]
    service: Service,
    #[command(flatten)]
    front: Front,
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    signing: Signing,
    #[command(flatten)]
    provider: Provider,
    #[command(flatten)]
    documents: Documents,
    #[command(flatten)]
    webhook: Webhook,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    logging: Logging,
    #[command(flatten)]
    slow_log: SlowLog,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    super::log(&args.logging, "info")?;

    // Check what can be checked without changing anything first: limits, documents, keys, addresses.
    // Then open the database; the key file is generated only next to a database that is ours.
    let webhook = webhooks::receiver(&args.webhook)?;
    let slow_operation = args.slow_log.slow_operation.limit();
    let Args { listen, service, front, mut database, signing, provider, documents, limits, .. } =
        args;
    database.writes_webhooks = webhook.is_some();
    let limits = limits.limits().map_err(anyhow::Error::msg)?;
    let sign_up = service.sign_up.is_open(&database.url);
    let federation = service.federation == Switch::On;
    let documents = documents::load(&documents, Features { sign_up, federation }, limits)?;
    let keys = Keys::check(&signing, &provider, &database)?;
    let listener = bind(&listen.address, "ENTOURAGE_LISTEN").await?;
    let metrics_listener = match &service.metrics_listen {
        Some(address) => Some(bind(address, "ENTOURAGE_METRICS_LISTEN").await?),
        None => None,
    };
    let mut signals = Signals::new()?;
    let place = startup::Place { listener: &listener, base_path: front.base_path() };
    let (tokens, store) = tokio::select! {
        prepared = prepare(&place, &service, keys, &database) => prepared?,
        () = signals.next() => return Ok(()),
    };
    let demo = if service.demo { Some(demo::fill(&store).await?) } else { None };

    let playground = (service.playground == Switch::On).then(Playground::embedded);
    let pages = match &playground {
        Some(playground) if playground.is_built() => Pages::Built,
        Some(_) => Pages::NotBuilt,
        None => Pages::Off,
    };
    let timeouts = Timeouts::default();
    let notice = service.shutdown_notice.unwrap_or(timeouts.notice);
    let settings = Settings {
        limits,
        timeouts: Timeouts { notice, idle: front.idle_timeout, ..timeouts },
        slow_operation,
        base_path: front.base_path(),
        cors_origins: front.cors_origins(),
        proxies: front.trusted_proxies(),
        sign_up,
        federation,
        rate_limits: service.rate_limits == Switch::On,
        events_kept: database.events_kept,
        webhook,
        documents,
        suggestions: service.suggestions == Switch::On,
        playground,
        ..Settings::default()
    };
    let mut app = App::new(store, tokens, settings);
    let mut metrics = None;
    if let Some(listener) = metrics_listener {
        metrics = Some(listener.local_addr()?);
        app = app.with_metrics_on(listener);
    }

    let banner = Banner {
        database: &database.url,
        address: listener.local_addr()?,
        base_path: front.base_path(),
        pages,
        metrics,
        sign_up,
        was_not_empty: demo.as_ref().is_some_and(|demo| demo.outcome == LoadOutcome::NotEmpty),
        demo_accounts: demo.map(|demo| demo.accounts).unwrap_or_default(),
    };
    print(&banner.to_string())?;
    serve_until_signalled(app, listener, signals).await
}

/// The checked settings of all keys.
struct Keys {
    signer: Signer,
    providers: Configured,
}

impl Keys {
    fn check(signing: &Signing, provider: &Provider, database: &Database) -> anyhow::Result<Self> {
        let signer = Signer::load(signing, &database.url)?;
        Ok(Self { signer, providers: providers::configured(provider)? })
    }
}

/// Loads the keys, and opens the database once it answers.
async fn prepare(
    place: &startup::Place<'_>,
    service: &Service,
    keys: Keys,
    database: &Database,
) -> anyhow::Result<(Tokens, Arc<dyn Store>)> {
    let migrate = if service.migrate { Migrate::Always } else { Migrate::Sqlite };
    let waits = service.wait == Switch::On;
    let providers = keys.providers.load(waits).await?;
    let open = async || database::open(database, migrate).await;
    let store = startup::until_done(place, waits, open).await?;
    Ok((keys.signer.into_tokens()?.trusting(providers), store))
}

/// Serves until the first signal, then drains until everything is done or a second signal comes.
async fn serve_until_signalled(
    app: App,
    listener: TcpListener,
    mut signals: Signals,
) -> anyhow::Result<()> {
    let (stop, stopped) = oneshot::channel::<()>();
    // Dropping `stop` is the signal; nothing is ever sent.
    let serving = app::serve(app, listener, async { drop(stopped.await) });
    tokio::pin!(serving);

    tokio::select! {
        served = &mut serving => return Ok(served?),
        () = signals.next() => drop(stop),
    }
    tokio::select! {
        served = serving => Ok(served?),
        () = signals.next() => bail!("second signal: stopped without answering the requests in flight"),
    }
}

/// The signals that stop the server. A closed terminal, for one, sends `SIGHUP`, which by default
/// ends a process at once.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// `None` under `nohup`, which starts a process so that `SIGHUP` is ignored.
    hang_up: Option<Signal>,
}

impl Signals {
    fn new() -> io::Result<Self> {
        let hang_up = if ignores_hang_up() { None } else { Some(signal(SignalKind::hangup())?) };
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up,
        })
    }

    async fn next(&mut self) {
        let hang_up = async {
            match &mut self.hang_up {
                Some(signal) => signal.recv().await,
                None => pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = hang_up => {}
        }
    }
}

/// Whether the process was started with `SIGHUP` ignored. Only Linux says so without unsafe code.
fn ignores_hang_up() -> bool {
    const HANG_UP: u64 = 1;
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| mask & HANG_UP != 0)
}

async fn bind(address: &Address, variable: &str) -> anyhow::Result<TcpListener> {
    match TcpListener::bind(address.to_string()).await {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => bail!(
            "{address} is in use: stop what listens there, or choose another address with {variable}"
        ),
        Err(error) => {
            Err(error).with_context(|| format!("cannot listen on {address} ({variable})"))
        }
    }
}
