//! What is asked of the database, as of one moment.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use sqlx::{Database, Row, Transaction};

use super::super::{
    super::{
        Db, bind_edges, bind_pairs, id_list,
        maintenance::drift::{
            BLOCKED_BY, BLOCKS, COUNT_ROWS, FOLLOWERS, FOLLOWS, FOLLOWS_AMONG, IN_BLOCKED_BY,
            IN_BLOCKS, IN_FOLLOWERS, IN_FOLLOWS, IN_REQUESTS, IN_REQUESTS_RECEIVED, LOGS,
            NAME_PREFIXES, NAMES, REQUESTS, REQUESTS_AMONG, REQUESTS_RECEIVED, STORED, TOGETHER,
            USERS as EXISTING,
        },
        stored,
    },
    follows::edge,
};
use crate::{
    domain::{
        Drift, Edge, EdgeKind, ExternalId, Length, Lengths, TIMES, UserId, Username, name_prefixes,
    },
    store::{
        pages::LOWEST,
        sql::maintenance::{
            BLOCKED_BY_AFTER, BLOCKS_AFTER, FOLLOWERS_AFTER, FOLLOWS_AFTER, ORPHAN_MUTES,
            REQUESTS_AFTER, REQUESTS_RECEIVED_AFTER, STRANGERS_BLOCKED, STRANGERS_BLOCKING,
            STRANGERS_FOLLOWED, STRANGERS_FOLLOWING, STRANGERS_REQUESTED, STRANGERS_REQUESTING,
            TIMED, UNREADABLE,
        },
        statement::{query, query_as, query_scalar},
    },
};

/// The columns of [`NAMES`]: id, key, name, username and external id.
type NameRow = (i64, String, Option<String>, String, Option<String>);

/// The number of users read together.
const USERS: i64 = 500;
/// The most edges in memory.
pub(super) const EDGES: i64 = 10_000;

/// One of the two tables in which every edge of a kind is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Table {
    pub(super) kind: EdgeKind,
    pub(super) end: End,
}

/// Where an edge is stored, and so who owns it there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum End {
    /// The table of edges, with the user at the beginning.
    Edges,
    /// The table of mirrors, with the user at the end.
    Mirrors,
}

/// The statements that read a table.
struct TableStatements {
    of_owners: &'static str,
    after: &'static str,
    present: &'static str,
    strangers: &'static str,
}

impl Table {
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let of_kind = |kind| [End::Edges, End::Mirrors].map(|end| Self { kind, end });
        EdgeKind::ALL.into_iter().flat_map(of_kind)
    }

    /// The table with the same edges.
    pub(super) const fn other(self) -> Self {
        let end = match self.end {
            End::Edges => End::Mirrors,
            End::Mirrors => End::Edges,
        };
        Self { kind: self.kind, end }
    }

    /// The length that equals the number of an owner's rows.
    pub(super) const fn length(self) -> Length {
        let (of_edges, of_mirrors) = self.kind.lengths();
        match self.end {
            End::Edges => of_edges,
            End::Mirrors => of_mirrors,
        }
    }

    const fn statements(self) -> TableStatements {
        match (self.kind, self.end) {
            (EdgeKind::Follow, End::Edges) => TableStatements {
                of_owners: FOLLOWS,
                after: FOLLOWS_AFTER,
                present: IN_FOLLOWS,
                strangers: STRANGERS_FOLLOWING,
            },
            (EdgeKind::Follow, End::Mirrors) => TableStatements {
                of_owners: FOLLOWERS,
                after: FOLLOWERS_AFTER,
                present: IN_FOLLOWERS,
                strangers: STRANGERS_FOLLOWED,
            },
            (EdgeKind::Request, End::Edges) => TableStatements {
                of_owners: REQUESTS,
                after: REQUESTS_AFTER,
                present: IN_REQUESTS,
                strangers: STRANGERS_REQUESTING,
            },
            (EdgeKind::Request, End::Mirrors) => TableStatements {
                of_owners: REQUESTS_RECEIVED,
                after: REQUESTS_RECEIVED_AFTER,
                present: IN_REQUESTS_RECEIVED,
                strangers: STRANGERS_REQUESTED,
            },
            (EdgeKind::Block, End::Edges) => TableStatements {
                of_owners: BLOCKS,
                after: BLOCKS_AFTER,
                present: IN_BLOCKS,
                strangers: STRANGERS_BLOCKING,
            },
            (EdgeKind::Block, End::Mirrors) => TableStatements {
                of_owners: BLOCKED_BY,
                after: BLOCKED_BY_AFTER,
                present: IN_BLOCKED_BY,
                strangers: STRANGERS_BLOCKED,
            },
        }
    }
}

/// A place among the edges of an owner.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position {
    since: DateTime<Utc>,
    /// The user who is not the owner.
    other: UserId,
}

impl Position {
    /// Before every edge.
    pub(super) const START: Self = Self { since: LOWEST, other: UserId::MIN };

