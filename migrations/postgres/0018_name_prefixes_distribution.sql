-- On Citus the table is on all workers, as the users are. Where the extension is not installed, this
-- does nothing.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'citus') THEN
        PERFORM create_reference_table('name_prefixes');
    END IF;
END
$$;
