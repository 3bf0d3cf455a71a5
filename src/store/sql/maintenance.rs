//! Statements that both engines share: deleting users, and finding and repairing differences.

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
pub(in crate::store) use find_edge;

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
pub(in crate::store) use count_rows;

/// The stored lengths of users, in the order of [`Length::ALL`](crate::domain::Length::ALL).
macro_rules! stored_lengths {
    ($among:literal) => {
        concat! {
            "SELECT user_id, followers, following, requests_sent, requests_received, ",
                   "blocking, blocked_by, muting FROM follow_counts WHERE user_id ", $among
        }
    };
}
pub(in crate::store) use stored_lengths;

/// Adds the counts of users who have none.
macro_rules! add_counts {
    ($among:literal) => {
        concat! {
            "INSERT INTO follow_counts (user_id) SELECT id FROM users WHERE id ", $among,
            " ORDER BY id ON CONFLICT DO NOTHING RETURNING user_id"
        }
    };
}
pub(in crate::store) use add_counts;

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
pub(in crate::store) use logs;

/// All edges of users in one of the tables.
macro_rules! edges_of {
    ($edges:literal, $one:literal, $other:literal, $at:literal; $owner:literal $among:literal) => {
        concat! {
            "SELECT ", $one, ", ", $other, ", ", $at, " FROM ", $edges,
            " WHERE ", $owner, " ", $among
        }
    };
}
pub(in crate::store) use edges_of;

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
pub(in crate::store) const TIMED: [&str; 11] = [
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

    // Schema
    APPLIED = "SELECT version, checksum FROM _sqlx_migrations ORDER BY version";
    TEST_WRITE = "UPDATE users SET role_id = role_id WHERE id = (SELECT min(id) FROM users)";
}
