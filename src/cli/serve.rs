//! `entourage serve`

use std::{io, net::SocketAddr, sync::Arc};

use anyhow::{Context, bail};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
};

use super::{
    database::{self, Migrate},
    demo::{self, Filled},
    print,
    signing::{self, Signer},
};
use crate::{
    app::{self, App, Settings},
    config::{Address, Database, LimitArgs, Listen, Logging, Service, SignUp, Signing, Switch},
    domain::{Clock as _, SystemClock},
    http::Timeouts,
    store::Store,
};

/// Serve the graph
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    listen: Listen,
    #[command(flatten)]
    service: Service,
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    signing: Signing,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    logging: Logging,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    super::log(&args.logging, "info")?;

    // What can be found wrong without changing anything comes first: the keys and the addresses.
    // The database is opened next, and only one that is ours gets a key file beside it.
    let Args { listen, service, database, signing, limits, .. } = args;
    let signer = Signer::load(&signing, &database.url).await?;
    let listener = bind(&listen.address, "ENTOURAGE_LISTEN").await?;
    let metrics_listener = match &service.metrics_listen {
        Some(address) => Some(bind(address, "ENTOURAGE_METRICS_LISTEN").await?),
        None => None,
    };
    let migrate = if service.migrate { Migrate::Always } else { Migrate::Sqlite };
    let store = database::open(&database, migrate).await?;
    let tokens = signer.into_tokens()?;
    let demo = if service.demo { Some(fill(&store).await?) } else { None };

    let default_sign_up = match database.url.sqlite_file() {
        Some(_) => SignUp::Open,
        None => SignUp::Closed,
    };
    let sign_up = service.sign_up.unwrap_or(default_sign_up) == SignUp::Open;
    let timeouts = Timeouts::default();
    let notice = service.shutdown_notice.unwrap_or(timeouts.notice);
    let settings = Settings {
        limits: limits.limits(),
        timeouts: Timeouts { notice, ..timeouts },
        cors_origins: service.cors_origins,
        sign_up,
        rate_limits: service.rate_limits == Switch::On,
        ..Settings::default()
    };
    let mut app = App::new(store, tokens, settings);
    if let Some(listener) = metrics_listener {
        app = app.with_metrics_on(listener);
    }

    let signals = Signals::new()?;
    print(&banner(&database, listener.local_addr()?, sign_up, demo.as_ref()))?;
    serve_until_told(app, listener, signals).await
}

/// Serves until the first signal; then until all is done, or the second one.
async fn serve_until_told(
    app: App,
    listener: TcpListener,
    mut signals: Signals,
) -> anyhow::Result<()> {
    let (stop, stopped) = oneshot::channel::<()>();
    // That `stop` is dropped tells as much as that something is sent.
    let serving = app::serve(app, listener, async { drop(stopped.await) });
    tokio::pin!(serving);

    tokio::select! {
        served = &mut serving => return Ok(served?),
        () = signals.next() => drop(stop),
    }
    tokio::select! {
        served = serving => Ok(served?),
        () = signals.next() => bail!("told twice to stop: requests under way are not answered"),
    }
}

/// The signals that ask for an end.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        let [terminate, interrupt] = [SignalKind::terminate(), SignalKind::interrupt()].map(signal);
        Ok(Self { terminate: terminate?, interrupt: interrupt? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

async fn bind(address: &Address, variable: &str) -> anyhow::Result<TcpListener> {
    match TcpListener::bind(address.to_string()).await {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => bail!(
            "{address} is in use: stop what listens there, or choose another one with {variable}"
        ),
        Err(error) => {
            Err(error).with_context(|| format!("cannot listen on {address} ({variable})"))
        }
    }
}

/// What became of `--demo`.
struct Demo {
    filled: Filled,
    /// Whether the accounts can be told to a newcomer.
    is_known: bool,
}

async fn fill(store: &Arc<dyn Store>) -> anyhow::Result<Demo> {
    let graph = database::graph(store, signing::no_tokens()?);
    let filled = demo::fill(store, &graph, SystemClock.now()).await?;
    Ok(Demo { filled, is_known: demo::can_sign_in(&graph).await? })
}

/// What the operator is told once everything is ready.
fn banner(database: &Database, address: SocketAddr, sign_up: bool, demo: Option<&Demo>) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let mut text = format!(
        "Entourage {version} serves {}\n\n  GraphQL  http://{address}/graphql\n  about    \
         http://{address}/\n\n",
        database.url
    );

    if demo.is_some_and(|demo| demo.filled == Filled::NotEmpty) {
        text += "The database had users already: --demo left it as it was.\n";
    }
    text += &match (sign_up, demo) {
        (true, Some(Demo { is_known: true, .. })) => accounts(address),
        (true, _) => "Make an account with `signUp`, or sign in to one with `signIn`.\n".to_owned(),
        (false, _) => {
            "Sign-up is closed: `entourage token NAME` prints a token for a user.\n".to_owned()
        }
    };
    text + "\nStop with Ctrl-C.\n"
}

/// The accounts of the demo graph, and how to sign in to one.
fn accounts(address: SocketAddr) -> String {
    let (password, (someone, _)) = (demo::PASSWORD, demo::GUIDE[1]);
    let mut text = format!("Accounts of the demo graph, all with the password {password:?}:\n\n");
    for (username, remark) in demo::GUIDE {
        text.extend(["  ", username, &" ".repeat(11 - username.len()), remark, "\n"]);
    }
    text + &format!(
        "\nSign in to one, and send the token with `authorization: Bearer TOKEN`:\n\n  \
         curl -s http://{address}/graphql -H 'content-type: application/json' -d '{{\"query\": \
         \"mutation {{ signIn(input: {{username: \\\"{someone}\\\", password: \\\"{password}\\\"}}) \
         {{ token }} }}\"}}'\n"
    )
}
