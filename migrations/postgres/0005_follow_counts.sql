-- How long the two lists of a user are. Counting a celebrity's followers would read them all;
-- every change of an edge changes these numbers in the same transaction instead.
-- Narrow and hot, so not on users: half of each page stays free, and an update needs no new page.
CREATE TABLE follow_counts (
    user_id   bigint PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    followers bigint NOT NULL DEFAULT 0 CHECK (followers >= 0),  -- how many follow the user
    following bigint NOT NULL DEFAULT 0 CHECK (following >= 0)   -- how many the user follows
) WITH (fillfactor = 50);
