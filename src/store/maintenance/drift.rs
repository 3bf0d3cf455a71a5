//! Finding and repairing differences: the walk and its order, once for both engines.
//!
//! The engines answer small questions, each about a bounded number of owners named by id, so that
//! on a distributed engine each one goes to the shards that can answer it. Nothing here reads a
//! whole table at once or keeps more of it in memory than one slice.

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
};

use crate::{
    domain::{Drift, Follow, FollowCounts, FollowList, FollowPosition, UserId},
    store::{pages::LOWEST, retry::Report},
};

/// The number of users read together.
const USERS: i64 = 500;
/// The number of edges whose followees are looked up together.
const FOLLOWEES: usize = 500;
/// The most edges in memory.
const EDGES: i64 = 10_000;
/// Where the list of an owner begins.
const START: FollowPosition = FollowPosition { followed_at: LOWEST, user: UserId::MIN };

/// Ids to walk over.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Owners {
    /// All users.
    Users,
    /// Owners of edges stored at an end who do not exist.
    OrphanEdges(FollowList),
    /// Owners of counts who do not exist.
    OrphanCounts,
}

/// Questions to the database as of one moment. Each edge is stored twice, *at its ends*: in
/// `follows`, where the follower owns it, as part of [`FollowList::Following`], and in `followers`,
/// where the followee owns it, as part of [`FollowList::Followers`].
pub(crate) trait Snapshot: Send {
    /// The number of users.
    async fn count_users(&mut self) -> sqlx::Result<i64>;

    /// The next owners after this one, by id.
    async fn owners_after(
        &mut self,
        owners: Owners,
        after: UserId,
        limit: i64,
    ) -> sqlx::Result<Vec<UserId>>;

    /// Those of the users who exist.
    async fn existing(&mut self, users: &[UserId]) -> sqlx::Result<HashSet<UserId>>;

    /// The stored counts.
    async fn stored_counts(
        &mut self,
        users: &[UserId],
    ) -> sqlx::Result<HashMap<UserId, FollowCounts>>;

    /// The numbers of edges stored at the owners' end. Owners without edges may be missing.
    async fn count_edges(
        &mut self,
        end: FollowList,
        owners: &[UserId],
    ) -> sqlx::Result<HashMap<UserId, i64>>;

    /// All edges stored at the owners' end.
    async fn edges(&mut self, end: FollowList, owners: &[UserId]) -> sqlx::Result<Vec<Follow>>;

    /// The next edges stored at the owner's end, in the order of positions.
    async fn edges_after(
        &mut self,
        end: FollowList,
        owner: UserId,
        after: FollowPosition,
        limit: i64,
    ) -> sqlx::Result<Vec<Follow>>;

    /// Those of the edges that are stored at the end, with the same time.
    async fn present(&mut self, end: FollowList, edges: &[Follow])
    -> sqlx::Result<HashSet<Follow>>;
}

