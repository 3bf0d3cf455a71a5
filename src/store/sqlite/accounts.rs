//! Accounts: who is signed in, and by what password.

use sqlx::{Row, SqliteConnection, SqlitePool, sqlite::SqliteRow};

use super::{time, users};
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
    ACCOUNT = account!("u.id = ?1");
    ACCOUNT_BY_SUBJECT = account!("u.subject = ?1");
    CREDENTIALS = "SELECT id, password_hash, token_epoch FROM users WHERE username_key = ?1";
    CREDENTIALS_BY_ID = "SELECT id, password_hash, token_epoch FROM users WHERE id = ?1";
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that `Option::map` wants")]
fn account(row: SqliteRow) -> sqlx::Result<Account> {
    let permissions = Permissions::from_bits(row.try_get(7)?);
    let role = Role { name: row.try_get(6)?, permissions };
    let valid_after: Option<i64> = row.try_get(9)?;
    Ok(Account {
        user: users::user(&row, 0)?,
        role,
        token_epoch: row.try_get(8)?,
        tokens_valid_after: valid_after.map(time).transpose()?,
    })
}

fn credentials_of((id, password_hash, token_epoch): (i64, Option<String>, i64)) -> Credentials {
    Credentials { id: UserId(id), password_hash, token_epoch }
}

pub(super) async fn find(
    connection: &mut SqliteConnection,
    id: UserId,
) -> sqlx::Result<Option<Account>> {
    query(ACCOUNT).bind(id.0).fetch_optional(connection).await?.map(account).transpose()
}

pub(super) async fn find_by_subject(
    pool: &SqlitePool,
    subject: &str,
) -> sqlx::Result<Option<Account>> {
    let row = query(ACCOUNT_BY_SUBJECT).bind(subject).fetch_optional(pool).await?;
    row.map(account).transpose()
}

pub(super) async fn credentials(
    pool: &SqlitePool,
    key: &UsernameKey,
) -> sqlx::Result<Option<Credentials>> {
    let row = query_as(CREDENTIALS).bind(key.as_str()).fetch_optional(pool).await?;
    Ok(row.map(credentials_of))
}

pub(super) async fn credentials_by_id(
    pool: &SqlitePool,
    id: UserId,
) -> sqlx::Result<Option<Credentials>> {
    let row = query_as(CREDENTIALS_BY_ID).bind(id.0).fetch_optional(pool).await?;
    Ok(row.map(credentials_of))
}
