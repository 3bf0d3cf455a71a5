//! Finding and repairing differences: the walk and its order.
//!
//! The statements answer small questions, each about a bounded number of owners named by id, so
//! that on a distributed engine each one goes to the shards that can answer it. Nothing here reads a
//! whole table at once or keeps more of it in memory than one slice.

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
};

use sqlx::{Pool, Transaction};

use super::{
    super::{
        Db, Engine, begin, bind_edges, id_list,
        maintenance::drift::{
            COUNT_FOLLOWERS, COUNT_FOLLOWING, FOLLOWERS, FOLLOWING, IN_FOLLOWERS, IN_FOLLOWS, NAME,
            NAME_PREFIXES, NAMES, STORED, USERS as EXISTING, add_mirror, recount, remove_mirror,
            snapshot,
        },
        stored,
    },
    follows::{about, follow},
    search,
};
use crate::{
    domain::{Drift, Follow, FollowCounts, FollowList, FollowPosition, UserId, name_prefixes},
    store::{
        Result,
        pages::LOWEST,
        retry::{self, Report},
        sql::{
            ADD_COUNTS, COUNT_USERS, FOLLOWERS_AFTER, FOLLOWING_AFTER, REMOVE_COUNTS_OF_NOBODY,
            REMOVE_EDGE_OF_NOBODY, REMOVE_MIRROR_OF_NOBODY, STRANGERS_COUNTED, STRANGERS_FOLLOWERS,
            STRANGERS_FOLLOWING, STRANGERS_NAMED, USERS_AFTER,
        },
        statement::{query, query_as, query_scalar},
    },
};

/// The number of users read together.
const USERS: i64 = 500;
/// The number of edges whose followees are looked up together.
const FOLLOWEES: usize = 500;
/// The most edges in memory.
const EDGES: i64 = 10_000;
/// Where the list of an owner begins.
const START: FollowPosition = FollowPosition { followed_at: LOWEST, user: UserId::MIN };

