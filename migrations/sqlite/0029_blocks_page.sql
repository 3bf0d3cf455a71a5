-- The users whom a user blocks, by time.
CREATE INDEX blocks_page ON blocks (blocker_id, blocked_at, blocked_id);
