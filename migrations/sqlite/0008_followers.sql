-- The same edges, stored from the other end: who follows a user, by time. So a page of either
-- list is one contiguous range. Only the write path of the store touches this table, in the
-- transaction that changes follows.
CREATE TABLE followers (
    followee_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- No foreign key: it would need an index of its own, or scan the table whenever a user is
    -- deleted. The row of follows, written in the same transaction, has it.
    follower_id INTEGER NOT NULL,
    followed_at INTEGER NOT NULL,
    PRIMARY KEY (followee_id, followed_at, follower_id)  -- the key is the page index
) STRICT, WITHOUT ROWID;