/// Questions to the database as of one moment. Each edge is stored twice, *at its ends*: in
/// `follows`, where the follower owns it, as part of [`FollowList::Following`], and in `followers`,
/// where the followee owns it, as part of [`FollowList::Followers`].
struct Snapshot(Transaction<'static, Db>);

impl Snapshot {
    /// The next ids after this one, by a statement that walks over owners.
    async fn owners_after(
        &mut self,
        sql: &'static str,
        after: UserId,
    ) -> sqlx::Result<Vec<UserId>> {
        let query = query_scalar(sql).bind(after.0).bind(USERS);
        let ids: Vec<i64> = query.fetch_all(&mut *self.0).await?;
        Ok(ids.into_iter().map(UserId).collect())
    }

    /// Those of the users who exist.
    async fn existing(&mut self, users: &[UserId]) -> sqlx::Result<HashSet<UserId>> {
        let query = query_scalar(EXISTING).bind(id_list(users));
        let ids: Vec<i64> = query.fetch_all(&mut *self.0).await?;
        Ok(ids.into_iter().map(UserId).collect())
    }

    /// The stored counts.
    async fn stored_counts(
        &mut self,
        users: &[UserId],
    ) -> sqlx::Result<HashMap<UserId, FollowCounts>> {
        let query = query_as(STORED).bind(id_list(users));
        let rows: Vec<(i64, i64, i64)> = query.fetch_all(&mut *self.0).await?;
        let counts =
            |(id, followers, following)| (UserId(id), FollowCounts { followers, following });
        Ok(rows.into_iter().map(counts).collect())
    }

    /// Those of the users who are not searched by the beginnings of their names.
    async fn wrongly_searched(&mut self, users: &[UserId]) -> sqlx::Result<Vec<UserId>> {
        let names = query_as(NAMES).bind(id_list(users)).fetch_all(&mut *self.0).await?;
        let stored = query_as(NAME_PREFIXES).bind(id_list(users)).fetch_all(&mut *self.0).await?;
        let stored: HashSet<(i64, String, String)> = stored.into_iter().collect();

        let expected = names.into_iter().filter_map(|(id, key, name)| {
            let (key, name): (String, Option<String>) = (key, name);
            let prefixes = name_prefixes(name.as_deref()).join(" ");
            (!prefixes.is_empty()).then_some((id, key, prefixes))
        });
        let expected: HashSet<(i64, String, String)> = expected.collect();
        let wrong = expected.symmetric_difference(&stored).map(|(id, ..)| UserId(*id));
        Ok(wrong.collect::<BTreeSet<_>>().into_iter().collect())
    }

    /// The numbers of edges stored at the owners' end. Owners without edges may be missing.
    async fn count_edges(
        &mut self,
        end: FollowList,
        owners: &[UserId],
    ) -> sqlx::Result<HashMap<UserId, i64>> {
        let sql = match end {
            FollowList::Followers => COUNT_FOLLOWERS,
            FollowList::Following => COUNT_FOLLOWING,
        };
        let rows: Vec<(i64, i64)> =
            query_as(sql).bind(id_list(owners)).fetch_all(&mut *self.0).await?;
        Ok(rows.into_iter().map(|(id, count)| (UserId(id), count)).collect())
    }

    /// All edges stored at the owners' end.
    async fn edges(&mut self, end: FollowList, owners: &[UserId]) -> sqlx::Result<Vec<Follow>> {
        let sql = match end {
            FollowList::Followers => FOLLOWERS,
            FollowList::Following => FOLLOWING,
        };
        let rows = query(sql).bind(id_list(owners)).fetch_all(&mut *self.0).await?;
        rows.iter().map(follow).collect()
    }

    /// The next edges stored at the owner's end, in the order of positions.
    async fn edges_after(
        &mut self,
        end: FollowList,
        owner: UserId,
        after: FollowPosition,
    ) -> sqlx::Result<Vec<Follow>> {
        let sql = match end {
            FollowList::Followers => FOLLOWERS_AFTER,
            FollowList::Following => FOLLOWING_AFTER,
        };
        let query = query(sql).bind(owner.0).bind(stored(after.followed_at));
        let rows = query.bind(after.user.0).bind(EDGES).fetch_all(&mut *self.0).await?;
        rows.iter().map(follow).collect()
    }

    /// Those of the edges that are stored at the end, with the same time.
    async fn present(
        &mut self,
        end: FollowList,
        edges: &[Follow],
    ) -> sqlx::Result<HashSet<Follow>> {
        let sql = match end {
            FollowList::Followers => IN_FOLLOWERS,
            FollowList::Following => IN_FOLLOWS,
        };
        let rows = bind_edges(query(sql), edges).fetch_all(&mut *self.0).await?;
        rows.iter().map(follow).collect()
    }
}

/// Finds every difference, sorted by user; a difference of an edge belongs to the follower.
pub(super) async fn find(engine: Engine, report: Report) -> Result<Vec<Drift>> {
    let snapshot = &mut Snapshot(snapshot(&engine).await?);
    let users: i64 = query_scalar(COUNT_USERS).fetch_one(&mut *snapshot.0).await?;
    let users = u64::try_from(users).unwrap_or(0);
    let mut progress = Progress { report, done: 0, total: users * 2 };

    // 1. Compare both tables of edges by checksums.
    let mut sums = Sums::default();
    let mut edges = Edges::default();
    while let Some((end, edges)) = edges.next(snapshot, &mut progress).await? {
        sums.add(end, &edges);
    }

    // 2. Where checksums differ, look each edge up at its other end.
    let mut mirror = Vec::new();
    if sums.any_differs() {
        progress.total += users;
        let mut edges = Edges::default();
        while let Some((end, mut edges)) = edges.next(snapshot, &mut progress).await? {
            edges.retain(|edge| sums.differs(edge));
            mirror.extend(without_pair(snapshot, end, edges).await?);
        }
    }

    // 3. Rows whose users do not exist. Their edges are no longer differences of the mirror.
    let mut found = orphan_edges(snapshot, &mut mirror).await?;
    let orphan_counts = all_owners(snapshot, STRANGERS_COUNTED).await?;
    found.extend(orphan_counts.into_iter().map(Drift::OrphanCounts));

    let not_existing = all_owners(snapshot, STRANGERS_NAMED).await?;
    found.extend(not_existing.into_iter().map(Drift::Search));

    // 4. The counts, compared with the edges as they will be after the repair, and the names.
    let off_by = mirror_counts(&mirror);
    let mut users = Users::default();
    while let Some(users) = users.next(snapshot, &mut progress).await? {
        found.extend(wrong_counts(snapshot, &users, &off_by).await?);
        found.extend(snapshot.wrongly_searched(&users).await?.into_iter().map(Drift::Search));
    }

    found.extend(mirror);
    found.sort_by_key(sort_key);
    Ok(found)
}

/// How many users were visited, of how many; each one is visited more than once.
struct Progress {
    report: Report,
    done: u64,
    total: u64,
}

impl Progress {
    fn add(&mut self, users: usize) {
        self.done += users as u64;
        self.report.say(self.done, self.total);
    }
}

/// A walk over all users, chunk by chunk.
struct Users {
    last: UserId,
}

impl Default for Users {
    fn default() -> Self {
        Self { last: UserId::MIN }
    }
}

impl Users {
    async fn next(
        &mut self,
        snapshot: &mut Snapshot,
        progress: &mut Progress,
    ) -> sqlx::Result<Option<Vec<UserId>>> {
        let users = snapshot.owners_after(USERS_AFTER, self.last).await?;
        let Some(last) = users.last() else { return Ok(None) };
        self.last = *last;
        progress.add(users.len());
        Ok(Some(users))
    }
}

/// Edges that are read together.
enum Slice {
    /// All edges of these owners, who have few.
    Few(Vec<UserId>),
    /// Edges of an owner with many, after a position.
    Many(UserId, FollowPosition),
}

/// A walk over all edges as they are stored at both ends, slice by slice.
#[derive(Default)]
struct Edges {
    users: Users,
    slices: VecDeque<(FollowList, Slice)>,
}

impl Edges {
    async fn next(
        &mut self,
        snapshot: &mut Snapshot,
        progress: &mut Progress,
    ) -> sqlx::Result<Option<(FollowList, Vec<Follow>)>> {
        loop {
            match self.slices.pop_front() {
                Some((end, Slice::Few(owners))) => {
                    return Ok(Some((end, snapshot.edges(end, &owners).await?)));
                }
                Some((end, Slice::Many(owner, after))) => {
                    let edges = snapshot.edges_after(end, owner, after).await?;
                    let Some(last) = edges.last() else { continue };
                    self.slices.push_front((end, Slice::Many(owner, position(end, last))));
                    return Ok(Some((end, edges)));
                }
                None => {}
            }
            let Some(users) = self.users.next(snapshot, progress).await? else { return Ok(None) };
            for end in [FollowList::Following, FollowList::Followers] {
                let counts = snapshot.count_edges(end, &users).await?;
                self.slices.extend(slices(&users, &counts).into_iter().map(|slice| (end, slice)));
            }
        }
    }
}

/// All owners that a statement walks over.
async fn all_owners(snapshot: &mut Snapshot, sql: &'static str) -> sqlx::Result<Vec<UserId>> {
    let (mut all, mut last) = (Vec::new(), UserId::MIN);
    loop {
        let ids = snapshot.owners_after(sql, last).await?;
        let Some(newest) = ids.last() else { return Ok(all) };
        last = *newest;
        all.extend(ids);
    }
}

/// The edges with a user who does not exist. Each edge is stored with each of its users as the
/// owner, so walking over missing owners finds nearly all of them. The rest are edges of `follows`
/// with a missing followee and no mirror: they are among the differences of the mirror. All of them
/// are taken out of those differences, since no mirror must be added for them.
async fn orphan_edges(
    snapshot: &mut Snapshot,
    mirror: &mut Vec<Drift>,
) -> sqlx::Result<Vec<Drift>> {
    let mut found = HashSet::new();
    for (end, strangers) in
        [(FollowList::Following, STRANGERS_FOLLOWING), (FollowList::Followers, STRANGERS_FOLLOWERS)]
    {
        for owner in all_owners(snapshot, strangers).await? {
            let mut after = START;
            loop {
                let edges = snapshot.edges_after(end, owner, after).await?;
                let Some(last) = edges.last() else { break };
                after = position(end, last);
                found.extend(edges);
            }
        }
    }

    let missing: Vec<_> = mirror
        .iter()
        .filter_map(|drift| if let Drift::MirrorMissing(e) = drift { Some(*e) } else { None })
        .collect();
    for edges in missing.chunks(FOLLOWEES) {
        let followees: Vec<_> = edges.iter().map(|edge| edge.followee).collect();
        let existing = snapshot.existing(&followees).await?;
        found.extend(edges.iter().filter(|edge| !existing.contains(&edge.followee)));
    }
    mirror.retain(|drift| match drift {
        Drift::MirrorMissing(edge) | Drift::MirrorStray(edge) => !found.contains(edge),
        Drift::Counts { .. } | Drift::OrphanEdge(_) | Drift::OrphanCounts(_) | Drift::Search(_) => {
            true
        }
    });
    Ok(found.into_iter().map(Drift::OrphanEdge).collect())
}

/// Cuts the edges stored at one end of users into slices of a bounded size.
fn slices(users: &[UserId], counts: &HashMap<UserId, i64>) -> Vec<Slice> {
    let mut slices = Vec::new();
    let (mut together, mut held) = (Vec::new(), 0);
    for (user, count) in users.iter().filter_map(|user| Some((*user, *counts.get(user)?))) {
        if count > EDGES {
            slices.push(Slice::Many(user, START));
            continue;
        }
        if held + count > EDGES {
            slices.push(Slice::Few(std::mem::take(&mut together)));
            held = 0;
        }
        together.push(user);
        held += count;
    }
    if !together.is_empty() {
        slices.push(Slice::Few(together));
    }
    slices
}

/// The number of checksums.
const GROUPS: u64 = 4096;

/// Checksums that compare both ends. Edges are divided into groups by their hashes; the checksum of
/// a group is the sum of its hashes at one end minus those at the other, so it is zero if both ends
/// store the same edges. That saves looking up the other end of every edge: only the edges of
/// groups that differ are looked up.
struct Sums(Vec<u64>);

impl Default for Sums {
    fn default() -> Self {
        Self((0..GROUPS).map(|_| 0).collect())
    }
}

impl Sums {
    fn hash(edge: &Follow) -> (usize, u64) {
        let mut hasher = DefaultHasher::new();
        edge.hash(&mut hasher);
        let hash = hasher.finish();
        let group = usize::try_from(hash % GROUPS).expect("it is less than `GROUPS`");
        (group, hash)
    }

    fn add(&mut self, end: FollowList, edges: &[Follow]) {
        for edge in edges {
            let (group, hash) = Self::hash(edge);
            let sum = &mut self.0[group];
            *sum = match end {
                FollowList::Following => sum.wrapping_add(hash),
                FollowList::Followers => sum.wrapping_sub(hash),
            };
        }
    }

    fn any_differs(&self) -> bool {
        self.0.iter().any(|sum| *sum != 0)
    }

    /// Whether the checksum of the edge's group is not zero.
    fn differs(&self, edge: &Follow) -> bool {
        self.0[Self::hash(edge).0] != 0
    }
}

/// Those of the edges stored at an end that are missing at the other.
async fn without_pair(
    snapshot: &mut Snapshot,
    end: FollowList,
    edges: Vec<Follow>,
) -> sqlx::Result<Vec<Drift>> {
    let (other, drift): (_, fn(Follow) -> Drift) = match end {
        FollowList::Following => (FollowList::Followers, Drift::MirrorMissing),
        FollowList::Followers => (FollowList::Following, Drift::MirrorStray),
    };
    if edges.is_empty() {
        return Ok(Vec::new());
    }
    let present = snapshot.present(other, &edges).await?;
    Ok(edges.into_iter().filter(|edge| !present.contains(edge)).map(drift).collect())
}

/// The position of an edge in the list of its owner.
const fn position(end: FollowList, edge: &Follow) -> FollowPosition {
    let user = match end {
        FollowList::Following => edge.followee,
        FollowList::Followers => edge.follower,
    };
    FollowPosition { followed_at: edge.followed_at, user }
}

/// By how much the repair of the mirror changes the number of each user's followers.
fn mirror_counts(mirror: &[Drift]) -> HashMap<UserId, i64> {
    let mut off_by = HashMap::new();
    for drift in mirror {
        match drift {
            Drift::MirrorMissing(edge) => *off_by.entry(edge.followee).or_insert(0) += 1,
            Drift::MirrorStray(edge) => *off_by.entry(edge.followee).or_insert(0) -= 1,
            Drift::Counts { .. }
            | Drift::OrphanEdge(_)
            | Drift::OrphanCounts(_)
            | Drift::Search(_) => {}
        }
    }
    off_by
}

async fn wrong_counts(
    snapshot: &mut Snapshot,
    users: &[UserId],
    off_by: &HashMap<UserId, i64>,
) -> sqlx::Result<Vec<Drift>> {
    let stored = snapshot.stored_counts(users).await?;
    let followers = snapshot.count_edges(FollowList::Followers, users).await?;
    let following = snapshot.count_edges(FollowList::Following, users).await?;
    let number = |counts: &HashMap<UserId, i64>, user| counts.get(&user).copied().unwrap_or(0);

    let compare = |&user: &UserId| {
        let actual = FollowCounts {
            followers: number(&followers, user) + number(off_by, user),
            following: number(&following, user),
        };
        let stored = stored.get(&user).copied();
        (stored != Some(actual)).then_some(Drift::Counts { user, stored, actual })
    };
    Ok(users.iter().filter_map(compare).collect())
}

fn sort_key(drift: &Drift) -> (UserId, u8, Option<Follow>) {
    match *drift {
        Drift::Counts { user, .. } => (user, 0, None),
        Drift::MirrorMissing(edge) => (edge.follower, 1, Some(edge)),
        Drift::MirrorStray(edge) => (edge.follower, 2, Some(edge)),
        Drift::OrphanEdge(edge) => (edge.follower, 3, Some(edge)),
        Drift::OrphanCounts(user) => (user, 4, None),
        Drift::Search(user) => (user, 5, None),
    }
}

/// Repairs differences: the edges first, so that counting them then gives the right counts. Each
/// repair is a transaction of its own that takes a lock and checks the difference again.
pub(super) async fn repair(engine: Engine, found: Vec<Drift>) -> Result<u64> {
    let pool = engine.unlimited_pool();
    let mut changed = 0;
    let mut touched = BTreeSet::new();
    for drift in found {
        match drift {
            Drift::Counts { user, .. } => {
                touched.insert(user);
                continue;
            }
            Drift::MirrorMissing(edge) | Drift::MirrorStray(edge) | Drift::OrphanEdge(edge) => {
                touched.extend([edge.follower, edge.followee]);
            }
            Drift::OrphanCounts(_) | Drift::Search(_) => {}
        }
        changed += retry::retried(|_| repair_row(&pool, drift)).await?;
    }
    for user in touched {
        changed += retry::retried(|_| repair_counts(&pool, user)).await?;
    }
    Ok(changed)
}

/// Repairs what all users are searched by, which only the program can compute: for a database whose
/// tables an earlier version has filled.
pub(super) async fn repair_names(engine: Engine) -> Result<()> {
    let (pool, mut last) = (engine.unlimited_pool(), UserId::MIN);
    loop {
        let mut slice = Snapshot(begin(&pool).await?);
        let users = slice.owners_after(USERS_AFTER, last).await?;
        let wrong = slice.wrongly_searched(&users).await?;
        slice.0.rollback().await?;
        let Some(newest) = users.last() else { return Ok(()) };
        last = *newest;
        for user in wrong {
            retry::retried(|_| repair_row(&pool, Drift::Search(user))).await?;
        }
    }
}

/// Repairs one difference if it still exists, and returns the number of changed rows. Counts are
/// left to [`repair_counts`].
async fn repair_row(pool: &Pool<Db>, drift: Drift) -> sqlx::Result<u64> {
    let mut tx = begin(pool).await?;
    let changed = match drift {
        Drift::Counts { .. } => 0,
        Drift::MirrorMissing(edge) => add_mirror(&mut tx, edge).await?,
        Drift::MirrorStray(edge) => remove_mirror(&mut tx, edge).await?,
        Drift::OrphanEdge(edge) => {
            let edges = about(REMOVE_EDGE_OF_NOBODY, edge).execute(&mut *tx).await?;
            let mirrors = about(REMOVE_MIRROR_OF_NOBODY, edge).execute(&mut *tx).await?;
            edges.rows_affected() + mirrors.rows_affected()
        }
        Drift::OrphanCounts(user) => {
            let remove = query(REMOVE_COUNTS_OF_NOBODY).bind(user.0);
            remove.execute(&mut *tx).await?.rows_affected()
        }
        Drift::Search(user) => {
            let user_row = query_as(NAME).bind(user.0).fetch_optional(&mut *tx).await?;
            let (key, name): (String, Option<String>) = user_row.unwrap_or_default();
            search::replace(&mut tx, user, &key, name.as_deref()).await?
        }
    };
    tx.commit().await?;
    Ok(changed)
}

/// Counts the edges of a user and corrects the counts.
async fn repair_counts(pool: &Pool<Db>, user: UserId) -> sqlx::Result<u64> {
    let mut tx = begin(pool).await?;
    // Returned rows are counted, since Citus reports no number of rows for such a statement.
    let added = query(ADD_COUNTS).bind(user.0).fetch_all(&mut *tx).await?.len() as u64;
    let corrected = recount(&mut tx, user).await?;
    tx.commit().await?;
    Ok(added.max(corrected))
}
