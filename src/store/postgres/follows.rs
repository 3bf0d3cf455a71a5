//! The graph as it is read, but for its pages: counts and relations.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, PgPool};

use super::sorted;
use crate::domain::{Day, FollowCounts, FollowUsage, Relation, UserId};

statements! {
    USAGE =
        "SELECT followers, following, \
                CASE WHEN follows_day >= $2 THEN follows_today ELSE 0 END \
         FROM follow_counts WHERE user_id = $1";
    COUNTS =
        "SELECT user_id, followers, following FROM follow_counts WHERE user_id = ANY($1)";
    RELATIONS =
        "SELECT followee_id, followed_at, NULL FROM follows \
         WHERE follower_id = $1 AND followee_id = ANY($2) \
         UNION ALL \
         SELECT follower_id, NULL, followed_at FROM follows \
         WHERE followee_id = $1 AND follower_id = ANY($3)";
}

pub(super) async fn counts(
    connection: impl PgExecutor<'_>,
    ids: &[UserId],
) -> sqlx::Result<HashMap<UserId, FollowCounts>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query_as(COUNTS).bind(sorted(ids)).fetch_all(connection).await?;
    let counts = |(id, followers, following)| (UserId(id), FollowCounts { followers, following });
    Ok(rows.into_iter().map(counts).collect())
}

type MaybeTime = Option<DateTime<Utc>>;

pub(super) async fn usage(
    pool: &PgPool,
    user: UserId,
    day: Day,
) -> sqlx::Result<Option<FollowUsage>> {
    let row = sqlx::query_as(USAGE).bind(user.0).bind(day.0).fetch_optional(pool).await?;
    Ok(row.map(|(followers, following, today)| FollowUsage {
        counts: FollowCounts { followers, following },
        today,
    }))
}

pub(super) async fn relations(
    connection: impl PgExecutor<'_>,
    viewer: UserId,
    followed: &[UserId],
    following_back: &[UserId],
) -> sqlx::Result<HashMap<UserId, Relation>> {
    if followed.is_empty() && following_back.is_empty() {
        return Ok(HashMap::new());
    }
    let query = sqlx::query_as(RELATIONS).bind(viewer.0);
    let query = query.bind(sorted(followed)).bind(sorted(following_back));
    let rows: Vec<(i64, MaybeTime, MaybeTime)> = query.fetch_all(connection).await?;

    let mut relations: HashMap<_, Relation> = HashMap::new();
    for (id, followed_at, followed_back_at) in rows {
        let relation = relations.entry(UserId(id)).or_default();
        relation.followed_at = relation.followed_at.or(followed_at);
        relation.followed_back_at = relation.followed_back_at.or(followed_back_at);
    }
    Ok(relations)
}
