//! Follows: counts and relations here, pages and writes in files of their own.

pub(crate) mod pages;
pub(crate) mod writes;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

use super::{arrays, id_list, shared};
use crate::{
    domain::{Day, FollowCounts, FollowStanding, UserId},
    store::{
        follow_writes::Pair,
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

statements! {
    COUNTS =
        "SELECT array_agg(user_id), array_agg(followers), array_agg(following) \
         FROM follow_counts WHERE user_id = ANY($1)";
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
        "SELECT 1::bigint, c.user_id, c.followers, c.following, \
                CASE WHEN c.follows_day >= $2 THEN c.follows_today ELSE 0 END \
         FROM follow_counts c WHERE c.user_id = $1 \
         UNION ALL \
         SELECT 2, r.followee_id, 0, 0, 0 FROM (",
        edges_of_pairs!("$4", "$3"),
        ") r UNION ALL \
         SELECT 3, p.followee_id, p.changes, 0, 0 FROM follow_changes p \
         WHERE p.follower_id = $1 AND p.followee_id = ANY($3) AND p.day >= $2"
    );
}

pub(super) async fn counts(
    connection: impl PgExecutor<'_>,
    ids: &[UserId],
) -> sqlx::Result<HashMap<UserId, FollowCounts>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let row = query(COUNTS).bind(id_list(ids)).fetch_one(connection).await?;
    let numbers = |column| arrays::of_numbers(&row, column);
    let lengths = numbers(1)?.zip(numbers(2)?);
    let counts = numbers(0)?.zip(lengths).map(|(id, (followers, following))| {
        Ok((UserId(id?), FollowCounts { followers: followers?, following: following? }))
    });
    counts.collect()
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
