//! Finding and repairing differences: the SQL, and the repairs.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use sqlx::{
    Sqlite, SqlitePool, Transaction,
    query::{Query, QueryAs},
    sqlite::SqliteArguments,
};

use crate::store::sql::{
    ADD_COUNTS, COUNT_USERS, FOLLOWERS_AFTER, FOLLOWING_AFTER, REMOVE_COUNTS_OF_NOBODY,
    REMOVE_EDGE_OF_NOBODY, REMOVE_MIRROR_OF_NOBODY, STRANGERS_COUNTED, STRANGERS_FOLLOWERS,
    STRANGERS_FOLLOWING, USERS_AFTER,
};
use crate::{
    domain::{Drift, Follow, FollowCounts, FollowList, FollowPosition, UserId},
    store::sqlite::{BEGIN, json, json_ids, time},
    store::{
        Result,
        maintenance::drift::{self, Owners, Repair, impl_snapshot},
        retry::{self, Report},
        statement::{query, query_as, query_scalar},
    },
};

statements! {
    USERS = "SELECT id FROM users WHERE id IN (SELECT value FROM json_each($1))";
    STORED =
        "SELECT user_id, followers, following FROM follow_counts \
         WHERE user_id IN (SELECT value FROM json_each($1))";
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

pub(crate) async fn find(pool: SqlitePool, report: Report) -> Result<Vec<Drift>> {
    // A deferred transaction that only reads sees one moment of the file, in WAL mode.
    let mut snapshot = Snapshot(pool.begin().await?);
    Ok(drift::find(&mut snapshot, &report).await?)
}

struct Snapshot(Transaction<'static, Sqlite>);

impl_snapshot! { Snapshot, json_ids, micros, bind_edges, follow }

type Row = (i64, i64, i64);
type FindEdges = QueryAs<'static, Sqlite, Row, SqliteArguments>;

fn micros(time: DateTime<Utc>) -> i64 {
    time.timestamp_micros()
}

fn follow((follower, followee, micros): Row) -> sqlx::Result<Follow> {
    let (follower, followee) = (UserId(follower), UserId(followee));
    Ok(Follow { follower, followee, followed_at: time(micros)? })
}

fn bind_edges(query: FindEdges, edges: &[Follow]) -> FindEdges {
    let row = |e: &Follow| (e.follower.0, e.followee.0, micros(e.followed_at));
    query.bind(json(&edges.iter().map(row).collect::<Vec<_>>()))
}

pub(crate) async fn repair(pool: SqlitePool, found: Vec<Drift>) -> Result<u64> {
    Ok(drift::repair(&Repairer(pool), &found).await?)
}

/// The write lock covers every row, so each repair checks and writes in one statement.
struct Repairer(SqlitePool);

/// A statement about an edge.
fn about(sql: &'static str, edge: Follow) -> Query<'static, Sqlite, SqliteArguments> {
    query(sql).bind(edge.follower.0).bind(edge.followee.0).bind(micros(edge.followed_at))
}

impl Repair for Repairer {
    async fn add_mirror(&self, edge: Follow) -> sqlx::Result<u64> {
        let add = |_| async { about(ADD_MIRROR, edge).execute(&self.0).await };
        Ok(retry::retried(add).await?.rows_affected())
    }

    async fn remove_mirror(&self, edge: Follow) -> sqlx::Result<u64> {
        let remove = |_| async { about(REMOVE_MIRROR, edge).execute(&self.0).await };
        Ok(retry::retried(remove).await?.rows_affected())
    }

    async fn remove_edge(&self, edge: Follow) -> sqlx::Result<u64> {
        retry::retried(|_| async {
            let mut tx = self.0.begin_with(BEGIN).await?;
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
            let mut tx = self.0.begin_with(BEGIN).await?;
            let added = query(ADD_COUNTS).bind(user.0).execute(&mut *tx).await?;
            let corrected = query(RECOUNT).bind(user.0).execute(&mut *tx).await?;
            tx.commit().await?;
            Ok(added.rows_affected().max(corrected.rows_affected()))
        })
        .await
    }
}
