//! The graph as it is read: counts, pages and relations.

use std::collections::{HashMap, hash_map::Entry};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::{PgPool, Row, postgres::PgRow};

use super::raw;
use crate::{
    domain::{
        Day, Direction, FollowCounts, FollowItem, FollowPage, FollowPageKey, FollowUsage,
        OrderDirection, Outside, Relation, User, UserId,
    },
    store::pages,
};

/// Pages of one edge table: a row for each key, with the edges and their users as arrays, which
/// decode many times faster than a row for each edge.
///
/// The table is read only inside `LIMIT`, between two bounds that its page index knows, so a
/// page costs what it holds, however long the list is. The two orders are two scans, of which
/// one is closed by its gate. Each arm groups by the owner since Citus needs that to aggregate
/// where the rows are.
macro_rules! pages_of_follows {
    ($edges:literal, $owner:literal, $other:literal) => {
        concat!(
            "SELECT k.n, c.followers, c.following, low.found, high.found, \
                    coalesce(up.times, down.times), coalesce(up.ids, down.ids), \
                    coalesce(up.usernames, down.usernames), coalesce(up.names, down.names), \
                    coalesce(up.bios, down.bios), coalesce(up.avatar_urls, down.avatar_urls), \
                    coalesce(up.ages, down.ages) \
             FROM follow_counts c \
             JOIN unnest($1::bigint[], $2::bigint[], $3::boolean[], \
                         $4::timestamptz[], $5::bigint[], $6::boolean[], \
                         $7::timestamptz[], $8::bigint[], $9::boolean[]) \
                  AS k (owner, n, ascending, low_at, low_id, probe_low, \
                        high_at, high_id, probe_high) ON k.owner = c.user_id \
             LEFT JOIN LATERAL ",
            arm!($edges, $owner, $other, "k.ascending", "ASC"),
            " up ON true \
             LEFT JOIN LATERAL ",
            arm!($edges, $owner, $other, "NOT k.ascending", "DESC"),
            " down \
                       ON true \
             LEFT JOIN LATERAL (SELECT true AS found FROM ",
            $edges,
            " e \
                                WHERE k.probe_low \
                                AND e.",
            $owner,
            " = c.user_id AND e.",
            $owner,
            " = ANY($1) \
                                AND (e.followed_at, e.",
            $other,
            ") <= (k.low_at, k.low_id) \
                                LIMIT 1) low ON true \
             LEFT JOIN LATERAL (SELECT true AS found FROM ",
            $edges,
            " e \
                                WHERE k.probe_high \
                                AND e.",
            $owner,
            " = c.user_id AND e.",
            $owner,
            " = ANY($1) \
                                AND (e.followed_at, e.",
            $other,
            ") >= (k.high_at, k.high_id) \
                                LIMIT 1) high ON true \
             WHERE c.user_id = ANY($1)"
        )
    };
}

macro_rules! arm {
    ($edges:literal, $owner:literal, $other:literal, $gate:literal, $order:literal) => {
        concat!(
            "(SELECT array_agg(p.followed_at) AS times, array_agg(p.other) AS ids, \
                     array_agg(u.username) AS usernames, array_agg(u.name) AS names, \
                     array_agg(u.bio) AS bios, array_agg(u.avatar_url) AS avatar_urls, \
                     array_agg(u.created_at) AS ages \
              FROM (SELECT e.",
            $owner,
            " AS owner, e.followed_at, e.",
            $other,
            " AS other \
                    FROM ",
            $edges,
            " e \
                    WHERE ",
            $gate,
            " \
                    AND e.",
            $owner,
            " = c.user_id AND e.",
            $owner,
            " = ANY($1) \
                    AND (e.followed_at, e.",
            $other,
            ") > (k.low_at, k.low_id) \
                    AND (e.followed_at, e.",
            $other,
            ") < (k.high_at, k.high_id) \
                    ORDER BY e.followed_at ",
            $order,
            ", e.",
            $other,
            " ",
            $order,
            " \
                    LIMIT $10) p \
              JOIN users u ON u.id = p.other \
              GROUP BY p.owner)"
        )
    };
}

statements! {
    USAGE =
        "SELECT followers, following, \
                CASE WHEN follows_day >= $2 THEN follows_today ELSE 0 END \
         FROM follow_counts WHERE user_id = $1";
    COUNTS =
        "SELECT user_id, followers, following FROM follow_counts WHERE user_id = ANY($1)";
    FOLLOWERS = pages_of_follows!("followers", "followee_id", "follower_id");
    FOLLOWING = pages_of_follows!("follows", "follower_id", "followee_id");
    RELATIONS =
        "SELECT followee_id, followed_at, NULL FROM follows \
         WHERE follower_id = $1 AND followee_id = ANY($2) \
         UNION ALL \
         SELECT follower_id, NULL, followed_at FROM follows \
         WHERE followee_id = $1 AND follower_id = ANY($3)";
}

