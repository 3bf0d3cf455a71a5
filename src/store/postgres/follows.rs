//! The graph as it is read: counts, pages and relations.

use std::collections::{HashMap, hash_map::Entry};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::{
    PgExecutor, PgPool, Postgres, Row,
    postgres::{PgArguments, PgRow},
    query::Query,
};

use super::{arrays, raw};
use crate::{
    domain::{
        Day, Direction, FollowCounts, FollowItem, FollowPage, FollowPageKey, FollowUsage,
        Identified, OrderDirection, Outside, Relation, User, UserId,
    },
    store::pages::{self, Shape},
};

/// Pages of one edge table: a row for each key, with the edges as arrays, which decode many times
/// faster than a row for each edge. The users on the edges come along, or their ids alone.
///
/// The table is read only inside `LIMIT`, between two bounds that its page index knows, so a
/// page costs what it holds, however long the list is. The two orders are two scans, of which
/// one is closed by its gate.
macro_rules! pages_of_follows {
    ($edges:literal, $owner:literal, $other:literal, $users:ident) => {
        concat!(
            "SELECT k.n, c.followers, c.following, low.found, high.found, \
                    coalesce(up.times, down.times), coalesce(up.ids, down.ids)",
            $users!(of_either_scan),
            " FROM follow_counts c \
             JOIN unnest($1::bigint[], $2::bigint[], $4::timestamptz[], $5::bigint[], \
                         $6::timestamptz[], $7::bigint[], \
                         $8::boolean[], $9::boolean[], $10::boolean[]) \
                  AS k (owner, n, low_at, low_id, high_at, high_id, \
                        ascending, probe_low, probe_high) ON k.owner = c.user_id \
             LEFT JOIN LATERAL ",
            scan!($edges, $owner, $other, $users, "k.ascending AND", "ASC"),
            " up ON true LEFT JOIN LATERAL ",
            scan!($edges, $owner, $other, $users, "NOT k.ascending AND", "DESC"),
            " down ON true LEFT JOIN LATERAL ",
            probe!($edges, $owner, $other, "k.probe_low", "<= (k.low_at, k.low_id)"),
            " low ON true LEFT JOIN LATERAL ",
            probe!($edges, $owner, $other, "k.probe_high", ">= (k.high_at, k.high_id)"),
            " high ON true WHERE c.user_id = ANY($1)"
        )
    };
}

/// The same where there are no shards, for pages that all go from newer to older follows, without a
/// probe. Those that begin with the newest one have no bounds, and cost two thirds of the rest.
macro_rules! older_follows {
    ($edges:literal, $owner:literal, $other:literal, $users:ident, $between:ident) => {
        concat!(
            "SELECT k.n, c.followers, c.following, NULL::boolean, NULL::boolean, \
                    p.times, p.ids",
            $users!(of_scan),
            " FROM unnest($1::bigint[], $2::bigint[]",
            $between!(arrays),
            ") AS k (owner, n",
            $between!(columns),
            ") JOIN follow_counts c ON c.user_id = k.owner \
             CROSS JOIN LATERAL (SELECT array_agg(p.followed_at) AS times, \
                                        array_agg(p.other) AS ids",
            $users!(aggregates),
            " FROM (SELECT e.followed_at, e.",
            $other,
            " AS other FROM ",
            $edges,
            " e WHERE e.",
            $owner,
            " = c.user_id",
            $between!($other),
            " ORDER BY e.followed_at DESC, e.",
            $other,
            " DESC LIMIT $3) p",
            $users!(join),
            ") p"
        )
    };
}

/// From one follow to another, wherever a statement names them.
macro_rules! between_bounds {
    (arrays) => {
        ", $4::timestamptz[], $5::bigint[], $6::timestamptz[], $7::bigint[]"
    };
    (columns) => {
        ", low_at, low_id, high_at, high_id"
    };
    ($other:literal) => {
        concat!(
            " AND (e.followed_at, e.",
            $other,
            ") > (k.low_at, k.low_id) AND (e.followed_at, e.",
            $other,
            ") < (k.high_at, k.high_id)"
        )
    };
}

/// From the newest follow on.
macro_rules! from_the_newest {
    ($place:tt) => {
        ""
    };
}

