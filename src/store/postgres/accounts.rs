//! Accounts: the statements of this engine.

use std::collections::HashMap;

use sqlx::PgExecutor;

use super::{Postgres, id_list, shared::accounts::account};
use crate::{
    domain::{Account, UserId},
    store::{
        Result,
        sql::{UPDATE_PROFILE, account, update_profile},
        statement::query,
    },
};

statements! {
    ACCOUNTS = account!("u.id = ANY($1)");
    // Citus takes no sub-select in VALUES, and does not count the rows of such a statement.
    CREATE_USER =
        "INSERT INTO users (id, username, username_key, name, bio, avatar_url, subject, \
                            password_hash, created_at, standing, role_id) \
         SELECT $1::bigint, $2::text, $3::text, $4::text, $5::text, $6::text, $7::text, $8::text, \
                $9::timestamptz, $11::smallint, (SELECT id FROM roles WHERE name = $10::text) \
         ON CONFLICT DO NOTHING RETURNING id";
    NOTIFY = "SELECT pg_notify('entourage_users', $1::bigint::text)";
    UPDATE_PROFILE_AND_NOTIFY =
        concat!("WITH changed AS (", update_profile!(), ") \
                 SELECT changed.*, pg_notify('entourage_users', id::text)::text FROM changed");
}

/// How to notify other processes that a row of `users` has changed, if the server can do that.
pub(super) fn notify(engine: &Postgres) -> Option<&'static str> {
    engine.server.notifies.then_some(NOTIFY)
}

/// How to change a profile: other processes are notified if the server can do that.
pub(super) const fn update_profile(engine: &Postgres) -> &'static str {
    if engine.server.notifies { UPDATE_PROFILE_AND_NOTIFY } else { UPDATE_PROFILE }
}

pub(super) async fn find(engine: &Postgres, id: UserId) -> Result<Option<Account>> {
    Ok(engine.reads.accounts.get(&[id]).await?.remove(&id))
}

pub(super) async fn by_ids(
    connection: impl PgExecutor<'_>,
    ids: &[UserId],
) -> sqlx::Result<HashMap<UserId, Account>> {
    let rows = query(ACCOUNTS).bind(id_list(ids)).fetch_all(connection).await?;
    let accounts = rows.iter().map(account);
    accounts.map(|account| account.map(|account| (account.user.id, account))).collect()
}
