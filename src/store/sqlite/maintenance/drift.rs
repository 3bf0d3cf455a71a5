//! Finding and mending differences: the questions and the mendings.

use std::collections::{HashMap, HashSet};

use sqlx::{Sqlite, SqlitePool, Transaction};

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
        maintenance::drift::{self, Mend},
        retry::{self, Report},
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

type Row = (i64, i64, i64);

fn follow((follower, followee, at): Row) -> sqlx::Result<Follow> {
    let (follower, followee) = (UserId(follower), UserId(followee));
    Ok(Follow { follower, followee, followed_at: time(at)? })
}

fn row(edge: &Follow) -> Row {
    (edge.follower.0, edge.followee.0, edge.followed_at.timestamp_micros())
}

impl drift::Snapshot for Snapshot {
    async fn count_users(&mut self) -> sqlx::Result<i64> {
        sqlx::query_scalar(COUNT_USERS).fetch_one(&mut *self.0).await
    }

    async fn users_after(&mut self, user: UserId, limit: i64) -> sqlx::Result<Vec<UserId>> {
        let query = sqlx::query_scalar(USERS_AFTER).bind(user.0).bind(limit);
        let ids: Vec<i64> = query.fetch_all(&mut *self.0).await?;
        Ok(ids.into_iter().map(UserId).collect())
    }

    async fn users_of(&mut self, ids: &[UserId]) -> sqlx::Result<HashSet<UserId>> {
        let query = sqlx::query_scalar(USERS).bind(json_ids(ids));
        let ids: Vec<i64> = query.fetch_all(&mut *self.0).await?;
        Ok(ids.into_iter().map(UserId).collect())
    }

    async fn strangers_after(
        &mut self,
        end: FollowList,
        owner: UserId,
        limit: i64,
    ) -> sqlx::Result<Vec<UserId>> {
        let sql = match end {
            FollowList::Followers => STRANGERS_FOLLOWERS,
            FollowList::Following => STRANGERS_FOLLOWING,
        };
        let query = sqlx::query_scalar(sql).bind(owner.0).bind(limit);
        let ids: Vec<i64> = query.fetch_all(&mut *self.0).await?;
        Ok(ids.into_iter().map(UserId).collect())
    }

    async fn uncounted_after(&mut self, owner: UserId, limit: i64) -> sqlx::Result<Vec<UserId>> {
        let query = sqlx::query_scalar(STRANGERS_COUNTED).bind(owner.0).bind(limit);
        let ids: Vec<i64> = query.fetch_all(&mut *self.0).await?;
        Ok(ids.into_iter().map(UserId).collect())
    }

    async fn stored_counts(
        &mut self,
        users: &[UserId],
    ) -> sqlx::Result<HashMap<UserId, FollowCounts>> {
        let query = sqlx::query_as(STORED).bind(json_ids(users));
        let rows: Vec<Row> = query.fetch_all(&mut *self.0).await?;
        let counts =
            |(id, followers, following)| (UserId(id), FollowCounts { followers, following });
        Ok(rows.into_iter().map(counts).collect())
    }

    async fn count_edges(
        &mut self,
        end: FollowList,
        owners: &[UserId],
    ) -> sqlx::Result<HashMap<UserId, i64>> {
        let sql = match end {
            FollowList::Followers => COUNT_FOLLOWERS,
            FollowList::Following => COUNT_FOLLOWING,
        };
        let query = sqlx::query_as(sql).bind(json_ids(owners));
        let rows: Vec<(i64, i64)> = query.fetch_all(&mut *self.0).await?;
        Ok(rows.into_iter().map(|(id, count)| (UserId(id), count)).collect())
    }

    async fn edges(&mut self, end: FollowList, owners: &[UserId]) -> sqlx::Result<Vec<Follow>> {
        let sql = match end {
            FollowList::Followers => FOLLOWERS,
            FollowList::Following => FOLLOWING,
        };
        let query = sqlx::query_as(sql).bind(json_ids(owners));
        let rows: Vec<Row> = query.fetch_all(&mut *self.0).await?;
        rows.into_iter().map(follow).collect()
    }