/// Implements [`Snapshot`] for a transaction of an engine, by the SQL in the scope of the caller:
/// the engines differ in their SQL and in how they bind ids (`$ids`), times (`$time`) and edges
/// (`$edges`) and read an edge (`$follow`).
macro_rules! impl_snapshot {
    ($snapshot:ty, $ids:path, $time:path, $edges:path, $follow:path) => {
        impl drift::Snapshot for $snapshot {
            async fn count_users(&mut self) -> sqlx::Result<i64> {
                query_scalar(COUNT_USERS).fetch_one(&mut *self.0).await
            }

            async fn owners_after(
                &mut self,
                owners: Owners,
                after: UserId,
                limit: i64,
            ) -> sqlx::Result<Vec<UserId>> {
                let sql = match owners {
                    Owners::Users => USERS_AFTER,
                    Owners::OrphanEdges(FollowList::Followers) => STRANGERS_FOLLOWERS,
                    Owners::OrphanEdges(FollowList::Following) => STRANGERS_FOLLOWING,
                    Owners::OrphanCounts => STRANGERS_COUNTED,
                };
                let query = query_scalar(sql).bind(after.0).bind(limit);
                let ids: Vec<i64> = query.fetch_all(&mut *self.0).await?;
                Ok(ids.into_iter().map(UserId).collect())
            }

            async fn existing(&mut self, users: &[UserId]) -> sqlx::Result<HashSet<UserId>> {
                let query = query_scalar(USERS).bind($ids(users));
                let ids: Vec<i64> = query.fetch_all(&mut *self.0).await?;
                Ok(ids.into_iter().map(UserId).collect())
            }

            async fn stored_counts(
                &mut self,
                users: &[UserId],
            ) -> sqlx::Result<HashMap<UserId, FollowCounts>> {
                let query = query_as(STORED).bind($ids(users));
                let rows: Vec<(i64, i64, i64)> = query.fetch_all(&mut *self.0).await?;
                let counts = |(id, followers, following)| {
                    (UserId(id), FollowCounts { followers, following })
                };
                Ok(rows.into_iter().map(counts).collect())
            }

            async fn count_edges(
                &mut self,
                end: FollowList,
                owners: &[UserId],
            ) -> sqlx::Result<HashMap<UserId, i64>> {
                let sql = match end {
                    FollowList::Followers => COUNT_FOLLOWERS,
                    FollowList::Following => COUNT_FOLLOWING,
                };
                let query = query_as(sql).bind($ids(owners));
                let rows: Vec<(i64, i64)> = query.fetch_all(&mut *self.0).await?;
                Ok(rows.into_iter().map(|(id, count)| (UserId(id), count)).collect())
            }

            async fn edges(
                &mut self,
                end: FollowList,
                owners: &[UserId],
            ) -> sqlx::Result<Vec<Follow>> {
                let sql = match end {
                    FollowList::Followers => FOLLOWERS,
                    FollowList::Following => FOLLOWING,
                };
                let query = query_as(sql).bind($ids(owners));
                query.fetch_all(&mut *self.0).await?.into_iter().map($follow).collect()
            }

            async fn edges_after(
                &mut self,
                end: FollowList,
                owner: UserId,
                after: FollowPosition,
                limit: i64,
            ) -> sqlx::Result<Vec<Follow>> {
                let sql = match end {
                    FollowList::Followers => FOLLOWERS_AFTER,
                    FollowList::Following => FOLLOWING_AFTER,
                };
                let query = query_as(sql).bind(owner.0);
                let query = query.bind($time(after.followed_at)).bind(after.user.0).bind(limit);
                query.fetch_all(&mut *self.0).await?.into_iter().map($follow).collect()
            }

            async fn present(
                &mut self,
                end: FollowList,
                edges: &[Follow],
            ) -> sqlx::Result<HashSet<Follow>> {
                let sql = match end {
                    FollowList::Followers => IN_FOLLOWERS,
                    FollowList::Following => IN_FOLLOWS,
                };
                let rows = $edges(query_as(sql), edges).fetch_all(&mut *self.0).await?;
                rows.into_iter().map($follow).collect()
            }
        }
    };
}
pub(crate) use impl_snapshot;

/// Finds every difference, sorted by user; a difference of an edge belongs to the follower.
pub(crate) async fn find(
    snapshot: &mut impl Snapshot,
    report: &Report,
) -> sqlx::Result<Vec<Drift>> {
    let users = u64::try_from(snapshot.count_users().await?).unwrap_or(0);
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
    let orphan_counts = all_owners(snapshot, Owners::OrphanCounts).await?;
    found.extend(orphan_counts.into_iter().map(Drift::OrphanCounts));

    // 4. The counts, compared with the edges as they will be after the repair.
    let off_by = mirror_counts(&mirror);
    let mut users = Users::default();
    while let Some(users) = users.next(snapshot, &mut progress).await? {
        found.extend(wrong_counts(snapshot, &users, &off_by).await?);
    }

    found.extend(mirror);
    found.sort_by_key(sort_key);
    Ok(found)
}

/// How many users were visited, of how many; each one is visited more than once.
struct Progress<'r> {
    report: &'r Report,
    done: u64,
    total: u64,
}

