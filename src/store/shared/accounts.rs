//! Accounts: who is signed in, with which password and role, and every change of them.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::{Database, Pool, Row, Transaction};

use super::{
    super::{Db, Query, Time, accounts::CREATE_USER, begin, stored, time},
    search, users,
};
use crate::{
    domain::{
        Account, AvatarUrl, Bio, Credentials, DisplayName, ExternalId, NewUser, Permissions,
        ProfileChange, Role, User, UserId, UsernameKey,
    },
    store::{
        CreateOutcome,
        retry::Tries,
        sql::{
            ACCOUNT_BY_EXTERNAL_ID, CHANGE_PASSWORD, CREATE_COUNTS, CREDENTIALS, CREDENTIALS_BY_ID,
            END_TOKENS, HAS_PASSWORD, IS_OUR_USER, REPLACE_PASSWORD_HASH, TAKEN,
        },
        statement::{query, query_as, query_scalar},
    },
};

/// An account from the columns of [`account!`](crate::store::sql::account).
pub(crate) fn account(row: &<Db as Database>::Row) -> sqlx::Result<Account> {
    let permissions = Permissions::from_bits(row.try_get(1)?);
    let valid_after: Option<Time> = row.try_get(3)?;
    Ok(Account {
        user: users::user(row, 7)?,
        role: Role { name: row.try_get(0)?, permissions },
        token_epoch: row.try_get(2)?,
        tokens_valid_after: valid_after.map(time).transpose()?,
        is_blocking: row.try_get(4)?,
        is_blocked: row.try_get(5)?,
        last_event: row.try_get(6)?,
    })
}

/// The columns of [`CREDENTIALS`] and [`CREDENTIALS_BY_ID`].
type CredentialsRow = (i64, Option<String>, Option<String>, i64);

fn credentials_of((id, password_hash, external_id, token_epoch): CredentialsRow) -> Credentials {
    Credentials { id: UserId(id), password_hash, external_id, token_epoch }
}

pub(super) async fn find_by_external_id(
    pool: &Pool<Db>,
    id: &ExternalId,
) -> sqlx::Result<Option<Account>> {
    let row = query(ACCOUNT_BY_EXTERNAL_ID).bind(id.as_str()).fetch_optional(pool).await?;
    row.as_ref().map(account).transpose()
}

pub(super) async fn credentials(
    pool: &Pool<Db>,
    key: &UsernameKey,
) -> sqlx::Result<Option<Credentials>> {
    let row = query_as(CREDENTIALS).bind(key.as_str()).fetch_optional(pool).await?;
    Ok(row.map(credentials_of))
}

pub(super) async fn credentials_by_id(
    pool: &Pool<Db>,
    id: UserId,
) -> sqlx::Result<Option<Credentials>> {
    let row = query_as(CREDENTIALS_BY_ID).bind(id.0).fetch_optional(pool).await?;
    Ok(row.map(credentials_of))
}

pub(super) async fn create_user(
    tries: Tries,
    pool: Pool<Db>,
    user: Arc<NewUser>,
) -> sqlx::Result<CreateOutcome> {
    let mut tx = begin(&pool).await?;
    let outcome = insert_user(&mut tx, &user).await?;
    if outcome != CreateOutcome::Created && tries.may_have_committed() {
        let ours =
            query_scalar(IS_OUR_USER).bind(user.id.0).bind(user.username.key().as_str().to_owned());
        if ours.fetch_one(&mut *tx).await? {
            return Ok(CreateOutcome::Created);
        }
    }
    if outcome == CreateOutcome::Created {
        tries.commit(tx).await?;
    }
    Ok(outcome)
}