/// The edges of one page, as arrays. They are grouped by the owner since Citus needs that to
/// aggregate where the rows are, and name the owners once more so that only their shards are
/// asked.
macro_rules! scan {
    (
        $edges:literal, $owner:literal, $other:literal, $users:ident, $gate:literal, $order:literal
    ) => {
        concat!(
            "(SELECT array_agg(p.followed_at) AS times, array_agg(p.other) AS ids",
            $users!(aggregates),
            " FROM (SELECT e.",
            $owner,
            " AS owner, e.followed_at, e.",
            $other,
            " AS other \
                    FROM ",
            $edges,
            " e WHERE ",
            $gate,
            " e.",
            $owner,
            " = c.user_id AND e.",
            $owner,
            " = ANY($1) AND (e.followed_at, e.",
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
            " LIMIT $3) p",
            $users!(join),
            " GROUP BY p.owner)"
        )
    };
}

/// Whether an edge lies at a bound or beyond it.
macro_rules! probe {
    ($edges:literal, $owner:literal, $other:literal, $gate:literal, $beyond:literal) => {
        concat!(
            "(SELECT true AS found FROM ",
            $edges,
            " e WHERE ",
            $gate,
            " \
              AND e.",
            $owner,
            " = c.user_id AND e.",
            $owner,
            " = ANY($1) \
              AND (e.followed_at, e.",
            $other,
            ") ",
            $beyond,
            " LIMIT 1)"
        )
    };
}

/// The users on the edges, wherever a statement names them.
macro_rules! with_users {
    (aggregates) => {
        ", array_agg(u.username) AS usernames, array_agg(u.name) AS names, \
         array_agg(u.bio) AS bios, array_agg(u.avatar_url) AS avatar_urls, \
         array_agg(u.created_at) AS ages"
    };
    (join) => {
        " JOIN users u ON u.id = p.other"
    };
    (of_scan) => {
        ", p.usernames, p.names, p.bios, p.avatar_urls, p.ages"
    };
    (of_either_scan) => {
        ", coalesce(up.usernames, down.usernames), coalesce(up.names, down.names), \
         coalesce(up.bios, down.bios), coalesce(up.avatar_urls, down.avatar_urls), \
         coalesce(up.ages, down.ages)"
    };
}

/// No users: their ids are on the edges.
macro_rules! with_ids {
    ($place:ident) => {
        ""
    };
}

statements! {
    USAGE =
        "SELECT followers, following, \
                CASE WHEN follows_day >= $2 THEN follows_today ELSE 0 END \
         FROM follow_counts WHERE user_id = $1";
    COUNTS =
        "SELECT user_id, followers, following FROM follow_counts WHERE user_id = ANY($1)";
    FOLLOWERS = pages_of_follows!("followers", "followee_id", "follower_id", with_users);
    FOLLOWING = pages_of_follows!("follows", "follower_id", "followee_id", with_users);
    NEWEST_FOLLOWERS = older_follows!("followers", "followee_id", "follower_id", with_users, from_the_newest);
    OLDER_FOLLOWERS = older_follows!("followers", "followee_id", "follower_id", with_users, between_bounds);
    NEWEST_FOLLOWING = older_follows!("follows", "follower_id", "followee_id", with_users, from_the_newest);
    OLDER_FOLLOWING = older_follows!("follows", "follower_id", "followee_id", with_users, between_bounds);
    FOLLOWER_IDS = pages_of_follows!("followers", "followee_id", "follower_id", with_ids);
    FOLLOWING_IDS = pages_of_follows!("follows", "follower_id", "followee_id", with_ids);
    NEWEST_FOLLOWER_IDS = older_follows!("followers", "followee_id", "follower_id", with_ids, from_the_newest);
    OLDER_FOLLOWER_IDS = older_follows!("followers", "followee_id", "follower_id", with_ids, between_bounds);
    NEWEST_FOLLOWING_IDS = older_follows!("follows", "follower_id", "followee_id", with_ids, from_the_newest);
    OLDER_FOLLOWING_IDS = older_follows!("follows", "follower_id", "followee_id", with_ids, between_bounds);
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
    let rows = sqlx::query_as(COUNTS).bind(raw(ids)).fetch_all(connection).await?;
    let counts = |(id, followers, following)| (UserId(id), FollowCounts { followers, following });
    Ok(rows.into_iter().map(counts).collect())
}

