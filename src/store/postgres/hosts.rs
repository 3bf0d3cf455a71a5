//! The hosts of a database, of which one is in use: the first that takes writes.
//!
//! While there are several, one connection asks the host in use every second whether it still takes
//! writes. If not, the hosts are tried in their order, and the pool connects to the one that does.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use sqlx::{
    ConnectOptions, Connection, PgConnection, PgPool, Row, postgres::PgConnectOptions, raw_sql,
};
use tokio::time::{sleep, timeout};

use super::{
    address::{Address, Wanted, place},
    connect::one_line,
};
use crate::store::{ConnectError, error};

statements! {
    // Sent as plain text, which every pooler passes on.
    READ_ONLY =
        "SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on'";
}

/// How often the host in use is asked, and the others are tried while none takes writes.
const INTERVAL: Duration = Duration::from_secs(1);

/// The hosts, and which of them is in use.
#[derive(Debug)]
pub(super) struct Hosts {
    address: Address,
    /// How long one host may take to answer.
    patience: Duration,
    current: AtomicUsize,
    /// When another host came into use: older connections are closed.
    since: Mutex<Instant>,
}

impl Hosts {
    pub(super) fn new(address: Address, acquire_timeout: Duration) -> Self {
        let hosts = u32::try_from(address.hosts.len()).unwrap_or(u32::MAX);
        let (current, since) = (AtomicUsize::new(0), Mutex::new(Instant::now()));
        Self { patience: acquire_timeout / hosts, address, current, since }
    }

    /// How to connect to the host in use.
    pub(super) fn current(&self) -> PgConnectOptions {
        self.address.hosts[self.current.load(Ordering::Acquire)].clone()
    }

    /// Whether there are several.
    pub(super) fn are_several(&self) -> bool {
        self.address.hosts.len() > 1
    }

    /// Whether a connection of this age is one to the host in use.
    pub(super) fn is_current(&self, age: Duration) -> bool {
        let since = *self.since.lock().unwrap_or_else(PoisonError::into_inner);
        age <= since.elapsed()
    }

    /// Lets the pool close its connections and open others: the name of the host may by now lead to
    /// another server.
    pub(super) fn renew(&self) {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Connects to the first host that suits, which is then in use.
    ///
    /// # Errors
    /// [`ConnectError::Unreachable`] with the reason of each host if a later attempt may succeed,
    /// else [`ConnectError::Refused`].
    pub(super) async fn find(&self) -> Result<PgConnection, ConnectError> {
        let (mut reasons, mut may_pass) = (Vec::new(), false);
        for (number, host) in self.address.hosts.iter().enumerate() {
            let (reason, is_temporary) = match timeout(self.patience, self.try_host(host)).await {
                Ok(Ok(Some(connection))) => {
                    self.current.store(number, Ordering::Release);
                    return Ok(connection);
                }
                Ok(Ok(None)) => ("it is read-only".to_owned(), true),
                Ok(Err(error)) => (one_line(&error), error::passes(&error)),
                Err(_) => ("no answer in time".to_owned(), true),
            };
            may_pass |= is_temporary;
            reasons.push(format!("PostgreSQL on {}: {reason}", place(host)));
        }
        let reasons = reasons.join("; ");
        Err(if may_pass {
            ConnectError::Unreachable(reasons)
        } else {
            ConnectError::Refused(reasons)
        })
    }

    /// A connection to a host; `None` if the host is not the one that is wanted.
    async fn try_host(&self, host: &PgConnectOptions) -> sqlx::Result<Option<PgConnection>> {
        let mut connection = host.connect().await?;
        Ok(self.suits(&mut connection).await?.then_some(connection))
    }

    async fn suits(&self, connection: &mut PgConnection) -> sqlx::Result<bool> {
        if self.address.wanted == Wanted::Any {
            return connection.ping().await.map(|()| true);
        }
        let row = raw_sql(READ_ONLY).fetch_one(connection).await?;
        let (is_standby, is_read_only): (bool, bool) = (row.try_get(0)?, row.try_get(1)?);
        Ok(!is_standby && (self.address.wanted == Wanted::Primary || !is_read_only))
    }

    /// Keeps the pool on a host that suits, for as long as this future is polled.
    pub(super) async fn follow(self: Arc<Self>, pool: PgPool, mut connection: PgConnection) {
        let mut last_reason = String::new();
        loop {
            sleep(INTERVAL).await;
            if matches!(timeout(self.patience, self.suits(&mut connection)).await, Ok(Ok(true))) {
                continue;
            }
            let last = self.current.load(Ordering::Acquire);
            match self.find().await {
                Ok(found) => {
                    connection = found;
                    last_reason.clear();
                    if self.current.load(Ordering::Acquire) == last {
                        continue;
                    }
                    self.renew();
                    pool.set_connect_options(self.current());
                    tracing::info!(host = place(&self.current()), "connected to another host");
                }
                Err(error) => {
                    let reason = error.to_string();
                    if reason != last_reason {
                        tracing::warn!(%reason, "no host of the database takes writes");
                    }
                    last_reason = reason;
                }
            }
        }
    }
}
