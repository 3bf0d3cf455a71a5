//! Finding and repairing differences: the SQL, and the locks of each repair.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::{
    ConnectOptions, Connection, PgPool, Postgres, Transaction,
    postgres::{PgArguments, PgConnectOptions, PgPoolOptions},
    query::{Query, QueryAs},
};

use crate::store::sql::{
    ADD_COUNTS, COUNT_USERS, FOLLOWERS_AFTER, FOLLOWING_AFTER, REMOVE_COUNTS_OF_NOBODY,
    REMOVE_EDGE_OF_NOBODY, REMOVE_MIRROR_OF_NOBODY, STRANGERS_COUNTED, STRANGERS_FOLLOWERS,
    STRANGERS_FOLLOWING, USERS_AFTER,
};
use crate::{
    domain::{Drift, Follow, FollowCounts, FollowList, FollowPosition, UserId},
    store::postgres::sorted,
    store::{
        Result,
        maintenance::drift::{self, Owners, Repair, impl_snapshot},
        retry::{self, Report},
        statement::{query, query_as, query_scalar},
    },
};

statements! {
    USERS = "SELECT id FROM users WHERE id = ANY($1)";
    STORED =
        "SELECT user_id, followers, following FROM follow_counts WHERE user_id = ANY($1)";
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

pub(crate) async fn find(options: Arc<PgConnectOptions>, report: Report) -> Result<Vec<Drift>> {
    let mut connection = options.connect().await?;
    let found = {
        let tx = connection.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        drift::find(&mut Snapshot(tx), &report).await?
    };
    connection.close().await?;
    Ok(found)
}

struct Snapshot<'c>(Transaction<'c, Postgres>);

impl_snapshot! { Snapshot<'_>, sorted, std::convert::identity, bind_edges, follow }

type Row = (i64, i64, DateTime<Utc>);
type FindEdges = QueryAs<'static, Postgres, Row, PgArguments>;

#[expect(clippy::unnecessary_wraps, reason = "the times of the other engine may be invalid")]
fn follow((follower, followee, followed_at): Row) -> sqlx::Result<Follow> {
    Ok(Follow { follower: UserId(follower), followee: UserId(followee), followed_at })
}

fn bind_edges(query: FindEdges, edges: &[Follow]) -> FindEdges {
    query
        .bind(edges.iter().map(|edge| edge.follower.0).collect::<Vec<_>>())
        .bind(edges.iter().map(|edge| edge.followee.0).collect::<Vec<_>>())
        .bind(edges.iter().map(|edge| edge.followed_at).collect::<Vec<_>>())
}

/// Repairs on one connection without timeouts: recounting a celebrity takes long.
pub(crate) async fn repair(options: Arc<PgConnectOptions>, found: Vec<Drift>) -> Result<u64> {
    let options = PgConnectOptions::clone(&options);
    let pool = PgPoolOptions::new().max_connections(1).connect_lazy_with(options);
    let changed = drift::repair(&Repairer(pool.clone()), &found).await;
    pool.close().await;
    Ok(changed?)
}

/// Each repair locks one row and then checks the difference in a statement of its own: under READ
/// COMMITTED only a new statement sees what was committed during the wait for the lock.
struct Repairer(PgPool);

/// A statement about an edge.
fn about(sql: &'static str, edge: Follow) -> Query<'static, Postgres, PgArguments> {
    query(sql).bind(edge.follower.0).bind(edge.followee.0).bind(edge.followed_at)
}

impl Repair for Repairer {
    async fn add_mirror(&self, edge: Follow) -> sqlx::Result<u64> {
        retry::retried(|_| async {
            let mut tx = self.0.begin().await?;
            if about(LOCK_EDGE, edge).fetch_optional(&mut *tx).await?.is_none() {
                return Ok(0);
            }
            let added = about(ADD_MIRROR, edge).execute(&mut *tx).await?;
            tx.commit().await?;
            Ok(added.rows_affected())
        })
        .await
    }

    async fn remove_mirror(&self, edge: Follow) -> sqlx::Result<u64> {
        retry::retried(|_| async {
            let mut tx = self.0.begin().await?;
            // A concurrent follow that adds this very edge would take the stray row for its mirror.
            // Adding an edge takes shared locks on its users (foreign keys) until the commit, so
            // this lock keeps such a follow out.
            let lock = query(LOCK_USER).bind(edge.followee.0);
            lock.fetch_optional(&mut *tx).await?;
            if about(FIND_EDGE, edge).fetch_optional(&mut *tx).await?.is_some() {
                return Ok(0);
            }
            let removed = about(REMOVE_MIRROR, edge).execute(&mut *tx).await?;
            tx.commit().await?;
            Ok(removed.rows_affected())
        })
        .await
    }

    async fn remove_edge(&self, edge: Follow) -> sqlx::Result<u64> {
        retry::retried(|_| async {
            let mut tx = self.0.begin().await?;
            let edges = about(REMOVE_EDGE_OF_NOBODY, edge).execute(&mut *tx).await?;
            let mirrors = about(REMOVE_MIRROR_OF_NOBODY, edge).execute(&mut *tx).await?;
            tx.commit().await?;
            Ok(edges.rows_affected() + mirrors.rows_affected())
        })
        .await
    }

    async fn remove_counts(&self, user: UserId) -> sqlx::Result<u64> {
        retry::retried(|_| async {
            let query = query(REMOVE_COUNTS_OF_NOBODY).bind(user.0);
            Ok(query.execute(&self.0).await?.rows_affected())
        })
        .await
    }

    async fn recount(&self, user: UserId) -> sqlx::Result<u64> {
        retry::retried(|_| async {
            let mut tx = self.0.begin().await?;
            let added = query(ADD_COUNTS).bind(user.0).execute(&mut *tx).await?;
            // A change of an edge changes the counts last, so it waits for this lock.
            query(LOCK_COUNTS).bind(user.0).execute(&mut *tx).await?;
            let actual = query_as(ACTUAL).bind(user.0);
            let (followers, following): (i64, i64) = actual.fetch_one(&mut *tx).await?;
            let recount = query(RECOUNT).bind(user.0).bind(followers).bind(following);
            let corrected = recount.execute(&mut *tx).await?;
            tx.commit().await?;
            Ok(added.rows_affected().max(corrected.rows_affected()))
        })
        .await
    }
}
