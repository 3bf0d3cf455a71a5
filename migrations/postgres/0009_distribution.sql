-- On Citus the graph is spread over the workers, each list with its owner; the users and the
-- roles are on all of them. Where the extension is not installed, this does nothing.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'citus') THEN
        PERFORM create_reference_table('roles');
        PERFORM create_reference_table('users');
        PERFORM create_distributed_table('follow_counts', 'user_id');
        PERFORM create_distributed_table('follows', 'follower_id',
                                         colocate_with => 'follow_counts');
        PERFORM create_distributed_table('followers', 'followee_id',
                                         colocate_with => 'follow_counts');
    END IF;
END
$$;