/// Creates a user in a transaction, with counts of zero.
pub(super) async fn insert_user(
    tx: &mut Transaction<'_, Db>,
    user: &NewUser,
) -> sqlx::Result<CreateOutcome> {
    let key = user.username.key();
    let created = query(CREATE_USER)
        .bind(user.id.0)
        .bind(user.username.as_str())
        .bind(key.as_str())
        .bind(user.name.as_deref())
        .bind(user.bio.as_deref())
        .bind(user.avatar_url.as_deref())
        .bind(user.external_id.as_ref().map(ExternalId::as_str))
        .bind(user.password_hash.as_deref())
        .bind(stored(user.created_at))
        .bind(&*user.role)
        .bind(user.standing as i16)
        .fetch_optional(&mut **tx)
        .await?;
    if created.is_none() {
        let taken = query_as(TAKEN)
            .bind(key.as_str())
            .bind(user.external_id.as_ref().map(ExternalId::as_str));
        return Ok(match taken.fetch_one(&mut **tx).await? {
            (_, true) => CreateOutcome::ExternalIdTaken,
            (true, false) => CreateOutcome::UsernameTaken,
            (false, false) => CreateOutcome::IdTaken,
        });
    }
    query(CREATE_COUNTS).bind(user.id.0).execute(&mut **tx).await?;
    search::add(&mut *tx, user.id, key.as_str(), user.name.as_deref()).await?;
    Ok(CreateOutcome::Created)
}

/// Changes a profile by a statement of the engine, and with a name also what it is searched by.
pub(super) async fn update_profile(
    sql: &'static str,
    pool: Pool<Db>,
    id: UserId,
    change: Arc<ProfileChange>,
) -> sqlx::Result<Option<Arc<User>>> {
    if change.name.is_none() {
        let row = bind_profile(sql, id, &change).fetch_optional(&pool).await?;
        return row.map(|row| users::user(&row, 0)).transpose();
    }
    let mut tx = begin(&pool).await?;
    let user = change_profile(sql, &mut tx, id, &change).await?;
    tx.commit().await?;
    Ok(user)
}

/// The same in a transaction.
pub(super) async fn change_profile(
    sql: &'static str,
    tx: &mut Transaction<'_, Db>,
    id: UserId,
    change: &ProfileChange,
) -> sqlx::Result<Option<Arc<User>>> {
    let row = bind_profile(sql, id, change).fetch_optional(&mut **tx).await?;
    let Some(row) = row else { return Ok(None) };
    let user = users::user(&row, 0)?;
    if change.name.is_some() {
        let key = UsernameKey::of(&user);
        search::replace(&mut *tx, id, key.as_str(), user.name.as_deref()).await?;
    }
    Ok(Some(user))
}

fn bind_profile(sql: &'static str, id: UserId, change: &ProfileChange) -> Query {
    let (name, bio, avatar_url) = (&change.name, &change.bio, &change.avatar_url);
    let text = |text: Option<&str>| text.map(str::to_owned);
    query(sql)
        .bind(id.0)
        .bind(name.is_some())
        .bind(text(name.as_ref().and_then(|name| name.as_ref().map(DisplayName::as_str))))
        .bind(bio.is_some())
        .bind(text(bio.as_ref().and_then(|bio| bio.as_ref().map(Bio::as_str))))
        .bind(avatar_url.is_some())
        .bind(text(avatar_url.as_ref().and_then(|url| url.as_ref().map(AvatarUrl::as_str))))
}

pub(super) async fn change_password(
    pool: Pool<Db>,
    id: UserId,
    epoch: Option<i64>,
    password_hash: Arc<str>,
    at: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let change = query(CHANGE_PASSWORD)
        .bind(id.0)
        .bind(epoch)
        .bind(&*password_hash)
        .bind(stored(at))
        .execute(&pool)
        .await?;
    if change.rows_affected() == 1 {
        return Ok(true);
    }
    // Each hash has its own salt, so this one can only be there from an earlier attempt.
    query_scalar(HAS_PASSWORD).bind(id.0).bind(&*password_hash).fetch_one(&pool).await
}

pub(super) async fn replace_password_hash(
    pool: Pool<Db>,
    id: UserId,
    hashes: Arc<(String, String)>,
) -> sqlx::Result<()> {
    let (from, to) = &*hashes;
    let replace = query(REPLACE_PASSWORD_HASH).bind(id.0).bind(from.as_str()).bind(to.as_str());
    replace.execute(&pool).await?;
    Ok(())
}

pub(super) async fn end_tokens(
    pool: Pool<Db>,
    id: UserId,
    at: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let end = query(END_TOKENS).bind(id.0).bind(stored(at));
    Ok(end.execute(&pool).await?.rows_affected() == 1)
}
