//! The outbox: the statements of this engine.

statements! {
    ADD_WEBHOOKS =
        "INSERT INTO webhooks (id, kind, follower_id, followee_id, at, due_at) \
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 4 \
         FROM json_each($1) WHERE true ON CONFLICT (id) DO NOTHING";
    CLAIM_WEBHOOKS =
        "UPDATE webhooks SET attempts = attempts + 1, due_at = $2 \
         WHERE id IN ( \
             SELECT id FROM webhooks WHERE due_at <= $1 ORDER BY due_at, id LIMIT $3 + 0) \
         RETURNING id, kind, follower_id, followee_id, at, attempts, failure";
    NAMES = "SELECT id, username, subject FROM users WHERE id IN (SELECT value FROM json_each($1))";
    REMOVE_WEBHOOKS =
        "DELETE FROM webhooks WHERE due_at IS NOT NULL AND (id, attempts) IN \
           (SELECT value ->> 0, value ->> 1 FROM json_each($1))";
    POSTPONE_WEBHOOKS =
        "UPDATE webhooks SET due_at = k.value ->> 2, failure = k.value ->> 3 \
         FROM json_each($1) k \
         WHERE webhooks.id = k.value ->> 0 AND attempts = k.value ->> 1 AND due_at IS NOT NULL";
    RESEND_WEBHOOKS =
        "UPDATE webhooks SET attempts = 0, due_at = $2 \
         WHERE id IN (SELECT value FROM json_each($1)) AND due_at IS NULL RETURNING id";
}
