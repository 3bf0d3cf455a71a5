CREATE TABLE users (
    id            INTEGER PRIMARY KEY,    -- made by the program: time-ordered, 63 bits
    username      TEXT NOT NULL,          -- in the letters that its owner chose
    username_key  TEXT NOT NULL UNIQUE,   -- in lower case: unique, looked up and sorted by
    name          TEXT,
    bio           TEXT,
    avatar_url    TEXT,
    role_id       INTEGER NOT NULL REFERENCES roles (id),
    subject       TEXT UNIQUE,            -- the account at the host's identity provider
    password_hash TEXT,                   -- PHC format; none for accounts of such a provider
    created_at    INTEGER NOT NULL        -- microseconds since 1970, UTC
) STRICT;
