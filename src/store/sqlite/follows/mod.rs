//! Follows: counts, relations and usage here, pages and writes in files of their own.

pub(crate) mod pages;
pub(crate) mod writes;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::{SqliteConnection, SqlitePool};

use super::{json, json_ids, time};
use crate::store::statement::query_as;
use crate::{
    domain::{Day, FollowCounts, FollowUsage, UserId},
    store::{follow_writes::Pair, sql::USAGE},
};

statements! {
    COUNTS =
        "SELECT user_id, followers, following FROM follow_counts \
         WHERE user_id IN (SELECT value FROM json_each($1))";
    EDGES =
        "SELECT e.follower_id, e.followee_id, e.followed_at \
         FROM json_each($1) k CROSS JOIN follows e \
           ON e.follower_id = k.value ->> 0 AND e.followee_id = k.value ->> 1";
    RELATIONS =
        "SELECT e.follower_id, e.followee_id, e.followed_at FROM follows e \
         WHERE e.follower_id = $1 AND e.followee_id IN (SELECT value FROM json_each($2)) \
         UNION ALL \
         SELECT e.follower_id, e.followee_id, e.followed_at FROM follows e \
         WHERE e.followee_id = $1 AND e.follower_id IN (SELECT value FROM json_each($3))";
}

pub(super) async fn counts(
    connection: &mut SqliteConnection,
    ids: &[UserId],
) -> sqlx::Result<HashMap<UserId, FollowCounts>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = query_as(COUNTS).bind(json_ids(ids)).fetch_all(connection).await?;
    let counts = |(id, followers, following)| (UserId(id), FollowCounts { followers, following });
    Ok(rows.into_iter().map(counts).collect())
}

pub(super) async fn usage(
    pool: &SqlitePool,
    user: UserId,
    day: Day,
) -> sqlx::Result<Option<FollowUsage>> {
    let row = query_as(USAGE).bind(user.0).bind(day.0).fetch_optional(pool).await?;
    Ok(row.map(|(followers, following, today)| FollowUsage {
        counts: FollowCounts { followers, following },
        today,
    }))
}

/// The edges of these pairs, with the times when they began.
pub(super) async fn edges(
    connection: &mut SqliteConnection,
    pairs: &[Pair],
) -> sqlx::Result<HashMap<Pair, DateTime<Utc>>> {
    let pairs = pairs.iter().map(|pair| (pair.0.0, pair.1.0)).collect::<Vec<_>>();
    let rows = query_as(EDGES).bind(json(&pairs)).fetch_all(connection).await?;
    rows.into_iter().map(edge).collect()
}

/// The edges from a viewer to the users of `followed`, and from those of `following_back` to the
/// viewer.
pub(super) async fn edges_of(
    connection: &mut SqliteConnection,
    viewer: UserId,
    followed: &[UserId],
    following_back: &[UserId],
) -> sqlx::Result<HashMap<Pair, DateTime<Utc>>> {
    let query = query_as(RELATIONS).bind(viewer.0);
    let query = query.bind(json_ids(followed)).bind(json_ids(following_back));
    query.fetch_all(connection).await?.into_iter().map(edge).collect()
}

fn edge((follower, followee, since): (i64, i64, i64)) -> sqlx::Result<(Pair, DateTime<Utc>)> {
    Ok(((UserId(follower), UserId(followee)), time(since)?))
}
