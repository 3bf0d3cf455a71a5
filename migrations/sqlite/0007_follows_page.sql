-- Whom a user follows, by time: each page is one contiguous range of this index, and the index
-- holds all there is to know of an edge.
CREATE INDEX follows_page ON follows (follower_id, followed_at, followee_id);
