//! Statements that both engines share: SQLite reads `$1` as PostgreSQL does.
//!
//! A text belongs here when both engines run it as it is. What an engine says in its own way, as
//! arrays or JSON, is next to the code that binds it.

/// The columns of a [`User`](crate::domain::User), each after a prefix: `""`, or `"u."` in a join.
/// The function `user` of each engine reads them, in this order.
macro_rules! user_columns {
    ($u:literal) => {
        concat! {
            $u, "id, ", $u, "username, ", $u, "name, ", $u, "bio, ",
            $u, "avatar_url, ", $u, "created_at, ", $u, "subject"
        }
    };
}
pub(super) use user_columns;

/// The account of one user, by a condition on `users u`, with whether they block anybody, whether
/// anybody blocks them, and the number of their last event. The columns of the user come last, so that a new one moves none of the
/// others.
macro_rules! account {
    ($condition:literal) => {
        concat!(
            "SELECT r.name, r.permissions, u.token_epoch, u.tokens_valid_after, ",
            "EXISTS (SELECT 1 FROM blocks b WHERE b.blocker_id = u.id), ",
            "EXISTS (SELECT 1 FROM blocked_by b WHERE b.blocked_id = u.id), ",
            "coalesce((SELECT c.events FROM follow_counts c WHERE c.user_id = u.id), 0), ",
            $crate::store::sql::user_columns!("u."),
            " FROM users u JOIN roles r ON r.id = u.role_id WHERE ",
            $condition
        )
    };
}
pub(super) use account;

/// Changes the columns of a profile whose flag (`$2`, `$4`, `$6`) is set.
macro_rules! update_profile {
    () => {
        concat!(
            "UPDATE users SET name = CASE WHEN $2 THEN $3 ELSE name END, \
                              bio = CASE WHEN $4 THEN $5 ELSE bio END, \
                              avatar_url = CASE WHEN $6 THEN $7 ELSE avatar_url END \
             WHERE id = $1 RETURNING ",
            $crate::store::sql::user_columns!("")
        )
    };
}
pub(super) use update_profile;

/// Ends all tokens that were issued until a moment. That moment never moves back, even when the
/// clocks of two servers disagree.
macro_rules! end_tokens {
    ($at:literal) => {
        concat! {
            "token_epoch = token_epoch + 1, ",
            "tokens_valid_after = CASE WHEN tokens_valid_after > ", $at,
                                 " THEN tokens_valid_after ELSE ", $at, " END"
        }
    };
}

/// Pages through the ids of one column that no user has.
macro_rules! strangers {
    ($id:literal, $table:literal) => {
        concat! {
            "SELECT DISTINCT ", $id, " FROM ", $table, " e ",
            "WHERE ", $id, " > $1 AND NOT EXISTS (SELECT 1 FROM users WHERE id = e.", $id, ") ",
            "ORDER BY ", $id, " LIMIT $2"
        }
    };
}

/// The condition that one of two users does not exist.
macro_rules! one_is_missing {
    ($one:literal, $other:literal) => {
        concat! {
            "(NOT EXISTS (SELECT 1 FROM users WHERE id = ", $one, ") ",
            "OR NOT EXISTS (SELECT 1 FROM users WHERE id = ", $other, "))"
        }
    };
}

/// Finds one edge in a table.
macro_rules! find_edge {
    ($edges:literal, $one:literal, $other:literal, $at:literal) => {
        concat! {
            "SELECT 1 FROM ", $edges,
            " WHERE ", $one, " = $1 AND ", $other, " = $2 AND ", $at, " = $3"
        }
    };
}
pub(super) use find_edge;

/// Removes one edge from a table.
macro_rules! remove_edge {
    ($edges:literal, $one:literal, $other:literal, $at:literal) => {
        concat! {
            "DELETE FROM ", $edges,
            " WHERE ", $one, " = $1 AND ", $other, " = $2 AND ", $at, " = $3"
        }
    };
}

/// The same, when one of its users does not exist.
macro_rules! remove_edge_of_nobody {
    ($($edge:literal),+) => {
        concat!(remove_edge!($($edge),+), " AND ", one_is_missing!("$1", "$2"))
    };
}

