-- How many follow requests of the user are waiting for an answer.
ALTER TABLE follow_counts ADD COLUMN requests_sent bigint NOT NULL DEFAULT 0;