    /// That of an edge in a table.
    pub(super) const fn of(table: Table, edge: &Edge) -> Self {
        let other = match table.end {
            End::Edges => edge.to,
            End::Mirrors => edge.from,
        };
        Self { since: edge.since, other }
    }
}

/// Questions to the database as of one moment.
pub(super) struct Snapshot(pub(super) Transaction<'static, Db>);

impl Snapshot {
    /// The next ids after this one, by a statement that walks over owners.
    pub(super) async fn owners_after(
        &mut self,
        sql: &'static str,
        after: UserId,
    ) -> sqlx::Result<Vec<UserId>> {
        let query = query_scalar(sql).bind(after.0).bind(USERS);
        let ids: Vec<i64> = query.fetch_all(&mut *self.0).await?;
        Ok(ids.into_iter().map(UserId).collect())
    }

    /// All owners that a statement walks over.
    pub(super) async fn all_owners(&mut self, sql: &'static str) -> sqlx::Result<Vec<UserId>> {
        let (mut all, mut last) = (Vec::new(), UserId::MIN);
        loop {
            let ids = self.owners_after(sql, last).await?;
            let Some(newest) = ids.last() else { return Ok(all) };
            last = *newest;
            all.extend(ids);
        }
    }

    /// The owners in a table who do not exist.
    pub(super) async fn strangers(&mut self, table: Table) -> sqlx::Result<Vec<UserId>> {
        self.all_owners(table.statements().strangers).await
    }

    /// Those of the users who exist.
    pub(super) async fn existing(&mut self, users: &[UserId]) -> sqlx::Result<HashSet<UserId>> {
        let query = query_scalar(EXISTING).bind(id_list(users));
        let ids: Vec<i64> = query.fetch_all(&mut *self.0).await?;
        Ok(ids.into_iter().map(UserId).collect())
    }

    /// The stored lengths. Users without counts are missing.
    pub(super) async fn stored_lengths(
        &mut self,
        users: &[UserId],
    ) -> sqlx::Result<HashMap<UserId, Lengths>> {
        stored_lengths(&mut self.0, users).await
    }

    /// The logs of users that are not one run up to the last event.
    pub(super) async fn wrong_logs(&mut self, users: &[UserId]) -> sqlx::Result<Vec<Drift>> {
        let logs = query_as(LOGS).bind(id_list(users)).fetch_all(&mut *self.0).await?;
        let wrong = |(user, first, highest, events, last): (i64, i64, i64, i64, i64)| {
            let is_run = highest == last && highest - first + 1 == events;
            let ends = (first, highest);
            (!is_run).then_some(Drift::Log { user: UserId(user), ends, events, last })
        };
        Ok(logs.into_iter().filter_map(wrong).collect())
    }

    /// The users who are not searched by the beginnings of their names, and the values of users that
    /// break a rule.
    pub(super) async fn wrong_names(&mut self, users: &[UserId]) -> sqlx::Result<Vec<Drift>> {
        let names: Vec<NameRow> =
            query_as(NAMES).bind(id_list(users)).fetch_all(&mut *self.0).await?;
        let stored = query_as(NAME_PREFIXES).bind(id_list(users)).fetch_all(&mut *self.0).await?;
        let stored: HashSet<(i64, String, String)> = stored.into_iter().collect();

        let mut found: Vec<_> = names.iter().flat_map(broken_rules).collect();
        let expected = names.into_iter().filter_map(|(id, key, name, ..)| {
            let prefixes = name_prefixes(&key, name.as_deref()).join(" ");
            (!prefixes.is_empty()).then_some((id, key, prefixes))
        });
        let expected: HashSet<(i64, String, String)> = expected.collect();
        let wrong = expected.symmetric_difference(&stored).map(|(id, ..)| UserId(*id));
        found.extend(wrong.collect::<BTreeSet<_>>().into_iter().map(Drift::Search));
        Ok(found)
    }

    /// Some of the rows whose times cannot be read.
    pub(super) async fn unreadable(&mut self) -> sqlx::Result<Vec<Drift>> {
        let rows = query_as(UNREADABLE)
            .bind(stored(*TIMES.start()))
            .bind(stored(*TIMES.end()))
            .fetch_all(&mut *self.0);
        let rows: Vec<(i64, i64, i64)> = rows.await?;
        let drift = |(table, one, other): (i64, i64, i64)| {
            let table = usize::try_from(table).ok().and_then(|table| TIMED.get(table));
            let table = table.ok_or_else(|| sqlx::Error::Decode("no such table".into()))?;
            Ok(Drift::Unreadable { table, one: UserId(one), other: UserId(other) })
        };
        rows.into_iter().map(drift).collect()
    }

    /// The numbers of rows of each list.
    pub(super) async fn count_rows(
        &mut self,
        owners: &[UserId],
    ) -> sqlx::Result<HashMap<UserId, Lengths>> {
        count_rows(&mut self.0, owners).await
    }

    /// All edges of owners in a table.
    pub(super) async fn edges(
        &mut self,
        table: Table,
        owners: &[UserId],
    ) -> sqlx::Result<Vec<Edge>> {
        let query = query(table.statements().of_owners).bind(id_list(owners));
        let rows = query.fetch_all(&mut *self.0).await?;
        rows.iter().map(|row| edge(table.kind, row)).collect()
    }

    /// The next edges of an owner in a table.
    pub(super) async fn edges_after(
        &mut self,
        table: Table,
        owner: UserId,
        after: Position,
    ) -> sqlx::Result<Vec<Edge>> {
        let query = query(table.statements().after).bind(owner.0).bind(stored(after.since));
        let rows = query.bind(after.other.0).bind(EDGES).fetch_all(&mut *self.0).await?;
        rows.iter().map(|row| edge(table.kind, row)).collect()
    }

    /// Those of the edges that are in a table, with the same times.
    pub(super) async fn present(
        &mut self,
        table: Table,
        edges: &[Edge],
    ) -> sqlx::Result<HashSet<Edge>> {
        let mut present = HashSet::new();
        for edges in edges.chunks(TOGETHER) {
            let query = bind_edges(query(table.statements().present), edges);
            for row in query.fetch_all(&mut *self.0).await? {
                present.insert(edge(table.kind, &row)?);
            }
        }
        Ok(present)
    }

    /// The follows of pairs.
    pub(super) async fn follows_among(
        &mut self,
        pairs: &[(UserId, UserId)],
    ) -> sqlx::Result<Vec<Edge>> {
        self.edges_among(FOLLOWS_AMONG, EdgeKind::Follow, pairs).await
    }

    /// The requests of pairs.
    pub(super) async fn requests_among(
        &mut self,
        pairs: &[(UserId, UserId)],
    ) -> sqlx::Result<Vec<Edge>> {
        self.edges_among(REQUESTS_AMONG, EdgeKind::Request, pairs).await
    }

    async fn edges_among(
        &mut self,
        sql: &'static str,
        kind: EdgeKind,
        pairs: &[(UserId, UserId)],
    ) -> sqlx::Result<Vec<Edge>> {
        let mut edges = Vec::new();
        for pairs in pairs.chunks(TOGETHER) {
            for row in bind_pairs(query(sql), pairs).fetch_all(&mut *self.0).await? {
                edges.push(edge(kind, &row)?);
            }
        }
        Ok(edges)
    }

    /// The mutes with a user who does not exist: who has muted whom.
    pub(super) async fn orphan_mutes(&mut self) -> sqlx::Result<Vec<(UserId, UserId)>> {
        let (mut all, mut last) = (Vec::new(), (i64::MIN, i64::MIN));
        loop {
            let query = query_as(ORPHAN_MUTES).bind(last.0).bind(last.1).bind(EDGES);
            let mutes: Vec<(i64, i64)> = query.fetch_all(&mut *self.0).await?;
            let Some(newest) = mutes.last() else { return Ok(all) };
            last = *newest;
            all.extend(mutes.into_iter().map(|(muter, muted)| (UserId(muter), UserId(muted))));
        }
    }
}

/// The values of a user that break a rule.
fn broken_rules((id, key, _, username, external_id): &NameRow) -> impl Iterator<Item = Drift> {
    let user = UserId(*id);
    let is_username_broken = Username::parse(username).is_err();
    let is_key_broken = *key != username.to_ascii_lowercase();
    let is_id_broken = external_id.as_deref().is_some_and(|id| ExternalId::parse(id).is_err());
    let columns = [
        ("username", is_username_broken),
        ("username_key", is_key_broken),
        ("subject", is_id_broken),
    ];
    let broken = columns.into_iter().filter(|(_, is_broken)| *is_broken);
    broken.map(move |(column, _)| Drift::BrokenRule { user, column })
}

/// The numbers of rows of each list of users. Users without rows are missing.
pub(super) async fn count_rows(
    connection: &mut <Db as Database>::Connection,
    owners: &[UserId],
) -> sqlx::Result<HashMap<UserId, Lengths>> {
    let query = query_as(COUNT_ROWS).bind(id_list(owners));
    let rows: Vec<(i64, i64, i64)> = query.fetch_all(connection).await?;
    let mut counts = HashMap::<_, Lengths>::new();
    for (length, owner, rows) in rows {
        let length = usize::try_from(length).ok().and_then(|place| Length::ALL.get(place));
        let length = length.ok_or_else(|| sqlx::Error::Decode("no such length".into()))?;
        counts.entry(UserId(owner)).or_default()[*length] = rows;
    }
    Ok(counts)
}

/// The lengths that are stored of users, by those who have any.
pub(super) async fn stored_lengths(
    connection: &mut <Db as Database>::Connection,
    users: &[UserId],
) -> sqlx::Result<HashMap<UserId, Lengths>> {
    let rows = query(STORED).bind(id_list(users)).fetch_all(connection).await?;
    let lengths = |row: &<Db as Database>::Row| {
        let mut lengths = Lengths::default();
        for (place, length) in (1..).zip(Length::ALL) {
            lengths[length] = row.try_get(place)?;
        }
        Ok((UserId(row.try_get(0)?), lengths))
    };
    rows.iter().map(lengths).collect()
}
