//! DataLoaders: they collect the keys that the resolvers of one request need into batches.
//!
//! A loader yields once, so that every other resolver of the request adds its keys, and then loads
//! all of them in one statement. There is no timer.
//!
//! **Invariant:** loaders live as long as the request, so a request sees one consistent answer for
//! each key. A mutation clears them, so that its payload is read after the change.

use std::{
    collections::HashMap,
    fmt::{self, Debug},
    hash::Hash,
    sync::Arc,
};

use dataloader::{BatchFn, cached::Loader};

use super::error::Failure;
use crate::{
    domain::{FollowCounts, FollowPageKey, Relation, User, UserId, UsernameKey},
    service::{self, ListPage, SeenBy},
};

/// How often a loader yields to the other resolvers before it loads. They run in one task and
/// reach their loaders without waiting, so one yield is enough.
const YIELDS: usize = 1;

type Loaded<V> = Result<V, Failure>;

/// A key with a constant `Debug`: the library formats each key of a batch for an error that never
/// happens, and that took longer than everything else it does.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Quiet<K>(K);

impl<K> Debug for Quiet<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("key")
    }
}

type Keyed<K, V, F> = Loader<Quiet<K>, Loaded<V>, F>;

/// The loaders of one request.
pub(super) struct Loaders {
    users: Keyed<UserId, Option<Arc<User>>, Users>,
    usernames: Keyed<UsernameKey, Option<Arc<User>>, Usernames>,
    counts: Keyed<UserId, FollowCounts, Counts>,
    pages: Keyed<FollowPageKey, Arc<ListPage>, Pages>,
    relations: Keyed<RelationKey, Relation, Relations>,
}

/// One half of the relation between the viewer and a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum RelationKey {
    /// Whether the viewer follows the user.
    Followed(UserId),
    /// Whether the user follows the viewer.
    FollowingBack(UserId),
}

impl Loaders {
    pub(super) fn new(service: &SeenBy) -> Arc<Self> {
        Arc::new(Self {
            users: loader(Users(service.clone())),
            usernames: loader(Usernames(service.clone())),
            counts: loader(Counts(service.clone())),
            pages: loader(Pages(service.clone())),
            relations: loader(Relations(service.clone())),
        })
    }

    /// The user with this id.
    pub(super) async fn user(&self, id: UserId) -> Loaded<Option<Arc<User>>> {
        self.users.load(Quiet(id)).await
    }

    /// The users with these ids, in their order.
    pub(super) async fn users_by_ids(&self, ids: Vec<UserId>) -> Loaded<Vec<Option<Arc<User>>>> {
        many(&self.users, ids).await
    }

    /// The user with this username.
    pub(super) async fn user_by_username(&self, key: UsernameKey) -> Loaded<Option<Arc<User>>> {
        self.usernames.load(Quiet(key)).await
    }

    /// The lengths of both lists of a user.
    pub(super) async fn counts(&self, id: UserId) -> Loaded<FollowCounts> {
        self.counts.load(Quiet(id)).await
    }

    /// A page of a list of a user.
    pub(super) async fn page_of_follows(&self, key: FollowPageKey) -> Loaded<Arc<ListPage>> {
        self.pages.load(Quiet(key)).await
    }

    /// Pages of the lists of users, in the order of the keys.
    pub(super) async fn pages_of_follows(
        &self,
        keys: Vec<FollowPageKey>,
    ) -> Loaded<Vec<Arc<ListPage>>> {
        many(&self.pages, keys).await
    }

    /// The lengths of both lists of these users, in their order.
    pub(super) async fn counts_by_ids(&self, ids: Vec<UserId>) -> Loaded<Vec<FollowCounts>> {
        many(&self.counts, ids).await
    }

    /// Relations between the viewer and users: first those of `followed`, whom the viewer may follow,
    /// then those of `following_back`, who may follow the viewer, each in their order.
    pub(super) async fn relations(
        &self,
        followed: Vec<UserId>,
        following_back: Vec<UserId>,
    ) -> Loaded<Vec<Relation>> {
        let followed = followed.into_iter().map(RelationKey::Followed);
        let following_back = following_back.into_iter().map(RelationKey::FollowingBack);
        many(&self.relations, followed.chain(following_back).collect()).await
    }

    /// Whether, and since when, the viewer follows a user.
    pub(super) async fn followed(&self, id: UserId) -> Loaded<Relation> {
        self.relations.load(Quiet(RelationKey::Followed(id))).await
    }

    /// Whether, and since when, a user follows the viewer.
    pub(super) async fn following_back(&self, id: UserId) -> Loaded<Relation> {
        self.relations.load(Quiet(RelationKey::FollowingBack(id))).await
    }

    /// Adds lengths of lists that a mutation has returned.
    pub(super) async fn prime_counts(&self, counts: impl Iterator<Item = (UserId, FollowCounts)>) {
        self.counts.prime_many(counts.map(|(id, counts)| (Quiet(id), Ok(counts)))).await;
    }