/// Whether pages may share a statement with those of others, which reads as much of each list as
/// the largest page among them.
pub(super) fn may_gather(keys: &[FollowPageKey]) -> bool {
    pages::shape(keys) != Shape::Any && pages::are_small(keys)
}

pub(super) async fn pages(
    connection: impl PgExecutor<'_>,
    has_shards: bool,
    direction: Direction,
    keys: &[FollowPageKey],
) -> sqlx::Result<HashMap<FollowPageKey, FollowPage>> {
    let shape = if has_shards { Shape::Any } else { pages::shape(keys) };
    let sql = match (direction, shape) {
        (Direction::Followers, Shape::Newest) => NEWEST_FOLLOWERS,
        (Direction::Followers, Shape::Older) => OLDER_FOLLOWERS,
        (Direction::Followers, Shape::Any) => FOLLOWERS,
        (Direction::Following, Shape::Newest) => NEWEST_FOLLOWING,
        (Direction::Following, Shape::Older) => OLDER_FOLLOWING,
        (Direction::Following, Shape::Any) => FOLLOWING,
    };
    let mut users = HashMap::new();
    fetch(connection, sql, shape, keys, |row, key| {
        let items = items(row, &mut users)?;
        page(row, key, items)
    })
    .await
}

pub(super) async fn pages_of_ids(
    connection: impl PgExecutor<'_>,
    has_shards: bool,
    direction: Direction,
    keys: &[FollowPageKey],
) -> sqlx::Result<HashMap<FollowPageKey, FollowPage<UserId>>> {
    let shape = if has_shards { Shape::Any } else { pages::shape(keys) };
    let sql = match (direction, shape) {
        (Direction::Followers, Shape::Newest) => NEWEST_FOLLOWER_IDS,
        (Direction::Followers, Shape::Older) => OLDER_FOLLOWER_IDS,
        (Direction::Followers, Shape::Any) => FOLLOWER_IDS,
        (Direction::Following, Shape::Newest) => NEWEST_FOLLOWING_IDS,
        (Direction::Following, Shape::Older) => OLDER_FOLLOWING_IDS,
        (Direction::Following, Shape::Any) => FOLLOWING_IDS,
    };
    fetch(connection, sql, shape, keys, |row, key| {
        let items = edges(row)?
            .map(|edge| edge.map(|(followed_at, id)| FollowItem { user: UserId(id), followed_at }));
        page(row, key, items.collect::<sqlx::Result<_>>()?)
    })
    .await
}

/// Asks for pages, and reads each row as the page of its key.
async fn fetch<P>(
    connection: impl PgExecutor<'_>,
    sql: &'static str,
    shape: Shape,
    keys: &[FollowPageKey],
    mut read: impl FnMut(&PgRow, &FollowPageKey) -> sqlx::Result<P>,
) -> sqlx::Result<HashMap<FollowPageKey, P>> {
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let query = sqlx::query(sql)
        .bind(keys.iter().map(|key| key.user.0).collect::<Vec<_>>())
        .bind((0..).take(keys.len()).collect::<Vec<i64>>())
        .bind(pages::fetch(keys));
    let query = match shape {
        Shape::Newest => query,
        Shape::Older => between(query, keys),
        Shape::Any => in_any_order(between(query, keys), keys),
    };

    let rows = query.fetch_all(connection).await?;
    let mut found = HashMap::with_capacity(rows.len());
    for row in &rows {
        let n: i64 = row.try_get(0)?;
        let key = usize::try_from(n).ok().and_then(|n| keys.get(n));
        let key = key.ok_or_else(|| sqlx::Error::Decode(format!("there is no key {n}").into()))?;
        found.insert(*key, read(row, key)?);
    }
    Ok(found)
}

type PgQuery = Query<'static, Postgres, PgArguments>;

/// Tells the bounds of pages.
fn between(query: PgQuery, keys: &[FollowPageKey]) -> PgQuery {
    let bounds: Vec<_> = keys.iter().map(|key| pages::follow_bounds(&key.request)).collect();
    query
        .bind(bounds.iter().map(|b| b.low.0).collect::<Vec<_>>())
        .bind(bounds.iter().map(|b| b.low.1.0).collect::<Vec<_>>())
        .bind(bounds.iter().map(|b| b.high.0).collect::<Vec<_>>())
        .bind(bounds.iter().map(|b| b.high.1.0).collect::<Vec<_>>())
}

