//! Accounts: who is signed in, and by what password.

use std::collections::HashMap;

use sqlx::{PgExecutor, PgPool, Row, postgres::PgRow};

use super::{sorted, users};
use crate::domain::{Account, Credentials, Permissions, Role, UserId, UsernameKey};
use crate::store::statement::{query, query_as};

macro_rules! account {
    ($condition:literal) => {
        concat!(
            "SELECT u.id, u.username, u.name, u.bio, u.avatar_url, u.created_at, \
                    r.name, r.permissions, u.token_epoch, u.tokens_valid_after \
             FROM users u JOIN roles r ON r.id = u.role_id WHERE ",
            $condition
        )
    };
}

statements! {
    ACCOUNTS = account!("u.id = ANY($1)");
    ACCOUNT_BY_SUBJECT = account!("u.subject = $1");
    CREDENTIALS = "SELECT id, password_hash, token_epoch FROM users WHERE username_key = $1";
    CREDENTIALS_BY_ID = "SELECT id, password_hash, token_epoch FROM users WHERE id = $1";
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that `Option::map` wants")]
fn account(row: PgRow) -> sqlx::Result<Account> {
    let permissions = Permissions::from_bits(row.try_get(7)?);
    let role = Role { name: row.try_get(6)?, permissions };
    Ok(Account {
        user: users::user(&row, 0)?,
        role,
        token_epoch: row.try_get(8)?,
        tokens_valid_after: row.try_get(9)?,
    })
}

fn credentials_of((id, password_hash, token_epoch): (i64, Option<String>, i64)) -> Credentials {
    Credentials { id: UserId(id), password_hash, token_epoch }
}

pub(super) async fn by_ids(
    connection: impl PgExecutor<'_>,
    ids: &[UserId],
) -> sqlx::Result<HashMap<UserId, Account>> {
    let rows = query(ACCOUNTS).bind(sorted(ids)).fetch_all(connection).await?;
    let accounts = rows.into_iter().map(account);
    accounts.map(|account| account.map(|account| (account.user.id, account))).collect()
}

pub(super) async fn find_by_subject(pool: &PgPool, subject: &str) -> sqlx::Result<Option<Account>> {
    let row = query(ACCOUNT_BY_SUBJECT).bind(subject).fetch_optional(pool).await?;
    row.map(account).transpose()
}

pub(super) async fn credentials(
    pool: &PgPool,
    key: &UsernameKey,
) -> sqlx::Result<Option<Credentials>> {
    let row = query_as(CREDENTIALS).bind(key.as_str()).fetch_optional(pool).await?;
    Ok(row.map(credentials_of))
}

pub(super) async fn credentials_by_id(
    pool: &PgPool,
    id: UserId,
) -> sqlx::Result<Option<Credentials>> {
    let row = query_as(CREDENTIALS_BY_ID).bind(id.0).fetch_optional(pool).await?;
    Ok(row.map(credentials_of))
}
