-- How often a pair was changed on a day, so that nobody is told of one follow again and again. A
-- row is made by an unfollow, and counts the follow before it if that was of the same day: most
-- follows are never taken back, and cost nothing here. The follower's next unfollow on a later day
-- forgets it.
CREATE TABLE follow_changes (
    follower_id bigint  NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    followee_id bigint  NOT NULL,  -- no foreign key: it would scan the table when a user is deleted
    day         bigint  NOT NULL,  -- days of UTC since 1970-01-01
    changes     bigint  NOT NULL,
    PRIMARY KEY (follower_id, followee_id)
);
