-- What administrators have changed. The transaction of a change writes its entry. Entries stay when
-- the users are deleted whom they are about.
CREATE TABLE audit_log (
    id       INTEGER PRIMARY KEY,  -- made by the program: time-ordered, 63 bits
    at       INTEGER NOT NULL,     -- microseconds since 1970, UTC
    actor_id INTEGER,              -- who made the change; none for the operator on the command line
    actor_name TEXT,           -- their username at that time
    action   TEXT NOT NULL,
    user_id  INTEGER,              -- whom it is about; none for a change of a role
    username TEXT,                 -- theirs at that time
    detail   TEXT                  -- a role, the names of changed fields, a reason
) STRICT;
