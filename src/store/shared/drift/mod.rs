//! Finding and repairing differences.
//!
//! The statements answer small questions, each about a bounded number of owners named by id, so
//! that on a distributed engine each one goes to the shards that can answer it. Nothing here reads a
//! whole table at once or keeps more of it in memory than one slice.

mod repair;
mod snapshot;
mod sums;
mod walk;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

pub(super) use self::repair::{repair, repair_names};
use self::{
    snapshot::{End, Position, Snapshot, Table},
    sums::Sums,
    walk::{Edges, Progress, Users},
};
use super::super::{
    Engine,
    maintenance::drift::{TOGETHER, snapshot as begin_snapshot},
};
use crate::{
    domain::{Drift, Edge, EdgeKind, Lengths, UserId},
    store::{
        Result,
        retry::Report,
        sql::{
            COUNT_USERS,
            maintenance::{STRANGERS_COUNTED, STRANGERS_LOGGED, STRANGERS_NAMED},
        },
        statement::query_scalar,
    },
};

/// Finds every difference, sorted by user; a difference of an edge belongs to the user at its
/// beginning.
pub(super) async fn find(engine: Engine, report: Report) -> Result<Vec<Drift>> {
    let snapshot = &mut Snapshot(begin_snapshot(&engine).await?);
    let users: i64 =
        query_scalar(COUNT_USERS).bind(None::<i64>).fetch_one(&mut *snapshot.0).await?;
    let users = u64::try_from(users).unwrap_or(0);
    let mut progress = Progress::new(report);
    progress.expect(users * 2);

    // Rows with such times cannot be compared with others, nor read.
    let unreadable = snapshot.unreadable().await?;
    if !unreadable.is_empty() {
        return Ok(unreadable);
    }

    // 1. Compare both tables of each kind by checksums, and look for edges that exclude each other.
    let mut sums = Sums::default();
    let mut contradictions = BTreeMap::new();
    let mut edges = Edges::default();
    while let Some((table, edges)) = edges.next(snapshot, &mut progress).await? {
        sums.add(table, &edges);
        add_contradictions(snapshot, table, &edges, &mut contradictions).await?;
    }

    // 2. Where checksums differ, look each edge up in the other table.
    let mut mirror = Vec::new();
    if sums.any_differs() {
        progress.expect(users);
        let mut edges = Edges::default();
        while let Some((table, mut edges)) = edges.next(snapshot, &mut progress).await? {
            edges.retain(|edge| sums.differs(edge));
            mirror.extend(without_pair(snapshot, &sums, table, edges).await?);
        }
    }

    // 3. Rows whose users do not exist. Their edges are no longer other differences.
    let orphans = orphan_edges(snapshot, &mirror).await?;
    mirror.retain(|drift| !mirrored(drift).is_some_and(|edge| orphans.contains(&edge)));
    contradictions.retain(|edge, _| !orphans.contains(edge));
    let mut found: Vec<_> = orphans.into_iter().map(Drift::OrphanEdge).collect();
    let orphan_mutes = snapshot.orphan_mutes().await?.into_iter();
    found.extend(orphan_mutes.map(|(muter, muted)| Drift::OrphanMute { muter, muted }));

    let orphan_counts = snapshot.all_owners(STRANGERS_COUNTED).await?;
    found.extend(orphan_counts.into_iter().map(Drift::OrphanCounts));

    let orphan_logs = snapshot.all_owners(STRANGERS_LOGGED).await?;
    found.extend(orphan_logs.into_iter().map(Drift::OrphanLog));

    let not_existing = snapshot.all_owners(STRANGERS_NAMED).await?;
    found.extend(not_existing.into_iter().map(Drift::Search));

    // 4. The counts, compared with the edges as they will be after the repair of the mirrors, the
    // logs and the names.
    let off_by = mirror_counts(&mirror);
    let mut users = Users::default();
    while let Some(users) = users.next(snapshot, &mut progress).await? {
        found.extend(wrong_counts(snapshot, &users, &off_by).await?);
        found.extend(snapshot.wrong_logs(&users).await?);
        found.extend(snapshot.wrong_names(&users).await?);
    }

    found.extend(mirror);
    found.extend(contradictions.into_values());
    found.sort_by_key(sort_key);
    Ok(found)
}

/// Finds the edges that a slice excludes: all between the users of a block, and the request of a
/// pair with a follow. Only blocks and requests are looked at, so users without any cost nothing.
async fn add_contradictions(
    snapshot: &mut Snapshot,
    table: Table,
    edges: &[Edge],
    found: &mut BTreeMap<Edge, Drift>,
) -> sqlx::Result<()> {
    match (table.kind, table.end) {
        (EdgeKind::Block, End::Edges) => {
            let both_ways = |edge: &Edge| [(edge.from, edge.to), (edge.to, edge.from)];
            let pairs: Vec<_> = edges.iter().flat_map(both_ways).collect();
            let follows = snapshot.follows_among(&pairs).await?;
            let requests = snapshot.requests_among(&pairs).await?;
            let excluded = follows.into_iter().chain(requests);
            found.extend(excluded.map(|edge| (edge, Drift::BesideBlock(edge))));
        }
        (EdgeKind::Request, End::Edges) => {
            let pairs: Vec<_> = edges.iter().map(|edge| (edge.from, edge.to)).collect();
            let follows = snapshot.follows_among(&pairs).await?;
            let follows: HashSet<_> = follows.iter().map(|edge| (edge.from, edge.to)).collect();
            for edge in edges.iter().filter(|edge| follows.contains(&(edge.from, edge.to))) {
                found.entry(*edge).or_insert(Drift::BesideFollow(*edge));
            }
        }
        (EdgeKind::Follow, _) | (_, End::Mirrors) => {}
    }
    Ok(())
}

