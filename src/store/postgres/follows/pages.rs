//! Pages of follows, many in one statement.
//!
//! A row of an answer is about one owner and two bounds. It holds the counts, and for each scan of
//! a list of the owner what it found between the bounds, in one value or two, which decode many
//! times faster than a row for each edge. There are two kinds of statements:
//! - [`NEWEST`] and, below an upper bound, [`OLDER`] scan from newer to older follows, as nearly all
//!   pages do. They take a third of the time, but need a server that is not distributed. A scan is
//!   one column of bytes.
//! - [`ANY`] and, for a reader whom others block, [`ANY_VISIBLE`] also scan from older to newer
//!   follows and have lower bounds. They run everywhere. A scan is two columns of arrays.
//!
//! A scan of a list that the reader does not see has a limit of 0.
//!
//! Whether a list goes on beyond a bound is a scan of its own, of one edge.

use std::{collections::HashMap, ops::Range};

use chrono::TimeDelta;
use foldhash::fast::RandomState;
use sqlx::{
    PgExecutor, Postgres, Row,
    postgres::{PgArguments, PgRow},
    query::Query,
};

use super::follows_owner;
use crate::{
    domain::{
        FollowCounts, FollowItem, FollowList, FollowPage, FollowPageKey, ListReader,
        OrderDirection, Outside, Privacy, SeenLists, UserId,
    },
    store::{
        pages::{self, ENDS, Position},
        postgres::arrays,
        sql::{sees, visible},
        statement::query,
    },
};

/// A scan of one list, as bytes. An index holds the whole edge, and the scan stops after `LIMIT`
/// edges, so it costs what it returns, however long the list is. With a limit of 0 it never starts.
///
/// An edge is 16 bytes, the time first. PostgreSQL makes and sends bytes in less time than elements
/// of arrays: with two arrays for each list instead, pages of ten edges take a sixth more time.
///
/// Limits and bounds are looked up in their arrays by the number of the row, which costs less than
/// a table that is made of them. An aggregate takes the rows of a subquery in their order, as
/// PostgreSQL documents.
macro_rules! newest_scan {
    (
        $name:literal, $edges:literal, $owner:literal, $other:literal, $setting:literal,
        $limits:literal, $bound:tt
    ) => {
        concat! {
            " CROSS JOIN LATERAL ( ",
              "SELECT string_agg(timestamptz_send(p.followed_at) || int8send(p.other), '') ",
                     "AS edges ",
              "FROM (SELECT e.followed_at, e.", $other, " AS other FROM ", $edges, " e ",
                    "WHERE e.", $owner, " = c.user_id ", upper_bound!($other, $bound),
                    "ORDER BY e.followed_at DESC, e.", $other, " DESC ",
                    "LIMIT (", $limits, "::bigint[])[k.n::int] * ",
                    sees!("($3::bigint[])[k.n::int]", "c.privacy", $setting, "s.follows"),
              ") p) ", $name
        }
    };
}

/// The condition of a scan that begins at a bound, whose times and ids are these parameters. A page
/// that begins with the newest follow does without, which takes a tenth less time.
macro_rules! upper_bound {
    ($other:literal, ()) => {
        ""
    };
    ($other:literal, ($times:literal, $ids:literal)) => {
        concat! {
            "AND (e.followed_at, e.", $other, ") ",
               "< ((", $times, "::timestamptz[])[k.n::int], (", $ids, "::bigint[])[k.n::int]) "
        }
    };
}

/// The same for a distributed engine: it asks only the shards of the owners that each scan names
/// by `ANY`, and aggregates where the rows are only if they are grouped by the owner. The grouping
/// loses the order of the edges.
macro_rules! any_scan {
    (
        $name:literal, $edges:literal, $owner:literal, $other:literal, $setting:literal,
        $order:literal, $limit:literal, $visible:expr
    ) => {
        concat! {
            " LEFT JOIN LATERAL ( ",
              "SELECT array_agg(p.followed_at) AS times, array_agg(p.other) AS ids ",
              "FROM (SELECT e.", $owner, " AS owner, e.followed_at, e.", $other, " AS other ",
                    "FROM ", $edges, " e ",
                    "WHERE e.", $owner, " = c.user_id AND e.", $owner, " = ANY($1) ",
                    "AND (e.followed_at, e.", $other, ") > (k.low_at, k.low_id) ",
                    "AND (e.followed_at, e.", $other, ") < (k.high_at, k.high_id) ", $visible,
                    "ORDER BY e.followed_at ", $order, ", e.", $other, " ", $order,
                    " LIMIT ", $limit, " * ", sees!("k.rule", "c.privacy", $setting, "s.follows"),
              ") p GROUP BY p.owner) ", $name, " ON true"
        }
    };
}

