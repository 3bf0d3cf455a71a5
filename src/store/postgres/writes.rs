//! The write path: edges and accounts, each change one transaction.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::{PgPool, Postgres, Transaction};

use super::users;
use crate::{
    domain::{
        AvatarUrl, Bio, Day, DisplayName, Follow, FollowCounts, FollowLimits, FollowOutcome,
        FollowUsage, NewUser, ProfileChange, UnfollowOutcome, User, UserId,
    },
    store::{CreateOutcome, SetRoleOutcome, error::is_foreign_key_violation, retry::Tries},
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
    ADD_EDGE =
        "INSERT INTO follows (follower_id, followee_id, followed_at) VALUES ($1, $2, $3) \
         ON CONFLICT DO NOTHING";
    IS_OUR_EDGE =
        "SELECT EXISTS (SELECT 1 FROM follows \
                        WHERE follower_id = $1 AND followee_id = $2 AND followed_at = $3)";
    ADD_MIRROR =
        "INSERT INTO followers (followee_id, follower_id, followed_at) VALUES ($1, $2, $3) \
         ON CONFLICT DO NOTHING";
    REMOVE_EDGE =
        "DELETE FROM follows WHERE follower_id = $1 AND followee_id = $2 RETURNING followed_at";
    REMOVE_MIRROR =
        "DELETE FROM followers WHERE followee_id = $1 AND follower_id = $2 AND followed_at = $3";
    PAIR_CHANGES =
        "SELECT changes FROM follow_changes \
         WHERE follower_id = $1 AND followee_id = $2 AND day >= $3";
    COUNT_FOLLOWER = "UPDATE follow_counts SET followers = followers + 1 WHERE user_id = $1";
    // A day never goes back: where clocks disagree about midnight, the later day counts.
    COUNT_FOLLOW =
        "UPDATE follow_counts SET following = following + 1, \
                follows_day = greatest(follows_day, $2), \
                follows_today = CASE WHEN follows_day >= $2 THEN follows_today ELSE 0 END + 1 \
         WHERE user_id = $1 RETURNING followers, following, follows_today";
    // A counter that is too low already stays at zero: only `check` may complain of it, not the
    // user who unfollows.
    UNCOUNT =
        "UPDATE follow_counts SET followers = greatest(0, followers - $2), \
                                  following = greatest(0, following - $3) WHERE user_id = $1";
    FORGET_CHANGES = "DELETE FROM follow_changes WHERE follower_id = $1 AND day < $2";
    COUNT_CHANGES =
        "INSERT INTO follow_changes (follower_id, followee_id, day, changes) \
         VALUES ($1, $2, $3, $4) \
         ON CONFLICT (follower_id, followee_id) DO UPDATE \
         SET day = greatest(follow_changes.day, excluded.day), \
             changes = follow_changes.changes + excluded.changes";
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

pub(super) async fn follow(
    tries: Tries,
    pool: PgPool,
    edge: Follow,
    limits: FollowLimits,
) -> sqlx::Result<FollowOutcome> {
    let Follow { follower, followee, followed_at: at } = edge;
    let mut tx = pool.begin().await?;
    let added = sqlx::query(ADD_EDGE).bind(follower.0).bind(followee.0).bind(at);
    match added.execute(&mut *tx).await {
        Err(error) if is_foreign_key_violation(&error) => return Ok(FollowOutcome::NoSuchUser),
        Err(error) => return Err(error),
        Ok(rows) if rows.rows_affected() > 0 => {}
        Ok(_) if tries.may_have_committed() => {
            let ours = sqlx::query_scalar(IS_OUR_EDGE).bind(follower.0).bind(followee.0);
            let ours: bool = ours.bind(at).fetch_one(&mut *tx).await?;
            return Ok(if ours {
                FollowOutcome::Followed
            } else {
                FollowOutcome::AlreadyFollowing
            });
        }
        Ok(_) => return Ok(FollowOutcome::AlreadyFollowing),
    }

    let changes = sqlx::query_scalar(PAIR_CHANGES).bind(follower.0).bind(followee.0);
    let changes: Option<i64> = changes.bind(Day::of(at).0).fetch_optional(&mut *tx).await?;
    if let Some(limit) = limits.of_pair(changes.unwrap_or_default()) {
        return Ok(FollowOutcome::LimitReached(limit));
    }

    let mirror = sqlx::query(ADD_MIRROR).bind(followee.0).bind(follower.0).bind(at);
    mirror.execute(&mut *tx).await?;
    let usage = count_follow(&mut tx, edge).await?;
    if let Some(limit) = limits.of_user(usage) {
        return Ok(FollowOutcome::LimitReached(limit));
    }

    tries.commit(tx).await?;
    Ok(FollowOutcome::Followed)
}

/// Counts a new edge at both its ends, and tells what the follower has used of their limits. Rows
/// are locked in the order of ids, so that no two transactions wait for each other.
async fn count_follow(
    tx: &mut Transaction<'_, Postgres>,
    Follow { follower, followee, followed_at }: Follow,
) -> sqlx::Result<FollowUsage> {
    let follow = sqlx::query_as(COUNT_FOLLOW).bind(follower.0).bind(Day::of(followed_at).0);
    let be_followed = sqlx::query(COUNT_FOLLOWER).bind(followee.0);
    let used: Option<(i64, i64, i64)>;
    if follower < followee {
        used = follow.fetch_optional(&mut **tx).await?;
        be_followed.execute(&mut **tx).await?;
    } else {
        be_followed.execute(&mut **tx).await?;
        used = follow.fetch_optional(&mut **tx).await?;
    }
    let (followers, following, today) = used.unwrap_or_default();
    Ok(FollowUsage { counts: FollowCounts { followers, following }, today })
}

pub(super) async fn unfollow(
    tries: Tries,
    pool: PgPool,
    follower: UserId,
    followee: UserId,
    at: DateTime<Utc>,
) -> sqlx::Result<UnfollowOutcome> {
    let mut tx = pool.begin().await?;
    let edge = sqlx::query_scalar(REMOVE_EDGE).bind(follower.0).bind(followee.0);
    let removed: Option<DateTime<Utc>> = edge.fetch_optional(&mut *tx).await?;
    let followed_at = match removed {
        Some(followed_at) => followed_at,
        None if tries.may_have_committed() => return Ok(UnfollowOutcome::Unfollowed),
        None => return Ok(UnfollowOutcome::NotFollowing),
    };

    let mirror = sqlx::query(REMOVE_MIRROR).bind(followee.0).bind(follower.0).bind(followed_at);
    mirror.execute(&mut *tx).await?;
    let today = Day::of(at);
    sqlx::query(FORGET_CHANGES).bind(follower.0).bind(today.0).execute(&mut *tx).await?;
    // The follow is counted here as well, if it was of today: most are never taken back.
    let changes = if Day::of(followed_at) == today { 2 } else { 1 };
    let changed = sqlx::query(COUNT_CHANGES).bind(follower.0).bind(followee.0);
    changed.bind(today.0).bind(changes).execute(&mut *tx).await?;

    // Last, so that the row of somebody whom many follow is not locked for longer than it must be.
    let mut ends = [(follower, 0, 1), (followee, 1, 0)];
    ends.sort_unstable();
    for (user, followers, following) in ends {
        let counts = sqlx::query(UNCOUNT).bind(user.0).bind(followers).bind(following);
        counts.execute(&mut *tx).await?;
    }
    tries.commit(tx).await?;
    Ok(UnfollowOutcome::Unfollowed)
}

pub(super) async fn create_user(
    tries: Tries,
    pool: PgPool,
    user: Arc<NewUser>,
) -> sqlx::Result<CreateOutcome> {
    let mut tx = pool.begin().await?;
    let key = user.username.key();
    let created = sqlx::query(CREATE_USER)
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
            let ours = sqlx::query_scalar(IS_OUR_USER).bind(user.id.0).bind(key.as_str());
            if ours.fetch_one(&mut *tx).await? {
                return Ok(CreateOutcome::Created);
            }
        }
        let taken = sqlx::query_as(TAKEN).bind(key.as_str()).bind(user.subject.as_deref());
        return Ok(match taken.fetch_one(&mut *tx).await? {
            (true, _) => CreateOutcome::UsernameTaken,
            (false, true) => CreateOutcome::SubjectTaken,
            (false, false) => CreateOutcome::IdTaken,
        });
    }
    sqlx::query(CREATE_COUNTS).bind(user.id.0).execute(&mut *tx).await?;
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
    let row = sqlx::query(if tells { UPDATE_PROFILE_AND_TELL } else { UPDATE_PROFILE })
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
    let change = sqlx::query(CHANGE_PASSWORD)
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
    sqlx::query_scalar(HAS_PASSWORD).bind(id.0).bind(&*password_hash).fetch_one(&pool).await
}

pub(super) async fn end_tokens(pool: PgPool, id: UserId, at: DateTime<Utc>) -> sqlx::Result<bool> {
    let end = sqlx::query(END_TOKENS).bind(id.0).bind(at);
    Ok(end.execute(&pool).await?.rows_affected() == 1)
}

pub(super) async fn set_role(
    pool: PgPool,
    id: UserId,
    role: Arc<str>,
) -> sqlx::Result<SetRoleOutcome> {
    let mut tx = pool.begin().await?;
    let set = sqlx::query(SET_ROLE).bind(id.0).bind(&*role).execute(&mut *tx).await?;
    if set.rows_affected() == 1 {
        tx.commit().await?;
        return Ok(SetRoleOutcome::Set);
    }
    let there = sqlx::query_scalar(USER_EXISTS).bind(id.0).fetch_one(&mut *tx).await?;
    Ok(if there { SetRoleOutcome::NoSuchRole } else { SetRoleOutcome::NoSuchUser })
}
