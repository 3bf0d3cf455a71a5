-- How long the two lists of a user are. Counting a celebrity's followers would read them all;
-- every change of an edge changes these numbers in the same transaction instead.
CREATE TABLE follow_counts (
    user_id   INTEGER PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    followers INTEGER NOT NULL DEFAULT 0 CHECK (followers >= 0),  -- how many follow the user
    following INTEGER NOT NULL DEFAULT 0 CHECK (following >= 0)   -- how many the user follows
) STRICT;
