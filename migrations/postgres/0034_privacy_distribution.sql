-- On Citus each table is with the rest of the graph of the user in its first column. Where the
-- extension is not installed, this does nothing.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'citus') THEN
        PERFORM create_distributed_table('follow_requests', 'requester_id',
                                         colocate_with => 'follow_counts');
        PERFORM create_distributed_table('follow_requests_received', 'target_id',
                                         colocate_with => 'follow_counts');
        PERFORM create_distributed_table('blocks', 'blocker_id',
                                         colocate_with => 'follow_counts');
        PERFORM create_distributed_table('blocked_by', 'blocked_id',
                                         colocate_with => 'follow_counts');
        PERFORM create_distributed_table('mutes', 'muter_id',
                                         colocate_with => 'follow_counts');
    END IF;
END
$$;
