//! Pages of follows.
//!
//! A row holds the edges of a page as arrays, which decode many times faster than a row for each
//! edge. The users on the edges come along, or their ids alone.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use smol_str::SmolStr;
use sqlx::{
    PgExecutor, Postgres, Row,
    postgres::{PgArguments, PgRow},
    query::Query,
};

use super::arrays;
use crate::{
    domain::{
        Direction, FollowCounts, FollowItem, FollowPage, FollowPageKey, Identified, OrderDirection,
        Outside, User, UserId,
    },
    store::pages::{self, Shape},
};

/// Any pages: a row for each.
macro_rules! any_pages {
    (of_both, $users:ident) => {
        concat!(any_pages!(of_followers, $users), " UNION ALL ", any_pages!(of_following, $users))
    };
    (of_followers, $users:ident) => {
        any_follows!("followers", "followee_id", "follower_id", "k.of_followers", $users)
    };
    (of_following, $users:ident) => {
        any_follows!("follows", "follower_id", "followee_id", "NOT k.of_followers", $users)
    };
}

/// Any pages of one edge table: a row for each key.
///
/// The table is read only inside `LIMIT`, between two bounds that its page index knows, so a
/// page costs what it holds, however long the list is. The two orders are two scans, of which
/// one is closed by its gate.
macro_rules! any_follows {
    ($edges:literal, $owner:literal, $other:literal, $is_of_it:literal, $users:ident) => {
        concat!(
            "SELECT k.n, c.followers, c.following, low.found, high.found, \
                    coalesce(up.times, down.times), coalesce(up.ids, down.ids)",
            $users!(of_either_scan),
            " FROM follow_counts c \
             JOIN unnest($1::bigint[], $2::bigint[], $4::timestamptz[], $5::bigint[], \
                         $6::timestamptz[], $7::bigint[], \
                         $8::boolean[], $9::boolean[], $10::boolean[], $11::boolean[]) \
                  AS k (owner, n, low_at, low_id, high_at, high_id, of_followers, \
                        ascending, probe_low, probe_high) ON k.owner = c.user_id \
             LEFT JOIN LATERAL ",
            scan!($edges, $owner, $other, $users, "k.ascending AND", "ASC"),
            " up ON true LEFT JOIN LATERAL ",
            scan!($edges, $owner, $other, $users, "NOT k.ascending AND", "DESC"),
            " down ON true LEFT JOIN LATERAL ",
            probe!($edges, $owner, $other, "k.probe_low", "<= (k.low_at, k.low_id)"),
            " low ON true LEFT JOIN LATERAL ",
            probe!($edges, $owner, $other, "k.probe_high", ">= (k.high_at, k.high_id)"),
            " high ON true WHERE c.user_id = ANY($1) AND ",
            $is_of_it
        )
    };
}

/// Pages that all go from newer to older follows, without a probe, where the server is one place.
/// Those that begin with the newest follow have no bounds, and a row for both lists of a user; they
/// cost two thirds of the rest.
macro_rules! older_pages {
    ($lists:ident, $users:ident, $between:ident) => {
        concat!(
            "SELECT k.n, c.followers, c.following",
            $lists!(columns, $users),
            " FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::boolean[]",
            $between!(arrays),
            ") WITH ORDINALITY AS k (owner, followers, following, times",
            $between!(columns),
            ", n) JOIN follow_counts c ON c.user_id = k.owner",
            $lists!(edges, $users, $between),
        )
    };
}

/// The lists that pages are of, wherever a statement names them.
macro_rules! of_followers {
    (columns, $users:ident) => {
        concat!(", a.times, a.ids", $users!(of_followers))
    };
    (edges, $users:ident, $between:ident) => {
        concat!(
            " CROSS JOIN LATERAL ",
            older_follows!("followers", "followee_id", "follower_id", $users, $between),
            " a"
        )
    };
}

macro_rules! of_following {
    (columns, $users:ident) => {
        concat!(", b.times, b.ids", $users!(of_following))
    };
    (edges, $users:ident, $between:ident) => {
        concat!(
            " CROSS JOIN LATERAL ",
            older_follows!("follows", "follower_id", "followee_id", $users, $between),
            " b"
        )
    };
}

macro_rules! of_both {
    ($($more:tt),+) => {
        concat!(of_followers!($($more),+), of_following!($($more),+))
    };
}

/// The edges of one page, as arrays. Of a list that no page is asked of it reads nothing.
macro_rules! older_follows {
    ($edges:tt, $owner:literal, $other:literal, $users:ident, $between:ident) => {
        concat!(
            "(SELECT array_agg(p.followed_at)",
            $users!(where_times),
            " AS times, array_agg(p.other) AS ids",
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
            " DESC LIMIT ",
            rows_of!($edges),
            ") p",
            $users!(join),
            ")"
        )
    };
}

