-- How many new follows there were on that day. It is here, and not in a table of its own, because
-- a follow changes this row anyway: the limit on follows a day costs no statement.
ALTER TABLE follow_counts ADD COLUMN follows_today INTEGER NOT NULL DEFAULT 0;
