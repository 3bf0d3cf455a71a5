-- After writes: takes back what the end of the load left, in the tables of the peers, and cleans up.
-- In ours, an edge that is left is one of the graph, and its follow a repetition.
WITH left_over AS (
    DELETE FROM peers.follows f USING (TABLE asked.pairs UNION ALL TABLE asked.fans) a
    JOIN peers.users u ON u.username = a.followee
    WHERE f.follower_id = a.viewer_id AND f.followee_id = u.id
    RETURNING f.follower_id, f.followee_id),
ends AS (
    SELECT follower_id AS id, 0 AS followers, 1 AS following FROM left_over
    UNION ALL SELECT followee_id, 1, 0 FROM left_over),
changes AS (
    SELECT id, sum(followers) AS followers, sum(following) AS following FROM ends GROUP BY id)
UPDATE peers.users u
SET follower_count = follower_count - c.followers, following_count = following_count - c.following
FROM changes c WHERE u.id = c.id;
VACUUM peers.users, peers.follows;
VACUUM public.follow_counts, public.follows, public.followers, public.follow_changes;
