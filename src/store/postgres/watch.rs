//! Reports of changed users, by `LISTEN` and `NOTIFY`.
//!
//! The transaction that changes the row of a user also notifies, so the notification arrives after
//! the commit, and never for a change that was rolled back.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::{PgListener, PgNotification};
use tokio::time::timeout;

use super::Postgres;
use crate::{
    domain::UserId,
    store::{Error, Result, UserChanges, UserNews, statement::query},
};

/// The channel of the notifications. The payload is the id of the user.
pub(super) const CHANNEL: &str = "entourage_users";

/// After how long without a notification the connection is pinged.
const SILENCE_MAX: Duration = Duration::from_millis(300);

statements! {
    PING = "SELECT 1";
    NOTIFY_OF_NOBODY = "SELECT pg_notify('entourage_users', '0')";
}

/// How long a notification may take to arrive.
const ARRIVAL_MAX: Duration = Duration::from_secs(5);

/// A connection that listens.
struct Changes(PgListener);

/// Listens on a connection of its own. `None` if the server cannot notify, or if a notification
/// sent through the pool does not arrive: a proxy in between then lends connections for one
/// transaction only.
pub(super) async fn users(engine: &Postgres) -> Result<Option<Box<dyn UserChanges>>> {
    if !engine.server.notifies || !engine.route.has_sessions {
        return Ok(None);
    }
    let pool = engine.route.pool_of_one("entourage listener");
    let mut listener = PgListener::connect_with(&pool).await?;
    // It must not reconnect by itself: notifications sent in between would be missed.
    listener.eager_reconnect(false);
    listener.listen(CHANNEL).await?;
    query(NOTIFY_OF_NOBODY).execute(&engine.writer).await?;
    match timeout(ARRIVAL_MAX, listener.try_recv()).await {
        Ok(Ok(Some(_))) => Ok(Some(Box::new(Changes(listener)))),
        Ok(Ok(None)) | Err(_) => Ok(None),
        Ok(Err(error)) => Err(error.into()),
    }
}

#[async_trait]
impl UserChanges for Changes {
    async fn next(&mut self) -> Result<UserNews> {
        let lost = || Error::Unavailable("the connection that listens is lost".into());
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
