//! Deleting a user: the statements of this engine.

use crate::store::postgres::Postgres;

statements! {
    // The lock keeps out new edges: the foreign key of each needs a shared lock on the row.
    FIND_USER = "SELECT id FROM users WHERE id = $1 FOR UPDATE";
    TAKE_FOLLOWERS =
        "DELETE FROM follows WHERE followee_id = $1 AND follower_id = ANY($2) \
         RETURNING follower_id";
    TAKE_REQUESTS_RECEIVED =
        "DELETE FROM follow_requests WHERE target_id = $1 AND requester_id = ANY($2) \
         RETURNING requester_id";
    TAKE_BLOCKERS =
        "DELETE FROM blocks WHERE blocked_id = $1 AND blocker_id = ANY($2) RETURNING blocker_id";
    MUTES_OF =
        "SELECT muter_id, muted_until FROM mutes WHERE muted_id = $1 AND muter_id = ANY($2)";
    // The ids are sorted, and the nested loop that a planner picks for so few looks them up in that
    // order. With another plan two deletions may deadlock; that is retried.
    LOWER_COUNTS =
        "UPDATE follow_counts c \
         SET followers = greatest(0, c.followers - d.followers), \
             following = greatest(0, c.following - d.following), \
             requests_sent = greatest(0, c.requests_sent - d.requests_sent), \
             requests_received = greatest(0, c.requests_received - d.requests_received), \
             blocking = greatest(0, c.blocking - d.blocking), \
             blocked_by = greatest(0, c.blocked_by - d.blocked_by), \
             muting = greatest(0, c.muting - d.muting), \
             events = c.events + d.events \
         FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], \
                     $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[]) \
              AS d (user_id, followers, following, requests_sent, requests_received, blocking, \
                    blocked_by, muting, events) \
         WHERE c.user_id = d.user_id AND c.user_id = ANY($1)";
    // The logs of many users have grown, and the command line collects no hints to pass on.
    TELL =
        "SELECT pg_notify('entourage_users', $1::text), pg_notify('entourage_events', 'deletion')";
}

/// How to notify other processes, if the server can do that.
pub(crate) fn tell(engine: &Postgres) -> Option<&'static str> {
    engine.server.notifies.then_some(TELL)
}
