//! Finding and repairing differences: the SQL of this engine.
//!
//! The write lock covers every row, so repairs need no other.

use sqlx::Transaction;

use crate::{
    domain::EdgeKind,
    store::{
        sql::maintenance::{
            FIND_BLOCK, FIND_FOLLOW, FIND_REQUEST, add_counts, count_rows, edges_of, logs,
            stored_lengths,
        },
        sqlite::{Db, Sqlite},
    },
};

/// The number of edges or users that are looked up, or repaired, together. Each commit waits for the
/// disk; other writes wait for each repair, a tenth of a second at most.
pub(crate) const TOGETHER: usize = 5_000;

/// All edges of users in one of the tables.
macro_rules! edges {
    ($($edge:literal),+; $owner:literal) => {
        edges_of!($($edge),+; $owner "IN (SELECT value FROM json_each($1))")
    };
}

/// The edges of pairs.
macro_rules! edges_among {
    ($edges:literal, $one:literal, $other:literal, $at:literal) => {
        concat! {
            "SELECT e.", $one, ", e.", $other, ", e.", $at, " FROM json_each($1) k ",
            "CROSS JOIN ", $edges, " e ",
            "ON e.", $one, " = k.value ->> 0 AND e.", $other, " = k.value ->> 1"
        }
    };
}

/// Those of the edges of the parameter that are in a table, with the same times.
macro_rules! edges_in {
    ($edges:literal, $one:literal, $other:literal, $at:literal) => {
        concat!(edges_among!($edges, $one, $other, $at), " AND e.", $at, " = k.value ->> 2")
    };
}

statements! {
    USERS = "SELECT id FROM users WHERE id IN (SELECT value FROM json_each($1))";
    STORED = stored_lengths!("IN (SELECT value FROM json_each($1))");
    LOGS = logs!("IN (SELECT value FROM json_each($1))");
    NAMES =
        "SELECT id, username_key, name, username, subject FROM users \
         WHERE id IN (SELECT value FROM json_each($1))";
    NAME_PREFIXES =
        "SELECT user_id, username_key, group_concat(prefix, ' ' ORDER BY prefix) FROM name_prefixes \
         WHERE user_id IN (SELECT value FROM json_each($1)) GROUP BY user_id, username_key";
    NAME = "SELECT username_key, name FROM users WHERE id = $1";
    ADD_COUNTS = add_counts!("IN (SELECT value FROM json_each($1))");
    SET_LENGTHS =
        "UPDATE follow_counts \
         SET followers = d.value ->> 1, following = d.value ->> 2, requests_sent = d.value ->> 3, \
             requests_received = d.value ->> 4, blocking = d.value ->> 5, \
             blocked_by = d.value ->> 6, muting = d.value ->> 7 \
         FROM json_each($1) d WHERE user_id = d.value ->> 0";
    COUNT_ROWS = count_rows!("IN (SELECT value FROM json_each($1))");
    FOLLOWS = edges!("follows", "follower_id", "followee_id", "followed_at"; "follower_id");
    FOLLOWERS = edges!("followers", "follower_id", "followee_id", "followed_at"; "followee_id");
    REQUESTS =
        edges!("follow_requests", "requester_id", "target_id", "requested_at"; "requester_id");
    REQUESTS_RECEIVED = edges!(
        "follow_requests_received", "requester_id", "target_id", "requested_at"; "target_id"
    );
    BLOCKS = edges!("blocks", "blocker_id", "blocked_id", "blocked_at"; "blocker_id");
    BLOCKED_BY = edges!("blocked_by", "blocker_id", "blocked_id", "blocked_at"; "blocked_id");
    IN_FOLLOWS = edges_in!("follows", "follower_id", "followee_id", "followed_at");
    IN_FOLLOWERS = edges_in!("followers", "follower_id", "followee_id", "followed_at");
    IN_REQUESTS = edges_in!("follow_requests", "requester_id", "target_id", "requested_at");
    IN_REQUESTS_RECEIVED =
        edges_in!("follow_requests_received", "requester_id", "target_id", "requested_at");
    IN_BLOCKS = edges_in!("blocks", "blocker_id", "blocked_id", "blocked_at");
    IN_BLOCKED_BY = edges_in!("blocked_by", "blocker_id", "blocked_id", "blocked_at");
    FOLLOWS_AMONG = edges_among!("follows", "follower_id", "followee_id", "followed_at");
    REQUESTS_AMONG =
        edges_among!("follow_requests", "requester_id", "target_id", "requested_at");
}

/// A deferred transaction that only reads sees one moment of the file, in WAL mode.
pub(crate) async fn snapshot(engine: &Sqlite) -> sqlx::Result<Transaction<'static, Db>> {
    engine.readers.begin().await
}

/// The same, on a separate connection: a slow client can keep an export open.
pub(crate) async fn export_snapshot(engine: &Sqlite) -> sqlx::Result<Transaction<'static, Db>> {
    engine.exporters.begin().await
}

/// How to find those of some edges that exist; the lock is there.
pub(crate) const fn lock_edges(kind: EdgeKind) -> &'static str {
    match kind {
        EdgeKind::Follow => IN_FOLLOWS,
        EdgeKind::Request => IN_REQUESTS,
        EdgeKind::Block => IN_BLOCKS,
    }
}

/// How to find one edge; the lock is there.
pub(crate) const fn lock_edge(kind: EdgeKind) -> &'static str {
    match kind {
        EdgeKind::Follow => FIND_FOLLOW,
        EdgeKind::Request => FIND_REQUEST,
        EdgeKind::Block => FIND_BLOCK,
    }
}

/// How to keep out new edges that begin at a user: the write lock does.
pub(crate) const LOCK_USER: Option<&str> = None;

/// How to keep out changes of the edges and mutes of users: the write lock does.
pub(crate) const LOCK_COUNTS: Option<&str> = None;
