-- The numbers of the bits are never used for anything else; a new permission takes a new bit.
INSERT INTO roles (id, name, permissions) VALUES
    (1, 'user', 1),        -- FOLLOW: what a new account gets
    (2, 'restricted', 0),  -- may look, and nothing else
    (3, 'moderator', 9),   -- FOLLOW + MODERATE
    (4, 'admin', 25);      -- FOLLOW + MODERATE + ADMIN
