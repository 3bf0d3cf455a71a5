-- The beginnings of the words of each display name, for searching users: "Ada Li" has a, ad, ada, l
-- and li. The users with a word that begins with some text are then one contiguous range in the
-- order of their usernames, so a page of them reads no more than it shows, however many there are.
-- The transaction that writes a name writes these rows.
CREATE TABLE name_prefixes (
    prefix       TEXT NOT NULL,         -- folded by the program, without case and accents
    username_key TEXT NOT NULL,         -- that of the user, which never changes
    user_id      INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    PRIMARY KEY (prefix, username_key)  -- the key is the page index
) STRICT, WITHOUT ROWID;
