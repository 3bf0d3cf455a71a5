//! The statements of pages. A row holds the edges of a page as arrays, which decode many times
//! faster than a row for each edge. The users on the edges come along, or their ids alone.

use crate::domain::Wants;

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
///
/// Only the owners are made a table of. What else there is for each row is looked up in its array,
/// which costs less.
macro_rules! older_pages {
    ($lists:ident, $users:ident, $between:ident) => {
        concat!(
            "SELECT k.n, c.followers, c.following",
            $lists!(columns, $users),
            " FROM unnest($1::bigint[]) WITH ORDINALITY AS k (owner, n) \
             CROSS JOIN (SELECT $2::bigint[] AS followers, $3::bigint[] AS following) rows \
             JOIN follow_counts c ON c.user_id = k.owner",
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
            $users!(wanted),
            " FROM (SELECT e.followed_at, e.",
            $other,
            " AS other FROM ",
            $edges,
            " e WHERE e.",
            $owner,
            " = c.user_id",
            $between!($other, $users),
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
        "rows.followers[k.n::int]"
    };
    ("follows") => {
        "rows.following[k.n::int]"
    };
}

/// From one follow to another.
macro_rules! between_bounds {
    ($other:literal, $users:ident) => {
        concat!(
            " AND (e.followed_at, e.",
            $other,
            ") > (",
            $users!(low),
            ") AND (e.followed_at, e.",
            $other,
            ") < (",
            $users!(high),
            ")"
        )
    };
}

/// From the newest follow on.
macro_rules! from_the_newest {
    ($($place:tt),+) => {
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
    // As far as anybody wants them.
    (wanted) => {
        ", array_agg(u.username) AS usernames, \
         array_agg(u.name) FILTER (WHERE $4::boolean) AS names, \
         array_agg(u.bio) FILTER (WHERE $5::boolean) AS bios, \
         array_agg(u.avatar_url) FILTER (WHERE $6::boolean) AS avatar_urls, \
         array_agg(u.created_at) FILTER (WHERE $7::boolean) AS ages"
    };
    (low) => {
        "($8::timestamptz[])[k.n::int], ($9::bigint[])[k.n::int]"
    };
    (high) => {
        "($10::timestamptz[])[k.n::int], ($11::bigint[])[k.n::int]"
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
        " FILTER (WHERE $4::boolean)"
    };
    (low) => {
        "($5::timestamptz[])[k.n::int], ($6::bigint[])[k.n::int]"
    };
    (high) => {
        "($7::timestamptz[])[k.n::int], ($8::bigint[])[k.n::int]"
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
pub(super) struct Statements {
    pub(super) any: [&'static str; 3],
    pub(super) older: [&'static str; 3],
    pub(super) newest: [&'static str; 3],
    /// How many columns the edges of a page take.
    pub(super) columns: usize,
    /// What they are told of what is wanted.
    pub(super) wants: &'static [fn(Wants) -> bool],
}

pub(super) const WITH_USERS: Statements = Statements {
    any: [ANY, ANY_FOLLOWERS, ANY_FOLLOWING],
    older: [OLDER, OLDER_FOLLOWERS, OLDER_FOLLOWING],
    newest: [NEWEST, NEWEST_FOLLOWERS, NEWEST_FOLLOWING],
    columns: 7,
    wants: &[
        |wants| wants.name,
        |wants| wants.bio,
        |wants| wants.avatar_url,
        |wants| wants.created_at,
    ],
};

pub(super) const WITH_IDS: Statements = Statements {
    any: [ANY_IDS, ANY_FOLLOWER_IDS, ANY_FOLLOWING_IDS],
    older: [OLDER_IDS, OLDER_FOLLOWER_IDS, OLDER_FOLLOWING_IDS],
    newest: [NEWEST_IDS, NEWEST_FOLLOWER_IDS, NEWEST_FOLLOWING_IDS],
    columns: 2,
    wants: &[|wants| wants.followed_at],
};
