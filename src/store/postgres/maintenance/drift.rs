//! Finding and repairing differences: the SQL of this engine, and its locks.
//!
//! Each repair locks one row and then checks the difference in a statement of its own: under READ
//! COMMITTED only a new statement sees what was committed during the wait for the lock.

use sqlx::Transaction;

use crate::{
    domain::EdgeKind,
    store::{
        postgres::{Db, Postgres},
        sql::maintenance::{add_counts, count_rows, edges_of, find_edge, logs, stored_lengths},
    },
};

/// The number of edges or users that are looked up, or repaired, together. A plan for any parameters
/// compares each row with each element of an array, so the work grows with the square of this number.
pub(crate) const TOGETHER: usize = 500;

/// Those of the edges of the parameters that are in a table, with the same times. `$owners` are the
/// owners of the table among the parameters.
macro_rules! edges_in {
    ($edges:literal, $one:literal, $other:literal, $at:literal; $owner:literal in $owners:literal) => {
        concat! {
            "SELECT e.", $one, ", e.", $other, ", e.", $at, " FROM ", $edges, " e ",
            "JOIN unnest($1::bigint[], $2::bigint[], $3::timestamptz[]) AS k (one, other, at) ",
            "ON e.", $one, " = k.one AND e.", $other, " = k.other AND e.", $at, " = k.at ",
            "WHERE e.", $owner, " = ANY(", $owners, ")"
        }
    };
}

/// The edges of pairs. The bounds exclude none: they make the planner look each pair up by its key,
/// as in the write path.
macro_rules! edges_among {
    ($edges:literal, $one:literal, $other:literal, $at:literal) => {
        concat! {
            "SELECT e.", $one, ", e.", $other, ", e.", $at, " FROM ", $edges, " e ",
            "JOIN unnest($1::bigint[], $2::bigint[]) AS k (one, other) ",
            "ON e.", $one, " = k.one AND e.", $other, " = k.other ",
            "WHERE e.", $one, " = ANY($1) AND k.one BETWEEN 0 AND 9223372036854775807"
        }
    };
}

/// Locks those of the edges of the parameters that are in a table, in the order of the write path.
macro_rules! lock_edges {
    ($one:literal, $other:literal, $($rest:tt)+) => {
        concat!(edges_in!($one, $other, $($rest)+), " ORDER BY 1, 2 FOR UPDATE OF e")
    };
}

/// Locks one edge.
macro_rules! lock_edge {
    ($($edge:literal),+) => {
        concat!(find_edge!($($edge),+), " FOR UPDATE")
    };
}

