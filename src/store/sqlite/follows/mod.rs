//! Follows: counts and relations here, pages and writes in files of their own.

pub(crate) mod pages;
pub(crate) mod writes;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::SqliteConnection;

use super::{id_list, json, shared, time};
use crate::{
    domain::{Day, FollowCounts, FollowStanding, Privacy, SeenLists, Tie, UserId},
    store::{
        follow_writes::Pair,
        pages::{ListsKey, viewer_of},
        statement::query_as,
    },
};

/// Whether the reader (`$viewer`) follows the owner of lists `c`, if that matters.
macro_rules! follows_owner {
    ($viewer:literal) => {
        concat! {
            "CASE WHEN c.privacy = 0 THEN 0 ELSE EXISTS ( ",
              "SELECT 1 FROM follows f ",
              "WHERE f.followee_id = c.user_id AND f.follower_id = ", $viewer, ") END"
        }
    };
}
pub(super) use follows_owner;

/// Lists of owners and what decides who sees them, for readers: `$1` are pairs of both.
macro_rules! lists {
    ($followers:expr, $following:expr) => {
        concat! {
            "SELECT k.key, ", $followers, ", ", $following, ", c.privacy, ",
                    follows_owner!("k.value ->> 1"), " ",
            "FROM json_each($1) k CROSS JOIN follow_counts c ON c.user_id = k.value ->> 0"
        }
    };
}

/// The number of users on a list of `c` who block the reader (`$2`).
macro_rules! blockers_on {
    ($edges:literal, $owner:literal, $other:literal) => {
        concat! {
            "(SELECT count(*) FROM blocked_by b CROSS JOIN ", $edges, " e ON e.", $other,
            " = b.blocker_id AND e.", $owner, " = c.user_id WHERE b.blocked_id = $2)"
        }
    };
}

statements! {
    LISTS = lists!("c.followers", "c.following");
    // The same without the users who block $2.
    LISTS_VISIBLE = lists!(
        concat!("c.followers - ", blockers_on!("follows", "followee_id", "follower_id")),
        concat!("c.following - ", blockers_on!("follows", "follower_id", "followee_id"))
    );
    TIES =
        "SELECT 1, e.target_id, e.requested_at FROM json_each($2) k \
         CROSS JOIN follow_requests e ON e.target_id = k.value AND e.requester_id = $1 \
         UNION ALL \
         SELECT 2, e.requester_id, NULL FROM json_each($2) k \
         CROSS JOIN follow_requests e ON e.target_id = $1 AND e.requester_id = k.value \
         UNION ALL \
         SELECT 3, e.blocked_id, NULL FROM json_each($2) k \
         CROSS JOIN blocks e ON e.blocker_id = $1 AND e.blocked_id = k.value \
         UNION ALL \
         SELECT 4, e.muted_id, e.muted_until FROM json_each($2) k \
         CROSS JOIN mutes e ON e.muter_id = $1 AND e.muted_id = k.value";
    EDGES =
        "SELECT e.follower_id, e.followee_id, e.followed_at \
         FROM json_each($1) k CROSS JOIN follows e \
           ON e.follower_id = k.value ->> 0 AND e.followee_id = k.value ->> 1";
    RELATIONS =
        "SELECT e.follower_id, e.followee_id, e.followed_at FROM follows e \
         WHERE e.follower_id = $1 AND e.followee_id IN (SELECT value FROM json_each($2)) \
         UNION ALL \
         SELECT e.follower_id, e.followee_id, e.followed_at FROM follows e \
         WHERE e.followee_id = $1 AND e.follower_id IN (SELECT value FROM json_each($3))";
    // For the rows, see `StandingRow`.
    STANDING =
        "SELECT 1, c.user_id, c.followers, c.following, c.requests_sent, \
                CASE WHEN c.follows_day >= $2 THEN c.follows_today ELSE 0 END \
         FROM follow_counts c WHERE c.user_id = $1 \
         UNION ALL \
         SELECT 2, p.followee_id, p.changes, 0, 0, 0 FROM json_each($3) k \
         CROSS JOIN follow_changes p ON p.follower_id = $1 AND p.followee_id = k.value \
         WHERE p.day >= $2 \
         UNION ALL \
         SELECT 3, e.followee_id, 0, 0, 0, 0 FROM json_each($3) k \
         CROSS JOIN follows e ON e.followee_id = k.value AND e.follower_id = $1 \
         UNION ALL \
         SELECT 4, e.target_id, 0, 0, 0, 0 FROM json_each($3) k \
         CROSS JOIN follow_requests e ON e.target_id = k.value AND e.requester_id = $1 \
         UNION ALL \
         SELECT 5, e.blocked_id, 0, 0, 0, 0 FROM json_each($3) k \
         CROSS JOIN blocks e ON e.blocker_id = $1 AND e.blocked_id = k.value \
         UNION ALL \
         SELECT 6, e.blocker_id, 0, 0, 0, 0 FROM json_each($3) k \
         CROSS JOIN blocked_by e ON e.blocked_id = $1 AND e.blocker_id = k.value";
}

