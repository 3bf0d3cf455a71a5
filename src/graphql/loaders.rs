//! DataLoaders: what the resolvers of one request ask for, gathered into batches.
//!
//! A loader collects the keys that the resolvers of a level want, by letting every other resolver
//! of the request run first, and then asks for all of them in one statement. No timer is in it.
//!
//! **Invariant:** loaders live for one request, so one request sees one truth; a change clears
//! them, so that what is read after it is new.

use std::{
    collections::HashMap,
    fmt::{self, Debug},
    hash::Hash,
    sync::Arc,
};

use dataloader::{BatchFn, cached::Loader};

use super::error::Failure;
use crate::service::ListPage;
use crate::{
    domain::{FollowCounts, FollowPageKey, Relation, User, UserId, UsernameKey},
    service::{self, SeenBy},
};

/// How often a loader lets the other resolvers run before it asks. They all run in one task and
/// reach their loaders without waiting for anything, so one turn is enough.
const YIELDS: usize = 1;

type Loaded<V> = Result<V, Failure>;

/// A key that says nothing of itself: the library describes each key of a batch for an error that
/// never happens, and that took longer than all the rest it does.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Quiet<K>(K);

impl<K> Debug for Quiet<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
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

/// Which half of the relation to a user.
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
    pub(super) async fn users_of(&self, ids: Vec<UserId>) -> Loaded<Vec<Option<Arc<User>>>> {
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

    /// The lengths of both lists of users, in their order.
    pub(super) async fn counts_of(&self, ids: Vec<UserId>) -> Loaded<Vec<FollowCounts>> {
        many(&self.counts, ids).await
    }

    /// How the viewer stands to users: first whether they are followed by the viewer, then whether
    /// others follow the viewer, each in their order.
    pub(super) async fn relations_to(
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

    /// Takes over the lengths of the lists of users that a change has told.
    pub(super) async fn know_counts(&self, counts: impl Iterator<Item = (UserId, FollowCounts)>) {
        self.counts.prime_many(counts.map(|(id, counts)| (Quiet(id), Ok(counts)))).await;
    }

    /// Forgets everything, after a change.
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

/// The values of many keys, in their order; none costs nothing.
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

/// One answer for each key: what was found, what stands for nothing, or the failure of the batch.
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

fn of<K: Clone>(keys: &[Quiet<K>]) -> Vec<K> {
    keys.iter().map(|key| key.0.clone()).collect()
}

struct Users(SeenBy);

impl BatchFn<Quiet<UserId>, Loaded<Option<Arc<User>>>> for Users {
    async fn load(
        &mut self,
        ids: &[Quiet<UserId>],
    ) -> HashMap<Quiet<UserId>, Loaded<Option<Arc<User>>>> {
        answers(ids, self.0.users_by_ids(&of(ids)).await, |user| user)
    }
}

struct Usernames(SeenBy);

impl BatchFn<Quiet<UsernameKey>, Loaded<Option<Arc<User>>>> for Usernames {
    async fn load(
        &mut self,
        keys: &[Quiet<UsernameKey>],
    ) -> HashMap<Quiet<UsernameKey>, Loaded<Option<Arc<User>>>> {
        answers(keys, self.0.users_by_usernames(&of(keys)).await, |user| user)
    }
}

struct Counts(SeenBy);

impl BatchFn<Quiet<UserId>, Loaded<FollowCounts>> for Counts {
    async fn load(
        &mut self,
        ids: &[Quiet<UserId>],
    ) -> HashMap<Quiet<UserId>, Loaded<FollowCounts>> {
        answers(ids, self.0.counts_by_ids(&of(ids)).await, Option::unwrap_or_default)
    }
}

struct Pages(SeenBy);

impl BatchFn<Quiet<FollowPageKey>, Loaded<Arc<ListPage>>> for Pages {
    async fn load(
        &mut self,
        keys: &[Quiet<FollowPageKey>],
    ) -> HashMap<Quiet<FollowPageKey>, Loaded<Arc<ListPage>>> {
        let pages = self.0.pages_of_follows(&of(keys)).await;
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
