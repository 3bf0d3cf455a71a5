-- The number of the last event of a user. Every change of an edge locks this row until it commits,
-- so the numbers of a user's events are in the order of the commits, without a gap.
ALTER TABLE follow_counts ADD COLUMN events INTEGER NOT NULL DEFAULT 0;