    async fn edges_after(
        &mut self,
        end: FollowList,
        owner: UserId,
        after: FollowPosition,
        limit: i64,
    ) -> sqlx::Result<Vec<Follow>> {
        let sql = match end {
            FollowList::Followers => FOLLOWERS_AFTER,
            FollowList::Following => FOLLOWING_AFTER,
        };
        let query = sqlx::query_as(sql).bind(owner.0);
        let query = query.bind(after.followed_at.timestamp_micros()).bind(after.user.0);
        let rows: Vec<Row> = query.bind(limit).fetch_all(&mut *self.0).await?;
        rows.into_iter().map(follow).collect()
    }

    async fn present(
        &mut self,
        end: FollowList,
        edges: &[Follow],
    ) -> sqlx::Result<HashSet<Follow>> {
        let sql = match end {
            FollowList::Followers => IN_FOLLOWERS,
            FollowList::Following => IN_FOLLOWS,
        };
        let query = sqlx::query_as(sql).bind(json(&edges.iter().map(row).collect::<Vec<_>>()));
        let rows: Vec<Row> = query.fetch_all(&mut *self.0).await?;
        rows.into_iter().map(follow).collect()
    }
}

pub(crate) async fn repair(pool: SqlitePool, found: Vec<Drift>) -> Result<u64> {
    Ok(drift::repair(&Mender(pool), &found).await?)
}

/// The write lock is the lock of every row, so each mending looks and acts in one statement.
struct Mender(SqlitePool);

impl Mender {
    async fn edge(&self, sql: &'static str, edge: Follow) -> sqlx::Result<u64> {
        let (follower, followee, at) = row(&edge);
        retry::retried(|_| async {
            let query = sqlx::query(sql).bind(follower).bind(followee).bind(at);
            Ok(query.execute(&self.0).await?.rows_affected())
        })
        .await
    }
}

impl Mend for Mender {
    async fn add_mirror(&self, edge: Follow) -> sqlx::Result<u64> {
        self.edge(ADD_MIRROR, edge).await
    }

    async fn remove_mirror(&self, edge: Follow) -> sqlx::Result<u64> {
        self.edge(REMOVE_MIRROR, edge).await
    }

    async fn remove_edge(&self, edge: Follow) -> sqlx::Result<u64> {
        let (follower, followee, at) = row(&edge);
        retry::retried(|_| async {
            let mut tx = self.0.begin_with(BEGIN).await?;
            let edges = sqlx::query(REMOVE_EDGE_OF_NOBODY)
                .bind(follower)
                .bind(followee)
                .bind(at)
                .execute(&mut *tx)
                .await?;
            let mirrors = sqlx::query(REMOVE_MIRROR_OF_NOBODY)
                .bind(follower)
                .bind(followee)
                .bind(at)
                .execute(&mut *tx)
                .await?;
            tx.commit().await?;
            Ok(edges.rows_affected() + mirrors.rows_affected())
        })
        .await
    }

    async fn remove_counts(&self, user: UserId) -> sqlx::Result<u64> {
        retry::retried(|_| async {
            let query = sqlx::query(REMOVE_COUNTS_OF_NOBODY).bind(user.0);
            Ok(query.execute(&self.0).await?.rows_affected())
        })
        .await
    }

    async fn recount(&self, user: UserId) -> sqlx::Result<u64> {
        retry::retried(|_| async {
            let mut tx = self.0.begin_with(BEGIN).await?;
            let added = sqlx::query(ADD_COUNTS).bind(user.0).execute(&mut *tx).await?;
            let corrected = sqlx::query(RECOUNT).bind(user.0).execute(&mut *tx).await?;
            tx.commit().await?;
            Ok(added.rows_affected().max(corrected.rows_affected()))
        })
        .await
    }
}
