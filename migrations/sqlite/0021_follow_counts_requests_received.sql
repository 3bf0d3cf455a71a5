-- How many follow requests to the user are waiting for an answer.
ALTER TABLE follow_counts ADD COLUMN requests_received INTEGER NOT NULL DEFAULT 0;
