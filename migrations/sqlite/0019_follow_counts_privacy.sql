-- The privacy settings of a user, as bits. Bits 0 and 1 say who sees the followers: 0 as the account,
-- 1 everybody, 2 followers, 3 only the user. Bits 2 and 3 say the same of the followed users. Bit 6:
-- the account is private. Bit 7: it accepts requests of users whom it follows by itself.
-- Here and not on users: every page joins this row, and every change of an edge locks it.
ALTER TABLE follow_counts ADD COLUMN privacy INTEGER NOT NULL DEFAULT 0;
