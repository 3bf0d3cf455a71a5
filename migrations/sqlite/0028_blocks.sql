-- Who blocks whom, since when. No edge and no request of the two users exists beside a block.
CREATE TABLE blocks (
    blocker_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,  -- who blocks
    blocked_id INTEGER NOT NULL,  -- who is blocked; the mirror has the foreign key
    blocked_at INTEGER NOT NULL,
    PRIMARY KEY (blocker_id, blocked_id),
    CONSTRAINT blocks_no_self CHECK (blocker_id <> blocked_id)
) STRICT, WITHOUT ROWID;
