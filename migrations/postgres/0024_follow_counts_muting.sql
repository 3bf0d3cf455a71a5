-- How many users the user has muted, lapsed mutes included.
ALTER TABLE follow_counts ADD COLUMN muting bigint NOT NULL DEFAULT 0;
