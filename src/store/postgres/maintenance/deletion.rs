//! Deleting a user, in steps that keep the invariants.

use chrono::{DateTime, Utc};
use sqlx::PgPool;

use crate::store::sql::{DELETE_USER, SOME_FOLLOWERS, TAKE_FOLLOWING};
use crate::{
    domain::UserId,
    store::{
        Result,
        maintenance::deletion::{EDGES, Removed, Step},
        retry::{self, Tries},
        statement::{query, query_as, query_scalar},
    },
};

statements! {
    // The lock keeps out new edges: the foreign key of each needs a shared lock on the row.
    LOCK_USER = "SELECT id FROM users WHERE id = $1 FOR UPDATE";
    TAKE_FOLLOWING_MIRRORS =
        "DELETE FROM followers e USING unnest($1::bigint[], $2::timestamptz[]) AS d (id, at) \
         WHERE e.followee_id = d.id AND e.followee_id = ANY($1) AND e.followed_at = d.at \
         AND e.follower_id = $3";
    TAKE_FOLLOWERS =
        "DELETE FROM follows WHERE followee_id = $1 AND follower_id = ANY($2) \
         RETURNING follower_id";
    TAKE_FOLLOWERS_MIRRORS =
        "DELETE FROM followers e USING unnest($2::bigint[], $3::timestamptz[]) AS d (id, at) \
         WHERE e.followee_id = $1 AND e.followed_at = d.at AND e.follower_id = d.id";
    // The ids are sorted, and the nested loop that a planner picks for so few looks them up in that
    // order. With another plan two deletions may deadlock; that is retried.
    LOWER_COUNTS =
        "UPDATE follow_counts c SET followers = greatest(0, c.followers - d.followers), \
                                    following = greatest(0, c.following - d.following) \
         FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) \
              AS d (user_id, followers, following) \
         WHERE c.user_id = d.user_id AND c.user_id = ANY($1)";
    TELL = "SELECT pg_notify('entourage_users', $1::text)";
}

/// Deletes a user, and notifies other processes if the server can do that.
pub(crate) async fn delete(pool: PgPool, notifies: bool, id: UserId) -> Result<bool> {
    let mut found = false;
    loop {
        match retry::retried(|tries| step(tries, &pool, notifies, id)).await? {
            Step::NoSuchUser => return Ok(found),
            Step::Deleted => return Ok(true),
            Step::Unfinished => found = true,
        }
    }
}

async fn step(tries: Tries, pool: &PgPool, notifies: bool, id: UserId) -> sqlx::Result<Step> {
    let mut tx = pool.begin().await?;
    if query(LOCK_USER).bind(id.0).fetch_optional(&mut *tx).await?.is_none() {
        let is_ours = tries.may_have_committed();
        return Ok(if is_ours { Step::Deleted } else { Step::NoSuchUser });
    }

    let following: Vec<(i64, DateTime<Utc>)> =
        query_as(TAKE_FOLLOWING).bind(id.0).bind(i64::from(EDGES)).fetch_all(&mut *tx).await?;
    let full = following.len() >= usize::from(EDGES);
    let (followees, times): (Vec<i64>, Vec<_>) = following.into_iter().unzip();
    let mirrors = query(TAKE_FOLLOWING_MIRRORS).bind(&followees).bind(times).bind(id.0);
    mirrors.execute(&mut *tx).await?;

    let followers: Vec<(i64, DateTime<Utc>)> =
        query_as(SOME_FOLLOWERS).bind(id.0).bind(i64::from(EDGES)).fetch_all(&mut *tx).await?;
    let last = !full && followers.len() < usize::from(EDGES);
    let (ids, times): (Vec<i64>, Vec<_>) = followers.into_iter().unzip();
    let edges = query_scalar(TAKE_FOLLOWERS).bind(id.0).bind(&ids);
    let removed: Vec<i64> = edges.fetch_all(&mut *tx).await?;
    let mirrors = query(TAKE_FOLLOWERS_MIRRORS).bind(id.0).bind(ids).bind(times);
    mirrors.execute(&mut *tx).await?;

    let removed = Removed {
        followees: followees.into_iter().map(UserId).collect(),
        followers: removed.into_iter().map(UserId).collect(),
    };
    let losses = removed.losses(id);
    query(LOWER_COUNTS)
        .bind(losses.keys().map(|user| user.0).collect::<Vec<_>>())
        .bind(losses.values().map(|counts| counts.followers).collect::<Vec<_>>())
        .bind(losses.values().map(|counts| counts.following).collect::<Vec<_>>())
        .execute(&mut *tx)
        .await?;

    if last {
        query(DELETE_USER).bind(id.0).execute(&mut *tx).await?;
        if notifies {
            query(TELL).bind(id.0).execute(&mut *tx).await?;
        }
    }
    tries.commit(tx).await?;
    Ok(if last { Step::Deleted } else { Step::Unfinished })
}
