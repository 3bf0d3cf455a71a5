-- The next messages to send, and the parked ones in the order of their ids.
CREATE INDEX webhooks_due ON webhooks (due_at, id);