impl Progress<'_> {
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
        snapshot: &mut impl Snapshot,
        progress: &mut Progress<'_>,
    ) -> sqlx::Result<Option<Vec<UserId>>> {
        let users = snapshot.owners_after(Owners::Users, self.last, USERS).await?;
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
        snapshot: &mut impl Snapshot,
        progress: &mut Progress<'_>,
    ) -> sqlx::Result<Option<(FollowList, Vec<Follow>)>> {
        loop {
            match self.slices.pop_front() {
                Some((end, Slice::Few(owners))) => {
                    return Ok(Some((end, snapshot.edges(end, &owners).await?)));
                }
                Some((end, Slice::Many(owner, after))) => {
                    let edges = snapshot.edges_after(end, owner, after, EDGES).await?;
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

/// All ids of a walk.
async fn all_owners(snapshot: &mut impl Snapshot, owners: Owners) -> sqlx::Result<Vec<UserId>> {
    let (mut all, mut last) = (Vec::new(), UserId::MIN);
    loop {
        let ids = snapshot.owners_after(owners, last, USERS).await?;
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
    snapshot: &mut impl Snapshot,
    mirror: &mut Vec<Drift>,
) -> sqlx::Result<Vec<Drift>> {
    let mut found = HashSet::new();
    for end in [FollowList::Following, FollowList::Followers] {
        for owner in all_owners(snapshot, Owners::OrphanEdges(end)).await? {
            let mut after = START;
            loop {
                let edges = snapshot.edges_after(end, owner, after, EDGES).await?;
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
        Drift::Counts { .. } | Drift::OrphanEdge(_) | Drift::OrphanCounts(_) => true,
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
    snapshot: &mut impl Snapshot,
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
            Drift::Counts { .. } | Drift::OrphanEdge(_) | Drift::OrphanCounts(_) => {}
        }
    }
    off_by
}

async fn wrong_counts(
    snapshot: &mut impl Snapshot,
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
    }
}

/// Repairs, each a transaction of its own that takes a lock and checks the difference again. Each
/// returns the number of rows that it changed.
pub(crate) trait Repair: Send + Sync {
    /// Adds the mirror of the edge, if the edge still exists and the mirror does not.
    fn add_mirror(&self, edge: Follow) -> impl Future<Output = sqlx::Result<u64>> + Send;

    /// Removes the mirror of the edge, if it still exists and the edge does not.
    fn remove_mirror(&self, edge: Follow) -> impl Future<Output = sqlx::Result<u64>> + Send;

    /// Removes the edge from both tables, if one of its users is still missing.
    fn remove_edge(&self, edge: Follow) -> impl Future<Output = sqlx::Result<u64>> + Send;

    /// Removes the user's counts, if the user is still missing.
    fn remove_counts(&self, user: UserId) -> impl Future<Output = sqlx::Result<u64>> + Send;

    /// Counts the user's edges and corrects the counts.
    fn recount(&self, user: UserId) -> impl Future<Output = sqlx::Result<u64>> + Send;
}

/// Repairs differences: the edges first, so that counting them then gives the right counts.
pub(crate) async fn repair(engine: &impl Repair, drift: &[Drift]) -> sqlx::Result<u64> {
    let mut changed = 0;
    let mut touched = BTreeSet::new();
    for drift in drift {
        match *drift {
            Drift::Counts { user, .. } => {
                touched.insert(user);
            }
            Drift::MirrorMissing(edge) => {
                changed += engine.add_mirror(edge).await?;
                touched.extend([edge.follower, edge.followee]);
            }
            Drift::MirrorStray(edge) => {
                changed += engine.remove_mirror(edge).await?;
                touched.extend([edge.follower, edge.followee]);
            }
            Drift::OrphanEdge(edge) => {
                changed += engine.remove_edge(edge).await?;
                touched.extend([edge.follower, edge.followee]);
            }
            Drift::OrphanCounts(user) => changed += engine.remove_counts(user).await?,
        }
    }
    for user in touched {
        changed += engine.recount(user).await?;
    }
    Ok(changed)
}
