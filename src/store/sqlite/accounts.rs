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
