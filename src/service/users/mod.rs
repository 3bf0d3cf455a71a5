//! Users, and the pages of lists with the users on them, read through the cache of users.

pub(crate) mod cache;
mod clock_map;

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
    panic::resume_unwind,
    sync::Arc,
};

use chrono::{DateTime, Utc};
use tokio::task::JoinError;
use tracing::Instrument;

use self::cache::UserCache;
use super::{Error, Result, SeenBy, Service};
use crate::{
    domain::{
        Audience, ExternalId, FollowItem, FollowPage, FollowPageKey, FollowPosition, Page,
        SeenLists, User, UserId, UserListRequest, UserSearch, UsernameKey,
    },
    store::{self, Calls, Store},
};

/// A user in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedUser {
    /// The user; in a list of follows, the one at the other end.
    pub user: Arc<User>,
    /// When the follow began, or the request, block or mute was made; in a list of all users, when
    /// the account was created.
    pub followed_at: DateTime<Utc>,
    /// When the entry ends; only mutes do.
    pub until: Option<DateTime<Utc>>,
}

impl ListedUser {
    /// Where the user stands in the list.
    pub fn position(&self) -> FollowPosition {
        FollowPosition { followed_at: self.followed_at, user: self.user.id }
    }
}

/// A page of a list; one of follows comes with what the reader sees of both lists of its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListPage {
    /// Both lists; empty ones for any other page.
    pub lists: SeenLists,
    /// The page.
    pub page: Page<ListedUser>,
}

impl ListPage {
    /// A page without entries, as that of a user who does not exist.
    #[must_use]
    pub const fn empty() -> Self {
        let page = Page { items: Vec::new(), has_next: false, has_previous: false };
        Self { lists: SeenLists::EMPTY, page }
    }
}

impl SeenBy {
    /// The users with these ids; missing users are left out.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn users_by_ids(&self, ids: &[UserId]) -> Result<HashMap<UserId, Arc<User>>> {
        let (store, audience) = (&self.service.store, self.audience);
        let Some(cache) = self.cache() else { return Ok(store.users_by_ids(audience, ids).await?) };
        let read = |ids: Vec<UserId>| async move { store.users_by_ids(audience, &ids).await };
        complete(cache, ids, cache.get(ids.iter()), read).await
    }

    /// The users with these usernames; missing users are left out.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn users_by_usernames(
        &self,
        keys: &[UsernameKey],
    ) -> Result<HashMap<UsernameKey, Arc<User>>> {
        let (store, audience) = (&self.service.store, self.audience);
        let Some(cache) = self.cache() else {
            return Ok(store.users_by_usernames(audience, keys).await?);
        };
        let read = |keys: Vec<_>| async move { store.users_by_usernames(audience, &keys).await };
        complete(cache, keys, cache.get_by_names(keys), read).await
    }

    /// The users with these ids at the host; missing users are left out.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn users_by_external_ids(
        &self,
        ids: &[ExternalId],
    ) -> Result<HashMap<ExternalId, Arc<User>>> {
        Ok(self.service.store.users_by_external_ids(self.audience, ids).await?)
    }

    /// A page of users.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn page_of_users(&self, request: &UserListRequest<'_>) -> Result<Page<Arc<User>>> {
        let cache = self.cache().map(|cache| (cache, cache.now()));
        let page = self.service.store.page_of_users(self.audience, request).await?;
        if let Some((cache, since)) = cache {
            let cached = cache.get(page.items.iter().map(|user| &user.id));
            let new = page.items.iter().zip(cached).filter(|(_, cached)| cached.is_none());
            cache.insert(since, new.map(|(user, _)| user));
        }
        Ok(page)
    }

    /// How many users match the search.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn count_users(&self, search: &UserSearch) -> Result<i64> {
        Ok(self.service.store.count_users(self.audience, search).await?)
    }

    /// Pages of the lists of many users, in no order; pages of missing users are left out. Users
    /// may be of another moment than the page itself: one who was deleted in between is left out
    /// of the page.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn pages_of_follows(
        &self,
        keys: &[FollowPageKey],
    ) -> Result<Vec<(FollowPageKey, ListPage)>> {
        let (store, cache) = (&self.service.store, self.any_cache());
        let pages = store.pages_of_follows(self.audience, keys).await?;
        let pages: Vec<_> = pages.into_iter().collect();
        let ids = || pages.iter().flat_map(|(_, page)| &page.page.items).map(|item| &item.user);

        // The cached rows in the order of the entries: a map of them all would cost more than
        // the rest of this function.
        let cached = cache.map(|cache| cache.get(ids())).unwrap_or_default();
        let missing: HashSet<_> = if cache.is_some() {
            ids().zip(&cached).filter(|(_, row)| row.is_none()).map(|(id, _)| *id).collect()
        } else {
            ids().copied().collect()
        };
        let since = cache.map(UserCache::now);
        let missing: Vec<_> = missing.into_iter().collect();
        // The page has no user who is hidden from the audience, so rows are those for everybody.
        let read = store.users_by_ids(Audience::EVERYBODY, &missing).await?;
        if let (Some(cache), Some(since)) = (cache, since) {
            cache::count(cached.iter().flatten().count(), missing.len());
            cache.insert(since, read.values());
        }

        let mut cached = cached.into_iter();
        let mut listed = |FollowItem { user: id, followed_at }| {
            let user = cached.next().flatten().or_else(|| read.get(&id).cloned())?;
            Some(ListedUser { user, followed_at, until: None })
        };
        let with_users = |(key, FollowPage { lists, page }): (_, FollowPage)| {
            let Page { items, has_next, has_previous } = page;
            // With room for all of them, since nearly all pages keep all of their users.
            let mut users = Vec::with_capacity(items.len());
            users.extend(items.into_iter().filter_map(&mut listed));
            (key, ListPage { lists, page: Page { items: users, has_next, has_previous } })
        };
        Ok(pages.into_iter().map(with_users).collect())
    }

    /// The cache of users, while it is on, for look-ups that may find any user. A caller whom others
    /// block must not find those, nor learn by the time it takes that there is such a row.
    fn cache(&self) -> Option<&UserCache> {
        self.any_cache().filter(|_| self.audience.blocked_viewer().is_none())
    }

    /// The cache of users, while it is on, for rows that the caller is known to see.
    fn any_cache(&self) -> Option<&UserCache> {
        self.service.users.as_deref().filter(|cache| cache.is_on())
    }
}

