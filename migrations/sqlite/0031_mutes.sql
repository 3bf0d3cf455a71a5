-- Whom a user has muted, since when and until when. A mute hides a user from the events and
-- suggestions of the muter, and from nothing else.
CREATE TABLE mutes (
    muter_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    muted_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    muted_at    INTEGER NOT NULL,
    muted_until INTEGER,  -- null: until it is taken back
    PRIMARY KEY (muter_id, muted_id),
    CONSTRAINT mutes_no_self CHECK (muter_id <> muted_id)
) STRICT, WITHOUT ROWID;
