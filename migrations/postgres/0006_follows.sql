-- The association table: who follows whom, since when. It is the truth about every edge.
CREATE TABLE follows (
    follower_id bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,  -- who follows
    followee_id bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,  -- who is followed
    followed_at timestamptz NOT NULL,
    -- At most one edge a pair. The followee comes first because follows_page begins with the
    -- follower: so both foreign keys have an index, and deleting a user scans no table.
    PRIMARY KEY (followee_id, follower_id),
    CONSTRAINT follows_no_self CHECK (follower_id <> followee_id)
);
