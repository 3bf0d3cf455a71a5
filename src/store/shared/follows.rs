//! Edges: rows of them, how statements take them, and what counts towards limits.

use std::collections::HashMap;

use sqlx::{Database, Row, query::Query};

use super::super::{Db, Time, stored, time};
use crate::{
    domain::{Day, Edge, EdgeKind, FollowCounts, FollowStanding, FollowUsage, Mute, Tie, UserId},
    store::{
        sql::USAGE,
        statement::{query, query_as},
    },
};

/// An edge of a kind from its three columns.
pub(crate) fn edge(kind: EdgeKind, row: &<Db as Database>::Row) -> sqlx::Result<Edge> {
    Ok(Edge {
        kind,
        from: UserId(row.try_get(0)?),
        to: UserId(row.try_get(1)?),
        since: time(row.try_get(2)?)?,
    })
}

/// A statement about one edge.
pub(crate) fn about(
    sql: &'static str,
    edge: Edge,
) -> Query<'static, Db, <Db as Database>::Arguments> {
    query(sql).bind(edge.from.0).bind(edge.to.0).bind(stored(edge.since))
}

/// A standing is read as rows of these kinds:
/// - 1, the user, followers, following, requests sent, follows of the day;
/// - 2, the other user of a changed pair, the number of its changes;
/// - 3, one whom the user follows;
/// - 4, one whom the user asks to follow;
/// - 5, one whom the user blocks;
/// - 6, one who blocks the user.
pub(crate) type StandingRow = (i64, i64, i64, i64, i64, i64);

/// The standing of a user; `None` if there is no such user.
pub(crate) fn standing(rows: Vec<StandingRow>) -> Option<FollowStanding> {
    let (mut standing, mut exists) = (FollowStanding::default(), false);
    for (kind, user, a, b, requests, today) in rows {
        let user = UserId(user);
        let ties = standing.ties.entry(user).or_default();
        match kind {
            1 => {
                let counts = FollowCounts { followers: a, following: b };
                standing.usage = FollowUsage { counts, requests, today };
                exists = true;
            }
            2 => drop(standing.pair_changes.insert(user, a)),
            3 => ties.is_following = true,
            4 => ties.has_requested = true,
            5 => ties.is_blocking = true,
            _ => ties.is_blocked = true,
        }
    }
    exists.then_some(standing)
}

/// Ties are read as rows of these kinds, each with the other user:
/// - 1, the viewer asked to follow the user, when;
/// - 2, the user asks to follow the viewer;
/// - 3, the viewer blocks the user;
/// - 4, the viewer has muted the user, until when.
pub(crate) type TieRow = (i64, i64, Option<Time>);

/// The ties of a viewer.
pub(crate) fn ties(rows: Vec<TieRow>) -> sqlx::Result<HashMap<UserId, Tie>> {
    let mut ties = HashMap::<_, Tie>::new();
    for (kind, user, moment) in rows {
        let tie = ties.entry(UserId(user)).or_default();
        let moment = moment.map(time).transpose()?;
        match kind {
            1 => tie.requested_at = moment,
            2 => tie.has_requested_viewer = true,
            3 => tie.is_blocking = true,
            _ => tie.mute = Some(Mute { until: moment }),
        }
    }
    Ok(ties)
}

pub(super) async fn usage(
    connection: &mut <Db as Database>::Connection,
    user: UserId,
    day: Day,
) -> sqlx::Result<Option<FollowUsage>> {
    let row = query_as(USAGE).bind(user.0).bind(day.0).fetch_optional(connection).await?;
    Ok(row.map(|(followers, following, requests, today)| FollowUsage {
        counts: FollowCounts { followers, following },
        requests,
        today,
    }))
}