    /// Clears all loaders, after a change.
    pub(super) async fn clear(&self) {
        self.users.clear_all().await;
        self.usernames.clear_all().await;
        self.counts.clear_all().await;
        self.pages.clear_all().await;
        self.relations.clear_all().await;
    }
}

fn loader<K, V, F>(batch: F) -> Keyed<K, V, F>
where
    K: Eq + Hash + Clone,
    V: Clone,
    F: BatchFn<Quiet<K>, Loaded<V>>,
{
    Loader::new(batch).with_max_batch_size(usize::MAX).with_yield_count(YIELDS)
}

/// The values of many keys, in their order. Without keys nothing is loaded.
async fn many<K, V, F>(loader: &Keyed<K, V, F>, keys: Vec<K>) -> Loaded<Vec<V>>
where
    K: Eq + Hash + Clone,
    V: Clone,
    F: BatchFn<Quiet<K>, Loaded<V>>,
{
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let keys: Vec<_> = keys.into_iter().map(Quiet).collect();
    let values = loader.load_many(keys.clone()).await;
    keys.iter().map(|key| values[key].clone()).collect()
}

/// One answer for each key: the value that was found, the one for a missing value, or the failure
/// of the batch.
fn answers<K, F, V>(
    keys: &[Quiet<K>],
    found: service::Result<impl IntoIterator<Item = (K, F)>>,
    answer: impl Fn(Option<F>) -> V,
) -> HashMap<Quiet<K>, Loaded<V>>
where
    K: Eq + Hash + Clone,
{
    match found {
        Ok(found) => {
            let mut answers = HashMap::with_capacity(keys.len());
            answers.extend(found.into_iter().map(|(k, found)| (Quiet(k), Ok(answer(Some(found))))));
            for key in keys {
                answers.entry(key.clone()).or_insert_with(|| Ok(answer(None)));
            }
            answers
        }
        Err(error) => {
            let failure = Failure::from(error);
            keys.iter().map(|key| (key.clone(), Err(failure.clone()))).collect()
        }
    }
}

fn plain<K: Clone>(keys: &[Quiet<K>]) -> Vec<K> {
    keys.iter().map(|key| key.0.clone()).collect()
}

struct Users(SeenBy);

impl BatchFn<Quiet<UserId>, Loaded<Option<Arc<User>>>> for Users {
    async fn load(
        &mut self,
        ids: &[Quiet<UserId>],
    ) -> HashMap<Quiet<UserId>, Loaded<Option<Arc<User>>>> {
        answers(ids, self.0.users_by_ids(&plain(ids)).await, |user| user)
    }
}

struct Usernames(SeenBy);

impl BatchFn<Quiet<UsernameKey>, Loaded<Option<Arc<User>>>> for Usernames {
    async fn load(
        &mut self,
        keys: &[Quiet<UsernameKey>],
    ) -> HashMap<Quiet<UsernameKey>, Loaded<Option<Arc<User>>>> {
        answers(keys, self.0.users_by_usernames(&plain(keys)).await, |user| user)
    }
}

struct Counts(SeenBy);

impl BatchFn<Quiet<UserId>, Loaded<FollowCounts>> for Counts {
    async fn load(
        &mut self,
        ids: &[Quiet<UserId>],
    ) -> HashMap<Quiet<UserId>, Loaded<FollowCounts>> {
        answers(ids, self.0.counts_by_ids(&plain(ids)).await, Option::unwrap_or_default)
    }
}

struct Pages(SeenBy);

impl BatchFn<Quiet<FollowPageKey>, Loaded<Arc<ListPage>>> for Pages {
    async fn load(
        &mut self,
        keys: &[Quiet<FollowPageKey>],
    ) -> HashMap<Quiet<FollowPageKey>, Loaded<Arc<ListPage>>> {
        let pages = self.0.pages_of_follows(&plain(keys)).await;
        answers(keys, pages, |page| Arc::new(page.unwrap_or_else(ListPage::empty)))
    }
}

struct Relations(SeenBy);

impl BatchFn<Quiet<RelationKey>, Loaded<Relation>> for Relations {
    /// Both halves in one statement.
    async fn load(
        &mut self,
        keys: &[Quiet<RelationKey>],
    ) -> HashMap<Quiet<RelationKey>, Loaded<Relation>> {
        let (mut followed, mut following_back) = (Vec::new(), Vec::new());
        for Quiet(key) in keys {
            match key {
                RelationKey::Followed(id) => followed.push(*id),
                RelationKey::FollowingBack(id) => following_back.push(*id),
            }
        }

        let found = self.0.relations(&followed, &following_back).await;
        let found = found.map(|found| {
            found.into_iter().flat_map(|(id, relation)| {
                let followed = relation.followed_at.map(|_| RelationKey::Followed(id));
                let back = relation.followed_back_at.map(|_| RelationKey::FollowingBack(id));
                followed.into_iter().chain(back).map(move |key| (key, relation))
            })
        });
        answers(keys, found, Option::unwrap_or_default)
    }
}
