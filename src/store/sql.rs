//! Statements that both engines share: SQLite reads `$1` as PostgreSQL does.
//!
//! A text belongs here when both engines run it as it is. What an engine says in its own way, as
//! arrays or JSON, is next to the code that binds it.

pub(super) mod maintenance;

/// The columns of a [`User`](crate::domain::User), each after a prefix: `""`, or `"u."` in a join.
/// The function `user` of each engine reads them, in this order.
macro_rules! user_columns {
    ($u:literal) => {
        concat! {
            $u, "id, ", $u, "username, ", $u, "name, ", $u, "bio, ",
            $u, "avatar_url, ", $u, "created_at, ", $u, "subject, ", $u, "standing"
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

/// A page of the log of administrators, between two ids, both exclusive. An empty page also has a row,
/// which says what lies outside its bounds.
macro_rules! audit_page {
    ($order:literal) => {
        concat! {
            "SELECT o.below, o.above, p.id, p.at, p.actor_id, p.actor_name, p.action, p.user_id, ",
                   "p.username, p.detail ",
            "FROM (SELECT EXISTS (SELECT 1 FROM audit_log WHERE id <= $1) AS below, ",
                         "EXISTS (SELECT 1 FROM audit_log WHERE id >= $2) AS above) o ",
            "LEFT JOIN (SELECT * FROM audit_log WHERE id > $1 AND id < $2 ",
                       "ORDER BY id", $order, " LIMIT $3 + 0) p ON true"
        }
    };
}

/// Whether a user, a row of `users`, has a standing and a role, or any role if `$role` is null.
macro_rules! matches {
    ($u:literal, $standing:literal, $role:literal) => {
        concat! {
            $u, "standing = ", $standing, " AND (CAST(", $role, " AS text) IS NULL OR ",
            $u, "role_id = (SELECT r.id FROM roles r WHERE r.name = ", $role, "))"
        }
    };
}
pub(super) use matches;

/// Whether a user, a row of `users`, is visible in a list of users with a standing.
macro_rules! is_listed {
    ($standing:literal, $viewer:literal, $role:literal) => {
        concat!(
            $crate::store::sql::visible!("id", $viewer),
            " AND ",
            $crate::store::sql::matches!("", $standing, $role)
        )
    };
}
pub(super) use is_listed;

/// Whether a user, a row of `users`, is visible and not a machine.
macro_rules! is_found {
    ($u:literal, $viewer:literal) => {
        concat!(
            $crate::store::sql::visible!(concat!($u, "id"), $viewer),
            " AND ",
            $u,
            "standing <> 2"
        )
    };
}
pub(super) use is_found;

/// The number of users with a standing who have the role `$2`, or any role if that is null, and who
/// are visible to `$1`.
macro_rules! count_by_role {
    ($standing:literal) => {
        concat! {
            "SELECT count(*) FROM users u WHERE ", matches!("u.", $standing, "$2"),
            " AND ", visible!("u.id", "$1")
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

statements! {
    // Users
    COUNT_USERS =
        "SELECT (SELECT count(*) FROM users) \
              - (SELECT count(*) FROM users WHERE standing <> 0) \
              - (SELECT count(*) FROM blocked_by b JOIN users u ON u.id = b.blocker_id \
                 WHERE b.blocked_id = $1 AND u.standing = 0)";
    COUNT_OF_ROLE = count_by_role!("0");
    COUNT_SUSPENDED = count_by_role!("1");
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
    HAS_ROLE =
        "SELECT r.name = $2 FROM users u JOIN roles r ON r.id = u.role_id WHERE u.id = $1";
    STANDING = "SELECT standing FROM users WHERE id = $1";
    SET_STANDING = "UPDATE users SET standing = $3 WHERE id = $1 AND standing = $2";

    // Roles
    ROLES = "SELECT name, permissions FROM roles ORDER BY id";
    DEFINE_ROLE =
        "INSERT INTO roles (id, name, permissions) \
         SELECT coalesce(max(id), 0) + 1, $1, $2 FROM roles WHERE true \
         ON CONFLICT (name) DO UPDATE SET permissions = excluded.permissions";
    ROLE_PERMISSIONS = "SELECT permissions FROM roles WHERE name = $1";
    ROLE_IN_USE =
        "SELECT EXISTS (SELECT 1 FROM users \
                        WHERE role_id = (SELECT id FROM roles WHERE name = $1))";
    REMOVE_ROLE = "DELETE FROM roles WHERE name = $1";

    // The log of administrators
    AUDIT =
        "INSERT INTO audit_log (id, at, actor_id, actor_name, action, user_id, username, detail) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    IS_AUDITED = "SELECT EXISTS (SELECT 1 FROM audit_log WHERE id = $1)";
    AUDIT_NEWEST = audit_page!(" DESC");
    AUDIT_OLDEST = audit_page!("");

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
    COUNT_EVENTS = "SELECT count(*) FROM follow_events WHERE user_id = $1";
    EVENTS_SWEPT =
        "SELECT e.user_id, e.sequence, e.at, c.events \
         FROM follow_events e LEFT JOIN follow_counts c ON c.user_id = e.user_id \
         WHERE (e.user_id, e.sequence) > ($1, $2) ORDER BY e.user_id, e.sequence LIMIT $3";

    // Imports
    // Locks the row: a commit that a killed run has sent comes before what is read next.
    BEGIN_IMPORT =
        "INSERT INTO imports (id, kind, file, started_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (id) DO UPDATE SET file = imports.file";
    IMPORT = concat!(import!(), " WHERE id = $1");
    IMPORTS = concat!(import!(), " ORDER BY started_at DESC, id");
    SAVE_IMPORT =
        "UPDATE imports SET position = $2, lines = $3, loaded = $4, present = $5, rejected = $6, \
                rejects_length = $7 \
         WHERE id = $1 AND position = $8 AND loaded = $9 AND present = $10 AND rejected = $11";
    RESTART_IMPORT =
        "UPDATE imports SET position = 0, lines = 0, loaded = 0, present = 0, rejected = 0, \
                rejects_length = 0, started_at = $2, finished_at = NULL \
         WHERE id = $1";
    FINISH_IMPORT =
        "UPDATE imports SET finished_at = $2 \
         WHERE id = $1 AND position = $3 AND loaded = $4 AND present = $5 AND rejected = $6";
    EXPORT_USERS = concat!(
        "SELECT r.name AS role, ", user_columns!("u."),
        " FROM users u JOIN roles r ON r.id = u.role_id \
         WHERE u.id > $1 ORDER BY u.id LIMIT $2"
    );
    EXPORT_FOLLOWS =
        "SELECT follower_id, followee_id, followed_at FROM follows \
         WHERE (followee_id, follower_id) > ($1, $2) ORDER BY followee_id, follower_id LIMIT $3";

    // Webhooks
    PARKED_WEBHOOKS =
        "SELECT id, kind, follower_id, followee_id, at, attempts, failure FROM webhooks \
         WHERE due_at IS NULL AND id > $1 ORDER BY id LIMIT $2";
    WEBHOOK_BACKLOG =
        "SELECT count(*) FILTER (WHERE due_at IS NOT NULL), \
                count(*) FILTER (WHERE due_at IS NULL), \
                min(at) FILTER (WHERE due_at IS NOT NULL) \
         FROM webhooks";
}
