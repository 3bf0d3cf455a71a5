-- How many users block the user.
ALTER TABLE follow_counts ADD COLUMN blocked_by bigint NOT NULL DEFAULT 0;
