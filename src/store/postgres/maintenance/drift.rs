//! Finding and repairing differences: the SQL of this engine, and the locks of each repair.
//!
//! Each repair locks one row and then checks the difference in a statement of its own: under READ
//! COMMITTED only a new statement sees what was committed during the wait for the lock.

use sqlx::{PgConnection, Transaction};

use crate::{
    domain::{Follow, UserId},
    store::{
        postgres::{Db, Postgres, shared::follows::about},
        statement::{query, query_as},
    },
};

statements! {
    USERS = "SELECT id FROM users WHERE id = ANY($1)";
    STORED =
        "SELECT user_id, followers, following FROM follow_counts WHERE user_id = ANY($1)";
    NAMES = "SELECT id, username_key, name FROM users WHERE id = ANY($1)";
    NAME_PREFIXES =
        "SELECT user_id, username_key, string_agg(prefix, ' ' ORDER BY prefix) FROM name_prefixes \
         WHERE user_id = ANY($1) GROUP BY user_id, username_key";
    NAME = "SELECT username_key, name FROM users WHERE id = $1 FOR UPDATE";
    COUNT_FOLLOWING =
        "SELECT follower_id, count(*) FROM follows \
         WHERE follower_id = ANY($1) GROUP BY follower_id";
    COUNT_FOLLOWERS =
        "SELECT followee_id, count(*) FROM followers \
         WHERE followee_id = ANY($1) GROUP BY followee_id";
    FOLLOWING =
        "SELECT follower_id, followee_id, followed_at FROM follows WHERE follower_id = ANY($1)";
    FOLLOWERS =
        "SELECT follower_id, followee_id, followed_at FROM followers WHERE followee_id = ANY($1)";
    IN_FOLLOWS =
        "SELECT e.follower_id, e.followee_id, e.followed_at FROM follows e \
         JOIN unnest($1::bigint[], $2::bigint[], $3::timestamptz[]) \
              AS k (follower_id, followee_id, followed_at) \
         ON e.follower_id = k.follower_id AND e.followee_id = k.followee_id \
            AND e.followed_at = k.followed_at \
         WHERE e.follower_id = ANY($1)";
    IN_FOLLOWERS =
        "SELECT e.follower_id, e.followee_id, e.followed_at FROM followers e \
         JOIN unnest($1::bigint[], $2::bigint[], $3::timestamptz[]) \
              AS k (follower_id, followee_id, followed_at) \
         ON e.follower_id = k.follower_id AND e.followee_id = k.followee_id \
            AND e.followed_at = k.followed_at \
         WHERE e.followee_id = ANY($2)";
    LOCK_EDGE =
        "SELECT 1 FROM follows \
         WHERE follower_id = $1 AND followee_id = $2 AND followed_at = $3 FOR UPDATE";
    ADD_MIRROR =
        "INSERT INTO followers (follower_id, followee_id, followed_at) VALUES ($1, $2, $3) \
         ON CONFLICT DO NOTHING";
    LOCK_USER = "SELECT 1 FROM users WHERE id = $1 FOR UPDATE";
    FIND_EDGE =
        "SELECT 1 FROM follows \
         WHERE follower_id = $1 AND followee_id = $2 AND followed_at = $3";
    REMOVE_MIRROR =
        "DELETE FROM followers \
         WHERE follower_id = $1 AND followee_id = $2 AND followed_at = $3";
    LOCK_COUNTS = "SELECT 1 FROM follow_counts WHERE user_id = $1 FOR UPDATE";
    RECOUNT =
        "UPDATE follow_counts SET followers = $2, following = $3 \
         WHERE user_id = $1 AND (followers, following) <> ($2, $3)";
    ACTUAL =
        "SELECT (SELECT count(*) FROM followers WHERE followee_id = $1), \
                (SELECT count(*) FROM follows WHERE follower_id = $1)";
}

pub(crate) async fn snapshot(engine: &Postgres) -> sqlx::Result<Transaction<'static, Db>> {
    let pool = engine.unlimited_pool();
    pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await
}

pub(crate) async fn add_mirror(tx: &mut PgConnection, edge: Follow) -> sqlx::Result<u64> {
    if about(LOCK_EDGE, edge).fetch_optional(&mut *tx).await?.is_none() {
        return Ok(0);
    }
    Ok(about(ADD_MIRROR, edge).execute(tx).await?.rows_affected())
}

pub(crate) async fn remove_mirror(tx: &mut PgConnection, edge: Follow) -> sqlx::Result<u64> {
    // A concurrent follow that adds this very edge would take the stray row for its mirror. Adding
    // an edge takes shared locks on its users (foreign keys) until the commit, so this lock keeps
    // such a follow out.
    query(LOCK_USER).bind(edge.followee.0).fetch_optional(&mut *tx).await?;
    if about(FIND_EDGE, edge).fetch_optional(&mut *tx).await?.is_some() {
        return Ok(0);
    }
    Ok(about(REMOVE_MIRROR, edge).execute(tx).await?.rows_affected())
}

pub(crate) async fn recount(tx: &mut PgConnection, user: UserId) -> sqlx::Result<u64> {
    // A change of an edge changes the counts last, so it waits for this lock.
    query(LOCK_COUNTS).bind(user.0).execute(&mut *tx).await?;
    let actual = query_as(ACTUAL).bind(user.0);
    let (followers, following): (i64, i64) = actual.fetch_one(&mut *tx).await?;
    let recount = query(RECOUNT).bind(user.0).bind(followers).bind(following);
    Ok(recount.execute(tx).await?.rows_affected())
}
