-- How many follow requests to the user are waiting for an answer.
ALTER TABLE follow_counts ADD COLUMN requests_received bigint NOT NULL DEFAULT 0;
