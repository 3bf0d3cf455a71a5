-- Users with 100, 10,000 and 1,000,000 followers, with a million additional users. Written directly,
-- since only reads are measured; `entourage check` verifies it afterwards.
SET session_replication_role = replica; -- foreign keys hold by construction
CREATE TEMP TABLE fans AS
SELECT n, (1::bigint << 62) + n AS id FROM generate_series(1, 1000000) n;
CREATE TEMP TABLE stars AS
SELECT (1::bigint << 62) - followers AS id, 'star' || followers AS username, followers
FROM unnest(ARRAY[100, 10000, 1000000]) followers;

INSERT INTO users (id, username, username_key, role_id, created_at)
SELECT id, username, username, 1, '2025-01-01' FROM (
    SELECT id, 'fan' || lpad(n::text, 7, '0') AS username FROM fans
    UNION ALL SELECT id, username FROM stars) people;
-- In no order of time, as in practice.
CREATE TEMP TABLE edges AS
SELECT f.id AS follower_id, s.id AS followee_id,
    timestamptz '2025-02-01' + (n::bigint * 7919 % 1000003) * interval '1 second' AS followed_at
FROM stars s JOIN fans f ON f.n <= s.followers;
INSERT INTO follows SELECT follower_id, followee_id, followed_at FROM edges;
INSERT INTO followers SELECT followee_id, follower_id, followed_at FROM edges;
INSERT INTO follow_counts (user_id, followers, following)
SELECT id, followers, 0 FROM stars
UNION ALL SELECT follower_id, 0, count(*) FROM edges GROUP BY follower_id;
VACUUM (FREEZE, ANALYZE);
CHECKPOINT;
