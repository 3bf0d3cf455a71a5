-- Who has muted a user: the foreign key needs it when the user is deleted.
CREATE INDEX mutes_of ON mutes (muted_id, muter_id);