/// Removes some of the edges that begin at a user.
macro_rules! take_edges_from {
    ($edges:literal, $one:literal, $other:literal, $at:literal) => {
        concat! {
            "DELETE FROM ", $edges, " WHERE ", $one, " = $1 AND ", $other, " IN ",
            "(SELECT ", $other, " FROM ", $edges, " WHERE ", $one, " = $1 LIMIT $2) ",
            "RETURNING ", $one, ", ", $other, ", ", $at
        }
    };
}

/// Pages through the edges of one owner in the order of an index, after the one with the time `$2`
/// and the other user `$3`.
macro_rules! edges_after {
    ($edges:literal, $one:literal, $other:literal, $at:literal;
     $owner:literal, $order:literal > $last:literal) => {
        concat! {
            "SELECT ", $one, ", ", $other, ", ", $at, " FROM ", $edges,
            " WHERE ", $owner, " = $1 AND (", $order, ") > (", $last, ") ",
            "ORDER BY ", $order, " LIMIT $4"
        }
    };
}

/// Counts the rows of each list of users. `$among` is how the engine names the users, `$1`. The
/// rows have the place of a length in [`Length::ALL`](crate::domain::Length::ALL), its owner and
/// the length.
macro_rules! count_rows {
    ($among:literal) => {
        concat! {
            count_rows!(0, "followers", "followee_id", $among), " UNION ALL ",
            count_rows!(1, "follows", "follower_id", $among), " UNION ALL ",
            count_rows!(2, "follow_requests", "requester_id", $among), " UNION ALL ",
            count_rows!(3, "follow_requests_received", "target_id", $among), " UNION ALL ",
            count_rows!(4, "blocks", "blocker_id", $among), " UNION ALL ",
            count_rows!(5, "blocked_by", "blocked_id", $among), " UNION ALL ",
            count_rows!(6, "mutes", "muter_id", $among)
        }
    };
    ($length:literal, $table:literal, $owner:literal, $among:literal) => {
        concat! {
            "SELECT CAST(", $length, " AS bigint), ", $owner, ", count(*) FROM ", $table,
            " WHERE ", $owner, " ", $among, " GROUP BY ", $owner
        }
    };
}
pub(super) use count_rows;

/// The stored lengths of users, in the order of [`Length::ALL`](crate::domain::Length::ALL).
macro_rules! stored_lengths {
    ($among:literal) => {
        concat! {
            "SELECT user_id, followers, following, requests_sent, requests_received, ",
                   "blocking, blocked_by, muting FROM follow_counts WHERE user_id ", $among
        }
    };
}
pub(super) use stored_lengths;

/// The logs of users: the lowest and the highest number, how many events there are, and the number of
/// the last one as stored with the counts. Users without counts are missing.
macro_rules! logs {
    ($among:literal) => {
        concat! {
            "SELECT e.user_id, min(e.sequence), max(e.sequence), count(*), c.events ",
            "FROM follow_events e JOIN follow_counts c ON c.user_id = e.user_id ",
            "WHERE e.user_id ", $among, " GROUP BY e.user_id, c.events"
        }
    };
}
pub(super) use logs;

/// All edges of users in one of the tables.
macro_rules! edges_of {
    ($edges:literal, $one:literal, $other:literal, $at:literal; $owner:literal $among:literal) => {
        concat! {
            "SELECT ", $one, ", ", $other, ", ", $at, " FROM ", $edges,
            " WHERE ", $owner, " ", $among
        }
    };
}
pub(super) use edges_of;

/// Whether a user is visible to a reader whom others may block: `$viewer`, or null if no user is
/// hidden. The planner reads the users who block the reader once, and only if there is a reader.
macro_rules! visible {
    ($user:expr, $viewer:literal) => {
        concat! {
            "(CAST(", $viewer, " AS bigint) IS NULL OR ", $user,
            " NOT IN (SELECT b.blocker_id FROM blocked_by b WHERE b.blocked_id = ", $viewer, "))"
        }
    };
}
pub(super) use visible;

/// Whether a reader sees a list: the bit of a rule, as
/// [`ListReader::rule`](crate::domain::ListReader::rule) numbers them, by the settings of the owner
/// and by whether the reader follows the owner (1 or 0).
macro_rules! sees {
    ($rule:expr, $privacy:literal, $setting:literal, $follows:literal) => {
        concat! {
            "(", $rule, " >> CAST(4 * (", $privacy, $setting, " & 3) + 2 * (", $privacy,
            " >> 6 & 1) + ", $follows, " AS integer) & 1)"
        }
    };
}
pub(super) use sees;

