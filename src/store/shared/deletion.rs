//! Deleting a user, in steps that keep the invariants.

use std::collections::BTreeMap;

use super::{
    super::{
        Engine, begin, bind_counts, bind_edges,
        follows::writes::REMOVE_MIRRORS,
        id_list,
        maintenance::deletion::{FIND_USER, LOWER_COUNTS, TAKE_FOLLOWERS, tell},
    },
    follows::follow,
};
use crate::{
    domain::{Follow, FollowCounts, UserId},
    store::{
        Result,
        retry::{self, Tries},
        sql::{DELETE_USER, SOME_FOLLOWERS, TAKE_FOLLOWING},
        statement::{query, query_scalar},
    },
};

/// The most edges of each direction that one step removes.
const EDGES: u16 = 1_000;

/// How often a step is repeated because an edge had no mirror.
const CONTENDED_MAX: u32 = 4;

/// The result of a step.
enum Step {
    /// There is no such user.
    NoSuchUser,
    /// An edge was removed and its mirror was not there: the step was rolled back.
    Contended,
    /// Some edges were removed, others are left.
    Unfinished,
    /// The last edges were removed, and the user with them.
    Deleted,
}

pub(super) async fn delete(engine: Engine, id: UserId) -> Result<bool> {
    let mut found = false;
    let mut repeats = CONTENDED_MAX;
    loop {
        match retry::retried(|tries| step(tries, &engine, id, repeats == 0)).await? {
            Step::Contended => repeats -= 1,
            Step::NoSuchUser => return Ok(found),
            Step::Deleted => return Ok(true),
            Step::Unfinished => found = true,
        }
    }
}

/// Removes some edges of each direction. A follow that is being committed on several servers may
/// show its edge before its mirror, which would then be left over; a mirror that stays away is lost,
/// and then the deletion is there to `accept_lost_mirrors`.
async fn step(
    tries: Tries,
    engine: &Engine,
    id: UserId,
    accept_lost_mirrors: bool,
) -> sqlx::Result<Step> {
    let mut tx = begin(&engine.writer).await?;
    if query(FIND_USER).bind(id.0).fetch_optional(&mut *tx).await?.is_none() {
        let is_ours = tries.may_have_committed();
        return Ok(if is_ours { Step::Deleted } else { Step::NoSuchUser });
    }

    let take = query(TAKE_FOLLOWING).bind(id.0).bind(i64::from(EDGES));
    let following = take.fetch_all(&mut *tx).await?;
    let following = following.iter().map(follow).collect::<sqlx::Result<Vec<_>>>()?;
    let mirrors = bind_edges(query(REMOVE_MIRRORS), &following).execute(&mut *tx).await?;
    let mut is_contended = mirrors.rows_affected() < following.len() as u64;

    let find = query(SOME_FOLLOWERS).bind(id.0).bind(i64::from(EDGES));
    let followers = find.fetch_all(&mut *tx).await?;
    let followers = followers.iter().map(follow).collect::<sqlx::Result<Vec<_>>>()?;
    let ids: Vec<_> = followers.iter().map(|edge| edge.follower).collect();
    let take = query_scalar(TAKE_FOLLOWERS).bind(id.0).bind(id_list(&ids));
    let taken: Vec<i64> = take.fetch_all(&mut *tx).await?;
    let mirrors = bind_edges(query(REMOVE_MIRRORS), &followers).execute(&mut *tx).await?;
    // Mirrors without an edge are left over from elsewhere.
    is_contended |= mirrors.rows_affected() < taken.len() as u64;
    if is_contended && !accept_lost_mirrors {
        tx.rollback().await?;
        return Ok(Step::Contended);
    }

    let losses = losses(id, &following, taken.into_iter().map(UserId));
    bind_counts(query(LOWER_COUNTS), &losses).execute(&mut *tx).await?;

    let last = following.len().max(followers.len()) < usize::from(EDGES);
    if last {
        query(DELETE_USER).bind(id.0).execute(&mut *tx).await?;
        if let Some(sql) = tell(engine) {
            query(sql).bind(id.0).execute(&mut *tx).await?;
        }
    }
    tries.commit(tx).await?;
    Ok(if last { Step::Deleted } else { Step::Unfinished })
}

/// By how much counts have to be lowered, in the order of ids, which is the order of locks.
fn losses(
    user: UserId,
    following: &[Follow],
    followers: impl Iterator<Item = UserId>,
) -> Vec<(UserId, FollowCounts)> {
    let mut losses: BTreeMap<_, FollowCounts> = BTreeMap::new();
    let followers = followers.map(|follower| (follower, user));
    let following = following.iter().map(|edge| (user, edge.followee));
    for (follower, followee) in following.chain(followers) {
        losses.entry(follower).or_default().following += 1;
        losses.entry(followee).or_default().followers += 1;
    }
    losses.into_iter().collect()
}
