-- Few accounts are not listed. This index finds them, and so the number of all others is that of all
-- users less theirs.
CREATE INDEX users_unlisted ON users (standing, id) WHERE standing <> 0;
