//! Deleting a user, in steps that keep the invariants.

use sqlx::SqlitePool;

use crate::store::sql::{DELETE_USER, SOME_FOLLOWERS, TAKE_FOLLOWING};
use crate::{
    domain::UserId,
    store::sqlite::{BEGIN, json, json_ids},
    store::{
        Result,
        maintenance::deletion::{EDGES, Removed, Step},
        retry::{self, Tries},
        statement::{query, query_as, query_scalar},
    },
};

statements! {
    FIND_USER = "SELECT id FROM users WHERE id = $1";
    TAKE_FOLLOWING_MIRRORS =
        "DELETE FROM followers WHERE (followee_id, followed_at, follower_id) IN \
           (SELECT value ->> 0, value ->> 1, $1 FROM json_each($2))";
    TAKE_FOLLOWERS =
        "DELETE FROM follows WHERE followee_id = $1 \
         AND follower_id IN (SELECT value FROM json_each($2)) RETURNING follower_id";
    TAKE_FOLLOWERS_MIRRORS =
        "DELETE FROM followers WHERE followee_id = $1 AND (followed_at, follower_id) IN \
           (SELECT value ->> 1, value ->> 0 FROM json_each($2))";
    LOWER_COUNTS =
        "UPDATE follow_counts SET followers = max(0, followers - d.value ->> 1), \
                                  following = max(0, following - d.value ->> 2) \
         FROM json_each($1) d WHERE user_id = d.value ->> 0";
}

pub(crate) async fn delete(pool: SqlitePool, id: UserId) -> Result<bool> {
    let mut found = false;
    loop {
        match retry::retried(|tries| step(tries, &pool, id)).await? {
            Step::NoSuchUser => return Ok(found),
            Step::Deleted => return Ok(true),
            Step::Unfinished => found = true,
        }
    }
}

async fn step(tries: Tries, pool: &SqlitePool, id: UserId) -> sqlx::Result<Step> {
    let mut tx = pool.begin_with(BEGIN).await?;
    if query(FIND_USER).bind(id.0).fetch_optional(&mut *tx).await?.is_none() {
        let is_ours = tries.may_have_committed();
        return Ok(if is_ours { Step::Deleted } else { Step::NoSuchUser });
    }

    let following: Vec<(i64, i64)> =
        query_as(TAKE_FOLLOWING).bind(id.0).bind(i64::from(EDGES)).fetch_all(&mut *tx).await?;
    let mirrors = query(TAKE_FOLLOWING_MIRRORS).bind(id.0).bind(json(&following));
    mirrors.execute(&mut *tx).await?;

    let followers: Vec<(i64, i64)> =
        query_as(SOME_FOLLOWERS).bind(id.0).bind(i64::from(EDGES)).fetch_all(&mut *tx).await?;
    let ids: Vec<_> = followers.iter().map(|(id, _)| UserId(*id)).collect();
    let edges = query_scalar(TAKE_FOLLOWERS).bind(id.0).bind(json_ids(&ids));
    let removed: Vec<i64> = edges.fetch_all(&mut *tx).await?;
    let mirrors = query(TAKE_FOLLOWERS_MIRRORS).bind(id.0).bind(json(&followers));
    mirrors.execute(&mut *tx).await?;

    let last = following.len().max(followers.len()) < usize::from(EDGES);
    let removed = Removed {
        followees: following.into_iter().map(|(id, _)| UserId(id)).collect(),
        followers: removed.into_iter().map(UserId).collect(),
    };
    let losses: Vec<_> = removed
        .losses(id)
        .into_iter()
        .map(|(user, counts)| (user.0, counts.followers, counts.following))
        .collect();
    query(LOWER_COUNTS).bind(json(&losses)).execute(&mut *tx).await?;

    if last {
        query(DELETE_USER).bind(id.0).execute(&mut *tx).await?;
    }
    tries.commit(tx).await?;
    Ok(if last { Step::Deleted } else { Step::Unfinished })
}