/// How many rows are read of an edge table.
macro_rules! rows_of {
    ("followers") => {
        "k.followers"
    };
    ("follows") => {
        "k.following"
    };
}

/// From one follow to another, wherever a statement names them.
macro_rules! between_bounds {
    (arrays) => {
        ", $5::timestamptz[], $6::bigint[], $7::timestamptz[], $8::bigint[]"
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
    (of_followers) => {
        ", a.usernames, a.names, a.bios, a.avatar_urls, a.ages"
    };
    (of_following) => {
        ", b.usernames, b.names, b.bios, b.avatar_urls, b.ages"
    };
    // A join may lose the order of the edges, and then their times tell it.
    (where_times) => {
        ""
    };
    (of_either_scan) => {
        ", coalesce(up.usernames, down.usernames), coalesce(up.names, down.names), \
         coalesce(up.bios, down.bios), coalesce(up.avatar_urls, down.avatar_urls), \
         coalesce(up.ages, down.ages)"
    };
}

/// No users: their ids are on the edges.
macro_rules! with_ids {
    (where_times) => {
        " FILTER (WHERE k.times)"
    };
    ($place:ident) => {
        ""
    };
}

statements! {
    ANY = any_pages!(of_both, with_users);
    ANY_FOLLOWERS = any_pages!(of_followers, with_users);
    ANY_FOLLOWING = any_pages!(of_following, with_users);
    OLDER = older_pages!(of_both, with_users, between_bounds);
    OLDER_FOLLOWERS = older_pages!(of_followers, with_users, between_bounds);
    OLDER_FOLLOWING = older_pages!(of_following, with_users, between_bounds);
    NEWEST = older_pages!(of_both, with_users, from_the_newest);
    NEWEST_FOLLOWERS = older_pages!(of_followers, with_users, from_the_newest);
    NEWEST_FOLLOWING = older_pages!(of_following, with_users, from_the_newest);
    ANY_IDS = any_pages!(of_both, with_ids);
    ANY_FOLLOWER_IDS = any_pages!(of_followers, with_ids);
    ANY_FOLLOWING_IDS = any_pages!(of_following, with_ids);
    OLDER_IDS = older_pages!(of_both, with_ids, between_bounds);
    OLDER_FOLLOWER_IDS = older_pages!(of_followers, with_ids, between_bounds);
    OLDER_FOLLOWING_IDS = older_pages!(of_following, with_ids, between_bounds);
    NEWEST_IDS = older_pages!(of_both, with_ids, from_the_newest);
    NEWEST_FOLLOWER_IDS = older_pages!(of_followers, with_ids, from_the_newest);
    NEWEST_FOLLOWING_IDS = older_pages!(of_following, with_ids, from_the_newest);
}

/// The statements of pages: for both lists, for followers and for following.
struct Statements {
    any: [&'static str; 3],
    older: [&'static str; 3],
    newest: [&'static str; 3],
    /// How many columns the edges of a page take.
    columns: usize,
}

const WITH_USERS: Statements = Statements {
    any: [ANY, ANY_FOLLOWERS, ANY_FOLLOWING],
    older: [OLDER, OLDER_FOLLOWERS, OLDER_FOLLOWING],
    newest: [NEWEST, NEWEST_FOLLOWERS, NEWEST_FOLLOWING],
    columns: 7,
};

const WITH_IDS: Statements = Statements {
    any: [ANY_IDS, ANY_FOLLOWER_IDS, ANY_FOLLOWING_IDS],
    older: [OLDER_IDS, OLDER_FOLLOWER_IDS, OLDER_FOLLOWING_IDS],
    newest: [NEWEST_IDS, NEWEST_FOLLOWER_IDS, NEWEST_FOLLOWING_IDS],
    columns: 2,
};

/// Pages, with the users on the edges.
pub(super) async fn find(
    connection: impl PgExecutor<'_>,
    in_one_place: bool,
    keys: &[FollowPageKey],
) -> sqlx::Result<HashMap<FollowPageKey, FollowPage>> {
    let mut users = HashMap::new();
    let read = |row: &_, first| items(row, first, &mut users);
    fetch(connection, in_one_place, &WITH_USERS, keys, read).await
}

/// The same with the ids of the users.
pub(super) async fn find_ids(
    connection: impl PgExecutor<'_>,
    in_one_place: bool,
    keys: &[FollowPageKey],
) -> sqlx::Result<HashMap<FollowPageKey, FollowPage<UserId>>> {
    fetch(connection, in_one_place, &WITH_IDS, keys, items_of_ids).await
}

/// Whether pages may share a statement with those of others, which reads as much of each list as
/// the largest page among them.
pub(super) fn may_gather(keys: &[FollowPageKey]) -> bool {
    pages::shape(keys) != Shape::Any && pages::are_small(keys)
}

/// What a statement is asked.
struct Question<'k> {
    shape: Shape,
    /// The one list that all pages are of; `None` where they are of both.
    list: Option<Direction>,
    keys: &'k [FollowPageKey],
}

impl<'k> Question<'k> {
    fn new(in_one_place: bool, keys: &'k [FollowPageKey]) -> Self {
        let shape = if in_one_place { pages::shape(keys) } else { Shape::Any };
        let mut lists = keys.iter().map(|key| key.direction);
        let list = lists.next().filter(|first| lists.all(|list| list == *first));
        Self { shape, list, keys }
    }

    /// What each row is asked for.
    fn rows(&self) -> Vec<Asked<'k>> {
        match self.shape {
            Shape::Newest => Asked::of_users(self.keys),
            Shape::Older | Shape::Any => Asked::one_by_one(self.keys),
        }
    }

    fn ask(&self, statements: &Statements, rows: &[Asked<'_>]) -> PgQuery {
        let of_list = |[both, followers, following]: [&'static str; 3]| match self.list {
            None => both,
            Some(Direction::Followers) => followers,
            Some(Direction::Following) => following,
        };
        match self.shape {
            Shape::Newest => ask_older(of_list(statements.newest), rows),
            Shape::Older => ask_bounds(ask_older(of_list(statements.older), rows), self.keys),
            Shape::Any => ask_any(of_list(statements.any), self.keys),
        }
    }

    /// The column with which the edges of a page begin.
    fn column(&self, statements: &Statements, list: Direction) -> usize {
        match self.shape {
            Shape::Any => 5,
            Shape::Newest | Shape::Older if self.list.is_none() && list == Direction::Following => {
                3 + statements.columns
            }
            Shape::Newest | Shape::Older => 3,
        }
    }
}

type PgQuery = Query<'static, Postgres, PgArguments>;

/// Asks for pages. `read` reads the edges that begin with a column.
async fn fetch<U: Identified>(
    connection: impl PgExecutor<'_>,
    in_one_place: bool,
    statements: &Statements,
    keys: &[FollowPageKey],
    mut read: impl FnMut(&PgRow, usize) -> sqlx::Result<Vec<FollowItem<U>>>,
) -> sqlx::Result<HashMap<FollowPageKey, FollowPage<U>>> {
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let question = Question::new(in_one_place, keys);
    let asked = question.rows();
    let rows = question.ask(statements, &asked).fetch_all(connection).await?;

    let mut found = HashMap::with_capacity(keys.len());
    for row in &rows {
        let n: i64 = row.try_get(0)?;
        let asked = usize::try_from(n - 1).ok().and_then(|n| asked.get(n));
        let asked = asked.ok_or_else(|| sqlx::Error::Decode(format!("no row {n}").into()))?;
        let counts = FollowCounts { followers: row.try_get(1)?, following: row.try_get(2)? };
        let outside = if question.shape == Shape::Any {
            let lies = |n| row.try_get(n).map(|lies: Option<bool>| lies.unwrap_or(false));
            Outside { below: lies(3)?, above: lies(4)? }
        } else {
            Outside::default()
        };
        for key in asked.keys() {
            let items = read(row, question.column(statements, key.direction))?;
            found.insert(*key, pages::follow_page(key, counts, items, outside));
        }
    }
    Ok(found)
}

/// What a row is asked for: pages of the lists of one user.
#[derive(Clone, Copy, Debug, Default)]
struct Asked<'k> {
    followers: Option<&'k FollowPageKey>,
    following: Option<&'k FollowPageKey>,
}

impl<'k> Asked<'k> {
    /// A row for each page.
    fn one_by_one(keys: &'k [FollowPageKey]) -> Vec<Self> {
        let alone = |key| {
            let mut asked = Self::default();
            *asked.place_of(key) = Some(key);
            asked
        };
        keys.iter().map(alone).collect()
    }

    /// A row for each user, and more of those of whom more than one page of a list is asked.
    fn of_users(keys: &'k [FollowPageKey]) -> Vec<Self> {
        let (mut rows, mut last) = (Vec::<Self>::with_capacity(keys.len()), HashMap::new());
        for key in keys {
            let row = last.entry(key.user).or_insert(rows.len());
            if rows.get_mut(*row).is_none_or(|row| row.place_of(key).is_some()) {
                *row = rows.len();
                rows.push(Self::default());
            }
            *rows[*row].place_of(key) = Some(key);
        }
        rows
    }

    const fn place_of(&mut self, key: &FollowPageKey) -> &mut Option<&'k FollowPageKey> {
        match key.direction {
            Direction::Followers => &mut self.followers,
            Direction::Following => &mut self.following,
        }
    }

    fn keys(&self) -> impl Iterator<Item = &'k FollowPageKey> {
        self.followers.into_iter().chain(self.following)
    }
}

