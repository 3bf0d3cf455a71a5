//! The statements of pages. A row holds the edges of a page as arrays, which decode many times
//! faster than a row for each edge. On an edge is the id of its user. Where users are asked for,
//! they come along in one row more.

/// Any pages: a row for each.
macro_rules! any_pages {
    (of_both) => {
        concat!(any_pages!(of_followers), " UNION ALL ", any_pages!(of_following))
    };
    (of_followers) => {
        any_follows!("followers", "followee_id", "follower_id", "k.of_followers")
    };
    (of_following) => {
        any_follows!("follows", "follower_id", "followee_id", "NOT k.of_followers")
    };
}

/// Any pages of one edge table: a row for each key.
///
/// The table is read only inside `LIMIT`, between two bounds that its page index knows, so a
/// page costs what it holds, however long the list is. The two orders are two scans, of which
/// one is closed by its gate.
macro_rules! any_follows {
    ($edges:literal, $owner:literal, $other:literal, $is_of_it:literal) => {
        concat!(
            "SELECT k.n, c.followers, c.following, low.found, high.found, \
                    coalesce(up.times, down.times), coalesce(up.ids, down.ids) \
             FROM follow_counts c \
             JOIN unnest($1::bigint[], $2::bigint[], $4::timestamptz[], $5::bigint[], \
                         $6::timestamptz[], $7::bigint[], \
                         $8::boolean[], $9::boolean[], $10::boolean[], $11::boolean[]) \
                  AS k (owner, n, low_at, low_id, high_at, high_id, of_followers, \
                        ascending, probe_low, probe_high) ON k.owner = c.user_id \
             LEFT JOIN LATERAL ",
            scan!($edges, $owner, $other, "k.ascending AND", "ASC"),
            " up ON true LEFT JOIN LATERAL ",
            scan!($edges, $owner, $other, "NOT k.ascending AND", "DESC"),
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
///
/// Only the owners are made a table of. What else there is for each row is looked up in its array,
/// which costs less.
macro_rules! older_pages {
    ($lists:ident, $between:ident) => {
        concat!(
            "SELECT k.n, c.followers, c.following",
            $lists!(columns),
            " FROM unnest($1::bigint[]) WITH ORDINALITY AS k (owner, n) \
             CROSS JOIN (SELECT $2::bigint[] AS followers, $3::bigint[] AS following) rows \
             JOIN follow_counts c ON c.user_id = k.owner",
            $lists!(edges, $between),
        )
    };
}

/// The lists that pages are of, wherever a statement names them.
macro_rules! of_followers {
    (columns) => {
        ", a.times, a.ids"
    };
    (edges, $between:ident) => {
        concat!(
            " CROSS JOIN LATERAL ",
            older_follows!("followers", "followee_id", "follower_id", $between),
            " a"
        )
    };
}

macro_rules! of_following {
    (columns) => {
        ", b.times, b.ids"
    };
    (edges, $between:ident) => {
        concat!(
            " CROSS JOIN LATERAL ",
            older_follows!("follows", "follower_id", "followee_id", $between),
            " b"
        )
    };
}

macro_rules! of_both {
    ($($more:tt),+) => {
        concat!(of_followers!($($more),+), of_following!($($more),+))
    };
}

/// The edges of one page, as arrays. Of a list that no page is asked of it reads nothing. Where no
/// times are told, the order of the ids is all that tells the order of the edges: an aggregate takes
/// the rows of a subquery in its order, as PostgreSQL documents it.
macro_rules! older_follows {
    ($edges:tt, $owner:literal, $other:literal, $between:ident) => {
        concat!(
            "(SELECT array_agg(p.followed_at) AS times, \
                     array_agg(p.other) AS ids \
              FROM (SELECT e.followed_at, e.",
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
            ") p)"
        )
    };
}

/// How many rows are read of an edge table.
macro_rules! rows_of {
    ("followers") => {
        "rows.followers[k.n::int]"
    };
    ("follows") => {
        "rows.following[k.n::int]"
    };
}

/// From one follow to another.
macro_rules! between_bounds {
    ($other:literal) => {
        concat!(
            " AND (e.followed_at, e.",
            $other,
            ") > (($4::timestamptz[])[k.n::int], ($5::bigint[])[k.n::int]) \
              AND (e.followed_at, e.",
            $other,
            ") < (($6::timestamptz[])[k.n::int], ($7::bigint[])[k.n::int])"
        )
    };
}

/// From the newest follow on.
macro_rules! from_the_newest {
    ($other:literal) => {
        ""
    };
}

/// The edges of one page, as arrays. They are grouped by the owner since Citus needs that to
/// aggregate where the rows are, and name the owners once more so that only their shards are
/// asked.
macro_rules! scan {
    ($edges:literal, $owner:literal, $other:literal, $gate:literal, $order:literal) => {
        concat!(
            "(SELECT array_agg(p.followed_at) AS times, array_agg(p.other) AS ids \
              FROM (SELECT e.",
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
            " LIMIT $3) p GROUP BY p.owner)"
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

statements! {
    ANY = any_pages!(of_both);
    ANY_FOLLOWERS = any_pages!(of_followers);
    ANY_FOLLOWING = any_pages!(of_following);
    OLDER = older_pages!(of_both, between_bounds);
    OLDER_FOLLOWERS = older_pages!(of_followers, between_bounds);
    OLDER_FOLLOWING = older_pages!(of_following, between_bounds);
    NEWEST = older_pages!(of_both, from_the_newest);
    NEWEST_FOLLOWERS = older_pages!(of_followers, from_the_newest);
    NEWEST_FOLLOWING = older_pages!(of_following, from_the_newest);
}

/// The statements of pages: for both lists, for followers and for following.
pub(crate) struct Statements {
    pub(crate) any: [&'static str; 3],
    pub(crate) older: [&'static str; 3],
    pub(crate) newest: [&'static str; 3],
}

pub(crate) const PAGES: Statements = Statements {
    any: [ANY, ANY_FOLLOWERS, ANY_FOLLOWING],
    older: [OLDER, OLDER_FOLLOWERS, OLDER_FOLLOWING],
    newest: [NEWEST, NEWEST_FOLLOWERS, NEWEST_FOLLOWING],
};
