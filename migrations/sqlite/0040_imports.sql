-- How far each import of a file has got. The transaction that loads rows of the file saves it, so an
-- import that is interrupted goes on where it has stopped.
CREATE TABLE imports (
    id             TEXT    NOT NULL PRIMARY KEY,  -- a hash of the file and of the options
    kind           INTEGER NOT NULL,
    file           TEXT    NOT NULL,     -- its name, for people
    position       INTEGER NOT NULL DEFAULT 0,  -- in bytes
    lines          INTEGER NOT NULL DEFAULT 0,
    loaded         INTEGER NOT NULL DEFAULT 0,  -- rows
    present        INTEGER NOT NULL DEFAULT 0,
    rejected       INTEGER NOT NULL DEFAULT 0,
    rejects_length INTEGER NOT NULL DEFAULT 0,  -- of the file of rejected rows, in bytes
    started_at     INTEGER NOT NULL,
    finished_at    INTEGER
) STRICT, WITHOUT ROWID;
