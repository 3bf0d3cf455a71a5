//! Follows: counts and relations here, pages and writes in files of their own.

pub(crate) mod pages;
pub(crate) mod writes;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

use super::{arrays, id_list, shared};
use crate::{
    domain::{Day, FollowCounts, FollowStanding, Privacy, SeenLists, Tie, UserId},
    store::{
        follow_writes::Pair,
        pages::{ListsKey, viewer_of},
        statement::{query, query_as},
    },
};

/// The edges of pairs, each looked up by its key. No index holds `tableoid`, so the condition on it
/// keeps the planner from reading the whole list of the follower from `follows_page` instead.
macro_rules! edges_of_pairs {
    ($followers:literal, $followees:literal) => {
        concat! {
            "SELECT e.follower_id, e.followee_id, e.followed_at ",
            "FROM unnest(", $followers, "::bigint[], ", $followees, "::bigint[]) ",
                 "AS k (follower_id, followee_id) ",
            "JOIN follows e ON e.follower_id = k.follower_id AND e.followee_id = k.followee_id ",
            "WHERE e.follower_id = ANY(", $followers, ") AND e.tableoid <> 0"
        }
    };
}

/// Whether the list of a viewer is short enough to be read as a whole.
macro_rules! follows_few {
    () => {
        "EXISTS (SELECT 1 FROM follow_counts WHERE user_id = $1 AND following <= 250)"
    };
}

/// Whether the reader (`$viewer`) follows the owner of lists `c`, as 1 or 0, if that matters. It is a
/// scalar subquery, since the planner may answer EXISTS by reading the whole table.
macro_rules! follows_owner {
    ($viewer:literal) => {
        concat! {
            "CASE WHEN c.privacy = 0 THEN 0 ELSE coalesce(( ",
              "SELECT 1 FROM follows f ",
              "WHERE f.followee_id = c.user_id AND f.follower_id = ", $viewer, "), 0) END"
        }
    };
}
pub(super) use follows_owner;

/// Lists of owners (`$1`) and what decides who sees them, for readers (`$2`): one row with arrays.
macro_rules! lists {
    ($followers:expr, $following:expr) => {
        concat! {
            "SELECT array_agg(k.n), array_agg(", $followers, "), array_agg(", $following, "), ",
                   "array_agg(c.privacy), array_agg((", follows_owner!("k.viewer"), ")::bigint) ",
            "FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS k (owner, viewer, n) ",
            "JOIN follow_counts c ON c.user_id = k.owner WHERE c.user_id = ANY($1)"
        }
    };
}

/// The number of users on a list of `c` who block the reader (`$3`).
macro_rules! blockers_on {
    ($edges:literal, $owner:literal, $other:literal) => {
        concat! {
            "(SELECT count(*) FROM blocked_by b JOIN ", $edges, " e ON e.", $other,
            " = b.blocker_id AND e.", $owner, " = c.user_id WHERE b.blocked_id = $3)"
        }
    };
}

statements! {
    LISTS = lists!("c.followers", "c.following");
    // The same without the users who block $3.
    LISTS_VISIBLE = lists!(
        concat!("c.followers - ", blockers_on!("followers", "followee_id", "follower_id")),
        concat!("c.following - ", blockers_on!("follows", "follower_id", "followee_id"))
    );
    TIES =
        "SELECT 1::bigint, e.target_id, e.requested_at FROM follow_requests e \
         WHERE e.requester_id = $1 AND e.target_id = ANY($2) \
         UNION ALL \
         SELECT 2, e.requester_id, NULL FROM follow_requests e \
         WHERE e.target_id = $1 AND e.requester_id = ANY($2) \
         UNION ALL \
         SELECT 3, e.blocked_id, NULL FROM blocks e \
         WHERE e.blocker_id = $1 AND e.blocked_id = ANY($2) \
         UNION ALL \
         SELECT 4, e.muted_id, e.muted_until FROM mutes e \
         WHERE e.muter_id = $1 AND e.muted_id = ANY($2)";
    EDGES = edges_of_pairs!("$1", "$2");
    // While the list of a viewer is short, reading all of it is cheaper than a look-up for each
    // user. $2 are the users whom the viewer may follow, $4 those who may follow back; $3 and $5
    // repeat the viewer, once for each of them.
    RELATIONS = concat!(
        "SELECT e.follower_id, e.followee_id, e.followed_at FROM follows e \
         WHERE e.follower_id = $1 AND e.followee_id = ANY($2) AND ",
        follows_few!(),
        " UNION ALL ",
        edges_of_pairs!("$3", "$2"),
        " AND NOT ",
        follows_few!(),
        " UNION ALL ",
        edges_of_pairs!("$4", "$5"),
    );
    // $3 are the others; $4 repeats the user, once for each of them. For the rows, see
    // `StandingRow`.
    STANDING = concat!(
        "SELECT 1::bigint, c.user_id, c.followers, c.following, c.requests_sent, \
                CASE WHEN c.follows_day >= $2 THEN c.follows_today ELSE 0 END \
         FROM follow_counts c WHERE c.user_id = $1 \
         UNION ALL \
         SELECT 2, p.followee_id, p.changes, 0, 0, 0 FROM follow_changes p \
         WHERE p.follower_id = $1 AND p.followee_id = ANY($3) AND p.day >= $2 \
         UNION ALL \
         SELECT 3, r.followee_id, 0, 0, 0, 0 FROM (",
        edges_of_pairs!("$4", "$3"),
        ") r UNION ALL \
         SELECT 4, e.target_id, 0, 0, 0, 0 FROM follow_requests e \
         WHERE e.requester_id = $1 AND e.target_id = ANY($3) \
         UNION ALL \
         SELECT 5, e.blocked_id, 0, 0, 0, 0 FROM blocks e \
         WHERE e.blocker_id = $1 AND e.blocked_id = ANY($3) \
         UNION ALL \
         SELECT 6, e.blocker_id, 0, 0, 0, 0 FROM blocked_by e \
         WHERE e.blocked_id = $1 AND e.blocker_id = ANY($3)"
    );
}

