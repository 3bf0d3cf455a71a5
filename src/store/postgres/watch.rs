//! Reports of changed users and hints of grown logs, by `LISTEN` and `NOTIFY`.
//!
//! The transaction that changes the row of a user also notifies, so the notification arrives after
//! the commit, and never for a change that was rolled back. Hints are sent after the commit, many in
//! one notification: inside the transactions they would cost an eighth of all follows.

use std::{
    collections::BTreeSet,
    future::{Ready, ready},
    time::Duration,
};

use async_trait::async_trait;
use sqlx::{
    PgPool, Postgres as Db, Transaction,
    postgres::{PgListener, PgNotification},
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until, timeout},
};

use super::Postgres;
use crate::{
    domain::UserId,
    store::{
        Error, EventHint, EventHintStream, Result, UserChanges, UserNews,
        events::LocalHints,
        statement::{query, query_scalar},
    },
};

/// The channel of the notifications. The payload is the id of the user.
pub(super) const CHANNEL: &str = "entourage_users";

/// After how long without a notification the connection is pinged.
const SILENCE_MAX: Duration = Duration::from_millis(300);

statements! {
    PING = "SELECT 1";
    NOTIFY_OF_NOBODY = "SELECT pg_notify('entourage_users', '0')";
    // Others take it for a hint at any log.
    NOTIFY_OF_NO_LOG = "SELECT pg_notify('entourage_events', 'test')";
    LISTENING_PROCESS = "SELECT pg_backend_pid()";
    NOTIFY_OF_LOGS = "SELECT pg_notify('entourage_events', $1)";
}

/// How long a notification may take to arrive.
const ARRIVAL_MAX: Duration = Duration::from_secs(5);

/// A connection that listens.
struct Changes(PgListener);

/// Listens on a connection of its own. `None` if the server cannot notify, or if a notification
/// sent through the pool does not arrive: a proxy in between then lends connections for one
/// transaction only.
pub(super) async fn users(engine: &Postgres) -> Result<Option<Box<dyn UserChanges>>> {
    let listener = listen(engine, CHANNEL, NOTIFY_OF_NOBODY).await?;
    Ok(listener.map(|listener| Box::new(Changes(listener)) as _))
}

/// Writers lock only the rows that they change.
pub(super) fn version_of_others(_: &Postgres) -> Ready<Result<Option<u64>>> {
    ready(Ok(None))
}

/// Listens to a channel. `test` notifies it of nothing.
async fn listen(
    engine: &Postgres,
    channel: &str,
    test: &'static str,
) -> Result<Option<PgListener>> {
    if !engine.server.notifies || !engine.route.has_sessions {
        return Ok(None);
    }
    let pool = engine.route.pool("entourage listener", 1);
    let mut listener = PgListener::connect_with(&pool).await?;
    // It must not reconnect by itself: notifications sent in between would be missed.
    listener.eager_reconnect(false);
    listener.listen(channel).await?;
    query(test).execute(&engine.writer).await?;
    match timeout(ARRIVAL_MAX, listener.try_recv()).await {
        Ok(Ok(Some(_))) => Ok(Some(listener)),
        Ok(Ok(None)) | Err(_) => Ok(None),
        Ok(Err(error)) => Err(error.into()),
    }
}

fn lost() -> Error {
    Error::Unavailable("the connection that listens is lost".into())
}

#[async_trait]
impl UserChanges for Changes {
    async fn next(&mut self) -> Result<UserNews> {
        match timeout(SILENCE_MAX, self.0.try_recv()).await {
            Ok(Ok(Some(notification))) => user(&notification).map(UserNews::Changed),
            Ok(Ok(None)) => Err(lost()),
            Ok(Err(error)) => Err(error.into()),
            Err(_silence) => {
                let ping = query(PING).execute(&mut self.0);
                timeout(SILENCE_MAX, ping).await.map_err(|_| lost())??;
                Ok(UserNews::NobodyChanged)
            }
        }
    }
}

fn user(notification: &PgNotification) -> Result<UserId> {
    let id = notification.payload().parse();
    id.map(UserId)
        .map_err(|_| Error::Corrupt(format!("another program notifies on {CHANNEL}").into()))
}

/// The channel of hints. The payload is the name of the sender, and the ids of at most
/// [`LOGS_TOGETHER`] users; without ids it stands for any.
const LOG_CHANNEL: &str = "entourage_events";

/// The most logs that one notification names: its payload has at most 8,000 bytes.
const LOGS_TOGETHER: usize = 350;

/// How many notifications wait to be read.
const NOTIFICATIONS_MAX: usize = 256;

/// For how long hints collect before other servers are notified.
const COLLECTING: Duration = Duration::from_millis(20);

/// The name of a sender that does not listen.
const NO_LISTENER: &str = "0";

/// The hints of this process, which are passed on, and those of others.
struct Hints {
    own: LocalHints,
    /// What the listening task receives; `None` if this process cannot listen.
    others: Option<mpsc::Receiver<Result<String>>>,
    /// Where to send the hints of this process; `None` if the server cannot notify. A process behind
    /// a pooler that lends connections can send, although it cannot listen.
    pool: Option<PgPool>,
    /// The name under which this process sends, so that it skips its own notifications: the server's
    /// process that listens.
    sender: String,
    collected: Collected,
}

