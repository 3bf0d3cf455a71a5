-- What administrators have changed. The transaction of a change writes its entry. Entries stay when
-- the users are deleted whom they are about. On Citus this is a local table of the coordinator: no
-- statement joins it with another table.
CREATE TABLE audit_log (
    id       bigint      PRIMARY KEY,  -- made by the program: time-ordered, 63 bits
    at       timestamptz NOT NULL,
    actor_id bigint,                   -- who made the change; none for the operator on the command line
    actor_name text,                 -- their username at that time
    action   text        NOT NULL,
    user_id  bigint,                   -- whom it is about; none for a change of a role
    username text,                     -- theirs at that time
    detail   text                      -- a role, the names of changed fields, a reason
);
