//! Pages of follows, many in one statement.

use std::collections::HashMap;

use sqlx::{Row, SqliteConnection};

use super::follows_owner;
use crate::{
    domain::{
        FollowCounts, FollowItem, FollowList, FollowPage, FollowPageKey, OrderDirection, Outside,
        Privacy, SeenLists, UserId,
    },
    store::{
        pages,
        sql::{sees, visible},
        sqlite::{json, time},
        statement::query,
    },
};

/// Pages of both lists. A page is one scalar: a JSON array of its edges.
///
/// Each table is read only inside `LIMIT`, between two bounds of its page index, so a page
/// costs what it returns, however long the list is. `LIMIT $2 + 0` is explained in
/// [`sqlite`](crate::store::sqlite).
macro_rules! pages_of_follows {
    ($visible:tt) => {
        concat! {
            "WITH k AS MATERIALIZED ( ",
              "SELECT key AS n, value ->> 0 AS owner, value ->> 1 AS ascending, ",
                     "value ->> 2 AS low_at, value ->> 3 AS low_id, value ->> 4 AS probe_low, ",
                     "value ->> 5 AS high_at, value ->> 6 AS high_id, value ->> 7 AS probe_high, ",
                     "value ->> 8 AS of_followers, value ->> 9 AS viewer, value ->> 10 AS rule ",
              "FROM json_each($1)), ",
            "l AS MATERIALIZED ( ",
              "SELECT k.*, c.followers, c.following, c.privacy, ",
                      follows_owner!("k.viewer"), " AS follows ",
              "FROM k CROSS JOIN follow_counts c ON c.user_id = k.owner) ",
            "SELECT k.n, k.followers, k.following, k.privacy, k.follows, ",
                    list_is_seen!(), " AND ",
                    of_list!(probe, $visible, "k.probe_low", "<= (k.low_at, k.low_id)"), ", ",
                    list_is_seen!(), " AND ",
                    of_list!(probe, $visible, "k.probe_high", ">= (k.high_at, k.high_id)"), ", ",
                   "CASE WHEN NOT ", list_is_seen!(), " THEN '[]' ",
                        "WHEN k.ascending THEN ", of_list!(page, $visible, "ASC"),
                        " ELSE ", of_list!(page, $visible, "DESC"), " END ",
            "FROM l k"
        }
    };
}

/// Whether the reader of a key sees its list.
macro_rules! list_is_seen {
    () => {
        sees!("k.rule", "k.privacy", " >> (2 - 2 * k.of_followers)", "k.follows")
    };
}

/// What is asked of the list of a key.
macro_rules! of_list {
    ($what:ident, $($rest:tt),+) => {
        concat! {
            "CASE WHEN k.of_followers ",
                 "THEN ", $what!("followers", "followee_id", "follower_id", $($rest),+),
                 " ELSE ", $what!("follows", "follower_id", "followee_id", $($rest),+), " END"
        }
    };
}

/// The condition on the user at the other end: that they do not block the reader.
macro_rules! and_visible {
    ($other:literal, ()) => {
        ""
    };
    ($other:literal, ($viewer:literal)) => {
        concat!(" AND ", visible!($other, $viewer))
    };
}

/// Whether an edge lies at a bound or beyond it.
macro_rules! probe {
    (
        $edges:literal, $owner:literal, $other:literal, $visible:tt,
        $is_asked:literal, $beyond:literal
    ) => {
        concat! {
            "(", $is_asked, " AND EXISTS ( ",
              "SELECT 1 FROM ", $edges, " WHERE ", $owner, " = k.owner ",
              "AND (followed_at, ", $other, ") ", $beyond, and_visible!($other, $visible), "))"
        }
    };
}

/// The edges between the bounds.
macro_rules! page {
    ($edges:literal, $owner:literal, $other:literal, $visible:tt, $order:literal) => {
        concat! {
            "(SELECT json_group_array(json_array(e.followed_at, e.other)) ",
             "FROM (SELECT followed_at, ", $other, " AS other FROM ", $edges,
                   " WHERE ", $owner, " = k.owner ",
                   "AND (followed_at, ", $other, ") > (k.low_at, k.low_id) ",
                   "AND (followed_at, ", $other, ") < (k.high_at, k.high_id)",
                   and_visible!($other, $visible),
                   " ORDER BY followed_at ", $order, ", ", $other, " ", $order,
                   " LIMIT $2 + 0) e)"
        }
    };
}

statements! {
    PAGES = pages_of_follows!(());
    // The same without the users who block $3.
    PAGES_VISIBLE = pages_of_follows!(("$3"));
}

/// Pages, for at least one key, without the users who block the viewer.
pub(crate) async fn any(
    connection: &mut SqliteConnection,
    keys: &[FollowPageKey],
    viewer: Option<UserId>,
) -> sqlx::Result<HashMap<FollowPageKey, FollowPage>> {
    let numbers = json(&keys.iter().map(numbers).collect::<Vec<_>>());
    let query = query(if viewer.is_some() { PAGES_VISIBLE } else { PAGES });
    let query = query.bind(numbers).bind(pages::fetch(keys));
    let query = if let Some(viewer) = viewer { query.bind(viewer.0) } else { query };
    let rows = query.fetch_all(connection).await?;

    let mut found = HashMap::with_capacity(rows.len());
    for row in &rows {
        let n: i64 = row.try_get(0)?;
        let key = usize::try_from(n).ok().and_then(|n| keys.get(n));
        let key = key.ok_or_else(|| sqlx::Error::Decode(format!("no key {n}").into()))?;
        let counts = FollowCounts { followers: row.try_get(1)?, following: row.try_get(2)? };
        let privacy = Privacy::from_bits(row.try_get(3)?);
        let lists = SeenLists::new(counts, privacy, key.reader, row.try_get(4)?);
        let outside = Outside { below: row.try_get(5)?, above: row.try_get(6)? };
        let edges: Vec<(i64, i64)> = serde_json::from_str(row.try_get(7)?)
            .map_err(|error| sqlx::Error::Decode(error.into()))?;
        let item = |(followed_at, user)| {
            Ok(FollowItem { user: UserId(user), followed_at: time(followed_at)? })
        };
        let items = edges.into_iter().map(item).collect::<sqlx::Result<_>>()?;
        found.insert(*key, pages::follow_page(key, lists, items, outside));
    }
    Ok(found)
}

/// A key as the statement reads it: as numbers.
fn numbers(key: &FollowPageKey) -> [i64; 11] {
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
        pages::viewer_of(key.reader),
        key.reader.rule(),
    ]
}
