//! Connecting to a database: its hosts, the settings of a session, the pools, and what the server
//! can do.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use futures_util::future::BoxFuture;
use sqlx::{
    ConnectOptions, Connection, PgConnection, PgPool, pool::PoolConnectionMetadata,
    postgres::PgPoolOptions,
};
use tokio::task::AbortHandle;

use super::{
    Postgres, address::Address, follows, hosts::Hosts, lookups::Reads, pooler, requirements,
    session::Session,
};
use crate::store::{
    ConnectError, Options, error, events::EventHints, follow_writes::FollowQueue,
    statement::query_as, webhooks::Outbox,
};

/// A connection that was idle for longer is pinged before it is used.
const IDLE_MAX: Duration = Duration::from_secs(30);

/// A way to the database, for work without time limits.
#[derive(Clone, Debug)]
pub(super) struct Route {
    hosts: Arc<Hosts>,
    session: Session,
    acquire_timeout: Duration,
    /// Whether a connection keeps its session, and with it its locks and channels.
    pub(super) has_sessions: bool,
}

/// The hosts of the pool, and the task that follows them, which ends with the last handle of the
/// engine.
#[derive(Debug)]
pub(super) struct Following {
    pub(super) hosts: Arc<Hosts>,
    task: Option<AbortHandle>,
}

impl Drop for Following {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Postgres {
    /// Connects to the database once, so that a wrong URL or an unsuitable database is reported at
    /// the start. Long work and `LISTEN` go by `direct`, if that is given.
    pub(in crate::store) async fn connect(
        address: Address,
        direct: Option<Address>,
        options: Options,
    ) -> Result<Self, ConnectError> {
        let (acquire_timeout, shares_sessions) = (options.acquire_timeout, address.shares_sessions);
        let direct = match direct {
            Some(direct) => Some(Route::direct(direct, acquire_timeout).await?),
            None => None,
        };
        let (hosts, mut first) = open(address, acquire_timeout).await?;
        let server = look_at(&mut first).await;
        if server.is_citus {
            error::expect_citus();
        }
        let room = (!shares_sessions).then_some(options.connections_max);
        requirements::check(&mut first, room).await?;

        let [limited, session] = [Session::limited(server, options), Session::unlimited()];
        let (mut limited, other) = limited.supported(&mut first).await.map_err(|e| failed(&e))?;
        let (mut session, _) = session.supported(&mut first).await.map_err(|e| failed(&e))?;
        if shares_sessions {
            (limited, session) = (Session::default(), Session::default());
            if !other.is_empty() {
                let settings = other.as_role_settings(hosts.current().get_username());
                tracing::warn!(%settings, "a pooler in transaction mode leaves settings to the role");
            }
        }

        let pool = pool(&hosts, options, limited);
        let task = hosts
            .are_several()
            .then(|| tokio::spawn(Arc::clone(&hosts).follow(pool.clone(), first)).abort_handle());
        let following = Arc::new(Following { hosts: Arc::clone(&hosts), task });
        let own = Route { hosts, session, acquire_timeout, has_sessions: !shares_sessions };
        let reads = Arc::new(Reads::new(pool.clone(), server, options));
        let hints = EventHints::new(options.events_are_kept);
        let outbox = Outbox::new(options.writes_webhooks);
        let follows = FollowQueue::new(follows::writes::Writer {
            connections: reads.connections.clone(),
            is_optimistic: server.in_one_place,
            notifies: server.notifies,
            hints: hints.clone(),
            outbox: outbox.clone(),
        });
        Ok(Self {
            readers: pool.clone(),
            writer: pool,
            reads,
            follows,
            hints,
            outbox,
            route: direct.unwrap_or(own),
            server,
            following,
        })
    }

    /// A few connections without time limits, for long work: recounting a celebrity, for example.
    pub(super) fn unlimited_pool(&self, connections: u32) -> PgPool {
        self.route.pool("entourage", connections)
    }

    /// Exports have pools of their own, which close with them.
    #[expect(clippy::unused_self, reason = "the other engine has a pool")]
    pub(super) fn close_exporters(&self) -> std::future::Ready<()> {
        std::future::ready(())
    }

    /// Whether a statement may lock rows of several users.
    pub(super) const fn locks_together(&self) -> bool {
        self.server.in_one_place
    }
}

impl Route {
    async fn direct(address: Address, acquire_timeout: Duration) -> Result<Self, ConnectError> {
        let (hosts, mut connection) = open(address, acquire_timeout).await?;
        let session = Session::unlimited().supported(&mut connection).await;
        let (session, _) = session.map_err(|error| failed(&error))?;
        drop(connection.close().await);
        Ok(Self { hosts, session, acquire_timeout, has_sessions: true })
    }