/// Asks for pages from newer to older follows.
fn ask_older(sql: &'static str, rows: &[Asked<'_>]) -> PgQuery {
    let owner = |row: &Asked<'_>| row.keys().map(|key| key.user.0).next();
    let fetch = |key: Option<&FollowPageKey>| key.map_or(0, |key| i64::from(key.request.fetch()));
    sqlx::query(sql)
        .bind(rows.iter().map(owner).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| fetch(row.followers)).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| fetch(row.following)).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.keys().any(|key| key.wants_times)).collect::<Vec<_>>())
}

/// Asks for pages in any direction, and what to find out beside them.
fn ask_any(sql: &'static str, keys: &[FollowPageKey]) -> PgQuery {
    let query = sqlx::query(sql)
        .bind(keys.iter().map(|key| key.user.0).collect::<Vec<_>>())
        .bind((1..).take(keys.len()).collect::<Vec<i64>>())
        .bind(pages::fetch(keys));
    let bounds: Vec<_> = keys.iter().map(|key| pages::follow_bounds(&key.request)).collect();
    let is_ascending = |key: &FollowPageKey| key.request.scan() == OrderDirection::Asc;
    let is_of_followers = |key: &FollowPageKey| key.direction == Direction::Followers;
    ask_bounds(query, keys)
        .bind(keys.iter().map(is_of_followers).collect::<Vec<_>>())
        .bind(keys.iter().map(is_ascending).collect::<Vec<_>>())
        .bind(bounds.iter().map(|b| b.probe_low).collect::<Vec<_>>())
        .bind(bounds.iter().map(|b| b.probe_high).collect::<Vec<_>>())
}

