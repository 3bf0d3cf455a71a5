-- The rows of one user, to replace them with the name and to delete them with the user.
CREATE INDEX name_prefixes_by_user ON name_prefixes (user_id);
