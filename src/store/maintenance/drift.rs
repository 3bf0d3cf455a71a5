//! Finding and mending differences: the walk and its order, once for both engines.
//!
//! The engines answer small questions, each about a bounded number of owners named by id, so
//! that on a distributed engine each goes to the shards that know. Nothing here reads a whole
//! table at once, and nothing keeps more of it than one slice.

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
};

use crate::{
    domain::{Drift, Follow, FollowCounts, FollowList, FollowPosition, UserId},
    store::{pages::LOWEST, retry::Report},
};

/// How many users are looked at together.
const USERS: i64 = 500;
const USERS_AT_ONCE: usize = 500;
/// How many edges are held at once.
const EDGES: i64 = 10_000;

/// Questions to the database as it was at one moment. An edge *is stored at an end*: in `follows`
/// for the list [`FollowList::Following`], in `followers` for [`FollowList::Followers`].
pub(crate) trait Snapshot: Send {
    /// How many users there are.
    fn count_users(&mut self) -> impl Future<Output = sqlx::Result<i64>> + Send;

    /// The next users after this one, by id.
    fn users_after(
        &mut self,
        user: UserId,
        limit: i64,
    ) -> impl Future<Output = sqlx::Result<Vec<UserId>>> + Send;

    /// Which of these are users.
    fn users_of(
        &mut self,
        ids: &[UserId],
    ) -> impl Future<Output = sqlx::Result<HashSet<UserId>>> + Send;

    /// The next owners of edges stored at an end who are no users, after this one, by id.
    fn strangers_after(
        &mut self,
        end: FollowList,
        owner: UserId,
        limit: i64,
    ) -> impl Future<Output = sqlx::Result<Vec<UserId>>> + Send;

    /// The next owners of counts who are no users, after this one, by id.
    fn uncounted_after(
        &mut self,
        owner: UserId,
        limit: i64,
    ) -> impl Future<Output = sqlx::Result<Vec<UserId>>> + Send;

    /// What the counters say.
    fn stored_counts(
        &mut self,
        users: &[UserId],
    ) -> impl Future<Output = sqlx::Result<HashMap<UserId, FollowCounts>>> + Send;

    /// How many edges are stored at the owners' end. Owners without any may be missing.
    fn count_edges(
        &mut self,
        end: FollowList,
        owners: &[UserId],
    ) -> impl Future<Output = sqlx::Result<HashMap<UserId, i64>>> + Send;

    /// All edges stored at the owners' end.
    fn edges(
        &mut self,
        end: FollowList,
        owners: &[UserId],
    ) -> impl Future<Output = sqlx::Result<Vec<Follow>>> + Send;

    /// The next edges stored at the owner's end, in the order of positions.
    fn edges_after(
        &mut self,
        end: FollowList,
        owner: UserId,
        after: FollowPosition,
        limit: i64,
    ) -> impl Future<Output = sqlx::Result<Vec<Follow>>> + Send;

    /// Which of these edges are stored at the end, time and all.
    fn present(
        &mut self,
        end: FollowList,
        edges: &[Follow],
    ) -> impl Future<Output = sqlx::Result<HashSet<Follow>>> + Send;
}

/// Finds every difference, sorted by user; a difference of an edge counts as the follower's.
pub(crate) async fn find(
    snapshot: &mut impl Snapshot,
    report: &Report,
) -> sqlx::Result<Vec<Drift>> {
    let users = u64::try_from(snapshot.count_users().await?).unwrap_or(0);
    let mut progress = Progress { report, done: 0, total: users * 2 };

    // First the edges: the counts are right or wrong by what they should be.
    let mut sums = Sums::default();
    let mut edges = Edges::default();
    while let Some((end, edges)) = edges.next(snapshot, &mut progress).await? {
        sums.add(end, &edges);
    }

    let mut mirror = Vec::new();
    if sums.any_differs() {
        progress.total += users;
        let mut edges = Edges::default();
        while let Some((end, mut edges)) = edges.next(snapshot, &mut progress).await? {
            edges.retain(|edge| sums.differs(edge));
            mirror.extend(without_pair(snapshot, end, edges).await?);
        }
    }

    let mut found = edges_of_nobody(snapshot, &mut mirror).await?;
    found.extend(counts_of_nobody(snapshot).await?);
    let off_by = mirror_counts(&mirror);
    let mut users = Users::default();
    while let Some(users) = users.next(snapshot, &mut progress).await? {
        found.extend(wrong_counts(snapshot, &users, &off_by).await?);
    }

    found.extend(mirror);
    found.sort_by_key(sort_key);
    Ok(found)
}

