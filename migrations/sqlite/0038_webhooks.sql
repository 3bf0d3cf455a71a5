-- The messages for the host's webhook: each new follow and follow request, until it is delivered. The
-- row is written in the transaction of the change, so there is a message exactly if there was a
-- change. It names the users by id only: what a message says of them is read when it is sent, so
-- nothing of a deleted user stays here. `due_at` is when to send a message next. A server moves it
-- into the future before it sends the message, so that no other server sends it meanwhile. Without
-- it, a message has failed too often and is parked. No foreign keys, as in the log of events.
CREATE TABLE webhooks (
    id          TEXT    NOT NULL PRIMARY KEY,
    kind        INTEGER NOT NULL,
    follower_id INTEGER NOT NULL,
    followee_id INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    attempts    INTEGER NOT NULL DEFAULT 0,
    due_at      INTEGER,
    failure     TEXT
) STRICT, WITHOUT ROWID;
