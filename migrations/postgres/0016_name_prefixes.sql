-- The beginnings of the words of each display name, for searching users: "Ada Li" has a, ad, ada, l
-- and li. The users with a word that begins with some text are then one contiguous range in the
-- order of their usernames, so a page of them reads no more than it shows, however many there are.
-- The transaction that writes a name writes these rows.
CREATE TABLE name_prefixes (
    -- Folded by the program, without case and accents. COLLATE "C" compares bytes, as SQLite does.
    prefix       text COLLATE "C" NOT NULL,
    username_key text COLLATE "C" NOT NULL,  -- that of the user, which never changes
    user_id      bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    PRIMARY KEY (prefix, username_key)       -- the key is the page index
);
