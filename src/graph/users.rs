//! Users and the pages on which they are, as far as possible from the rows that are remembered.

use std::{
    collections::{HashMap, HashSet},
    panic::resume_unwind,
    sync::Arc,
};

use tokio::task::JoinError;
use tracing::Instrument;

use super::{
    Error, Graph, Result,
    user_cache::{self, UserCache},
};
use crate::{
    domain::{
        FollowItem, FollowPage, FollowPageKey, Page, User, UserId, UserListRequest, UsernameKey,
    },
    store::{self, Store},
};

impl Graph {
    /// The users with these ids; those who are not there are missing.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn users_by_ids(&self, ids: &[UserId]) -> Result<HashMap<UserId, Arc<User>>> {
        let Some(cache) = self.user_cache() else { return Ok(self.store.users_by_ids(ids).await?) };
        let (mut users, mut missing) = (HashMap::with_capacity(ids.len()), Vec::new());
        for (id, known) in ids.iter().zip(cache.get(ids.iter())) {
            match known {
                Some(user) => drop(users.insert(*id, user)),
                None => missing.push(*id),
            }
        }

        user_cache::count(users.len(), missing.len());
        if !missing.is_empty() {
            let since = cache.now();
            let read = self.store.users_by_ids(&missing).await?;
            cache.remember(since, read.values());
            users.extend(read);
        }
        Ok(users)
    }

    /// The users with these usernames; those who are not there are missing.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn users_by_usernames(
        &self,
        keys: &[UsernameKey],
    ) -> Result<HashMap<UsernameKey, Arc<User>>> {
        let Some(cache) = self.user_cache() else {
            return Ok(self.store.users_by_usernames(keys).await?);
        };
        let (mut users, mut missing) = (HashMap::with_capacity(keys.len()), Vec::new());
        for (key, known) in keys.iter().zip(cache.get_by_names(keys)) {
            match known {
                Some(user) => drop(users.insert(key.clone(), user)),
                None => missing.push(key.clone()),
            }
        }

        user_cache::count(users.len(), missing.len());
        if !missing.is_empty() {
            let since = cache.now();
            let read = self.store.users_by_usernames(&missing).await?;
            cache.remember(since, read.values());
            users.extend(read);
        }
        Ok(users)
    }

    /// A page of users.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn page_of_users(&self, request: &UserListRequest<'_>) -> Result<Page<Arc<User>>> {
        let cache = self.user_cache().map(|cache| (cache, cache.now()));
        let page = self.store.page_of_users(request).await?;
        if let Some((cache, since)) = cache {
            let known = cache.get(page.items.iter().map(|user| &user.id));
            let new = page.items.iter().zip(known).filter(|(_, known)| known.is_none());
            cache.remember(since, new.map(|(user, _)| user));
        }
        Ok(page)
    }

    /// Pages of the lists of many users, in no order, without those who are not there. While rows
    /// are remembered, the users on a page may be of another moment than the page: whoever was
    /// deleted in between is not on it.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn pages_of_follows(
        &self,
        keys: &[FollowPageKey],
    ) -> Result<Vec<(FollowPageKey, FollowPage)>> {
        let Some(cache) = self.user_cache() else {
            return Ok(self.store.pages_of_follows(keys).await?.into_iter().collect());
        };
        let since = cache.now();
        let pages = self.store.pages_of_follow_ids(keys).await?;
        let pages: Vec<_> = pages.into_iter().collect();
        let items = || pages.iter().flat_map(|(_, page)| &page.page.items);
        let known = cache.get(items().map(|item| &item.user));
        let missing = items().zip(&known).filter(|(_, known)| known.is_none());
        let missing: HashSet<_> = missing.map(|(item, _)| item.user).collect();
        let read = self.store.users_by_ids(&missing.iter().copied().collect::<Vec<_>>()).await?;
        user_cache::count(known.iter().flatten().count(), missing.len());
        cache.remember(since, read.values());

        let mut known = known.into_iter();
        let mut with_user = |FollowItem { user: id, followed_at }| {
            let user = known.next().flatten().or_else(|| read.get(&id).cloned())?;
            Some(FollowItem { user, followed_at })
        };
        Ok(pages.into_iter().map(|(key, page)| (key, page.filter_map(&mut with_user))).collect())
    }

    /// The remembered rows, while they are kept true.
    fn user_cache(&self) -> Option<&UserCache> {
        self.users.as_deref().filter(|cache| cache.is_on())
    }

    /// Changes the row of a user, and forgets what is remembered of it afterwards: in a task of its
    /// own, since the change is made also when its caller leaves meanwhile.
    pub(super) async fn change_user<T, F>(
        &self,
        id: UserId,
        change: impl FnOnce(Arc<dyn Store>) -> F,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = store::Result<T>> + Send + 'static,
    {
        let (changing, cache) = (change(Arc::clone(&self.store)), self.users.clone());
        let task = tokio::spawn(
            async move {
                let changed = changing.await;
                if let Some(cache) = cache {
                    cache.forget(id);
                }
                changed
            }
            .in_current_span(),
        );
        match task.await.map_err(JoinError::try_into_panic) {
            Ok(changed) => Ok(changed?),
            Err(Ok(panic)) => resume_unwind(panic),
            Err(Err(_cancelled)) => Err(Error::Unavailable("shutting down".to_owned())),
        }
    }
}