/// Whether the reader of a row follows the owner, computed once: OFFSET keeps the planner from
/// copying it to each use.
macro_rules! reader_follows {
    ($viewer:literal) => {
        concat!(" CROSS JOIN LATERAL (SELECT ", follows_owner!($viewer), " AS follows OFFSET 0) s")
    };
}

/// Pages from newer to older follows, of the lists whose columns are named.
macro_rules! newest_pages {
    ($columns:literal) => {
        concat! {
            "SELECT k.n, c.followers, c.following, c.privacy, s.follows, ", $columns,
            " FROM unnest($1::bigint[]) WITH ORDINALITY AS k (owner, n) ",
            "JOIN follow_counts c ON c.user_id = k.owner",
            reader_follows!("($2::bigint[])[k.n::int]")
        }
    };
}

macro_rules! newest_of_both {
    ($bound:tt) => {
        concat!(
            newest_pages!("a.edges, b.edges"),
            newest_scan!("a", "followers", "followee_id", "follower_id", "", "$4", $bound),
            newest_scan!("b", "follows", "follower_id", "followee_id", " >> 2", "$5", $bound),
        )
    };
}

/// A scan that never starts costs a quarter of one that does, so pages of one list have texts of
/// their own.
macro_rules! newest_followers {
    ($bound:tt) => {
        concat!(
            newest_pages!("a.edges"),
            newest_scan!("a", "followers", "followee_id", "follower_id", "", "$4", $bound),
        )
    };
}

macro_rules! newest_following {
    ($bound:tt) => {
        concat!(
            newest_pages!("b.edges"),
            newest_scan!("b", "follows", "follower_id", "followee_id", " >> 2", "$4", $bound),
        )
    };
}

macro_rules! any_pages {
    ($visible_follower:expr, $visible_followee:expr) => {
        concat! {
            "SELECT k.n, c.followers, c.following, c.privacy, s.follows, ",
                   "a.times, a.ids, b.times, b.ids, x.times, x.ids, y.times, y.ids ",
            "FROM follow_counts c ",
            "JOIN unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], ",
                        "$6::bigint[], $7::bigint[], $8::timestamptz[], $9::bigint[], ",
                        "$10::timestamptz[], $11::bigint[], $12::bigint[]) ",
                 "AS k (owner, viewer, rule, newest_followers, newest_following, ",
                       "oldest_followers, oldest_following, high_at, high_id, low_at, low_id, n) ",
              "ON k.owner = c.user_id",
            reader_follows!("k.viewer"),
            any_scan!("a", "followers", "followee_id", "follower_id", "", "DESC",
                      "k.newest_followers", $visible_follower),
            any_scan!("b", "follows", "follower_id", "followee_id", " >> 2", "DESC",
                      "k.newest_following", $visible_followee),
            any_scan!("x", "followers", "followee_id", "follower_id", "", "ASC",
                      "k.oldest_followers", $visible_follower),
            any_scan!("y", "follows", "follower_id", "followee_id", " >> 2", "ASC",
                      "k.oldest_following", $visible_followee),
            " WHERE c.user_id = ANY($1)"
        }
    };
}

statements! {
    NEWEST = newest_of_both!(());
    NEWEST_FOLLOWERS = newest_followers!(());
    NEWEST_FOLLOWING = newest_following!(());
    OLDER = newest_of_both!(("$6", "$7"));
    OLDER_FOLLOWERS = newest_followers!(("$5", "$6"));
    OLDER_FOLLOWING = newest_following!(("$5", "$6"));
    ANY = any_pages!("", "");
    ANY_VISIBLE = any_pages!(
        concat!("AND ", visible!("e.follower_id", "$13"), " "),
        concat!("AND ", visible!("e.followee_id", "$13"), " ")
    );
}

type PgQuery = Query<'static, Postgres, PgArguments>;

/// The scans of a row, in the order of their columns. See [`place`].
const SCANS: usize = 4;

/// The columns before the first scan.
const ROW_COLUMNS: usize = 5;

/// What one row of an answer is about. The bounds are exclusive.
struct RowKey {
    owner: UserId,
    reader: ListReader,
    low: Position,
    high: Position,
    scans: [Option<Scan>; SCANS],
}

/// A scan for a page, which is named by the place of its key in the batch.
#[derive(Clone, Copy)]
struct Scan {
    key: usize,
    limit: u32,
    purpose: Purpose,
}

#[derive(Clone, Copy)]
enum Purpose {
    Items,
    /// Whether an edge lies at the lower bound of the page or below it.
    Below,
    /// Whether an edge lies at the upper bound of the page or above it.
    Above,
}