pub(super) async fn counts(
    pool: &PgPool,
    ids: &[UserId],
) -> sqlx::Result<HashMap<UserId, FollowCounts>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query_as(COUNTS).bind(raw(ids)).fetch_all(pool).await?;
    let counts = |(id, followers, following)| (UserId(id), FollowCounts { followers, following });
    Ok(rows.into_iter().map(counts).collect())
}

pub(super) async fn pages(
    pool: &PgPool,
    direction: Direction,
    keys: &[FollowPageKey],
) -> sqlx::Result<HashMap<FollowPageKey, FollowPage>> {
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = match direction {
        Direction::Followers => FOLLOWERS,
        Direction::Following => FOLLOWING,
    };
    let bounds: Vec<_> = keys.iter().map(|key| pages::follow_bounds(&key.request)).collect();
    let ascending = |key: &FollowPageKey| key.request.scan() == OrderDirection::Asc;
    let rows = sqlx::query(sql)
        .bind(keys.iter().map(|key| key.user.0).collect::<Vec<_>>())
        .bind((0..).take(keys.len()).collect::<Vec<i64>>())
        .bind(keys.iter().map(ascending).collect::<Vec<_>>())
        .bind(bounds.iter().map(|b| b.low.0).collect::<Vec<_>>())
        .bind(bounds.iter().map(|b| b.low.1.0).collect::<Vec<_>>())
        .bind(bounds.iter().map(|b| b.probe_low).collect::<Vec<_>>())
        .bind(bounds.iter().map(|b| b.high.0).collect::<Vec<_>>())
        .bind(bounds.iter().map(|b| b.high.1.0).collect::<Vec<_>>())
        .bind(bounds.iter().map(|b| b.probe_high).collect::<Vec<_>>())
        .bind(pages::fetch(keys))
        .fetch_all(pool)
        .await?;

    let mut users = HashMap::new();
    let mut found = HashMap::with_capacity(rows.len());
    for row in &rows {
        let n: i64 = row.try_get(0)?;
        let key = usize::try_from(n).ok().and_then(|n| keys.get(n));
        let key = key.ok_or_else(|| sqlx::Error::Decode(format!("there is no key {n}").into()))?;
        found.insert(*key, page(row, key, &mut users)?);
    }
    Ok(found)
}

/// A column of a page: one value an edge.
fn column<'r, T>(row: &'r PgRow, index: usize) -> sqlx::Result<std::vec::IntoIter<T>>
where
    Option<Vec<T>>: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    Ok(row.try_get::<Option<Vec<T>>, _>(index)?.unwrap_or_default().into_iter())
}

/// The page of a row. A user who is on several pages of the batch is kept once.
fn page(
    row: &PgRow,
    key: &FollowPageKey,
    users: &mut HashMap<UserId, Arc<User>>,
) -> sqlx::Result<FollowPage> {
    let counts = FollowCounts { followers: row.try_get(1)?, following: row.try_get(2)? };
    let found = |index| row.try_get(index).map(|found: Option<bool>| found.unwrap_or(false));
    let outside = Outside { below: found(3)?, above: found(4)? };
    let (times, ids) = (column::<DateTime<Utc>>(row, 5)?, column::<i64>(row, 6)?);
    let mut usernames = column::<String>(row, 7)?;
    let mut names = column::<Option<String>>(row, 8)?;
    let mut bios = column::<Option<String>>(row, 9)?;
    let mut avatar_urls = column::<Option<String>>(row, 10)?;
    let mut ages = column::<DateTime<Utc>>(row, 11)?;

    let mut next_user = |id| {
        Some(User {
            id,
            username: usernames.next()?,
            name: names.next()?,
            bio: bios.next()?,
            avatar_url: avatar_urls.next()?,
            created_at: ages.next()?,
        })
    };
    let mut items = Vec::with_capacity(ids.len());
    for (followed_at, id) in times.zip(ids) {
        let user = next_user(UserId(id))
            .ok_or_else(|| sqlx::Error::Decode("the columns of a page differ in length".into()))?;
        let user = match users.entry(user.id) {
            Entry::Occupied(known) => Arc::clone(known.get()),
            Entry::Vacant(place) => Arc::clone(place.insert(Arc::new(user))),
        };
        items.push(FollowItem { user, followed_at });
    }
    Ok(pages::follow_page(key, counts, items, outside))
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
    pool: &PgPool,
    viewer: UserId,
    followed: &[UserId],
    following_back: &[UserId],
) -> sqlx::Result<HashMap<UserId, Relation>> {
    if followed.is_empty() && following_back.is_empty() {
        return Ok(HashMap::new());
    }
    let query = sqlx::query_as(RELATIONS).bind(viewer.0);
    let query = query.bind(raw(followed)).bind(raw(following_back));
    let rows: Vec<(i64, MaybeTime, MaybeTime)> = query.fetch_all(pool).await?;

    let mut relations: HashMap<_, Relation> = HashMap::new();
    for (id, followed_at, followed_back_at) in rows {
        let relation = relations.entry(UserId(id)).or_default();
        relation.followed_at = relation.followed_at.or(followed_at);
        relation.followed_back_at = relation.followed_back_at.or(followed_back_at);
    }
    Ok(relations)
}
