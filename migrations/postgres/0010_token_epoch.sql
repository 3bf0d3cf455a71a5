-- How often all tokens of the account have been ended. A token of ours holds the epoch in which it
-- was made, and is worth nothing in a later one.
ALTER TABLE users ADD COLUMN token_epoch bigint NOT NULL DEFAULT 0;
