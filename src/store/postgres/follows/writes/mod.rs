//! The write path of follows: a group of changes is one transaction.
//!
//! Most groups are made at once (`at_once`): the rows that are taken decide everything, and nothing
//! is read before. What that cannot tell is made in steps (`in_steps`): changes of one pair among
//! each other, somebody who is missing or has reached a limit, a commit that was not answered. So is
//! everything where the server is not known to write several tables in one statement.
//!
//! Rows are locked in one order by all groups, so that no two wait for each other: edges by pair,
//! one by one in the order of the arrays, and then counts by id, in the order of their index. For
//! the edges, no id is outside of what `k` is asked to be between; but a planner takes it that
//! hardly a row passes a range, and so looks each up by its key. (Else it may walk all that a
//! follower follows, in whatever order.) What is left are two servers that follow and unfollow the
//! same two pairs at the same moment: that may end in a deadlock, and one of the groups is made
//! again.

mod in_steps;
mod optimistic;

use std::collections::{BTreeMap, HashMap};

use sqlx::{Postgres, Transaction};

use crate::{
    domain::{FollowCounts, UserId},
    store::{
        Statement,
        batching::WarmConnections,
        follow_writes::{
            attempt::{Attempt, Made},
            decision::{Counts, CountsChange, Found, Pair, PairChanges, Plan},
        },
    },
};

statements! {
    // A counter that is too low already stays at zero: only `check` may complain of it, not the
    // user who unfollows. A day never goes back: where clocks disagree about midnight, the later
    // day counts.
    CHANGE_COUNTS =
        "UPDATE follow_counts c \
         SET followers = greatest(0, c.followers + k.followers), \
             following = greatest(0, c.following + k.following), \
             follows_day = greatest(c.follows_day, k.day), \
             follows_today = CASE WHEN c.follows_day >= k.day \
                                  THEN c.follows_today + k.follows ELSE k.since END \
         FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], \
                     $6::bigint[]) AS k (user_id, followers, following, follows, day, since) \
         WHERE c.user_id = k.user_id AND c.user_id = ANY($1) \
         RETURNING c.user_id, c.followers, c.following, c.follows_day, c.follows_today";
    FIND_CHANGES =
        "SELECT p.follower_id, p.followee_id, p.day, p.changes \
         FROM follow_changes p JOIN unnest($1::bigint[], $2::bigint[]) AS k (follower_id, followee_id) \
           ON p.follower_id = k.follower_id AND p.followee_id = k.followee_id \
         WHERE p.follower_id = ANY($1) AND k.follower_id BETWEEN 0 AND 9223372036854775807";
}

/// All SQL of the write path.
pub(crate) fn statements() -> Vec<Statement> {
    [STATEMENTS, optimistic::STATEMENTS, in_steps::STATEMENTS].concat()
}

/// Makes a group, `at_once` if the server can write it so; nothing is given when others changed the
/// same meanwhile.
pub(crate) async fn make(
    kept: WarmConnections<Postgres>,
    at_once: bool,
    attempt: Attempt,
) -> sqlx::Result<Option<Made>> {
    let mut connection = kept.take().await?;
    let mut made = None;
    if at_once && attempt.is_first() {
        made = optimistic::make(&mut connection, &attempt).await?;
    }
    if made.is_none() {
        made = in_steps::make(&mut connection, &attempt).await?;
    }
    // Else a transaction may have to be rolled back yet, and the pool sees to that.
    if made.is_some() && attempt.may_have_committed() {
        kept.put_back(connection);
    }
    Ok(made)
}

/// What the counts of a group have told.
struct Counted {
    /// As they are now.
    counts: HashMap<UserId, FollowCounts>,
    /// Whether one of those who follow has followed somebody meanwhile: then their pairs may have
    /// been changed, too.
    follows_meanwhile: bool,
}

/// Changes the counts, last, so that the row of somebody whom many follow is not locked for longer
/// than it must be, and puts right what was found of the followers' limits.
async fn change_counts(
    tx: &mut Transaction<'_, Postgres>,
    attempt: &Attempt,
    plan: &Plan,
    found: &mut Found,
) -> sqlx::Result<Counted> {
    attempt.sends_a_statement();
    let values =
        |value: fn(&CountsChange) -> i64| -> Vec<i64> { plan.counts.values().map(value).collect() };
    let rows: Vec<(i64, i64, i64, i64, i64)> = sqlx::query_as(CHANGE_COUNTS)
        .bind(plan.counts.keys().map(|user| user.0).collect::<Vec<_>>())
        .bind(values(|change| change.followers))
        .bind(values(|change| change.following))
        .bind(values(|change| change.follows))
        .bind(values(|change| change.follows_day))
        .bind(values(|change| change.follows_since))
        .fetch_all(&mut **tx)
        .await?;

    let mut counts = HashMap::with_capacity(rows.len());
    let mut follows_meanwhile = false;
    for (user, followers, following, follows_day, follows_today) in rows {
        let user = UserId(user);
        counts.insert(user, FollowCounts { followers, following });
        let Some(before) = found.counts.get_mut(&user) else { continue };
        let now = Counts { followers, following, follows_day, follows_today };
        let change = &plan.counts[&user];
        let expected = before.after(change);
        if now != expected {
            follows_meanwhile |= change.follows > 0 && !now.has_follows_of(expected);
            *before = now.before(change);
        }
    }
    Ok(Counted { counts, follows_meanwhile })
}

/// The changes of pairs whose edges are held, so that nobody else changes them now.
async fn find_changes(
    tx: &mut Transaction<'_, Postgres>,
    attempt: &Attempt,
    plan: &Plan,
) -> sqlx::Result<BTreeMap<Pair, PairChanges>> {
    attempt.sends_a_statement();
    let (followers, followees) = columns(plan.added.keys());
    let rows: Vec<(i64, i64, i64, i64)> =
        sqlx::query_as(FIND_CHANGES).bind(followers).bind(followees).fetch_all(&mut **tx).await?;
    let row =
        |(one, other, day, changes)| ((UserId(one), UserId(other)), PairChanges { day, changes });
    Ok(rows.into_iter().map(row).collect())
}

/// Pairs as two columns, in their order.
fn columns<'a>(pairs: impl IntoIterator<Item = &'a Pair>) -> (Vec<i64>, Vec<i64>) {
    pairs.into_iter().map(|(follower, followee)| (follower.0, followee.0)).unzip()
}
