-- The tables of the peers, filled from ours: users with counters, and one table of follows with an
-- index for each direction, as one would design them for such a server. Then the targets of requests.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_stat_statements;
DO $$
DECLARE
    peer text;
BEGIN
    FOREACH peer IN ARRAY ARRAY['mercurius', 'postgraphile', 'floor'] LOOP
        EXECUTE format('DROP ROLE IF EXISTS %I', peer);
        EXECUTE format('CREATE ROLE %I LOGIN', peer);
        EXECUTE format('ALTER ROLE %I SET search_path = peers', peer);
    END LOOP;
END
$$;

CREATE SCHEMA peers;
SET search_path = peers;

CREATE TABLE users (
    id              bigint PRIMARY KEY,
    username        text NOT NULL UNIQUE,
    name            text,
    bio             text,
    avatar_url      text,
    created_at      timestamptz NOT NULL,
    follower_count  integer NOT NULL,
    following_count integer NOT NULL
) WITH (fillfactor = 85);
INSERT INTO users
SELECT u.id, u.username, u.name, u.bio, u.avatar_url, u.created_at, c.followers, c.following
FROM public.users u JOIN public.follow_counts c ON c.user_id = u.id ORDER BY u.id;

CREATE TABLE follows (
    follower_id bigint NOT NULL,
    followee_id bigint NOT NULL,
    followed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO follows SELECT follower_id, followee_id, followed_at FROM public.follows;
ALTER TABLE follows
    ADD PRIMARY KEY (follower_id, followee_id),
    ADD CONSTRAINT follows_follower FOREIGN KEY (follower_id) REFERENCES users ON DELETE CASCADE,
    ADD CONSTRAINT follows_followee FOREIGN KEY (followee_id) REFERENCES users ON DELETE CASCADE,
    ADD CONSTRAINT follows_no_self CHECK (follower_id <> followee_id);
CREATE INDEX followers_page ON follows (followee_id, followed_at DESC, follower_id DESC);
CREATE INDEX following_page ON follows (follower_id, followed_at DESC, followee_id DESC);

-- Names for both ends of a follow in PostGraphile.
COMMENT ON CONSTRAINT follows_follower ON follows IS
    E'@fieldName follower\n@foreignFieldName following';
COMMENT ON CONSTRAINT follows_followee ON follows IS
    E'@fieldName followee\n@foreignFieldName followers';

CREATE FUNCTION viewer_id() RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS
    $$ SELECT nullif(current_setting('viewer.id', true), '')::bigint $$;
COMMENT ON FUNCTION viewer_id() IS '@behavior -queryField';
-- A field of PostGraphile's type User.
CREATE FUNCTION users_viewer_is_following(one users) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM peers.follows
                   WHERE follower_id = peers.viewer_id() AND followee_id = one.id)
$$;

-- The mutations of PostGraphile. Each change is one statement, here as with Mercurius and pgbench:
-- the edge, and both counters if the edge changed.
CREATE FUNCTION follow_user(username text) RETURNS users LANGUAGE sql AS $$
    WITH target AS (SELECT id FROM peers.users u WHERE u.username = follow_user.username),
        made AS (
            INSERT INTO peers.follows (follower_id, followee_id)
            SELECT peers.viewer_id(), id FROM target ON CONFLICT DO NOTHING
            RETURNING follower_id, followee_id),
        counted AS (
            UPDATE peers.users u
            SET follower_count = follower_count + (u.id = followee_id)::int,
                following_count = following_count + (u.id = follower_id)::int
            FROM made WHERE u.id IN (follower_id, followee_id) RETURNING u.*)
    SELECT * FROM counted WHERE id = (SELECT id FROM target)
    UNION ALL
    SELECT u.* FROM peers.users u
    WHERE u.username = follow_user.username AND NOT EXISTS (SELECT FROM made)
    LIMIT 1
$$;
CREATE FUNCTION unfollow_user(username text) RETURNS users LANGUAGE sql AS $$
    WITH target AS (SELECT id FROM peers.users u WHERE u.username = unfollow_user.username),
        gone AS (
            DELETE FROM peers.follows USING target
            WHERE follower_id = peers.viewer_id() AND followee_id = id
            RETURNING follower_id, followee_id),
        counted AS (
            UPDATE peers.users u
            SET follower_count = follower_count - (u.id = followee_id)::int,
                following_count = following_count - (u.id = follower_id)::int
            FROM gone WHERE u.id IN (follower_id, followee_id) RETURNING u.*)
    SELECT * FROM counted WHERE id = (SELECT id FROM target)
    UNION ALL
    SELECT u.* FROM peers.users u
    WHERE u.username = unfollow_user.username AND NOT EXISTS (SELECT FROM gone)
    LIMIT 1
$$;

-- The targets of requests, the same for every server, in a schema that no server exposes.
CREATE SCHEMA asked;
-- Users with many followers, but not the most followed.
CREATE TABLE asked.profiles AS
SELECT row_number() OVER () - 1 AS k, id, username FROM (
    SELECT id, username FROM users ORDER BY follower_count DESC, id OFFSET 10 LIMIT 2000) people;
-- Missing follows: each is created and removed.
CREATE TABLE asked.pairs AS
SELECT row_number() OVER () - 1 AS k, a.id AS viewer_id, a.username AS viewer,
    b.username AS followee
FROM (SELECT row_number() OVER (ORDER BY md5(username)) AS n, * FROM users) a
JOIN (SELECT row_number() OVER (ORDER BY md5(username || '*')) AS n, * FROM users) b USING (n)
WHERE a.id <> b.id
    AND NOT EXISTS (SELECT FROM follows WHERE follower_id = a.id AND followee_id = b.id)
ORDER BY n LIMIT 5000;
-- The same users, all following the most followed user that most of them do not follow yet.
CREATE TABLE asked.fans AS
SELECT row_number() OVER () - 1 AS k, viewer_id, viewer, star.username AS followee
FROM asked.pairs
CROSS JOIN (SELECT id, username FROM users ORDER BY follower_count DESC, id LIMIT 1) star
WHERE viewer_id <> star.id AND NOT EXISTS (
    SELECT FROM follows WHERE follower_id = viewer_id AND followee_id = star.id);
-- Pages of all users: the last user before each.
CREATE TABLE asked.pages AS
SELECT row_number() OVER (ORDER BY n) - 1 AS k, id FROM (
    SELECT row_number() OVER (ORDER BY id) AS n, id FROM users) numbered
WHERE n % 50 = 0 AND n <= 3200;

ALTER TABLE asked.profiles ADD PRIMARY KEY (k);
ALTER TABLE asked.pairs ADD PRIMARY KEY (k);
ALTER TABLE asked.fans ADD PRIMARY KEY (k);
ALTER TABLE asked.pages ADD PRIMARY KEY (k);

GRANT USAGE ON SCHEMA peers, asked TO mercurius, postgraphile, floor;
GRANT SELECT, INSERT, UPDATE, DELETE ON users, follows TO mercurius, postgraphile, floor;
GRANT SELECT ON ALL TABLES IN SCHEMA asked TO floor;
VACUUM (FREEZE, ANALYZE);
CHECKPOINT;