/// How many users were gone over, of how many; each is gone over more than once.
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

/// All users, chunk by chunk.
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
        let users = snapshot.users_after(self.last, USERS).await?;
        let Some(last) = users.last() else { return Ok(None) };
        self.last = *last;
        progress.add(users.len());
        Ok(Some(users))
    }
}

/// Edges that are read together.
enum Slice {
    /// All of these users, who have few.
    Few(Vec<UserId>),
    /// Those of a user with many, from a position on.
    Many(UserId, FollowPosition),
}

/// All edges as they are stored at both ends, slice by slice.
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
                    let user = other_end(end, last);
                    let after = FollowPosition { followed_at: last.followed_at, user };
                    self.slices.push_front((end, Slice::Many(owner, after)));
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

/// The edges with an end who is no user. An edge is stored with each end as its owner, so those
/// that lack an owner at one end are nearly all of them; the others have no mirror and would get
/// none, since their followee is missing, and are taken out of the differences of the mirror.
async fn edges_of_nobody(
    snapshot: &mut impl Snapshot,
    mirror: &mut Vec<Drift>,
) -> sqlx::Result<Vec<Drift>> {
    let mut found = HashSet::new();
    for end in [FollowList::Following, FollowList::Followers] {
        let mut last = UserId::MIN;
        loop {
            let owners = snapshot.strangers_after(end, last, USERS).await?;
            let Some(newest) = owners.last() else { break };
            last = *newest;
            for owner in owners {
                edges_of_one(snapshot, end, owner, &mut found).await?;
            }
        }
    }

    let missing: Vec<_> = mirror
        .iter()
        .filter_map(|drift| if let Drift::MirrorMissing(e) = drift { Some(*e) } else { None })
        .collect();
    for edges in missing.chunks(USERS_AT_ONCE) {
        let followees: Vec<_> = edges.iter().map(|edge| edge.followee).collect();
        let there = snapshot.users_of(&followees).await?;
        found.extend(edges.iter().filter(|edge| !there.contains(&edge.followee)));
    }
    mirror.retain(|drift| match drift {
        Drift::MirrorMissing(edge) | Drift::MirrorStray(edge) => !found.contains(edge),
        Drift::Counts { .. } | Drift::OrphanEdge(_) | Drift::OrphanCounts(_) => true,
    });
    Ok(found.into_iter().map(Drift::OrphanEdge).collect())
}

/// Adds all edges stored at the owner's end.
async fn edges_of_one(
    snapshot: &mut impl Snapshot,
    end: FollowList,
    owner: UserId,
    found: &mut HashSet<Follow>,
) -> sqlx::Result<()> {
    let mut after = FollowPosition { followed_at: LOWEST, user: UserId::MIN };
    loop {
        let edges = snapshot.edges_after(end, owner, after, EDGES).await?;
        let Some(last) = edges.last() else { return Ok(()) };
        after = FollowPosition { followed_at: last.followed_at, user: other_end(end, last) };
        found.extend(edges);
    }
}

async fn counts_of_nobody(snapshot: &mut impl Snapshot) -> sqlx::Result<Vec<Drift>> {
    let mut found = Vec::new();
    let mut last = UserId::MIN;
    loop {
        let owners = snapshot.uncounted_after(last, USERS).await?;
        let Some(newest) = owners.last() else { return Ok(found) };
        last = *newest;
        found.extend(owners.into_iter().map(Drift::OrphanCounts));
    }
}

