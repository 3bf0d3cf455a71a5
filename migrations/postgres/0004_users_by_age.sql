-- Pages of users in the order of their age. (Those by username go by its unique index.)
CREATE INDEX users_by_age ON users (created_at, id);
