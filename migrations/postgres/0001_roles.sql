CREATE TABLE roles (
    id          smallint PRIMARY KEY,
    name        text NOT NULL UNIQUE,  -- what people and the API call it
    permissions bigint NOT NULL        -- bits: FOLLOW 1, MODERATE 8, ADMIN 16
);