/// Tells how to scan pages, and what to find out beside them.
fn in_any_order(query: PgQuery, keys: &[FollowPageKey]) -> PgQuery {
    let bounds: Vec<_> = keys.iter().map(|key| pages::follow_bounds(&key.request)).collect();
    let is_ascending = |key: &FollowPageKey| key.request.scan() == OrderDirection::Asc;
    query
        .bind(keys.iter().map(is_ascending).collect::<Vec<_>>())
        .bind(bounds.iter().map(|b| b.probe_low).collect::<Vec<_>>())
        .bind(bounds.iter().map(|b| b.probe_high).collect::<Vec<_>>())
}

/// A column of a page: one value an edge.
fn column<'r, T>(row: &'r PgRow, index: usize) -> sqlx::Result<Vec<T>>
where
    Option<Vec<T>>: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    Ok(row.try_get::<Option<Vec<T>>, _>(index)?.unwrap_or_default())
}

/// When each edge of a row began, and the id of its user.
fn edges(
    row: &PgRow,
) -> sqlx::Result<impl ExactSizeIterator<Item = sqlx::Result<(DateTime<Utc>, i64)>>> {
    let (times, ids) = (arrays::of_times(row, 5)?, arrays::of_numbers(row, 6)?);
    Ok(times.zip(ids).map(|(time, id)| Ok((time?, id?))))
}

/// The edges of a row with their users. A user who is on several pages of the batch is kept once.
fn items(row: &PgRow, users: &mut HashMap<UserId, Arc<User>>) -> sqlx::Result<Vec<FollowItem>> {
    let mut usernames = column::<String>(row, 7)?.into_iter();
    let mut names = column::<Option<String>>(row, 8)?.into_iter();
    let mut bios = column::<Option<String>>(row, 9)?.into_iter();
    let mut avatar_urls = column::<Option<String>>(row, 10)?.into_iter();
    let mut ages = column::<DateTime<Utc>>(row, 11)?.into_iter();

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
    let edges = edges(row)?;
    let mut items = Vec::with_capacity(edges.len());
    for edge in edges {
        let (followed_at, id) = edge?;
        let user = next_user(UserId(id))
            .ok_or_else(|| sqlx::Error::Decode("the columns of a page differ in length".into()))?;
        let user = match users.entry(user.id) {
            Entry::Occupied(known) => Arc::clone(known.get()),
            Entry::Vacant(place) => Arc::clone(place.insert(Arc::new(user))),
        };
        items.push(FollowItem { user, followed_at });
    }
    Ok(items)
}

/// The page of a row, with these edges.
fn page<U: Identified>(
    row: &PgRow,
    key: &FollowPageKey,
    items: Vec<FollowItem<U>>,
) -> sqlx::Result<FollowPage<U>> {
    let counts = FollowCounts { followers: row.try_get(1)?, following: row.try_get(2)? };
    let found = |index| row.try_get(index).map(|found: Option<bool>| found.unwrap_or(false));
    let outside = Outside { below: found(3)?, above: found(4)? };
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
    connection: impl PgExecutor<'_>,
    viewer: UserId,
    followed: &[UserId],
    following_back: &[UserId],
) -> sqlx::Result<HashMap<UserId, Relation>> {
    if followed.is_empty() && following_back.is_empty() {
        return Ok(HashMap::new());
    }
    let query = sqlx::query_as(RELATIONS).bind(viewer.0);
    let query = query.bind(raw(followed)).bind(raw(following_back));
    let rows: Vec<(i64, MaybeTime, MaybeTime)> = query.fetch_all(connection).await?;

    let mut relations: HashMap<_, Relation> = HashMap::new();
    for (id, followed_at, followed_back_at) in rows {
        let relation = relations.entry(UserId(id)).or_default();
        relation.followed_at = relation.followed_at.or(followed_at);
        relation.followed_back_at = relation.followed_back_at.or(followed_back_at);
    }
    Ok(relations)
}
