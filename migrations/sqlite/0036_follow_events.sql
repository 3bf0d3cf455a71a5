-- What happened to the follows and requests of a user, each event with its number. Old events are
-- deleted from the beginning of a log, so the numbers that are left are one run. The program gives
-- kinds and causes their numbers. No foreign keys: an event must not lock the rows of users, and it
-- outlives the other user. The deletion of a user also deletes their log.
CREATE TABLE follow_events (
    user_id   INTEGER NOT NULL,
    sequence  INTEGER NOT NULL,
    kind      INTEGER NOT NULL,
    cause     INTEGER NOT NULL,
    other_id  INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    is_repeat INTEGER NOT NULL,
    PRIMARY KEY (user_id, sequence)
) STRICT, WITHOUT ROWID;
