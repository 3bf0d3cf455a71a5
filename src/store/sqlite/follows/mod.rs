//! Follows: counts and relations here, pages and writes in files of their own.

pub(crate) mod pages;
pub(crate) mod writes;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::SqliteConnection;

use super::{id_list, json, shared, time};
use crate::{
    domain::{Day, FollowCounts, FollowStanding, UserId},
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
    // For the rows, see `StandingRow`.
    STANDING =
        "SELECT 1, c.user_id, c.followers, c.following, \
                CASE WHEN c.follows_day >= $2 THEN c.follows_today ELSE 0 END \
         FROM follow_counts c WHERE c.user_id = $1 \
         UNION ALL \
         SELECT 2, e.followee_id, 0, 0, 0 FROM json_each($3) k \
         CROSS JOIN follows e ON e.followee_id = k.value AND e.follower_id = $1 \
         UNION ALL \
         SELECT 3, p.followee_id, p.changes, 0, 0 FROM json_each($3) k \
         CROSS JOIN follow_changes p ON p.follower_id = $1 AND p.followee_id = k.value \
         WHERE p.day >= $2";
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

/// What decides whether a user may follow others on a day.
pub(super) async fn standing(
    connection: &mut SqliteConnection,
    user: UserId,
    others: &[UserId],
    day: Day,
) -> sqlx::Result<Option<FollowStanding>> {
    let query = query_as(STANDING).bind(user.0).bind(day.0).bind(id_list(others));
    Ok(shared::follows::standing(query.fetch_all(connection).await?))
}

fn edge((follower, followee, since): (i64, i64, i64)) -> sqlx::Result<(Pair, DateTime<Utc>)> {
    Ok(((UserId(follower), UserId(followee)), time(since)?))
}
