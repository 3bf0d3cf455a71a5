//! Accounts: the statements of this engine.

use super::{Sqlite, shared::accounts::account};
use crate::{
    domain::{Account, UserId},
    store::{
        Result,
        sql::{UPDATE_PROFILE, account},
        statement::query,
    },
};

statements! {
    ACCOUNT = account!("u.id = $1");
    CREATE_USER =
        "INSERT INTO users (id, username, username_key, name, bio, avatar_url, subject, \
                            password_hash, created_at, standing, role_id) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $11, \
                 (SELECT id FROM roles WHERE name = $10)) \
         ON CONFLICT DO NOTHING RETURNING id";
}

/// How to notify other processes that a row of `users` has changed: they look at the file.
pub(super) const fn notify(_: &Sqlite) -> Option<&'static str> {
    None
}

/// How to change a profile.
pub(super) const fn update_profile(_: &Sqlite) -> &'static str {
    UPDATE_PROFILE
}

pub(super) async fn find(engine: &Sqlite, id: UserId) -> Result<Option<Account>> {
    let read =
        async |connection: &mut _| query(ACCOUNT).bind(id.0).fetch_optional(connection).await;
    let row = engine.reads.connections.read(read).await?;
    Ok(row.as_ref().map(account).transpose()?)
}
