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
    iter::once,
    sync::Arc,
};

use chrono::{DateTime, Utc};
use dataloader::{BatchFn, cached::Loader};
use futures_util::future::BoxFuture;

use super::error::Failure;
use crate::{
    domain::{ExternalId, FollowPageKey, SeenLists, Tie, User, UserId, UsernameKey},
    service::{self, FollowDenials, ListPage, SeenBy, Viewer},
};

/// How often a loader yields to the other resolvers before it loads. They run in one task and
/// reach their loaders without waiting, so one yield is enough.
const YIELDS: usize = 1;

type Loaded<V> = Result<V, Failure>;
type Answers<K, V> = HashMap<Quiet<K>, Loaded<V>>;

/// A key with a constant `Debug`: the library formats each key of a batch for an error that never
/// happens, and that took longer than everything else it does.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Quiet<K>(K);

impl<K> Debug for Quiet<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("key")
    }
}

/// Half of the relation between the viewer and a user: a follow in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum RelationKey {
    /// The viewer's follow of the user.
    Followed(UserId),
    /// The user's follow of the viewer.
    FollowingBack(UserId),
}

/// The loaders of one request.
pub(super) struct Loaders {
    /// Users.
    pub users: Keyed<UserId, Option<Arc<User>>>,
    /// The users with these usernames.
    pub usernames: Keyed<UsernameKey, Option<Arc<User>>>,
    /// The users with these ids at the host.
    pub external_ids: Keyed<ExternalId, Option<Arc<User>>>,
    /// The lists of a user, as far as that takes no page.
    pub lists: Keyed<UserId, SeenLists>,
    /// Pages of the lists of users.
    pub pages: Keyed<FollowPageKey, Arc<ListPage>>,
    /// Why the viewer cannot follow users.
    pub denials: Keyed<UserId, FollowDenials>,
    /// When follows between the viewer and users began. Both directions take one statement.
    pub relations: Keyed<RelationKey, Option<DateTime<Utc>>>,
    /// What is between the viewer and users besides follows.
    pub ties: Keyed<UserId, Tie>,
}

impl Loaders {
    pub(super) fn new(service: &SeenBy) -> Arc<Self> {
        Arc::new(Self {
            users: Keyed::new(service, |service, ids| {
                Box::pin(async {
                    answers(ids, service.users_by_ids(&plain(ids)).await, |user| user)
                })
            }),
            usernames: Keyed::new(service, |service, keys| {
                Box::pin(async {
                    answers(keys, service.users_by_usernames(&plain(keys)).await, |user| user)
                })
            }),
            external_ids: Keyed::new(service, |service, ids| {
                Box::pin(async {
                    answers(ids, service.users_by_external_ids(&plain(ids)).await, |user| user)
                })
            }),
            lists: Keyed::new(service, |service, ids| {
                Box::pin(async {
                    let lists = service.lists_by_ids(&plain(ids)).await;
                    answers(ids, lists, |lists| lists.unwrap_or(SeenLists::EMPTY))
                })
            }),
            pages: Keyed::new(service, |service, keys| {
                Box::pin(async {
                    let pages = service.pages_of_follows(&plain(keys)).await;
                    answers(keys, pages, |page| Arc::new(page.unwrap_or_else(ListPage::empty)))
                })
            }),
            denials: Keyed::new(service, |service, ids| {
                Box::pin(async {
                    let denials = service.follow_denials(&plain(ids)).await;
                    answers(ids, denials, Option::unwrap_or_default)
                })
            }),
            relations: Keyed::new(service, |service, keys| Box::pin(relations(service, keys))),
            ties: Keyed::new(service, |service, ids| {
                Box::pin(async {
                    let ties = service.ties(&plain(ids)).await;
                    answers(ids, ties, Option::unwrap_or_default)
                })
            }),
        })
    }

    /// Adds the user of a viewer, who was looked up with the token.
    pub(super) async fn prime_viewer(&self, viewer: &Viewer) {
        self.users.prime(once((viewer.id(), Some(Arc::clone(&viewer.account.user))))).await;
    }

    /// Clears all loaders, after a change.
    pub(super) async fn clear(&self) {
        self.users.0.clear_all().await;
        self.usernames.0.clear_all().await;
        self.external_ids.0.clear_all().await;
        self.lists.0.clear_all().await;
        self.pages.0.clear_all().await;
        self.denials.0.clear_all().await;
        self.relations.0.clear_all().await;
        self.ties.0.clear_all().await;
    }
}

/// What a key and a value have to be.
pub(super) trait Part: Clone + Send + Sync + 'static {}

impl<T: Clone + Send + Sync + 'static> Part for T {}

/// A loader of one kind of answer.
pub(super) struct Keyed<K: Part + Eq + Hash, V: Part>(Loader<Quiet<K>, Loaded<V>, Batch<K, V>>);

/// Loads the answers for all keys of a batch.
type Load<K, V> = for<'a> fn(&'a SeenBy, &'a [Quiet<K>]) -> BoxFuture<'a, Answers<K, V>>;

pub(super) struct Batch<K, V> {
    service: SeenBy,
    load: Load<K, V>,
}

impl<K: Part + Eq + Hash, V: Part> BatchFn<Quiet<K>, Loaded<V>> for Batch<K, V> {
    async fn load(&mut self, keys: &[Quiet<K>]) -> Answers<K, V> {
        (self.load)(&self.service, keys).await
    }
}

impl<K: Part + Eq + Hash, V: Part> Keyed<K, V> {
    fn new(service: &SeenBy, load: Load<K, V>) -> Self {
        let loader = Loader::new(Batch { service: service.clone(), load });
        Self(loader.with_max_batch_size(usize::MAX).with_yield_count(YIELDS))
    }

    /// The value of a key.
    pub(super) async fn one(&self, key: K) -> Loaded<V> {
        self.0.load(Quiet(key)).await
    }

    /// The values of many keys, in their order. Without keys nothing is loaded.
    pub(super) async fn many(&self, keys: Vec<K>) -> Loaded<Vec<V>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Vec<_> = keys.into_iter().map(Quiet).collect();
        let values = self.0.load_many(keys.clone()).await;
        keys.iter().map(|key| values[key].clone()).collect()
    }

    /// Adds values that a mutation has returned.
    pub(super) async fn prime(&self, values: impl Iterator<Item = (K, V)>) {
        self.0.prime_many(values.map(|(key, value)| (Quiet(key), Ok(value)))).await;
    }
}

/// One answer for each key: the value that was found, the one for a missing value, or the failure
/// of the batch.
fn answers<K: Clone + Eq + Hash, F, V>(
    keys: &[Quiet<K>],
    found: service::Result<impl IntoIterator<Item = (K, F)>>,
    answer: impl Fn(Option<F>) -> V,
) -> Answers<K, V> {
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

async fn relations(
    service: &SeenBy,
    keys: &[Quiet<RelationKey>],
) -> Answers<RelationKey, Option<DateTime<Utc>>> {
    let (mut followed, mut following_back) = (Vec::new(), Vec::new());
    for Quiet(key) in keys {
        match key {
            RelationKey::Followed(id) => followed.push(*id),
            RelationKey::FollowingBack(id) => following_back.push(*id),
        }
    }

    let found = service.relations(&followed, &following_back).await;
    let found = found.map(|found| {
        found.into_iter().flat_map(|(id, relation)| {
            let followed = relation.followed_at.map(|time| (RelationKey::Followed(id), time));
            let back = relation.followed_back_at.map(|time| (RelationKey::FollowingBack(id), time));
            followed.into_iter().chain(back)
        })
    });
    answers(keys, found, |time| time)
}
