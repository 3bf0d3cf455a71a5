//! Follows: counts and relations here, pages and writes in files of their own.

pub(crate) mod pages;
pub(crate) mod writes;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::SqliteConnection;

use super::{id_list, json, time};
use crate::{
    domain::{FollowCounts, UserId},
    store::{follow_writes::Pair, statement::query_as},
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
    let rows = query_as(COUNTS).bind(id_list(ids)).fetch_all(connection).await?;
    let counts = |(id, followers, following)| (UserId(id), FollowCounts { followers, following });
    Ok(rows.into_iter().map(counts).collect())
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
    let query = query.bind(id_list(followed)).bind(id_list(following_back));
    query.fetch_all(connection).await?.into_iter().map(edge).collect()
}

fn edge((follower, followee, since): (i64, i64, i64)) -> sqlx::Result<(Pair, DateTime<Utc>)> {
    Ok(((UserId(follower), UserId(followee)), time(since)?))
}
