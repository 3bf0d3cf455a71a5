-- The last day on which the user followed somebody new, as days of UTC since 1970-01-01.
ALTER TABLE follow_counts ADD COLUMN follows_day bigint NOT NULL DEFAULT 0;
