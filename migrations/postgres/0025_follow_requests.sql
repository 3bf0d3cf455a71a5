-- Who asks to follow a private account, since when. A request becomes an edge or disappears; there
-- is never a request beside the edge of the same pair.
CREATE TABLE follow_requests (
    requester_id bigint      NOT NULL REFERENCES users (id) ON DELETE CASCADE,  -- who asks
    target_id    bigint      NOT NULL,  -- who is asked; the mirror has the foreign key
    requested_at timestamptz NOT NULL,
    PRIMARY KEY (target_id, requester_id),
    CONSTRAINT follow_requests_no_self CHECK (requester_id <> target_id)
);
