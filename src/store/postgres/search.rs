//! Searching users by the beginnings of usernames and names.
//!
//! The users whose username begins with a word are one range of `users`, and those whose name has a
//! word that begins with it are one range of `name_prefixes`, both in the order of usernames. A user
//! may be in both.

use super::{Query, users::arrays_of_users};
use crate::{
    domain::{UserId, UserSearch},
    store::{
        sql::{matches, visible},
        statement::query,
    },
};

/// Whether a candidate `c` of one of the two tables is visible, has the standing and the role, and also
/// matches the other words (`$words`).
macro_rules! matches_others {
    (users, $standing:literal, $words:literal, $viewer:literal, $role:literal) => {
        concat! {
            visible!("c.id", $viewer), " AND ", matches!("c.", $standing, $role), " AND ",
            matches_others!($words)
        }
    };
    (name_prefixes, $standing:literal, $words:literal, $viewer:literal, $role:literal) => {
        concat! {
            visible!("c.user_id", $viewer), " AND EXISTS (SELECT 1 FROM users x ",
            "WHERE x.id = c.user_id AND ", matches!("x.", $standing, $role), ") AND ",
            matches_others!($words)
        }
    };
    ($words:literal) => {
        concat! {
            "(", $words, "::text[] = '{}' OR NOT EXISTS ( ",
              "SELECT 1 FROM unnest(", $words, "::text[]) AS w (word) ",
              "WHERE NOT (c.username_key >= w.word AND c.username_key < w.word || '~') ",
              "AND NOT EXISTS (SELECT 1 FROM name_prefixes o ",
                              "WHERE o.prefix = w.word AND o.username_key = c.username_key)))"
        }
    };
}

/// The keys of the users who match a word (`$6` and `$7`), between bounds on each range.
macro_rules! keys_found {
    ($standing:literal, $bounds:literal, $end:literal) => {
        concat! {
            "(SELECT c.username_key FROM users c ",
            "WHERE c.username_key >= $6 AND c.username_key < $7 AND ", $bounds,
            " AND ", matches_others!(users, $standing, "$8", "$9", "$10"), $end, ") ",
            "UNION ",
            "(SELECT c.username_key FROM name_prefixes c WHERE c.prefix = $6 AND ", $bounds,
            " AND ", matches_others!(name_prefixes, $standing, "$8", "$9", "$10"), $end, ")"
        }
    };
}

/// A page by username of the users who match, between two bounds (`$4` and `$5`): one row with
/// arrays.
macro_rules! page_by_name {
    ($standing:literal, $order:literal) => {
        concat! {
            "SELECT o.below, o.above, p.* FROM ( ",
              "SELECT $2::boolean AND EXISTS ( ",
                       keys_found!($standing, "c.username_key <= $4", " LIMIT 1"), ") AS below, ",
                     "$3::boolean AND EXISTS ( ",
                       keys_found!($standing, "c.username_key >= $5", " LIMIT 1"), ") AS above) o ",
            "CROSS JOIN ( ",
              "SELECT ", arrays_of_users!(), " FROM ( ",
                keys_found!($standing, "c.username_key > $4 AND c.username_key < $5", $order),
                $order, ") k ",
              "JOIN users u ON u.username_key = k.username_key) p"
        }
    };
}

/// A page by age of the users who match a word (`$8` and `$9`), between two bounds: one row with
/// arrays. No index has them in this order, so all are read.
macro_rules! page_by_age {
    ($standing:literal, $order:literal) => {
        concat! {
            "WITH found (created_at, id) AS MATERIALIZED ( ",
              "SELECT c.created_at, c.id FROM users c ",
              "WHERE c.username_key >= $8 AND c.username_key < $9 AND ",
              matches_others!(users, $standing, "$10", "$11", "$12"),
              " UNION ALL ",
              "SELECT u.created_at, u.id FROM name_prefixes c JOIN users u ON u.id = c.user_id ",
              "WHERE c.prefix = $8 AND NOT (c.username_key >= $8 AND c.username_key < $9) ",
              "AND ", matches_others!(name_prefixes, $standing, "$10", "$11", "$12"), ") ",
            "SELECT o.below, o.above, p.* FROM ( ",
              "SELECT $2::boolean AND EXISTS ( ",
                       "SELECT 1 FROM found WHERE (created_at, id) <= ($4, $5)) AS below, ",
                     "$3::boolean AND EXISTS ( ",
                       "SELECT 1 FROM found WHERE (created_at, id) >= ($6, $7)) AS above) o ",
            "CROSS JOIN ( ",
              "SELECT ", arrays_of_users!(), " FROM ( ",
                "SELECT id FROM found ",
                "WHERE (created_at, id) > ($4, $5) AND (created_at, id) < ($6, $7)",
                $order, ") k ",
              "JOIN users u ON u.id = k.id) p"
        }
    };
}

/// The number of users who match a word (`$1` and `$2`).
macro_rules! count_found {
    ($standing:literal) => {
        concat! {
            "SELECT (SELECT count(*) FROM users c ",
                    "WHERE c.username_key >= $1 AND c.username_key < $2 AND ",
                    matches_others!(users, $standing, "$3", "$4", "$5"),
                    ") + (SELECT count(*) FROM name_prefixes c ",
                    "WHERE c.prefix = $1 AND NOT (c.username_key >= $1 AND c.username_key < $2) ",
                    "AND ", matches_others!(name_prefixes, $standing, "$3", "$4", "$5"), ")"
        }
    };
}

statements! {
    FIRST_FOUND = page_by_name!("0", " ORDER BY username_key LIMIT $1");
    LAST_FOUND = page_by_name!("0", " ORDER BY username_key DESC LIMIT $1");
    OLDEST_FOUND = page_by_age!("0", " ORDER BY created_at, id LIMIT $1");
    NEWEST_FOUND = page_by_age!("0", " ORDER BY created_at DESC, id DESC LIMIT $1");
    COUNT_FOUND = count_found!("0");
    FIRST_SUSPENDED_FOUND = page_by_name!("1", " ORDER BY username_key LIMIT $1");
    LAST_SUSPENDED_FOUND = page_by_name!("1", " ORDER BY username_key DESC LIMIT $1");
    OLDEST_SUSPENDED_FOUND = page_by_age!("1", " ORDER BY created_at, id LIMIT $1");
    NEWEST_SUSPENDED_FOUND = page_by_age!("1", " ORDER BY created_at DESC, id DESC LIMIT $1");
    COUNT_SUSPENDED_FOUND = count_found!("1");
    ADD_NAME_PREFIXES =
        "INSERT INTO name_prefixes (prefix, username_key, user_id) \
         SELECT k.prefix, $2, $1 FROM unnest($3::text[]) AS k (prefix) ON CONFLICT DO NOTHING \
         RETURNING prefix";
    REMOVE_NAME_PREFIXES =
        "DELETE FROM name_prefixes WHERE user_id = $1 \
         AND NOT (username_key = $2 AND prefix = ANY($3))";
}

/// Binds the longest word with its upper bound, and the other words.
pub(crate) fn bind_search(query: Query, search: &UserSearch) -> Query {
    let query = query.bind(search.word().to_owned()).bind(search.upper_bound());
    query.bind(search.other_words().to_vec())
}

/// A statement about the beginnings of a user's name.
pub(crate) fn about_name(sql: &'static str, user: UserId, key: &str, prefixes: &[String]) -> Query {
    query(sql).bind(user.0).bind(key.to_owned()).bind(prefixes.to_vec())
}
