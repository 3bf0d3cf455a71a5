-- How far each import of a file has got. The transaction that loads rows of the file saves it, so an
-- import that is interrupted goes on where it has stopped. On Citus this is a local table of the
-- coordinator: no statement joins it with another table.
CREATE TABLE imports (
    id             text        PRIMARY KEY,  -- a hash of the file and of the options
    kind           smallint    NOT NULL,
    file           text        NOT NULL,     -- its name, for people
    position       bigint      NOT NULL DEFAULT 0,  -- in bytes
    lines          bigint      NOT NULL DEFAULT 0,
    loaded         bigint      NOT NULL DEFAULT 0,  -- rows
    present        bigint      NOT NULL DEFAULT 0,
    rejected       bigint      NOT NULL DEFAULT 0,
    rejects_length bigint      NOT NULL DEFAULT 0,  -- of the file of rejected rows, in bytes
    started_at     timestamptz NOT NULL,
    finished_at    timestamptz
);