/// The users of `keys`: those that the cache has, and the others as `read` finds them.
async fn complete<K, F>(
    cache: &UserCache,
    keys: &[K],
    cached: Vec<Option<Arc<User>>>,
    read: impl FnOnce(Vec<K>) -> F,
) -> Result<HashMap<K, Arc<User>>>
where
    K: Clone + Eq + Hash,
    F: Future<Output = store::Result<HashMap<K, Arc<User>>>>,
{
    let (mut users, mut missing) = (HashMap::with_capacity(keys.len()), Vec::new());
    for (key, user) in keys.iter().zip(cached) {
        match user {
            Some(user) => drop(users.insert(key.clone(), user)),
            None => missing.push(key.clone()),
        }
    }

    cache::count(users.len(), missing.len());
    if !missing.is_empty() {
        let since = cache.now();
        let read = read(missing).await?;
        cache.insert(since, read.values());
        users.extend(read);
    }
    Ok(users)
}

impl Service {
    /// Whether rows of users are cached at the moment.
    pub fn caches_users(&self) -> bool {
        self.users.as_deref().is_some_and(UserCache::is_on)
    }

    /// Changes the row of a user, then evicts it from the cache. It runs in a task of its own: the
    /// change happens even if the caller leaves, and so must the eviction.
    pub(super) async fn change_user<T, F>(
        &self,
        id: UserId,
        change: impl FnOnce(Arc<dyn Store>) -> F,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = store::Result<T>> + Send + 'static,
    {
        let (change, cache) = (change(Arc::clone(&self.store)), self.users.clone());
        let work = async move {
            let changed = change.await;
            if let Some(cache) = cache {
                cache.evict(id);
            }
            changed
        };
        let task = tokio::spawn(Calls::current().record(work).in_current_span());
        match task.await.map_err(JoinError::try_into_panic) {
            Ok(changed) => Ok(changed?),
            Err(Ok(panic)) => resume_unwind(panic),
            Err(Err(_cancelled)) => Err(Error::Unavailable("shutting down".to_owned())),
        }
    }
}
