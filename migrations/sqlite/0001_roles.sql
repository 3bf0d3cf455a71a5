CREATE TABLE roles (
    id          INTEGER PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE,  -- what people and the API call it
    permissions INTEGER NOT NULL       -- bits: FOLLOW 1, MODERATE 8, ADMIN 16
) STRICT;
