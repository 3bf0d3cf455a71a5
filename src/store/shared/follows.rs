//! Follows: rows of them, how statements take them, and what counts towards limits.

use sqlx::{Database, Pool, Row, query::Query};

use super::super::{Db, stored, time};
use crate::{
    domain::{Day, Follow, FollowCounts, FollowStanding, FollowUsage, UserId},
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

/// A standing is read as rows of three kinds:
/// - 1, the user, followers, following, follows of the day;
/// - 2, one whom the user follows;
/// - 3, the other user of a changed pair, the number of its changes.
pub(crate) type StandingRow = (i64, i64, i64, i64, i64);

/// The standing of a user; `None` if there is no such user.
pub(crate) fn standing(rows: Vec<StandingRow>) -> Option<FollowStanding> {
    let (mut standing, mut exists) = (FollowStanding::default(), false);
    for (kind, user, a, b, today) in rows {
        match kind {
            1 => {
                let counts = FollowCounts { followers: a, following: b };
                standing.usage = FollowUsage { counts, today };
                exists = true;
            }
            2 => drop(standing.following.insert(UserId(user))),
            _ => drop(standing.pair_changes.insert(UserId(user), a)),
        }
    }
    exists.then_some(standing)
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
