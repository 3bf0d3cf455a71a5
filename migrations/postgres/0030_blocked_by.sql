-- The same blocks, stored with the blocked user: what this user must not see. Only the write path
-- of the store touches this table, in the transaction that changes blocks.
CREATE TABLE blocked_by (
    blocked_id bigint      NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    blocker_id bigint      NOT NULL,
    blocked_at timestamptz NOT NULL,
    PRIMARY KEY (blocked_id, blocker_id)
);
