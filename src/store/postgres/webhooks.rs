//! The outbox: the statements of this engine.

statements! {
    ADD_WEBHOOKS =
        "INSERT INTO webhooks (id, kind, follower_id, followee_id, at, due_at) \
         SELECT k.id, k.kind, k.follower_id, k.followee_id, k.at, k.at \
         FROM unnest($1::text[], $2::smallint[], $3::bigint[], $4::bigint[], $5::timestamptz[]) \
              AS k (id, kind, follower_id, followee_id, at) \
         ON CONFLICT (id) DO NOTHING";
    // An array, so that the rows are chosen once. Rows that another server claims now are skipped.
    CLAIM_WEBHOOKS =
        "UPDATE webhooks SET attempts = attempts + 1, due_at = $2 \
         WHERE id = ANY(ARRAY( \
             SELECT id FROM webhooks WHERE due_at <= $1 ORDER BY due_at, id LIMIT $3 \
             FOR UPDATE SKIP LOCKED)) \
         RETURNING id, kind, follower_id, followee_id, at, attempts, failure";
    NAMES = "SELECT id, username, subject FROM users WHERE id = ANY($1)";
    REMOVE_WEBHOOKS =
        "DELETE FROM webhooks w USING unnest($1::text[], $2::smallint[]) AS k (id, attempts) \
         WHERE w.id = k.id AND w.attempts = k.attempts AND w.due_at IS NOT NULL";
    POSTPONE_WEBHOOKS =
        "UPDATE webhooks w SET due_at = k.due_at, failure = k.failure \
         FROM unnest($1::text[], $2::smallint[], $3::timestamptz[], $4::text[]) \
              AS k (id, attempts, due_at, failure) \
         WHERE w.id = k.id AND w.attempts = k.attempts AND w.due_at IS NOT NULL";
    RESEND_WEBHOOKS =
        "UPDATE webhooks SET attempts = 0, due_at = $2 \
         WHERE id = ANY($1) AND due_at IS NULL RETURNING id";
}
