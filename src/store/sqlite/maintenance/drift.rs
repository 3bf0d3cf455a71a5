//! Finding and repairing differences: the SQL of this engine.
//!
//! The write lock covers every row, so each repair checks and writes in one statement.

use sqlx::{SqliteConnection, Transaction};

use crate::{
    domain::{Follow, UserId},
    store::{
        sqlite::{Db, Sqlite, shared::follows::about},
        statement::query,
    },
};

statements! {
    USERS = "SELECT id FROM users WHERE id IN (SELECT value FROM json_each($1))";
    STORED =
        "SELECT user_id, followers, following FROM follow_counts \
         WHERE user_id IN (SELECT value FROM json_each($1))";
    NAMES = "SELECT id, username_key, name FROM users WHERE id IN (SELECT value FROM json_each($1))";
    NAME_PREFIXES =
        "SELECT user_id, username_key, group_concat(prefix, ' ' ORDER BY prefix) FROM name_prefixes \
         WHERE user_id IN (SELECT value FROM json_each($1)) GROUP BY user_id, username_key";
    NAME = "SELECT username_key, name FROM users WHERE id = $1";
    COUNT_FOLLOWING =
        "SELECT follower_id, count(*) FROM follows \
         WHERE follower_id IN (SELECT value FROM json_each($1)) GROUP BY follower_id";
    COUNT_FOLLOWERS =
        "SELECT followee_id, count(*) FROM followers \
         WHERE followee_id IN (SELECT value FROM json_each($1)) GROUP BY followee_id";
    FOLLOWING =
        "SELECT follower_id, followee_id, followed_at FROM follows \
         WHERE follower_id IN (SELECT value FROM json_each($1))";
    FOLLOWERS =
        "SELECT follower_id, followee_id, followed_at FROM followers \
         WHERE followee_id IN (SELECT value FROM json_each($1))";
    IN_FOLLOWS =
        "SELECT e.follower_id, e.followee_id, e.followed_at FROM json_each($1) k \
         CROSS JOIN follows e ON e.follower_id = k.value ->> 0 AND e.followee_id = k.value ->> 1 \
         AND e.followed_at = k.value ->> 2";
    IN_FOLLOWERS =
        "SELECT e.follower_id, e.followee_id, e.followed_at FROM json_each($1) k \
         CROSS JOIN followers e ON e.follower_id = k.value ->> 0 \
         AND e.followee_id = k.value ->> 1 AND e.followed_at = k.value ->> 2";
    ADD_MIRROR =
        "INSERT INTO followers (followee_id, follower_id, followed_at) \
         SELECT followee_id, follower_id, followed_at FROM follows \
         WHERE follower_id = $1 AND followee_id = $2 AND followed_at = $3 \
         ON CONFLICT DO NOTHING";
    REMOVE_MIRROR =
        "DELETE FROM followers \
         WHERE follower_id = $1 AND followee_id = $2 AND followed_at = $3 AND NOT EXISTS ( \
           SELECT 1 FROM follows WHERE follower_id = $1 AND followee_id = $2 AND followed_at = $3)";
    RECOUNT =
        "UPDATE follow_counts SET followers = actual.followers, following = actual.following \
         FROM (SELECT (SELECT count(*) FROM followers WHERE followee_id = $1) AS followers, \
                      (SELECT count(*) FROM follows WHERE follower_id = $1) AS following) actual \
         WHERE user_id = $1 AND (follow_counts.followers, follow_counts.following) \
                             <> (actual.followers, actual.following)";
}

/// A deferred transaction that only reads sees one moment of the file, in WAL mode.
pub(crate) async fn snapshot(engine: &Sqlite) -> sqlx::Result<Transaction<'static, Db>> {
    engine.readers.begin().await
}

pub(crate) async fn add_mirror(tx: &mut SqliteConnection, edge: Follow) -> sqlx::Result<u64> {
    Ok(about(ADD_MIRROR, edge).execute(tx).await?.rows_affected())
}

pub(crate) async fn remove_mirror(tx: &mut SqliteConnection, edge: Follow) -> sqlx::Result<u64> {
    Ok(about(REMOVE_MIRROR, edge).execute(tx).await?.rows_affected())
}

pub(crate) async fn recount(tx: &mut SqliteConnection, user: UserId) -> sqlx::Result<u64> {
    Ok(query(RECOUNT).bind(user.0).execute(tx).await?.rows_affected())
}