/// Those of the edges in a table that are missing in the other table of their kind.
async fn without_pair(
    snapshot: &mut Snapshot,
    sums: &Sums,
    table: Table,
    edges: Vec<Edge>,
) -> sqlx::Result<Vec<Drift>> {
    if edges.is_empty() {
        return Ok(Vec::new());
    }
    let drift = match table.end {
        End::Edges => Drift::MirrorMissing,
        End::Mirrors => Drift::MirrorStray,
    };
    // Looking up what was deleted a moment ago is slow on PostgreSQL.
    let present = if sums.is_empty(table.other()) {
        HashSet::new()
    } else {
        snapshot.present(table.other(), &edges).await?
    };
    Ok(edges.into_iter().filter(|edge| !present.contains(edge)).map(drift).collect())
}

/// The edges with a user who does not exist. Each edge is stored with each of its users as the
/// owner, so walking over missing owners finds nearly all of them. The rest are edges with a missing
/// user at the end and no mirror: they are among the differences of the mirrors.
async fn orphan_edges(snapshot: &mut Snapshot, mirror: &[Drift]) -> sqlx::Result<HashSet<Edge>> {
    let mut found = HashSet::new();
    for table in Table::all() {
        for owner in snapshot.strangers(table).await? {
            let mut after = Position::START;
            loop {
                let edges = snapshot.edges_after(table, owner, after).await?;
                let Some(last) = edges.last() else { break };
                after = Position::of(table, last);
                found.extend(edges);
            }
        }
    }

    let missing = || {
        let edge = |drift: &_| if let Drift::MirrorMissing(e) = drift { Some(*e) } else { None };
        mirror.iter().filter_map(edge)
    };
    let ends = missing().map(|edge| edge.to).collect::<BTreeSet<_>>();
    let mut strangers = HashSet::<UserId>::new();
    for users in Vec::from_iter(ends).chunks(TOGETHER) {
        let existing = snapshot.existing(users).await?;
        strangers.extend(users.iter().filter(|user| !existing.contains(user)));
    }
    found.extend(missing().filter(|edge| strangers.contains(&edge.to)));
    Ok(found)
}

/// The edge whose mirror differs, if that is the difference.
const fn mirrored(drift: &Drift) -> Option<Edge> {
    match drift {
        Drift::MirrorMissing(edge) | Drift::MirrorStray(edge) => Some(*edge),
        Drift::Counts { .. }
        | Drift::BesideBlock(_)
        | Drift::BesideFollow(_)
        | Drift::OrphanEdge(_)
        | Drift::OrphanMute { .. }
        | Drift::OrphanCounts(_)
        | Drift::Log { .. }
        | Drift::OrphanLog(_)
        | Drift::BrokenRule { .. }
        | Drift::Unreadable { .. }
        | Drift::Search(_) => None,
    }
}

/// By how much the repair of the mirrors changes the numbers of each user's mirrors.
fn mirror_counts(mirror: &[Drift]) -> HashMap<UserId, Lengths> {
    let mut off_by = HashMap::<_, Lengths>::new();
    for drift in mirror {
        let Some(edge) = mirrored(drift) else { continue };
        let (_, length) = edge.kind.lengths();
        let change = if matches!(drift, Drift::MirrorMissing(_)) { 1 } else { -1 };
        off_by.entry(edge.to).or_default()[length] += change;
    }
    off_by
}

async fn wrong_counts(
    snapshot: &mut Snapshot,
    users: &[UserId],
    off_by: &HashMap<UserId, Lengths>,
) -> sqlx::Result<Vec<Drift>> {
    let stored = snapshot.stored_lengths(users).await?;
    let counted = snapshot.count_rows(users).await?;
    let lengths =
        |map: &HashMap<UserId, Lengths>, user: &_| map.get(user).copied().unwrap_or_default();

    let compare = |user: &UserId| {
        let actual = lengths(&counted, user).plus(&lengths(off_by, user));
        let stored = stored.get(user).copied();
        (stored != Some(actual)).then_some(Drift::Counts { user: *user, stored, actual })
    };
    Ok(users.iter().filter_map(compare).collect())
}

fn sort_key(drift: &Drift) -> (UserId, u8, Option<Edge>, Option<UserId>) {
    match *drift {
        Drift::Counts { user, .. } => (user, 0, None, None),
        Drift::BesideBlock(edge) => (edge.from, 1, Some(edge), None),
        Drift::BesideFollow(edge) => (edge.from, 2, Some(edge), None),
        Drift::MirrorMissing(edge) => (edge.from, 3, Some(edge), None),
        Drift::MirrorStray(edge) => (edge.from, 4, Some(edge), None),
        Drift::OrphanEdge(edge) => (edge.from, 5, Some(edge), None),
        Drift::OrphanMute { muter, muted } => (muter, 6, None, Some(muted)),
        Drift::OrphanCounts(user) => (user, 7, None, None),
        Drift::Log { user, .. } => (user, 8, None, None),
        Drift::OrphanLog(user) => (user, 9, None, None),
        Drift::Search(user) => (user, 10, None, None),
        Drift::BrokenRule { user, .. } => (user, 11, None, None),
        Drift::Unreadable { one, other, .. } => (one, 12, None, Some(other)),
    }
}