/// A page of a list of `$1`'s own, between two bounds (`$6` and up). `$3` is the reader, `$2` the
/// number of rows. An empty page also has a row, which says what lies outside its bounds.
macro_rules! own_page {
    ($table:literal, $owner:literal, $other:literal, $since:literal, $until:literal, $order:literal) => {
        concat! {
            "SELECT o.below, o.above, p.other, p.since, p.until ",
            "FROM (SELECT CAST($4 AS boolean) AND EXISTS ( ",
                           own_rows!("1", $table, $owner, $other, $since),
                           " AND (e.", $since, ", e.", $other, ") <= ($6, $7)) AS below, ",
                         "CAST($5 AS boolean) AND EXISTS ( ",
                           own_rows!("1", $table, $owner, $other, $since),
                           " AND (e.", $since, ", e.", $other, ") >= ($8, $9)) AS above) o ",
            "LEFT JOIN (",
              own_rows!(
                  concat!("e.", $other, " AS other, e.", $since, " AS since, ", $until, " AS until"),
                  $table, $owner, $other, $since
              ),
              " AND (e.", $since, ", e.", $other, ") > ($6, $7) ",
              "AND (e.", $since, ", e.", $other, ") < ($8, $9) ",
              "ORDER BY e.", $since, $order, ", e.", $other, $order, " LIMIT $2 + 0) p ON true"
        }
    };
}

macro_rules! own_rows {
    ($columns:expr, $table:literal, $owner:literal, $other:literal, $since:literal) => {
        concat! {
            "SELECT ", $columns, " FROM ", $table, " e WHERE e.", $owner, " = $1 AND ",
            visible!(concat!("e.", $other), "$3")
        }
    };
}

/// A page of the log of `$1`, between two numbers, both exclusive. An empty page also has a row.
macro_rules! event_page {
    ($order:literal) => {
        concat! {
            "SELECT c.events, ",
                   "(SELECT min(o.sequence) FROM follow_events o WHERE o.user_id = $1), ",
                   "p.sequence, p.kind, p.cause, p.other_id, p.at, p.is_repeat ",
            "FROM follow_counts c ",
            "LEFT JOIN (SELECT e.sequence, e.kind, e.cause, e.other_id, e.at, e.is_repeat ",
                       "FROM follow_events e ",
                       "WHERE e.user_id = $1 AND e.sequence > $2 AND e.sequence < $3 ",
                       "ORDER BY e.sequence", $order, " LIMIT $4 + 0) p ON true ",
            "WHERE c.user_id = $1"
        }
    };
}

/// The columns of an import.
macro_rules! import {
    () => {
        "SELECT id, kind, file, position, lines, loaded, present, rejected, rejects_length, \
                started_at, finished_at \
         FROM imports"
    };
}

/// Some rows of a table whose time is out of the range of two parameters, with the place of the table in
/// [`TIMED`].
macro_rules! untimely {
    ($place:literal, $table:literal, $one:literal, $other:literal, $at:literal) => {
        concat! {
            "SELECT * FROM (SELECT CAST(", $place, " AS bigint) AS place, ", $one, " AS one, ", $other, " AS other ",
            "FROM ", $table, " WHERE NOT (", $at, " BETWEEN $1 AND $2) LIMIT 100) t", $place
        }
    };
}

/// The tables with times.
pub(super) const TIMED: [&str; 11] = [
    "users",
    "users",
    "follows",
    "followers",
    "follow_requests",
    "follow_requests_received",
    "blocks",
    "blocked_by",
    "mutes",
    "mutes",
    "follow_events",
];

