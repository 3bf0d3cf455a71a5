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
    store::{Error, Result, UserChanges},
};

/// Where it is told. The payload is the id.
pub(super) const CHANNEL: &str = "entourage_users";

/// How long nothing may be heard before the connection is asked whether it still lives.
const SILENCE_MAX: Duration = Duration::from_millis(300);

statements! {
    PING = "SELECT 1";
}

/// A connection that listens.
struct Changes(PgListener);

/// Listens on the only connection of `pool`.
pub(super) async fn users(pool: &PgPool) -> Result<Box<dyn UserChanges>> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    Ok(Box::new(Changes(listener)))
}

#[async_trait]
impl UserChanges for Changes {
    async fn next(&mut self) -> Result<Option<UserId>> {
        let lost = || Error::Unavailable("the connection that listens is lost".to_owned());
        match timeout(SILENCE_MAX, self.0.try_recv()).await {
            Ok(Ok(Some(notification))) => user(&notification).map(Some),
            // It would connect anew, and what was told in between would be missed.
            Ok(Ok(None)) => Err(lost()),
            Ok(Err(error)) => Err(error.into()),
            Err(_silence) => {
                let ping = sqlx::query(PING).execute(&mut self.0);
                timeout(SILENCE_MAX, ping).await.map_err(|_| lost())??;
                Ok(None)
            }
        }
    }
}

fn user(notification: &PgNotification) -> Result<UserId> {
    let id = notification.payload().parse();
    id.map(UserId).map_err(|_| Error::Corrupt(format!("somebody else tells on {CHANNEL}")))
}
