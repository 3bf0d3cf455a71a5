//! The write path of accounts: each change one transaction.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::PgPool;

use super::users;
use crate::{
    domain::{AvatarUrl, Bio, DisplayName, NewUser, ProfileChange, User, UserId},
    store::{
        CreateOutcome, SetRoleOutcome,
        retry::Tries,
        statement::{query, query_as, query_scalar},
    },
};

macro_rules! update_profile {
    () => {
        "UPDATE users SET name = CASE WHEN $2 THEN $3 ELSE name END, \
                          bio = CASE WHEN $4 THEN $5 ELSE bio END, \
                          avatar_url = CASE WHEN $6 THEN $7 ELSE avatar_url END \
         WHERE id = $1 RETURNING id, username, name, bio, avatar_url, created_at"
    };
}

statements! {
    CREATE_USER =
        "INSERT INTO users (id, username, username_key, name, bio, avatar_url, subject, \
                            password_hash, created_at, role_id) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, (SELECT id FROM roles WHERE name = $10)) \
         ON CONFLICT DO NOTHING";
    CREATE_COUNTS = "INSERT INTO follow_counts (user_id) VALUES ($1)";
    IS_OUR_USER = "SELECT EXISTS (SELECT 1 FROM users WHERE id = $1 AND username_key = $2)";
    TAKEN =
        "SELECT EXISTS (SELECT 1 FROM users WHERE username_key = $1), \
                EXISTS (SELECT 1 FROM users WHERE subject = $2)";
    UPDATE_PROFILE = update_profile!();
    UPDATE_PROFILE_AND_TELL =
        concat!("WITH changed AS (", update_profile!(), ") \
                 SELECT changed.*, pg_notify('entourage_users', id::text)::text FROM changed");
    // The moment never goes back, whatever the clocks of two servers say.
    CHANGE_PASSWORD =
        "UPDATE users SET password_hash = $3, token_epoch = token_epoch + 1, \
                          tokens_valid_after = greatest(tokens_valid_after, $4) \
         WHERE id = $1 AND token_epoch = coalesce($2, token_epoch)";
    HAS_PASSWORD = "SELECT EXISTS (SELECT 1 FROM users WHERE id = $1 AND password_hash = $2)";
    END_TOKENS =
        "UPDATE users SET token_epoch = token_epoch + 1, \
                          tokens_valid_after = greatest(tokens_valid_after, $2) \
         WHERE id = $1";
    SET_ROLE =
        "UPDATE users SET role_id = (SELECT id FROM roles WHERE name = $2) \
         WHERE id = $1 AND EXISTS (SELECT 1 FROM roles WHERE name = $2)";
    USER_EXISTS = "SELECT EXISTS (SELECT 1 FROM users WHERE id = $1)";
}

pub(super) async fn create_user(
    tries: Tries,
    pool: PgPool,
    user: Arc<NewUser>,
) -> sqlx::Result<CreateOutcome> {
    let mut tx = pool.begin().await?;
    let key = user.username.key();
    let created = query(CREATE_USER)
        .bind(user.id.0)
        .bind(user.username.as_str())
        .bind(key.as_str())
        .bind(user.name.as_deref())
        .bind(user.bio.as_deref())
        .bind(user.avatar_url.as_deref())
        .bind(user.subject.as_deref())
        .bind(user.password_hash.as_deref())
        .bind(user.created_at)
        .bind(&*user.role)
        .execute(&mut *tx)
        .await?;
    if created.rows_affected() == 0 {
        if tries.may_have_committed() {
            let ours = query_scalar(IS_OUR_USER).bind(user.id.0).bind(key.as_str());
            if ours.fetch_one(&mut *tx).await? {
                return Ok(CreateOutcome::Created);
            }
        }
        let taken = query_as(TAKEN).bind(key.as_str()).bind(user.subject.as_deref());
        return Ok(match taken.fetch_one(&mut *tx).await? {
            (true, _) => CreateOutcome::UsernameTaken,
            (false, true) => CreateOutcome::SubjectTaken,
            (false, false) => CreateOutcome::IdTaken,
        });
    }
    query(CREATE_COUNTS).bind(user.id.0).execute(&mut *tx).await?;
    tries.commit(tx).await?;
    Ok(CreateOutcome::Created)
}

/// Changes a profile, and tells it when others can hear it.
pub(super) async fn update_profile(
    pool: PgPool,
    tells: bool,
    id: UserId,
    change: Arc<ProfileChange>,
) -> sqlx::Result<Option<Arc<User>>> {
    let (name, bio, avatar_url) = (&change.name, &change.bio, &change.avatar_url);
    let row = query(if tells { UPDATE_PROFILE_AND_TELL } else { UPDATE_PROFILE })
        .bind(id.0)
        .bind(name.is_some())
        .bind(name.as_ref().and_then(|name| name.as_ref().map(DisplayName::as_str)))
        .bind(bio.is_some())
        .bind(bio.as_ref().and_then(|bio| bio.as_ref().map(Bio::as_str)))
        .bind(avatar_url.is_some())
        .bind(avatar_url.as_ref().and_then(|url| url.as_ref().map(AvatarUrl::as_str)))
        .fetch_optional(&pool)
        .await?;
    row.map(|row| users::user(&row, 0)).transpose()
}

pub(super) async fn change_password(
    pool: PgPool,
    id: UserId,
    epoch: Option<i64>,
    password_hash: Arc<str>,
    at: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let change = query(CHANGE_PASSWORD)
        .bind(id.0)
        .bind(epoch)
        .bind(&*password_hash)
        .bind(at)
        .execute(&pool)
        .await?;
    if change.rows_affected() == 1 {
        return Ok(true);
    }
    // No two hashes are the same, so one that is there is that of an earlier try.
    query_scalar(HAS_PASSWORD).bind(id.0).bind(&*password_hash).fetch_one(&pool).await
}

pub(super) async fn end_tokens(pool: PgPool, id: UserId, at: DateTime<Utc>) -> sqlx::Result<bool> {
    let end = query(END_TOKENS).bind(id.0).bind(at);
    Ok(end.execute(&pool).await?.rows_affected() == 1)
}

pub(super) async fn set_role(
    pool: PgPool,
    id: UserId,
    role: Arc<str>,
) -> sqlx::Result<SetRoleOutcome> {
    let mut tx = pool.begin().await?;
    let set = query(SET_ROLE).bind(id.0).bind(&*role).execute(&mut *tx).await?;
    if set.rows_affected() == 1 {
        tx.commit().await?;
        return Ok(SetRoleOutcome::Set);
    }
    let there = query_scalar(USER_EXISTS).bind(id.0).fetch_one(&mut *tx).await?;
    Ok(if there { SetRoleOutcome::NoSuchRole } else { SetRoleOutcome::NoSuchUser })
}
