-- The same requests, stored with the user who is asked, by time. Only the write path of the store
-- touches this table, in the transaction that changes follow_requests.
CREATE TABLE follow_requests_received (
    target_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    requester_id INTEGER NOT NULL,
    requested_at INTEGER NOT NULL,
    PRIMARY KEY (target_id, requested_at, requester_id)
) STRICT, WITHOUT ROWID;
