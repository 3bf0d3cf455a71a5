//! Searching users by the beginnings of usernames and names.
//!
//! The users whose username begins with a word are one range of `users`, and those whose name has a
//! word that begins with it are one range of `name_prefixes`, both in the order of usernames. A user
//! may be in both.
//!
//! SQLite seeks by one bound on each side, so two bounds on one side are given as their `max` or
//! `min`. The upper bound of a word is no username.

use super::{Query, json};
use crate::{
    domain::{UserId, UserSearch},
    store::{
        sql::{user_columns, visible},
        statement::query,
    },
};

/// Whether a candidate `c` with this id is visible and also matches the other words (`$words`, JSON).
macro_rules! matches_others {
    ($words:literal, $id:literal, $viewer:literal) => {
        concat! {
            visible!($id, $viewer), " AND (", $words, " = '[]' OR NOT EXISTS ( ",
              "SELECT 1 FROM json_each(", $words, ") w ",
              "WHERE NOT (c.username_key >= w.value AND c.username_key < w.value || '~') ",
              "AND NOT EXISTS (SELECT 1 FROM name_prefixes o ",
                              "WHERE o.prefix = w.value AND o.username_key = c.username_key)))"
        }
    };
}

/// The keys of the users who match a word (`$6` and `$7`), between bounds on each range.
macro_rules! keys_found {
    ($of_usernames:literal, $of_names:literal, $end:literal) => {
        concat! {
            "SELECT * FROM (SELECT c.username_key FROM users c WHERE ", $of_usernames,
            " AND ", matches_others!("$8", "c.id", "$9"), $end, ") ",
            "UNION ",
            "SELECT * FROM (SELECT c.username_key FROM name_prefixes c WHERE c.prefix = $6 AND ",
            $of_names, " AND ", matches_others!("$8", "c.user_id", "$9"), $end, ")"
        }
    };
}

/// A page by username of the users who match, between two bounds (`$4` and `$5`).
macro_rules! page_by_name {
    ($order:literal) => {
        concat! {
            "SELECT o.below, o.above, ", user_columns!("u."), " ",
            "FROM (SELECT $2 AND EXISTS ( ",
                           keys_found!(
                               "c.username_key >= $6 AND c.username_key <= min($7, $4)",
                               "c.username_key <= $4",
                               " LIMIT 1"
                           ), ") AS below, ",
                         "$3 AND EXISTS ( ",
                           keys_found!(
                               "c.username_key >= max($6, $5) AND c.username_key < $7",
                               "c.username_key >= $5",
                               " LIMIT 1"
                           ), ") AS above) o ",
            "LEFT JOIN ( ",
              "SELECT u.* FROM ( ",
                keys_found!(
                    "c.username_key >= max($6, $4) AND c.username_key < min($7, $5) \
AND c.username_key <> $4",
                    "c.username_key > $4 AND c.username_key < $5",
                    $order
                ),
                $order, ") k ",
              "CROSS JOIN users u ON u.username_key = k.username_key) u ON true"
        }
    };
}

/// A page by age of the users who match a word (`$8` and `$9`), between two bounds. No index has
/// them in this order, so all are read.
macro_rules! page_by_age {
    ($order:literal) => {
        concat! {
            "WITH found (created_at, id) AS MATERIALIZED ( ",
              "SELECT c.created_at, c.id FROM users c ",
              "WHERE c.username_key >= $8 AND c.username_key < $9 AND ",
              matches_others!("$10", "c.id", "$11"),
              " UNION ALL ",
              "SELECT u.created_at, u.id FROM name_prefixes c CROSS JOIN users u ON u.id = c.user_id ",
              "WHERE c.prefix = $8 AND NOT (c.username_key >= $8 AND c.username_key < $9) ",
              "AND ", matches_others!("$10", "c.user_id", "$11"), ") ",
            "SELECT o.below, o.above, ", user_columns!("u."), " ",
            "FROM (SELECT $2 AND EXISTS ( ",
                           "SELECT 1 FROM found WHERE (created_at, id) <= ($4, $5)) AS below, ",
                         "$3 AND EXISTS ( ",
                           "SELECT 1 FROM found WHERE (created_at, id) >= ($6, $7)) AS above) o ",
            "LEFT JOIN ( ",
              "SELECT u.* FROM ( ",
                "SELECT id FROM found ",
                "WHERE (created_at, id) > ($4, $5) AND (created_at, id) < ($6, $7)",
                $order, ") k ",
              "CROSS JOIN users u ON u.id = k.id) u ON true"
        }
    };
}

statements! {
    FIRST_FOUND = page_by_name!(" ORDER BY username_key LIMIT $1 + 0");
    LAST_FOUND = page_by_name!(" ORDER BY username_key DESC LIMIT $1 + 0");
    OLDEST_FOUND = page_by_age!(" ORDER BY created_at, id LIMIT $1 + 0");
    NEWEST_FOUND = page_by_age!(" ORDER BY created_at DESC, id DESC LIMIT $1 + 0");
    COUNT_FOUND = concat! {
        "SELECT (SELECT count(*) FROM users c ",
                "WHERE c.username_key >= $1 AND c.username_key < $2 AND ",
                matches_others!("$3", "c.id", "$4"),
                ") + (SELECT count(*) FROM name_prefixes c ",
                "WHERE c.prefix = $1 AND NOT (c.username_key >= $1 AND c.username_key < $2) ",
                "AND ", matches_others!("$3", "c.user_id", "$4"), ")"
    };
    ADD_NAME_PREFIXES =
        "INSERT INTO name_prefixes (prefix, username_key, user_id) \
         SELECT value, $2, $1 FROM json_each($3) WHERE true ON CONFLICT DO NOTHING \
         RETURNING prefix";
    REMOVE_NAME_PREFIXES =
        "DELETE FROM name_prefixes WHERE user_id = $1 \
         AND NOT (username_key = $2 AND prefix IN (SELECT value FROM json_each($3)))";
}

/// Binds the longest word with its upper bound, and the other words.
pub(crate) fn bind_search(query: Query, search: &UserSearch) -> Query {
    let query = query.bind(search.word().to_owned()).bind(search.upper_bound());
    query.bind(json(&search.other_words()))
}

/// A statement about the beginnings of a user's name.
pub(crate) fn about_name(sql: &'static str, user: UserId, key: &str, prefixes: &[String]) -> Query {
    query(sql).bind(user.0).bind(key.to_owned()).bind(json(&prefixes))
}