statements! {
    UNREADABLE = concat! {
        untimely!("0", "users", "id", "id", "created_at"), " UNION ALL ",
        untimely!("1", "users", "id", "id", "tokens_valid_after"), " UNION ALL ",
        untimely!("2", "follows", "follower_id", "followee_id", "followed_at"), " UNION ALL ",
        untimely!("3", "followers", "follower_id", "followee_id", "followed_at"), " UNION ALL ",
        untimely!("4", "follow_requests", "requester_id", "target_id", "requested_at"),
        " UNION ALL ",
        untimely!("5", "follow_requests_received", "requester_id", "target_id", "requested_at"),
        " UNION ALL ",
        untimely!("6", "blocks", "blocker_id", "blocked_id", "blocked_at"), " UNION ALL ",
        untimely!("7", "blocked_by", "blocker_id", "blocked_id", "blocked_at"), " UNION ALL ",
        untimely!("8", "mutes", "muter_id", "muted_id", "muted_at"), " UNION ALL ",
        untimely!("9", "mutes", "muter_id", "muted_id", "muted_until"), " UNION ALL ",
        untimely!("10", "follow_events", "user_id", "other_id", "at")
    };
    // Users
    COUNT_USERS =
        "SELECT (SELECT count(*) FROM users) - (SELECT count(*) FROM blocked_by WHERE blocked_id = $1)";
    HAS_USERS = "SELECT EXISTS (SELECT 1 FROM users)";
    USERS_AFTER = "SELECT id FROM users WHERE id > $1 ORDER BY id LIMIT $2";
    USER_EXISTS = "SELECT EXISTS (SELECT 1 FROM users WHERE id = $1)";

    // Accounts
    ACCOUNT_BY_EXTERNAL_ID = account!("u.subject = $1");
    CREDENTIALS =
        "SELECT id, password_hash, subject, token_epoch FROM users WHERE username_key = $1";
    CREDENTIALS_BY_ID =
        "SELECT id, password_hash, subject, token_epoch FROM users WHERE id = $1";
    CREATE_COUNTS = "INSERT INTO follow_counts (user_id) VALUES ($1)";
    IS_OUR_USER = "SELECT EXISTS (SELECT 1 FROM users WHERE id = $1 AND username_key = $2)";
    TAKEN =
        "SELECT EXISTS (SELECT 1 FROM users WHERE username_key = $1), \
                EXISTS (SELECT 1 FROM users WHERE subject = $2)";
    UPDATE_PROFILE = update_profile!();
    CHANGE_PASSWORD =
        concat!("UPDATE users SET password_hash = $3, ", end_tokens!("$4"),
                " WHERE id = $1 AND token_epoch = coalesce($2, token_epoch)");
    REPLACE_PASSWORD_HASH =
        "UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2";
    HAS_PASSWORD = "SELECT EXISTS (SELECT 1 FROM users WHERE id = $1 AND password_hash = $2)";
    END_TOKENS = concat!("UPDATE users SET ", end_tokens!("$2"), " WHERE id = $1");
    SET_ROLE =
        "UPDATE users SET role_id = (SELECT id FROM roles WHERE name = $2) \
         WHERE id = $1 AND EXISTS (SELECT 1 FROM roles WHERE name = $2)";

    // Follows
    USAGE =
        "SELECT followers, following, requests_sent, \
                CASE WHEN follows_day >= $2 THEN follows_today ELSE 0 END \
         FROM follow_counts WHERE user_id = $1";

    // Lists of a user's own
    REQUESTS_RECEIVED_NEWEST = own_page!(
        "follow_requests_received", "target_id", "requester_id", "requested_at",
        "CAST(NULL AS timestamptz)", " DESC"
    );
    REQUESTS_RECEIVED_OLDEST = own_page!(
        "follow_requests_received", "target_id", "requester_id", "requested_at",
        "CAST(NULL AS timestamptz)", ""
    );
    REQUESTS_SENT_NEWEST = own_page!(
        "follow_requests", "requester_id", "target_id", "requested_at",
        "CAST(NULL AS timestamptz)", " DESC"
    );
    REQUESTS_SENT_OLDEST = own_page!(
        "follow_requests", "requester_id", "target_id", "requested_at",
        "CAST(NULL AS timestamptz)", ""
    );
    BLOCKED_NEWEST = own_page!(
        "blocks", "blocker_id", "blocked_id", "blocked_at", "CAST(NULL AS timestamptz)", " DESC"
    );
    BLOCKED_OLDEST = own_page!(
        "blocks", "blocker_id", "blocked_id", "blocked_at", "CAST(NULL AS timestamptz)", ""
    );
    MUTED_NEWEST = own_page!("mutes", "muter_id", "muted_id", "muted_at", "e.muted_until", " DESC");
    MUTED_OLDEST = own_page!("mutes", "muter_id", "muted_id", "muted_at", "e.muted_until", "");
    // Requests of users who block the reader do not exist.
    OWN_LENGTHS = concat!(
        "SELECT c.requests_received, c.requests_sent, \
                c.blocking - (SELECT count(*) FROM blocks e WHERE e.blocker_id = $1 AND NOT ",
        visible!("e.blocked_id", "$2"),
        "), c.muting - (SELECT count(*) FROM mutes e WHERE e.muter_id = $1 AND NOT ",
        visible!("e.muted_id", "$2"),
        ") FROM follow_counts c WHERE c.user_id = $1"
    );

    // Privacy
    PRIVACY = "SELECT privacy FROM follow_counts WHERE user_id = $1";
    UPDATE_PRIVACY =
        "UPDATE follow_counts SET privacy = (privacy & $2) | $3 WHERE user_id = $1 \
         RETURNING privacy";
    EXTEND_MUTE = "UPDATE mutes SET muted_until = $3 WHERE muter_id = $1 AND muted_id = $2";
    ADD_MUTE =
        "INSERT INTO mutes (muter_id, muted_id, muted_until, muted_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT DO NOTHING";
    COUNT_MUTE =
        "UPDATE follow_counts SET muting = muting + 1 WHERE user_id = $1 AND muting < $2";
    REMOVE_MUTE = "DELETE FROM mutes WHERE muter_id = $1 AND muted_id = $2";
    DISCOUNT_MUTE =
        "UPDATE follow_counts SET muting = CASE WHEN muting > 0 THEN muting - 1 ELSE 0 END \
         WHERE user_id = $1";

    // Events
    EVENTS_NEWEST = event_page!(" DESC");
    EVENTS_OLDEST = event_page!("");
    EVENTS_SWEPT =
        "SELECT e.user_id, e.sequence, e.at, c.events \
         FROM follow_events e LEFT JOIN follow_counts c ON c.user_id = e.user_id \
         WHERE (e.user_id, e.sequence) > ($1, $2) ORDER BY e.user_id, e.sequence LIMIT $3";

    // Imports
    BEGIN_IMPORT =
        "INSERT INTO imports (id, kind, file, started_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT DO NOTHING";
    IMPORT = concat!(import!(), " WHERE id = $1");
    IMPORTS = concat!(import!(), " ORDER BY started_at DESC, id");
    SAVE_IMPORT =
        "UPDATE imports SET position = $2, lines = $3, loaded = $4, present = $5, rejected = $6, \
                rejects_length = $7 \
         WHERE id = $1";
    RESTART_IMPORT =
        "UPDATE imports SET position = 0, lines = 0, loaded = 0, present = 0, rejected = 0, \
                rejects_length = 0, started_at = $2, finished_at = NULL \
         WHERE id = $1";
    FINISH_IMPORT = "UPDATE imports SET finished_at = $2 WHERE id = $1";
    EXPORT_USERS = concat!(
        "SELECT r.name AS role, ", user_columns!("u."),
        " FROM users u JOIN roles r ON r.id = u.role_id WHERE u.id > $1 ORDER BY u.id LIMIT $2"
    );
    EXPORT_FOLLOWS =
        "SELECT follower_id, followee_id, followed_at FROM follows \
         WHERE (followee_id, follower_id) > ($1, $2) ORDER BY followee_id, follower_id LIMIT $3";
    ROLES = "SELECT name FROM roles ORDER BY id";

    // Webhooks
    PARKED_WEBHOOKS =
        "SELECT id, kind, follower_id, followee_id, at, attempts, failure FROM webhooks \
         WHERE due_at IS NULL AND id > $1 ORDER BY id LIMIT $2";
    WEBHOOK_BACKLOG =
        "SELECT count(*) FILTER (WHERE due_at IS NOT NULL), \
                count(*) FILTER (WHERE due_at IS NULL), \
                min(at) FILTER (WHERE due_at IS NOT NULL) \
         FROM webhooks";

    // Deletion of a user
    TAKE_FOLLOWING = take_edges_from!("follows", "follower_id", "followee_id", "followed_at");
    TAKE_REQUESTS_SENT =
        take_edges_from!("follow_requests", "requester_id", "target_id", "requested_at");
    TAKE_BLOCKED = take_edges_from!("blocks", "blocker_id", "blocked_id", "blocked_at");
    // These read the truth where an index allows that: it may hold edges that a mirror lacks. They
    // do not name the owners of the edges, so a distributed engine asks all shards.
    SOME_FOLLOWERS =
        "SELECT follower_id, followee_id, followed_at FROM follows \
         WHERE followee_id = $1 LIMIT $2";
    SOME_REQUESTS_RECEIVED =
        "SELECT requester_id, target_id, requested_at FROM follow_requests \
         WHERE target_id = $1 LIMIT $2";
    SOME_BLOCKERS =
        "SELECT blocker_id, blocked_id, blocked_at FROM blocked_by \
         WHERE blocked_id = $1 LIMIT $2";
    TAKE_MUTERS =
        "DELETE FROM mutes WHERE muted_id = $1 AND muter_id IN \
           (SELECT muter_id FROM mutes WHERE muted_id = $1 LIMIT $2) \
         RETURNING muter_id";
    DELETE_USER = "DELETE FROM users WHERE id = $1";
    // The beginning of the log, so that the rest stays one run.
    TAKE_EVENTS =
        "DELETE FROM follow_events WHERE user_id = $1 \
         AND sequence < (SELECT min(o.sequence) FROM follow_events o WHERE o.user_id = $1) + $2";
    DELETE_LOG = "DELETE FROM follow_events WHERE user_id = $1";

    // Drift
    STRANGERS_FOLLOWING = strangers!("follower_id", "follows");
    STRANGERS_FOLLOWED = strangers!("followee_id", "followers");
    STRANGERS_REQUESTING = strangers!("requester_id", "follow_requests");
    STRANGERS_REQUESTED = strangers!("target_id", "follow_requests_received");
    STRANGERS_BLOCKING = strangers!("blocker_id", "blocks");
    STRANGERS_BLOCKED = strangers!("blocked_id", "blocked_by");
    STRANGERS_COUNTED = strangers!("user_id", "follow_counts");
    STRANGERS_LOGGED = strangers!("user_id", "follow_events");
    STRANGERS_NAMED = strangers!("user_id", "name_prefixes");
    FOLLOWS_AFTER = edges_after!(
        "follows", "follower_id", "followee_id", "followed_at";
        "follower_id", "followed_at, followee_id" > "$2, $3"
    );
    FOLLOWERS_AFTER = edges_after!(
        "followers", "follower_id", "followee_id", "followed_at";
        "followee_id", "followed_at, follower_id" > "$2, $3"
    );
    REQUESTS_AFTER = edges_after!(
        "follow_requests", "requester_id", "target_id", "requested_at";
        "requester_id", "requested_at, target_id" > "$2, $3"
    );
    REQUESTS_RECEIVED_AFTER = edges_after!(
        "follow_requests_received", "requester_id", "target_id", "requested_at";
        "target_id", "requested_at, requester_id" > "$2, $3"
    );
    BLOCKS_AFTER = edges_after!(
        "blocks", "blocker_id", "blocked_id", "blocked_at";
        "blocker_id", "blocked_at, blocked_id" > "$2, $3"
    );
    // The only table without an index by time.
    BLOCKED_BY_AFTER = edges_after!(
        "blocked_by", "blocker_id", "blocked_id", "blocked_at";
        "blocked_id", "blocker_id, blocked_at" > "$3, $2"
    );
    ORPHAN_MUTES = concat!(
        "SELECT muter_id, muted_id FROM mutes e WHERE (muter_id, muted_id) > ($1, $2) AND ",
        one_is_missing!("e.muter_id", "e.muted_id"),
        " ORDER BY muter_id, muted_id LIMIT $3"
    );
    FIND_FOLLOW = find_edge!("follows", "follower_id", "followee_id", "followed_at");
    FIND_REQUEST = find_edge!("follow_requests", "requester_id", "target_id", "requested_at");
    FIND_BLOCK = find_edge!("blocks", "blocker_id", "blocked_id", "blocked_at");
    FIND_FOLLOW_OF_PAIR = "SELECT 1 FROM follows WHERE follower_id = $1 AND followee_id = $2";
    FIND_BLOCK_OF_PAIR =
        "SELECT 1 FROM blocks WHERE blocker_id IN ($1, $2) AND blocked_id IN ($1, $2)";
    REMOVE_FOLLOW = remove_edge!("follows", "follower_id", "followee_id", "followed_at");
    REMOVE_FOLLOWER = remove_edge!("followers", "follower_id", "followee_id", "followed_at");
    REMOVE_REQUEST =
        remove_edge!("follow_requests", "requester_id", "target_id", "requested_at");
    REMOVE_REQUEST_RECEIVED = remove_edge!(
        "follow_requests_received", "requester_id", "target_id", "requested_at"
    );
    REMOVE_BLOCK = remove_edge!("blocks", "blocker_id", "blocked_id", "blocked_at");
    REMOVE_BLOCKED_BY = remove_edge!("blocked_by", "blocker_id", "blocked_id", "blocked_at");
    REMOVE_FOLLOW_OF_NOBODY =
        remove_edge_of_nobody!("follows", "follower_id", "followee_id", "followed_at");
    REMOVE_FOLLOWER_OF_NOBODY =
        remove_edge_of_nobody!("followers", "follower_id", "followee_id", "followed_at");
    REMOVE_REQUEST_OF_NOBODY = remove_edge_of_nobody!(
        "follow_requests", "requester_id", "target_id", "requested_at"
    );
    REMOVE_REQUEST_RECEIVED_OF_NOBODY = remove_edge_of_nobody!(
        "follow_requests_received", "requester_id", "target_id", "requested_at"
    );
    REMOVE_BLOCK_OF_NOBODY =
        remove_edge_of_nobody!("blocks", "blocker_id", "blocked_id", "blocked_at");
    REMOVE_BLOCKED_BY_OF_NOBODY =
        remove_edge_of_nobody!("blocked_by", "blocker_id", "blocked_id", "blocked_at");
    REMOVE_MUTE_OF_NOBODY = concat!(
        "DELETE FROM mutes WHERE muter_id = $1 AND muted_id = $2 AND ",
        one_is_missing!("$1", "$2")
    );
    REMOVE_COUNTS_OF_NOBODY =
        "DELETE FROM follow_counts WHERE user_id = $1 \
         AND NOT EXISTS (SELECT 1 FROM users WHERE id = $1)";
    REMOVE_LOG_OF_NOBODY =
        "DELETE FROM follow_events WHERE user_id = $1 \
         AND NOT EXISTS (SELECT 1 FROM users WHERE id = $1)";
    RAISE_EVENTS =
        "UPDATE follow_counts \
         SET events = (SELECT max(e.sequence) FROM follow_events e WHERE e.user_id = $1) \
         WHERE user_id = $1 \
         AND events < (SELECT max(e.sequence) FROM follow_events e WHERE e.user_id = $1)";
    // The log goes as a whole if its last events are missing.
    TRIM_LOG =
        "DELETE FROM follow_events WHERE user_id = $1 AND ( \
           sequence < (SELECT max(e.sequence) FROM follow_events e WHERE e.user_id = $1 \
                       AND NOT EXISTS (SELECT 1 FROM follow_events p WHERE p.user_id = $1 \
                                       AND p.sequence = e.sequence - 1)) \
           OR (SELECT max(e.sequence) FROM follow_events e WHERE e.user_id = $1) \
              < (SELECT c.events FROM follow_counts c WHERE c.user_id = $1))";
    ADD_COUNTS =
        "INSERT INTO follow_counts (user_id) SELECT id FROM users WHERE id = $1 \
         ON CONFLICT DO NOTHING RETURNING user_id";
    SET_LENGTHS =
        "UPDATE follow_counts \
         SET followers = $2, following = $3, requests_sent = $4, requests_received = $5, \
             blocking = $6, blocked_by = $7, muting = $8 \
         WHERE user_id = $1 \
         AND (followers, following, requests_sent, requests_received, blocking, blocked_by, muting) \
             <> ($2, $3, $4, $5, $6, $7, $8)";

    // Schema
    APPLIED = "SELECT version, checksum FROM _sqlx_migrations ORDER BY version";
    TEST_WRITE = "UPDATE users SET role_id = role_id WHERE id = (SELECT min(id) FROM users)";
}
