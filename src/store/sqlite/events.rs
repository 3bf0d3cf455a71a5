//! The logs of users: the statements of this engine.

statements! {
    ADD_EVENTS =
        "INSERT INTO follow_events (user_id, sequence, kind, cause, other_id, at, is_repeat) \
         SELECT c.user_id, c.events + (k.value ->> 1), k.value ->> 2, k.value ->> 3, \
                k.value ->> 4, k.value ->> 5, k.value ->> 6 \
         FROM json_each($1) k CROSS JOIN follow_counts c ON c.user_id = k.value ->> 0 \
         WHERE true ON CONFLICT (user_id, sequence) DO NOTHING";
    EVENTS_AFTER =
        "SELECT c.user_id, k.value ->> 1, c.events, e.sequence, e.kind, e.cause, e.other_id, e.at, \
                e.is_repeat \
         FROM json_each($1) k CROSS JOIN follow_counts c ON c.user_id = k.value ->> 0 \
         LEFT JOIN follow_events e ON e.user_id = c.user_id AND e.sequence > k.value ->> 1 \
                                  AND e.sequence <= (k.value ->> 1) + $2";
    LAST_EVENTS =
        "SELECT user_id, events FROM follow_counts \
         WHERE user_id IN (SELECT value FROM json_each($1))";
    DELETE_EVENTS =
        "DELETE FROM follow_events WHERE (user_id, sequence) IN \
           (SELECT e.user_id, e.sequence FROM json_each($1) k \
            CROSS JOIN follow_events e ON e.user_id = k.value ->> 0 \
                                      AND e.sequence <= k.value ->> 1)";
}