/// Whether [`newest`] can find a page.
pub(crate) fn is_newest_first(key: &FollowPageKey) -> bool {
    let request = &key.request;
    request.scan() == OrderDirection::Desc
        && request.bounds().0.is_none()
        && request.probes() == (false, false)
}

/// Pages that [go from newer to older follows](is_newest_first), without a lower bound.
pub(crate) async fn newest(
    connection: impl PgExecutor<'_>,
    keys: &[FollowPageKey],
) -> sqlx::Result<HashMap<FollowPageKey, FollowPage>> {
    let has = |list| keys.iter().any(|key| key.list == list);
    let is_bounded = keys.iter().any(|key| key.request.bounds().1.is_some());
    let ([newest, older], scans) = match (has(FollowList::Followers), has(FollowList::Following)) {
        (true, true) => ([NEWEST, OLDER], 0..2),
        (true, false) => ([NEWEST_FOLLOWERS, OLDER_FOLLOWERS], 0..1),
        (false, _) => ([NEWEST_FOLLOWING, OLDER_FOLLOWING], 1..2),
    };
    let row_keys = row_keys(keys);
    let query = ask(if is_bounded { older } else { newest }, &row_keys, &scans);
    let query = if is_bounded { bind_upper_bounds(query, &row_keys) } else { query };
    read(keys, &row_keys, &query.fetch_all(connection).await?, &scans, items_of_bytes)
}

/// Pages of any kind, without the users who block the viewer.
pub(crate) async fn any(
    connection: impl PgExecutor<'_>,
    keys: &[FollowPageKey],
    viewer: Option<UserId>,
) -> sqlx::Result<HashMap<FollowPageKey, FollowPage>> {
    let (row_keys, scans) = (row_keys(keys), 0..SCANS);
    let sql = if viewer.is_some() { ANY_VISIBLE } else { ANY };
    let query = bind_upper_bounds(ask(sql, &row_keys, &scans), &row_keys)
        .bind(column(&row_keys, |row| row.low.0))
        .bind(column(&row_keys, |row| row.low.1.0))
        .bind((1..).take(row_keys.len()).collect::<Vec<i64>>());
    let query = if let Some(viewer) = viewer { query.bind(viewer.0) } else { query };
    read(keys, &row_keys, &query.fetch_all(connection).await?, &scans, items_of_arrays)
}

/// Binds what all statements have: owners, readers with their rules, and for each of the scans how
/// many edges each row wants.
fn ask(sql: &'static str, row_keys: &[RowKey], scans: &Range<usize>) -> PgQuery {
    let query = query(sql)
        .bind(column(row_keys, |row| row.owner.0))
        .bind(column(row_keys, |row| pages::viewer_of(row.reader)))
        .bind(column(row_keys, |row| row.reader.rule()));
    scans.clone().fold(query, |query, place| {
        let limit = |row: &RowKey| row.scans[place].map_or(0, |scan| i64::from(scan.limit));
        query.bind(column(row_keys, limit))
    })
}

fn bind_upper_bounds(query: PgQuery, row_keys: &[RowKey]) -> PgQuery {
    query.bind(column(row_keys, |row| row.high.0)).bind(column(row_keys, |row| row.high.1.0))
}

fn column<T>(row_keys: &[RowKey], value: impl Fn(&RowKey) -> T) -> Vec<T> {
    row_keys.iter().map(value).collect()
}

/// The rows to ask for: as few as possible, so both lists of an owner share one.
fn row_keys(keys: &[FollowPageKey]) -> Vec<RowKey> {
    let mut row_keys = Vec::<RowKey>::with_capacity(keys.len());
    let mut last = HashMap::<_, usize, RandomState>::default();
    let mut add = |owner: UserId, reader, (low, high), scan: Scan, place: usize| {
        let row = last.entry((owner, reader, low, high)).or_insert(usize::MAX);
        // Two pages of one list need a row each.
        if row_keys.get(*row).is_none_or(|row| row.scans[place].is_some()) {
            *row = row_keys.len();
            row_keys.push(RowKey { owner, reader, low, high, scans: [None; SCANS] });
        }
        row_keys[*row].scans[place] = Some(scan);
    };
    for (key, FollowPageKey { user, list, reader, request }) in keys.iter().enumerate() {
        let bounds = pages::follow_bounds(request);
        let limit = request.fetch();
        let items = Scan { key, limit, purpose: Purpose::Items };
        add(*user, *reader, (bounds.low, bounds.high), items, place(*list, request.scan()));
        if bounds.probe_low {
            let below = Scan { key, limit: 1, purpose: Purpose::Below };
            let place = place(*list, OrderDirection::Desc);
            add(*user, *reader, (ENDS.0, after(bounds.low)), below, place);
        }
        if bounds.probe_high {
            let above = Scan { key, limit: 1, purpose: Purpose::Above };
            let place = place(*list, OrderDirection::Asc);
            add(*user, *reader, (before(bounds.high), ENDS.1), above, place);
        }
    }
    row_keys
}

