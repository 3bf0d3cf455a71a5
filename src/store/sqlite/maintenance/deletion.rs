//! Deleting a user: the statements of this engine.

use crate::store::sqlite::Sqlite;

statements! {
    FIND_USER = "SELECT id FROM users WHERE id = $1";
    TAKE_FOLLOWERS =
        "DELETE FROM follows WHERE followee_id = $1 \
         AND follower_id IN (SELECT value FROM json_each($2)) RETURNING follower_id";
    LOWER_COUNTS =
        "UPDATE follow_counts SET followers = max(0, followers - d.value ->> 1), \
                                  following = max(0, following - d.value ->> 2) \
         FROM json_each($1) d WHERE user_id = d.value ->> 0";
}

/// Other processes see deletions by the version of the file.
pub(crate) const fn tell(_: &Sqlite) -> Option<&'static str> {
    None
}
