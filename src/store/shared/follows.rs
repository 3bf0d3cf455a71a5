//! Follows: rows of them, how statements take them, and what counts towards limits.

use sqlx::{Database, Pool, Row, query::Query};

use super::super::{Db, stored, time};
use crate::{
    domain::{Day, Follow, FollowCounts, FollowUsage, UserId},
    store::{
        sql::USAGE,
        statement::{query, query_as},
    },
};

/// A follow from its three columns.
pub(crate) fn follow(row: &<Db as Database>::Row) -> sqlx::Result<Follow> {
    Ok(Follow {
        follower: UserId(row.try_get(0)?),
        followee: UserId(row.try_get(1)?),
        followed_at: time(row.try_get(2)?)?,
    })
}

/// A statement about one edge.
pub(crate) fn about(
    sql: &'static str,
    edge: Follow,
) -> Query<'static, Db, <Db as Database>::Arguments> {
    query(sql).bind(edge.follower.0).bind(edge.followee.0).bind(stored(edge.followed_at))
}

pub(super) async fn usage(
    pool: &Pool<Db>,
    user: UserId,
    day: Day,
) -> sqlx::Result<Option<FollowUsage>> {
    let row = query_as(USAGE).bind(user.0).bind(day.0).fetch_optional(pool).await?;
    Ok(row.map(|(followers, following, today)| FollowUsage {
        counts: FollowCounts { followers, following },
        today,
    }))
}
