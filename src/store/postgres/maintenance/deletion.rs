//! Deleting a user: the statements of this engine.

use crate::store::postgres::Postgres;

statements! {
    // The lock keeps out new edges: the foreign key of each needs a shared lock on the row.
    FIND_USER = "SELECT id FROM users WHERE id = $1 FOR UPDATE";
    TAKE_FOLLOWERS =
        "DELETE FROM follows WHERE followee_id = $1 AND follower_id = ANY($2) \
         RETURNING follower_id";
    // The ids are sorted, and the nested loop that a planner picks for so few looks them up in that
    // order. With another plan two deletions may deadlock; that is retried.
    LOWER_COUNTS =
        "UPDATE follow_counts c SET followers = greatest(0, c.followers - d.followers), \
                                    following = greatest(0, c.following - d.following) \
         FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) \
              AS d (user_id, followers, following) \
         WHERE c.user_id = d.user_id AND c.user_id = ANY($1)";
    TELL = "SELECT pg_notify('entourage_users', $1::text)";
}

/// How to notify other processes, if the server can do that.
pub(crate) fn tell(engine: &Postgres) -> Option<&'static str> {
    engine.server.notifies.then_some(TELL)
}
