CREATE TABLE users (
    id            bigint PRIMARY KEY,     -- made by the program: time-ordered, 63 bits
    username      text NOT NULL,          -- in the letters that its owner chose
    -- The username in lower case: what is unique, looked up and sorted by. COLLATE "C" compares
    -- bytes, as SQLite does, so that both engines list users in the same order.
    username_key  text COLLATE "C" NOT NULL UNIQUE,
    name          text,
    bio           text,
    avatar_url    text,
    role_id       smallint NOT NULL REFERENCES roles (id),
    subject       text UNIQUE,            -- the account at the host's identity provider
    password_hash text,                   -- PHC format; none for accounts of such a provider
    created_at    timestamptz NOT NULL
);