/// Lists as their readers see them, without the users who block the viewer.
pub(super) async fn lists(
    connection: &mut SqliteConnection,
    keys: &[ListsKey],
    viewer: Option<UserId>,
) -> sqlx::Result<HashMap<ListsKey, SeenLists>> {
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let pairs = keys.iter().map(|(owner, reader)| (owner.0, viewer_of(*reader)));
    let pairs = json(&pairs.collect::<Vec<_>>());
    let query = query_as(if viewer.is_some() { LISTS_VISIBLE } else { LISTS }).bind(pairs);
    let query = if let Some(viewer) = viewer { query.bind(viewer.0) } else { query };
    let rows: Vec<(i64, i64, i64, i64, bool)> = query.fetch_all(connection).await?;

    let lists = rows.into_iter().map(|(n, followers, following, privacy, follows)| {
        let key = usize::try_from(n).ok().and_then(|n| keys.get(n));
        let key = key.ok_or_else(|| sqlx::Error::Decode(format!("no key {n}").into()))?;
        let counts = FollowCounts { followers, following };
        Ok((*key, SeenLists::new(counts, Privacy::from_bits(privacy), key.1, follows)))
    });
    lists.collect()
}

/// What is between a viewer and other users besides follows.
pub(super) async fn ties(
    connection: &mut SqliteConnection,
    viewer: UserId,
    others: &[UserId],
) -> sqlx::Result<HashMap<UserId, Tie>> {
    let query = query_as(TIES).bind(viewer.0).bind(id_list(others));
    shared::follows::ties(query.fetch_all(connection).await?)
}

/// The edges of these pairs, with the times when they began.
pub(super) async fn edges(
    connection: &mut SqliteConnection,
    pairs: &[Pair],
) -> sqlx::Result<HashMap<Pair, DateTime<Utc>>> {
    let pairs = pairs.iter().map(|pair| (pair.0.0, pair.1.0)).collect::<Vec<_>>();
    let rows = query_as(EDGES).bind(json(&pairs)).fetch_all(connection).await?;
    rows.into_iter().map(edge).collect()
}

/// The edges from a viewer to the users of `followed`, and from those of `following_back` to the
/// viewer.
pub(super) async fn edges_of(
    connection: &mut SqliteConnection,
    viewer: UserId,
    followed: &[UserId],
    following_back: &[UserId],
) -> sqlx::Result<HashMap<Pair, DateTime<Utc>>> {
    let query = query_as(RELATIONS).bind(viewer.0);
    let query = query.bind(id_list(followed)).bind(id_list(following_back));
    query.fetch_all(connection).await?.into_iter().map(edge).collect()
}

/// What decides whether a user may follow others on a day.
pub(super) async fn standing(
    connection: &mut SqliteConnection,
    user: UserId,
    others: &[UserId],
    day: Day,
) -> sqlx::Result<Option<FollowStanding>> {
    let query = query_as(STANDING).bind(user.0).bind(day.0).bind(id_list(others));
    Ok(shared::follows::standing(query.fetch_all(connection).await?))
}

fn edge((follower, followee, since): (i64, i64, i64)) -> sqlx::Result<(Pair, DateTime<Utc>)> {
    Ok(((UserId(follower), UserId(followee)), time(since)?))
}
