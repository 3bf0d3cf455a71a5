-- The messages for the host's webhook: each new follow and follow request, until it is delivered. The
-- row is written in the transaction of the change, so there is a message exactly if there was a
-- change. It names the users by id only: what a message says of them is read when it is sent, so
-- nothing of a deleted user stays here. `due_at` is when to send a message next. A server moves it
-- into the future before it sends the message, so that no other server sends it meanwhile. Without
-- it, a message has failed too often and is parked. No foreign keys, as in the log of events. On
-- Citus this is a local table of the coordinator: no statement joins it with another table.
CREATE TABLE webhooks (
    id          text        PRIMARY KEY,
    kind        smallint    NOT NULL,
    follower_id bigint      NOT NULL,
    followee_id bigint      NOT NULL,
    at          timestamptz NOT NULL,
    attempts    smallint    NOT NULL DEFAULT 0,
    due_at      timestamptz,
    failure     text
);
