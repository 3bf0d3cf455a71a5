\set k random(0, :profiles - 1)
SELECT u.username, u.follower_count, u.following_count, f.followed_at, f.username FROM asked.profiles p JOIN users u ON u.username = p.username LEFT JOIN LATERAL (SELECT e.followed_at, x.username FROM follows e JOIN users x ON x.id = e.follower_id WHERE e.followee_id = u.id ORDER BY e.followed_at DESC, e.follower_id DESC LIMIT 20) f ON true WHERE p.k = :k;
