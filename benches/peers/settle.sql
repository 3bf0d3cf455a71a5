-- After writes: a load that stops during a request can leave a follow. Removes such follows from the
-- tables of the peers and from ours, so that all servers answer alike again.
CREATE TEMP TABLE made AS
SELECT a.viewer_id AS follower_id, u.id AS followee_id
FROM (TABLE asked.pairs UNION ALL TABLE asked.fans) a JOIN users u ON u.username = a.followee;

WITH gone AS (
    DELETE FROM peers.follows USING made
    WHERE follows.follower_id = made.follower_id AND follows.followee_id = made.followee_id
    RETURNING made.*),
ends AS (
    SELECT follower_id AS id, 0 AS followers, 1 AS following FROM gone
    UNION ALL SELECT followee_id, 1, 0 FROM gone),
changes AS (
    SELECT id, sum(followers) AS followers, sum(following) AS following FROM ends GROUP BY id)
UPDATE peers.users u
SET follower_count = follower_count - c.followers, following_count = following_count - c.following
FROM changes c WHERE u.id = c.id;

DELETE FROM followers USING made
WHERE followers.follower_id = made.follower_id AND followers.followee_id = made.followee_id;
WITH gone AS (
    DELETE FROM follows USING made
    WHERE follows.follower_id = made.follower_id AND follows.followee_id = made.followee_id
    RETURNING made.*),
ends AS (
    SELECT follower_id AS id, 0 AS followers, 1 AS following FROM gone
    UNION ALL SELECT followee_id, 1, 0 FROM gone),
changes AS (
    SELECT id, sum(followers) AS followers, sum(following) AS following FROM ends GROUP BY id)
UPDATE follow_counts
SET followers = follow_counts.followers - c.followers,
    following = follow_counts.following - c.following
FROM changes c WHERE user_id = c.id;

VACUUM peers.users, peers.follows, follow_counts, follows, followers, follow_changes;
