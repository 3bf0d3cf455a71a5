-- On Citus the log of a user is with the rest of the user's graph. Where the extension is not
-- installed, this does nothing.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'citus') THEN
        PERFORM create_distributed_table('follow_events', 'user_id',
                                         colocate_with => 'follow_counts');
    END IF;
END
$$;