/// Tells the bounds of pages.
fn ask_bounds(query: PgQuery, keys: &[FollowPageKey]) -> PgQuery {
    let bounds: Vec<_> = keys.iter().map(|key| pages::follow_bounds(&key.request)).collect();
    query
        .bind(bounds.iter().map(|b| b.low.0).collect::<Vec<_>>())
        .bind(bounds.iter().map(|b| b.low.1.0).collect::<Vec<_>>())
        .bind(bounds.iter().map(|b| b.high.0).collect::<Vec<_>>())
        .bind(bounds.iter().map(|b| b.high.1.0).collect::<Vec<_>>())
}

/// A column of a page: one value an edge.
fn column<'r, T>(row: &'r PgRow, index: usize) -> sqlx::Result<Vec<T>>
where
    Option<Vec<T>>: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    Ok(row.try_get::<Option<Vec<T>>, _>(index)?.unwrap_or_default())
}

/// The edges with the ids of their users, and when they began if the row tells it.
fn items_of_ids(row: &PgRow, first: usize) -> sqlx::Result<Vec<FollowItem<UserId>>> {
    let mut times = arrays::of_times(row, first)?;
    let ids = arrays::of_numbers(row, first + 1)?;
    let mut items = Vec::with_capacity(ids.len());
    for id in ids {
        items.push(FollowItem { user: UserId(id?), followed_at: times.next().transpose()? });
    }
    Ok(items)
}

/// The edges with their users. A user who is on several pages of the batch is kept once.
fn items(
    row: &PgRow,
    first: usize,
    users: &mut HashMap<UserId, Arc<User>>,
) -> sqlx::Result<Vec<FollowItem>> {
    let mut usernames = column::<String>(row, first + 2)?.into_iter();
    let mut names = column::<Option<String>>(row, first + 3)?.into_iter();
    let mut bios = column::<Option<String>>(row, first + 4)?.into_iter();
    let mut avatar_urls = column::<Option<String>>(row, first + 5)?.into_iter();
    let mut ages = column::<DateTime<Utc>>(row, first + 6)?.into_iter();

    let mut next_user = |id| {
        Some(User {
            id,
            username: usernames.next()?.into(),
            name: names.next()?.map(SmolStr::from),
            bio: bios.next()?,
            avatar_url: avatar_urls.next()?,
            created_at: ages.next()?,
        })
    };
    let with_user = |FollowItem { user: id, followed_at }| {
        let user = next_user(id)
            .ok_or_else(|| sqlx::Error::Decode("the columns of a page differ in length".into()))?;
        let user = match users.entry(id) {
            Entry::Occupied(known) => Arc::clone(known.get()),
            Entry::Vacant(place) => Arc::clone(place.insert(Arc::new(user))),
        };
        Ok(FollowItem { user, followed_at })
    };
    items_of_ids(row, first)?.into_iter().map(with_user).collect()
}