/// Cuts what users have at one end into slices of a bounded size.
fn slices(users: &[UserId], counts: &HashMap<UserId, i64>) -> Vec<Slice> {
    let start = FollowPosition { followed_at: LOWEST, user: UserId::MIN };
    let mut slices = Vec::new();
    let (mut together, mut held) = (Vec::new(), 0);
    for (user, count) in users.iter().filter_map(|user| Some((*user, *counts.get(user)?))) {
        if count > EDGES {
            slices.push(Slice::Many(user, start));
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

/// How many sums are kept.
const GROUPS: u64 = 4096;

/// What both ends hold, as numbers that are compared: one for each of some groups of edges, the
/// sum of their hashes at one end less those at the other. Asking for the other end of every
/// edge would take as many look-ups; this way only the edges of groups that differ are asked for.
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
        let group = usize::try_from(hash % GROUPS).expect("there are not that many");
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

    /// Whether the group of the edge differs.
    fn differs(&self, edge: &Follow) -> bool {
        self.0[Self::hash(edge).0] != 0
    }
}

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

const fn other_end(end: FollowList, edge: &Follow) -> UserId {
    match end {
        FollowList::Following => edge.followee,
        FollowList::Followers => edge.follower,
    }
}

/// By how much the followers that are stored must be corrected to be those of `follows`.
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

    let look = |&user: &UserId| {
        let actual = FollowCounts {
            followers: number(&followers, user) + number(off_by, user),
            following: number(&following, user),
        };
        let stored = stored.get(&user).copied();
        (stored != Some(actual)).then_some(Drift::Counts { user, stored, actual })
    };
    Ok(users.iter().filter_map(look).collect())
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

/// One mending, each a transaction of its own that first takes a lock and then looks again. Each
/// tells how many rows it changed.
pub(crate) trait Mend: Send + Sync {
    /// Stores the edge at its other end, if it is still in `follows` and not there.
    fn add_mirror(&self, edge: Follow) -> impl Future<Output = sqlx::Result<u64>> + Send;

    /// Removes the edge from its other end, if it is still there and not in `follows`.
    fn remove_mirror(&self, edge: Follow) -> impl Future<Output = sqlx::Result<u64>> + Send;

    /// Removes the edge from both tables, if one of its users is still missing.
    fn remove_edge(&self, edge: Follow) -> impl Future<Output = sqlx::Result<u64>> + Send;

    /// Removes the user's counts, if the user is still missing.
    fn remove_counts(&self, user: UserId) -> impl Future<Output = sqlx::Result<u64>> + Send;

    /// Counts the edges at the user's ends and corrects the counters.
    fn recount(&self, user: UserId) -> impl Future<Output = sqlx::Result<u64>> + Send;
}

/// Mends differences: the edges first, so that counting its rows gives the truth.
pub(crate) async fn repair(mend: &impl Mend, drift: &[Drift]) -> sqlx::Result<u64> {
    let mut changed = 0;
    let mut touched = BTreeSet::new();
    for drift in drift {
        match *drift {
            Drift::Counts { user, .. } => {
                touched.insert(user);
            }
            Drift::MirrorMissing(edge) => {
                changed += mend.add_mirror(edge).await?;
                touched.extend([edge.follower, edge.followee]);
            }
            Drift::MirrorStray(edge) => {
                changed += mend.remove_mirror(edge).await?;
                touched.extend([edge.follower, edge.followee]);
            }
            Drift::OrphanEdge(edge) => {
                changed += mend.remove_edge(edge).await?;
                touched.extend([edge.follower, edge.followee]);
            }
            Drift::OrphanCounts(user) => changed += mend.remove_counts(user).await?,
        }
    }
    for user in touched {
        changed += mend.recount(user).await?;
    }
    Ok(changed)
}
