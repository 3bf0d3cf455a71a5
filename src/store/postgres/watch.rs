//! News of users who change, by `LISTEN` and `NOTIFY`.
//!
//! Whoever changes the row of a user tells it in the same transaction, so it is heard after the
//! commit, and never of a change that did not happen.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::{
    PgPool,
    postgres::{PgListener, PgNotification},
};
use tokio::time::timeout;

use crate::{
    domain::UserId,
    store::{Error, Result, UserChanges, UserNews, statement::query},
};

/// Where it is told. The payload is the id.
pub(super) const CHANNEL: &str = "entourage_users";

/// How long nothing may be heard before the connection is asked whether it still lives.
const SILENCE_MAX: Duration = Duration::from_millis(300);

statements! {
    PING = "SELECT 1";
    TELL_NOBODY = "SELECT pg_notify('entourage_users', '0')";
}

/// How long it may take to hear what was told.
const HEARD_WITHIN: Duration = Duration::from_secs(5);

/// A connection that listens.
struct Changes(PgListener);

/// Listens on the only connection of `pool`; `None` when nothing is heard of what is told through
/// `tellers`: something in between lends connections for a transaction only.
pub(super) async fn users(pool: &PgPool, tellers: &PgPool) -> Result<Option<Box<dyn UserChanges>>> {
    let mut listener = PgListener::connect_with(pool).await?;
    // It must not connect anew by itself: what was told in between would be missed.
    listener.eager_reconnect(false);
    listener.listen(CHANNEL).await?;
    query(TELL_NOBODY).execute(tellers).await?;
    match timeout(HEARD_WITHIN, listener.try_recv()).await {
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
    id.map(UserId).map_err(|_| Error::Corrupt(format!("somebody else tells on {CHANNEL}").into()))
}