/// Which of the scans of a row.
const fn place(list: FollowList, direction: OrderDirection) -> usize {
    match (direction, list) {
        (OrderDirection::Desc, FollowList::Followers) => 0,
        (OrderDirection::Desc, FollowList::Following) => 1,
        (OrderDirection::Asc, FollowList::Followers) => 2,
        (OrderDirection::Asc, FollowList::Following) => 3,
    }
}

/// The next position: an exclusive upper bound that lets this one through.
fn after((time, user): Position) -> Position {
    match user.0.checked_add(1) {
        Some(id) => (time, UserId(id)),
        None => (time + TimeDelta::microseconds(1), UserId::MIN),
    }
}

/// The previous position: an exclusive lower bound that lets this one through.
fn before((time, user): Position) -> Position {
    match user.0.checked_sub(1) {
        Some(id) => (time, UserId(id)),
        None => (time - TimeDelta::microseconds(1), UserId::MAX),
    }
}

/// The pages, from the rows of those owners who exist. `items` reads a scan of a row.
fn read(
    keys: &[FollowPageKey],
    row_keys: &[RowKey],
    rows: &[PgRow],
    scans: &Range<usize>,
    items: fn(&PgRow, usize) -> sqlx::Result<Vec<FollowItem>>,
) -> sqlx::Result<HashMap<FollowPageKey, FollowPage>> {
    let mut found = vec![None; keys.len()];
    let mut outside = vec![Outside::default(); keys.len()];
    for row in rows {
        let number = |column| arrays::number(row, column);
        let n = number(0)?;
        let row_key = usize::try_from(n - 1).ok().and_then(|n| row_keys.get(n));
        let row_key = row_key.ok_or_else(|| sqlx::Error::Decode(format!("row {n}").into()))?;
        let counts = FollowCounts { followers: number(1)?, following: number(2)? };
        let privacy = Privacy::from_bits(number(3)?);
        let follows = row.try_get::<i32, _>(4)? == 1;
        let lists = SeenLists::new(counts, privacy, row_key.reader, follows);
        for (scan, place) in scans.clone().enumerate() {
            let Some(Scan { key, purpose, .. }) = row_key.scans[place] else { continue };
            let items = items(row, scan)?;
            match purpose {
                Purpose::Items => found[key] = Some((lists, items)),
                Purpose::Below => outside[key].below = !items.is_empty(),
                Purpose::Above => outside[key].above = !items.is_empty(),
            }
        }
    }
    let pages = keys.iter().zip(found).zip(outside).filter_map(|((key, found), outside)| {
        found.map(|(lists, items)| (*key, pages::follow_page(key, lists, items, outside)))
    });
    Ok(pages.collect())
}

/// The edges of a scan, from its column.
fn items_of_bytes(row: &PgRow, scan: usize) -> sqlx::Result<Vec<FollowItem>> {
    let edges = arrays::of_edges(row, ROW_COLUMNS + scan)?;
    let mut items = Vec::with_capacity(edges.len());
    for edge in edges {
        let (followed_at, id) = edge?;
        items.push(FollowItem { user: UserId(id), followed_at });
    }
    Ok(items)
}

/// The edges of a scan, whose first column holds their times and the next one the users.
fn items_of_arrays(row: &PgRow, scan: usize) -> sqlx::Result<Vec<FollowItem>> {
    let first = ROW_COLUMNS + 2 * scan;
    let (mut times, ids) = (arrays::of_times(row, first)?, arrays::of_numbers(row, first + 1)?);
    let missing = || sqlx::Error::Decode("an edge has no time".into());
    let mut items = Vec::with_capacity(ids.len());
    for id in ids {
        let followed_at = times.next().ok_or_else(missing)??;
        items.push(FollowItem { user: UserId(id?), followed_at });
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_position_lies_between_two_neighbours() {
        let (lowest, highest) = ENDS;
        let time = lowest.0 + TimeDelta::days(1);
        for position in [(time, UserId(7)), (time, UserId::MAX), highest] {
            assert!(after(position) > position);
            assert_eq!(before(after(position)), position);
        }
        assert!(before(lowest) < lowest);
    }
}
