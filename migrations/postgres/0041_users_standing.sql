-- What kind of account a user is, and whether it is in use: 0 a person, 1 a person who is suspended,
-- 2 a machine. Lists of all users and searches have those of 0.
ALTER TABLE users ADD COLUMN standing smallint NOT NULL DEFAULT 0;
