//! The logs of users: the statements of this engine.

statements! {
    // Only used where the counts and the log cannot be written by one statement.
    ADD_EVENTS =
        "INSERT INTO follow_events (user_id, sequence, kind, cause, other_id, at, is_repeat) \
         SELECT e.user_id, c.events + e.back, e.kind, e.cause, e.other_id, e.at, e.is_repeat \
         FROM unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::smallint[], $5::bigint[], \
                     $6::timestamptz[], $7::boolean[]) \
              AS e (user_id, back, kind, cause, other_id, at, is_repeat) \
         JOIN follow_counts c ON c.user_id = e.user_id AND c.user_id = ANY($1) \
         ON CONFLICT (user_id, sequence) DO NOTHING";
    EVENTS_AFTER =
        "SELECT k.user_id, k.after, c.events, e.sequence, e.kind, e.cause, e.other_id, e.at, \
                e.is_repeat \
         FROM unnest($1::bigint[], $2::bigint[]) AS k (user_id, after) \
         JOIN follow_counts c ON c.user_id = k.user_id AND c.user_id = ANY($1) \
         LEFT JOIN LATERAL ( \
             SELECT * FROM follow_events e \
             WHERE e.user_id = k.user_id AND e.user_id = ANY($1) AND e.sequence > k.after \
             ORDER BY e.sequence LIMIT $3) e ON true";
    LAST_EVENTS = "SELECT user_id, events FROM follow_counts WHERE user_id = ANY($1)";
    DELETE_EVENTS =
        "DELETE FROM follow_events e USING unnest($1::bigint[], $2::bigint[]) AS k (user_id, last) \
         WHERE e.user_id = k.user_id AND e.user_id = ANY($1) AND e.sequence <= k.last";
}
