//! Deleting a user: the statements of this engine.

use crate::store::sqlite::Sqlite;

statements! {
    FIND_USER = "SELECT id FROM users WHERE id = $1";
    TAKE_FOLLOWERS =
        "DELETE FROM follows WHERE followee_id = $1 \
         AND follower_id IN (SELECT value FROM json_each($2)) RETURNING follower_id";
    TAKE_REQUESTS_RECEIVED =
        "DELETE FROM follow_requests WHERE target_id = $1 \
         AND requester_id IN (SELECT value FROM json_each($2)) RETURNING requester_id";
    TAKE_BLOCKERS =
        "DELETE FROM blocks WHERE blocked_id = $1 \
         AND blocker_id IN (SELECT value FROM json_each($2)) RETURNING blocker_id";
    MUTES_OF =
        "SELECT muter_id, muted_until FROM mutes WHERE muted_id = $1 \
         AND muter_id IN (SELECT value FROM json_each($2))";
    LOWER_COUNTS =
        "UPDATE follow_counts \
         SET followers = max(0, followers - (d.value ->> 1)), \
             following = max(0, following - (d.value ->> 2)), \
             requests_sent = max(0, requests_sent - (d.value ->> 3)), \
             requests_received = max(0, requests_received - (d.value ->> 4)), \
             blocking = max(0, blocking - (d.value ->> 5)), \
             blocked_by = max(0, blocked_by - (d.value ->> 6)), \
             muting = max(0, muting - (d.value ->> 7)), \
             events = events + (d.value ->> 8) \
         FROM json_each($1) d WHERE user_id = d.value ->> 0";
}

/// Other processes see deletions by the version of the file.
pub(crate) const fn tell(_: &Sqlite) -> Option<&'static str> {
    None
}
