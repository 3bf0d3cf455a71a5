-- When they were ended last, for tokens that hold no epoch: those of an identity provider tell when
-- they were made, and one that was not made later is worth nothing. NULL until then.
ALTER TABLE users ADD COLUMN tokens_valid_after INTEGER;