/// Hints that other servers have not been notified of.
#[derive(Default)]
struct Collected {
    logs: BTreeSet<UserId>,
    any: bool,
    send_at: Option<Instant>,
}

impl Collected {
    fn add(&mut self, hint: &EventHint) {
        match hint {
            EventHint::Grown(logs) => self.logs.extend(logs.iter()),
            EventHint::AnyGrown => self.any = true,
        }
        self.send_at.get_or_insert_with(|| Instant::now() + COLLECTING);
    }

    fn payload(&self, sender: &str) -> String {
        if self.any { sender.to_owned() } else { payload(sender, &self.logs) }
    }
}

fn payload(sender: &str, logs: &BTreeSet<UserId>) -> String {
    if logs.len() > LOGS_TOGETHER {
        return sender.to_owned();
    }
    let ids = logs.iter().map(|user| user.0.to_string());
    std::iter::once(sender.to_owned()).chain(ids).collect::<Vec<_>>().join(" ")
}

/// Notifies all servers, on commit, that these logs have grown: for processes that soon end, and so
/// do not collect hints.
pub(super) async fn notify_on_commit(
    tx: &mut Transaction<'_, Db>,
    logs: &BTreeSet<UserId>,
) -> sqlx::Result<()> {
    query(NOTIFY_OF_LOGS).bind(payload(NO_LISTENER, logs)).execute(&mut **tx).await?;
    Ok(())
}

/// Hints of this process, and of others if the server can notify.
pub(super) async fn events(engine: &Postgres) -> Result<(Box<dyn EventHintStream>, bool)> {
    let own = engine.hints.listen();
    let (mut others, mut sender) = (None, NO_LISTENER.to_owned());
    if let Some(mut listener) = listen(engine, LOG_CHANNEL, NOTIFY_OF_NO_LOG).await? {
        let process: i32 = query_scalar(LISTENING_PROCESS).fetch_one(&mut listener).await?;
        sender = process.to_string();
        let (forwarding, received) = mpsc::channel(NOTIFICATIONS_MAX);
        tokio::spawn(forward(listener, forwarding));
        others = Some(received);
    }
    let has_all = others.is_some();
    let pool = engine.server.notifies.then(|| engine.writer.clone());
    // What was not passed on until now, because it failed or this process did not watch, may be in
    // any log. A process that listens has just notified others of that, by its test.
    let send_at = (!has_all && pool.is_some()).then(Instant::now);
    let collected = Collected { any: !has_all, send_at, ..Collected::default() };
    let hints = Hints { own, others, pool, sender, collected };
    Ok((Box::new(hints), has_all))
}

#[async_trait]
impl EventHintStream for Hints {
    async fn next(&mut self) -> Result<EventHint> {
        loop {
            let send_at = self.collected.send_at;
            tokio::select! {
                hint = self.own.next() => {
                    if self.pool.is_some() {
                        self.collected.add(&hint);
                    }
                    return Ok(hint);
                }
                () = sleep_until(send_at.unwrap_or_else(Instant::now)), if send_at.is_some() => {
                    let payload = std::mem::take(&mut self.collected).payload(&self.sender);
                    if let Some(pool) = &self.pool {
                        query(NOTIFY_OF_LOGS).bind(payload).execute(pool).await?;
                    }
                }
                payload = received(&mut self.others) => {
                    if let Some(hint) = of_others(&payload?, &self.sender) {
                        return Ok(hint);
                    }
                }
            }
        }
    }
}

async fn received(others: &mut Option<mpsc::Receiver<Result<String>>>) -> Result<String> {
    match others {
        Some(others) => others.recv().await.unwrap_or_else(|| Err(lost())),
        None => std::future::pending().await,
    }
}

/// Forwards notifications until the connection is lost or the receiver is gone. In a task of its own,
/// since a ping must not be cut off.
async fn forward(mut listener: PgListener, receiver: mpsc::Sender<Result<String>>) {
    while !receiver.is_closed() {
        let received = match notified(&mut listener).await {
            Ok(None) => continue,
            Ok(Some(payload)) => Ok(payload),
            Err(error) => Err(error),
        };
        let is_lost = received.is_err();
        if receiver.send(received).await.is_err() || is_lost {
            return;
        }
    }
}

/// The next notification; `None` after a silence in which the connection answered.
async fn notified(listener: &mut PgListener) -> Result<Option<String>> {
    match timeout(SILENCE_MAX, listener.try_recv()).await {
        Ok(Ok(Some(notification))) => Ok(Some(notification.payload().to_owned())),
        Ok(Ok(None)) => Err(lost()),
        Ok(Err(error)) => Err(error.into()),
        Err(_silence) => {
            let ping = query(PING).execute(listener);
            timeout(SILENCE_MAX, ping).await.map_err(|_| lost())??;
            Ok(None)
        }
    }
}

/// The hint in a notification of another process.
fn of_others(payload: &str, own: &str) -> Option<EventHint> {
    let mut words = payload.split(' ');
    if words.next() == Some(own) {
        return None;
    }
    let logs: Result<Vec<_>, _> = words.map(|id| id.parse().map(UserId)).collect();
    Some(match logs {
        Ok(logs) if !logs.is_empty() => EventHint::Grown(logs.into()),
        Ok(_) | Err(_) => EventHint::AnyGrown,
    })
}
