//! Reading everything, as of one moment.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::{Row, Transaction};

use super::{
    super::{Db, Engine, maintenance::drift::snapshot, time},
    users,
};
use crate::{
    domain::{Follow, User, UserId},
    store::{
        Export, Result,
        sql::{EXPORT_FOLLOWS, EXPORT_USERS},
        statement::query,
    },
};

/// The number of rows that are read together.
const ROWS: i64 = 5_000;

/// A snapshot, and how far each table was read.
struct Exported {
    tx: Transaction<'static, Db>,
    user: UserId,
    /// The followee and the follower.
    follow: (UserId, UserId),
}

pub(super) async fn begin(engine: &Engine) -> Result<Box<dyn Export>> {
    let (user, follow) = (UserId::MIN, (UserId::MIN, UserId::MIN));
    Ok(Box::new(Exported { tx: snapshot(engine).await?, user, follow }))
}

#[async_trait]
impl Export for Exported {
    async fn users(&mut self) -> Result<Vec<(Arc<User>, String)>> {
        let rows =
            query(EXPORT_USERS).bind(self.user.0).bind(ROWS).fetch_all(&mut *self.tx).await?;
        let mut found = Vec::with_capacity(rows.len());
        for row in rows {
            let user = users::user(&row, 1)?;
            self.user = user.id;
            found.push((user, row.try_get(0)?));
        }
        Ok(found)
    }

    async fn follows(&mut self) -> Result<Vec<Follow>> {
        let (followee, follower) = self.follow;
        let query = query(EXPORT_FOLLOWS).bind(followee.0).bind(follower.0).bind(ROWS);
        let rows = query.fetch_all(&mut *self.tx).await?;
        let mut found = Vec::with_capacity(rows.len());
        for row in rows {
            let (follower, followee) = (UserId(row.try_get(0)?), UserId(row.try_get(1)?));
            self.follow = (followee, follower);
            found.push(Follow { follower, followee, followed_at: time(row.try_get(2)?)? });
        }
        Ok(found)
    }
}