/// Lists as their readers see them, without the users who block the viewer.
pub(super) async fn lists(
    connection: impl PgExecutor<'_>,
    keys: &[ListsKey],
    viewer: Option<UserId>,
) -> sqlx::Result<HashMap<ListsKey, SeenLists>> {
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let owners: Vec<_> = keys.iter().map(|(owner, _)| owner.0).collect();
    let readers: Vec<_> = keys.iter().map(|(_, reader)| viewer_of(*reader)).collect();
    let query = query(if viewer.is_some() { LISTS_VISIBLE } else { LISTS });
    let query = query.bind(owners).bind(readers);
    let query = if let Some(viewer) = viewer { query.bind(viewer.0) } else { query };
    let row = query.fetch_one(connection).await?;

    let numbers = |column| arrays::of_numbers(&row, column);
    let settings = numbers(3)?.zip(numbers(4)?);
    let rows = numbers(0)?.zip(numbers(1)?.zip(numbers(2)?)).zip(settings);
    let lists = rows.map(|((n, (followers, following)), (privacy, follows))| {
        let key = usize::try_from(n? - 1).ok().and_then(|n| keys.get(n));
        let key = key.ok_or_else(|| sqlx::Error::Decode("a row of no key".into()))?;
        let counts = FollowCounts { followers: followers?, following: following? };
        let privacy = Privacy::from_bits(privacy?);
        Ok((*key, SeenLists::new(counts, privacy, key.1, follows? == 1)))
    });
    lists.collect()
}

/// What is between a viewer and other users besides follows.
pub(super) async fn ties(
    connection: impl PgExecutor<'_>,
    viewer: UserId,
    others: &[UserId],
) -> sqlx::Result<HashMap<UserId, Tie>> {
    let query = query_as(TIES).bind(viewer.0).bind(id_list(others));
    shared::follows::ties(query.fetch_all(connection).await?)
}

/// What decides whether a user may follow others on a day.
pub(super) async fn standing(
    connection: impl PgExecutor<'_>,
    user: UserId,
    others: &[UserId],
    day: Day,
) -> sqlx::Result<Option<FollowStanding>> {
    let query = query_as(STANDING).bind(user.0).bind(day.0);
    let query = query.bind(id_list(others)).bind(vec![user.0; others.len()]);
    Ok(shared::follows::standing(query.fetch_all(connection).await?))
}

/// The edges of these pairs, with the times when they began.
pub(super) async fn edges(
    connection: impl PgExecutor<'_>,
    pairs: &[Pair],
) -> sqlx::Result<HashMap<Pair, DateTime<Utc>>> {
    let (followers, followees): (Vec<_>, Vec<_>) =
        pairs.iter().map(|pair| (pair.0.0, pair.1.0)).unzip();
    let rows = query_as(EDGES).bind(followers).bind(followees).fetch_all(connection).await?;
    Ok(rows.into_iter().map(edge).collect())
}

/// The edges from a viewer to the users of `followed`, and from those of `following_back` to the
/// viewer.
pub(super) async fn edges_of(
    connection: impl PgExecutor<'_>,
    viewer: UserId,
    followed: &[UserId],
    following_back: &[UserId],
) -> sqlx::Result<HashMap<Pair, DateTime<Utc>>> {
    let query = query_as(RELATIONS).bind(viewer.0);
    let query = query.bind(id_list(followed)).bind(vec![viewer.0; followed.len()]);
    let query = query.bind(id_list(following_back)).bind(vec![viewer.0; following_back.len()]);
    Ok(query.fetch_all(connection).await?.into_iter().map(edge).collect())
}

fn edge((follower, followee, since): (i64, i64, DateTime<Utc>)) -> (Pair, DateTime<Utc>) {
    ((UserId(follower), UserId(followee)), since)
}
