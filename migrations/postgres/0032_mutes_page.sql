-- The users whom a user has muted, by time.
CREATE INDEX mutes_page ON mutes (muter_id, muted_at, muted_id);