statements! {
    USERS = "SELECT id FROM users WHERE id = ANY($1)";
    STORED = stored_lengths!("= ANY($1)");
    LOGS = logs!("= ANY($1)");
    NAMES = "SELECT id, username_key, name, username, subject FROM users WHERE id = ANY($1)";
    NAME_PREFIXES =
        "SELECT user_id, username_key, string_agg(prefix, ' ' ORDER BY prefix) FROM name_prefixes \
         WHERE user_id = ANY($1) GROUP BY user_id, username_key";
    NAME = "SELECT username_key, name FROM users WHERE id = $1 FOR UPDATE";
    COUNT_ROWS = count_rows!("= ANY($1)");
    FOLLOWS = edges_of!(
        "follows", "follower_id", "followee_id", "followed_at"; "follower_id" "= ANY($1)"
    );
    FOLLOWERS = edges_of!(
        "followers", "follower_id", "followee_id", "followed_at"; "followee_id" "= ANY($1)"
    );
    REQUESTS = edges_of!(
        "follow_requests", "requester_id", "target_id", "requested_at";
        "requester_id" "= ANY($1)"
    );
    REQUESTS_RECEIVED = edges_of!(
        "follow_requests_received", "requester_id", "target_id", "requested_at";
        "target_id" "= ANY($1)"
    );
    BLOCKS =
        edges_of!("blocks", "blocker_id", "blocked_id", "blocked_at"; "blocker_id" "= ANY($1)");
    BLOCKED_BY =
        edges_of!("blocked_by", "blocker_id", "blocked_id", "blocked_at"; "blocked_id" "= ANY($1)");
    IN_FOLLOWS = edges_in!(
        "follows", "follower_id", "followee_id", "followed_at"; "follower_id" in "$1"
    );
    IN_FOLLOWERS = edges_in!(
        "followers", "follower_id", "followee_id", "followed_at"; "followee_id" in "$2"
    );
    IN_REQUESTS = edges_in!(
        "follow_requests", "requester_id", "target_id", "requested_at"; "requester_id" in "$1"
    );
    IN_REQUESTS_RECEIVED = edges_in!(
        "follow_requests_received", "requester_id", "target_id", "requested_at";
        "target_id" in "$2"
    );
    IN_BLOCKS =
        edges_in!("blocks", "blocker_id", "blocked_id", "blocked_at"; "blocker_id" in "$1");
    IN_BLOCKED_BY =
        edges_in!("blocked_by", "blocker_id", "blocked_id", "blocked_at"; "blocked_id" in "$2");
    FOLLOWS_AMONG = edges_among!("follows", "follower_id", "followee_id", "followed_at");
    REQUESTS_AMONG =
        edges_among!("follow_requests", "requester_id", "target_id", "requested_at");
    LOCK_FOLLOWS = lock_edges!(
        "follows", "follower_id", "followee_id", "followed_at"; "follower_id" in "$1"
    );
    LOCK_REQUESTS = lock_edges!(
        "follow_requests", "requester_id", "target_id", "requested_at"; "requester_id" in "$1"
    );
    LOCK_BLOCKS =
        lock_edges!("blocks", "blocker_id", "blocked_id", "blocked_at"; "blocker_id" in "$1");
    LOCK_FOLLOW = lock_edge!("follows", "follower_id", "followee_id", "followed_at");
    LOCK_REQUEST = lock_edge!("follow_requests", "requester_id", "target_id", "requested_at");
    LOCK_BLOCK = lock_edge!("blocks", "blocker_id", "blocked_id", "blocked_at");
    KEEP_EDGES_OUT = "SELECT 1 FROM users WHERE id = $1 FOR UPDATE";
    KEEP_CHANGES_OUT =
        "SELECT 1 FROM follow_counts WHERE user_id = ANY($1) ORDER BY user_id FOR UPDATE";
    ADD_COUNTS = add_counts!("= ANY($1)");
    SET_LENGTHS =
        "UPDATE follow_counts c \
         SET followers = d.followers, following = d.following, requests_sent = d.requests_sent, \
             requests_received = d.requests_received, blocking = d.blocking, \
             blocked_by = d.blocked_by, muting = d.muting \
         FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], \
                     $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[]) \
              AS d (user_id, followers, following, requests_sent, requests_received, blocking, \
                    blocked_by, muting, events) \
         WHERE c.user_id = d.user_id AND c.user_id = ANY($1)";
}

pub(crate) async fn snapshot(engine: &Postgres) -> sqlx::Result<Transaction<'static, Db>> {
    let pool = engine.unlimited_pool(1);
    pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await
}

/// The same, for an export: it has a connection of its own already.
pub(crate) async fn export_snapshot(engine: &Postgres) -> sqlx::Result<Transaction<'static, Db>> {
    snapshot(engine).await
}

/// How to lock those of some edges that exist.
pub(crate) const fn lock_edges(kind: EdgeKind) -> &'static str {
    match kind {
        EdgeKind::Follow => LOCK_FOLLOWS,
        EdgeKind::Request => LOCK_REQUESTS,
        EdgeKind::Block => LOCK_BLOCKS,
    }
}

/// How to lock one edge, if it exists.
pub(crate) const fn lock_edge(kind: EdgeKind) -> &'static str {
    match kind {
        EdgeKind::Follow => LOCK_FOLLOW,
        EdgeKind::Request => LOCK_REQUEST,
        EdgeKind::Block => LOCK_BLOCK,
    }
}

/// How to keep out new edges that begin at a user. Adding one takes a shared lock on this user (the
/// foreign key) until the commit.
pub(crate) const LOCK_USER: Option<&str> = Some(KEEP_EDGES_OUT);

/// How to keep out changes of the edges and mutes of users. They all change the counts last.
pub(crate) const LOCK_COUNTS: Option<&str> = Some(KEEP_CHANGES_OUT);
