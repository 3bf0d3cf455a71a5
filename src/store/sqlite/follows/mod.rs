//! The graph as it is read: counts, pages and relations.

pub(crate) mod writes;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::{Row, SqliteConnection, SqlitePool};

use super::{json, json_ids, time};
use crate::{
    domain::{
        Day, FollowCounts, FollowItem, FollowList, FollowPage, FollowPageKey, FollowUsage,
        OrderDirection, Outside, UserId,
    },
    store::{
        follow_writes::Pair,
        pages,
        statement::{query, query_as},
    },
};

/// Pages of both lists. A page is one scalar: a JSON array of its edges, with their users or the
/// ids of these alone.
///
/// Each table is read only inside `LIMIT`, between two bounds that its page index knows, so a
/// page costs what it holds, however long the list is. For the sum in `LIMIT` see [`super`].
macro_rules! pages_of_follows {
    () => {
        concat!(
            "WITH k AS MATERIALIZED ( \
               SELECT key AS n, value ->> 0 AS owner, value ->> 1 AS ascending, \
                      value ->> 2 AS low_at, value ->> 3 AS low_id, value ->> 4 AS probe_low, \
                      value ->> 5 AS high_at, value ->> 6 AS high_id, value ->> 7 AS probe_high, \
                      value ->> 8 AS of_followers \
               FROM json_each(?1)) \
             SELECT k.n, c.followers, c.following, ",
            of_list!(probe, "k.probe_low", "<= (k.low_at, k.low_id)"),
            ", ",
            of_list!(probe, "k.probe_high", ">= (k.high_at, k.high_id)"),
            ", CASE WHEN k.ascending THEN ",
            of_list!(page, "ASC"),
            " ELSE ",
            of_list!(page, "DESC"),
            " END FROM k CROSS JOIN follow_counts c ON c.user_id = k.owner"
        )
    };
}

/// The same of whichever list a key is about.
macro_rules! of_list {
    ($of:ident, $($more:tt),+) => {
        concat!(
            "CASE WHEN k.of_followers THEN ",
            $of!("followers", "followee_id", "follower_id", $($more),+),
            " ELSE ",
            $of!("follows", "follower_id", "followee_id", $($more),+),
            " END"
        )
    };
}

macro_rules! probe {
    ($edges:literal, $owner:literal, $other:literal, $is_asked:literal, $beyond:literal) => {
        concat!(
            "(",
            $is_asked,
            " AND EXISTS (SELECT 1 FROM ",
            $edges,
            " WHERE ",
            $owner,
            " = k.owner AND (followed_at, ",
            $other,
            ") ",
            $beyond,
            "))"
        )
    };
}

macro_rules! page {
    ($edges:literal, $owner:literal, $other:literal, $order:literal) => {
        concat!(
            "(SELECT json_group_array(json_array(e.followed_at, e.other)) \
              FROM (SELECT followed_at, ",
            $other,
            " AS other FROM ",
            $edges,
            " \
                    WHERE ",
            $owner,
            " = k.owner \
                    AND (followed_at, ",
            $other,
            ") > (k.low_at, k.low_id) \
                    AND (followed_at, ",
            $other,
            ") < (k.high_at, k.high_id) \
                    ORDER BY followed_at ",
            $order,
            ", ",
            $other,
            " ",
            $order,
            " LIMIT ?2 + 0) e)"
        )
    };
}

statements! {
    USAGE =
        "SELECT followers, following, \
                CASE WHEN follows_day >= ?2 THEN follows_today ELSE 0 END \
         FROM follow_counts WHERE user_id = ?1";
    COUNTS =
        "SELECT user_id, followers, following FROM follow_counts \
         WHERE user_id IN (SELECT value FROM json_each(?1))";
    PAGES = pages_of_follows!();
    EDGES =
        "SELECT e.follower_id, e.followee_id, e.followed_at \
         FROM json_each(?1) k CROSS JOIN follows e \
           ON e.follower_id = k.value ->> 0 AND e.followee_id = k.value ->> 1";
    RELATIONS =
        "SELECT e.follower_id, e.followee_id, e.followed_at FROM follows e \
         WHERE e.follower_id = ?1 AND e.followee_id IN (SELECT value FROM json_each(?2)) \
         UNION ALL \
         SELECT e.follower_id, e.followee_id, e.followed_at FROM follows e \
         WHERE e.followee_id = ?1 AND e.follower_id IN (SELECT value FROM json_each(?3))";
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

pub(super) async fn pages(
    connection: &mut SqliteConnection,
    keys: &[FollowPageKey],
) -> sqlx::Result<HashMap<FollowPageKey, FollowPage>> {
    let questions = json(&keys.iter().map(question).collect::<Vec<_>>());
    let question = query(PAGES).bind(questions).bind(pages::fetch(keys));
    let rows = question.fetch_all(connection).await?;

    let mut found = HashMap::with_capacity(rows.len());
    for row in &rows {
        let n: i64 = row.try_get(0)?;
        let key = usize::try_from(n).ok().and_then(|n| keys.get(n));
        let key = key.ok_or_else(|| sqlx::Error::Decode(format!("there is no key {n}").into()))?;
        let counts = FollowCounts { followers: row.try_get(1)?, following: row.try_get(2)? };
        let outside = Outside { below: row.try_get(3)?, above: row.try_get(4)? };
        let edges: Vec<(i64, i64)> = serde_json::from_str(row.try_get(5)?)
            .map_err(|error| sqlx::Error::Decode(error.into()))?;
        let item = |(followed_at, user)| {
            Ok(FollowItem { user: UserId(user), followed_at: time(followed_at)? })
        };
        let items = edges.into_iter().map(item).collect::<sqlx::Result<_>>()?;
        found.insert(*key, pages::follow_page(key, counts, items, outside));
    }
    Ok(found)
}

/// A key as the statement reads it: numbers only.
fn question(key: &FollowPageKey) -> [i64; 9] {
    let bounds = pages::follow_bounds(&key.request);
    [
        key.user.0,
        i64::from(key.request.scan() == OrderDirection::Asc),
        bounds.low.0.timestamp_micros(),
        bounds.low.1.0,
        i64::from(bounds.probe_low),
        bounds.high.0.timestamp_micros(),
        bounds.high.1.0,
        i64::from(bounds.probe_high),
        i64::from(key.list == FollowList::Followers),
    ]
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

/// The edges of these pairs, and since when there are those.
pub(super) async fn edges(
    connection: &mut SqliteConnection,
    pairs: &[Pair],
) -> sqlx::Result<HashMap<Pair, DateTime<Utc>>> {
    let pairs = pairs.iter().map(|pair| (pair.0.0, pair.1.0)).collect::<Vec<_>>();
    let rows = query_as(EDGES).bind(json(&pairs)).fetch_all(connection).await?;
    rows.into_iter().map(edge).collect()
}

/// The edges from a viewer to those of `followed`, and to the viewer from those of
/// `following_back`.
pub(super) async fn edges_of(
    connection: &mut SqliteConnection,
    viewer: UserId,
    followed: &[UserId],
    following_back: &[UserId],
) -> sqlx::Result<Vec<(Pair, DateTime<Utc>)>> {
    let query = query_as(RELATIONS).bind(viewer.0);
    let query = query.bind(json_ids(followed)).bind(json_ids(following_back));
    query.fetch_all(connection).await?.into_iter().map(edge).collect()
}

fn edge((follower, followee, since): (i64, i64, i64)) -> sqlx::Result<(Pair, DateTime<Utc>)> {
    Ok(((UserId(follower), UserId(followee)), time(since)?))
}