    /// A connection of its own.
    pub(super) async fn connect(&self) -> sqlx::Result<PgConnection> {
        let mut connection = self.hosts.current().connect().await?;
        self.session.begin(&mut connection).await?;
        Ok(connection)
    }

    /// The same as a pool, whose connections have a name that operators see.
    pub(super) fn pool(&self, name: &str, connections: u32) -> PgPool {
        let session = self.session.clone();
        PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(self.acquire_timeout)
            .after_connect(begin(session))
            .connect_lazy_with(self.hosts.current().application_name(name))
    }
}

/// Connects to the first host that suits, and checks what stands between.
async fn open(
    mut address: Address,
    acquire_timeout: Duration,
) -> Result<(Arc<Hosts>, PgConnection), ConnectError> {
    let shares_sessions = address.shares_sessions;
    let roots = if address.trusts_system { Some(system_roots()?) } else { None };
    for host in &mut address.hosts {
        // A pooler refuses the parameter of floats, of which we have none.
        let options = host.clone().application_name("entourage").extra_float_digits(None);
        *host = match &roots {
            Some(roots) => options.ssl_root_cert_from_pem(roots.clone()),
            None => options,
        };
    }
    let hosts = Arc::new(Hosts::new(address, acquire_timeout));
    let mut first = hosts.find().await?;
    let mut second = hosts.current().connect().await.map_err(|error| failed(&error))?;
    pooler::check(&mut first, &mut second, shares_sessions).await?;
    drop(second.close().await);
    Ok((hosts, first))
}

/// The certificates that the operating system trusts, as one text.
fn system_roots() -> Result<Vec<u8>, ConnectError> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        let reasons: Vec<_> = found.errors.iter().map(ToString::to_string).collect();
        return Err(ConnectError::Refused(format!(
            "sslrootcert=system: the operating system has no certificates {}",
            reasons.join("; ")
        )));
    }
    let pem = |der: &[u8]| {
        let text = BASE64_STANDARD.encode(der);
        format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
    };
    Ok(found.certs.iter().map(|cert| pem(cert)).collect::<String>().into_bytes())
}

fn pool(hosts: &Arc<Hosts>, options: Options, session: Session) -> PgPool {
    let current = Arc::clone(hosts);
    PgPoolOptions::new()
        .max_connections(options.connections_max)
        .acquire_timeout(options.acquire_timeout)
        .test_before_acquire(false)
        .after_connect(begin(session))
        .before_acquire(move |connection, idle| {
            let is_current = current.is_current(idle.age);
            Box::pin(async move {
                let is_fresh = idle.idle_for < IDLE_MAX;
                Ok(is_current && (is_fresh || connection.ping().await.is_ok()))
            })
        })
        .connect_lazy_with(hosts.current())
}

/// Begins the session of each new connection of a pool.
fn begin(
    session: Session,
) -> impl for<'c> Fn(&'c mut PgConnection, PoolConnectionMetadata) -> BoxFuture<'c, sqlx::Result<()>>
+ Send
+ Sync
+ 'static {
    move |connection, _| {
        let session = session.clone();
        Box::pin(async move { session.begin(connection).await })
    }
}

/// What the server can do that not all servers can.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Server {
    /// The server is Citus.
    is_citus: bool,
    /// The server is not distributed: it can plan a statement once for a connection, regardless of
    /// the arguments, write several tables in one statement, and return values as bytes.
    pub(super) in_one_place: bool,
    /// The server reports changes of users by `NOTIFY`.
    pub(super) notifies: bool,
}

statements! {
    // CockroachDB lists `int8send`, but refuses to run it, and so the whole statement.
    SERVER =
        "SELECT is_citus, \
                NOT is_citus AND int8send(0) IS NOT NULL \
                    AND EXISTS (SELECT 1 FROM pg_settings \
                                WHERE name = 'plan_cache_mode') AS in_one_place, \
                NOT is_citus AND EXISTS (SELECT 1 FROM pg_proc \
                                         WHERE proname = 'pg_notify') AS notifies \
         FROM (SELECT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus') AS is_citus) c";
}

/// Detects what the server can do: nothing special if it cannot run the statement.
async fn look_at(connection: &mut PgConnection) -> Server {
    let row = query_as(SERVER).fetch_one(connection).await;
    let server = |(is_citus, in_one_place, notifies)| Server { is_citus, in_one_place, notifies };
    row.map_or_else(|_| Server::default(), server)
}

/// Why a connection that was open could not be used.
pub(super) fn failed(error: &sqlx::Error) -> ConnectError {
    let reason = format!("PostgreSQL: {}", one_line(error));
    if error::passes(error) {
        ConnectError::Unreachable(reason)
    } else {
        ConnectError::Refused(reason)
    }
}

pub(super) fn one_line(error: &sqlx::Error) -> String {
    error::message(error).lines().collect::<Vec<_>>().join(" ")
}
