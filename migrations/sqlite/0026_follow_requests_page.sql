-- The requests that a user has sent, by time.
CREATE INDEX follow_requests_page ON follow_requests (requester_id, requested_at, target_id);
