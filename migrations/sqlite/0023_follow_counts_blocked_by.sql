-- How many users block the user.
ALTER TABLE follow_counts ADD COLUMN blocked_by INTEGER NOT NULL DEFAULT 0;
