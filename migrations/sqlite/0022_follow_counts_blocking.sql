-- How many users the user blocks.
ALTER TABLE follow_counts ADD COLUMN blocking INTEGER NOT NULL DEFAULT 0;
