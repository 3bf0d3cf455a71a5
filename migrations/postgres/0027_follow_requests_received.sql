-- The same requests, stored with the user who is asked, by time. Only the write path of the store
-- touches this table, in the transaction that changes follow_requests.
CREATE TABLE follow_requests_received (
    target_id    bigint      NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    requester_id bigint      NOT NULL,
    requested_at timestamptz NOT NULL,
    PRIMARY KEY (target_id, requested_at, requester_id)
);
