//! Users and the pages on which they are, as far as possible from the rows that are remembered.

pub(crate) mod cache;
mod clock_map;

use std::{collections::HashMap, panic::resume_unwind, sync::Arc};

use chrono::{DateTime, Utc};
use tokio::task::JoinError;
use tracing::Instrument;

use self::cache::UserCache;
use super::{Error, Result, Service};
use crate::{
    domain::{
        Audience, FollowCounts, FollowItem, FollowPage, FollowPageKey, FollowPosition, Page, User,
        UserId, UserListRequest, UsernameKey,
    },
    store::{self, Store},
};

/// A user in a list of follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedUser {
    /// The user at the other end of the follow.
    pub user: Arc<User>,
    /// When the follow began.
    pub followed_at: DateTime<Utc>,
}

impl ListedUser {
    /// Where the user stands in the list.
    pub fn position(&self) -> FollowPosition {
        FollowPosition { followed_at: self.followed_at, user: self.user.id }
    }
}

/// A page of a list of follows, with the lengths of both lists of its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListPage {
    /// The lengths of both lists.
    pub counts: FollowCounts,
    /// The page.
    pub page: Page<ListedUser>,
}

impl ListPage {
    /// The page of a user who does not exist.
    #[must_use]
    pub const fn empty() -> Self {
        let page = Page { items: Vec::new(), has_next: false, has_previous: false };
        Self { counts: FollowCounts { followers: 0, following: 0 }, page }
    }
}

impl Service {
    /// The users with these ids; those who are not there are missing.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn users_by_ids(&self, ids: &[UserId]) -> Result<HashMap<UserId, Arc<User>>> {
        let Some(cache) = self.user_cache() else {
            return Ok(self.store.users_by_ids(Audience::Everybody, ids).await?);
        };
        let (mut users, mut missing) = (HashMap::with_capacity(ids.len()), Vec::new());
        for (id, known) in ids.iter().zip(cache.get(ids.iter())) {
            match known {
                Some(user) => drop(users.insert(*id, user)),
                None => missing.push(*id),
            }
        }

        cache::count(users.len(), missing.len());
        if !missing.is_empty() {
            let since = cache.now();
            let read = self.store.users_by_ids(Audience::Everybody, &missing).await?;
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
            return Ok(self.store.users_by_usernames(Audience::Everybody, keys).await?);
        };
        let (mut users, mut missing) = (HashMap::with_capacity(keys.len()), Vec::new());
        for (key, known) in keys.iter().zip(cache.get_by_names(keys)) {
            match known {
                Some(user) => drop(users.insert(key.clone(), user)),
                None => missing.push(key.clone()),
            }
        }

        cache::count(users.len(), missing.len());
        if !missing.is_empty() {
            let since = cache.now();
            let read = self.store.users_by_usernames(Audience::Everybody, &missing).await?;
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
        let page = self.store.page_of_users(Audience::Everybody, request).await?;
        if let Some((cache, since)) = cache {
            let known = cache.get(page.items.iter().map(|user| &user.id));
            let new = page.items.iter().zip(known).filter(|(_, known)| known.is_none());
            cache.remember(since, new.map(|(user, _)| user));
        }
        Ok(page)
    }

    /// Pages of the lists of many users, in no order, without those of missing users. With a
    /// cache the users on a page may be of another moment than the page itself: a user who was
    /// deleted in between is left out.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn pages_of_follows(
        &self,
        keys: &[FollowPageKey],
    ) -> Result<Vec<(FollowPageKey, ListPage)>> {
        let pages: Vec<_> =
            self.store.pages_of_follows(Audience::Everybody, keys).await?.into_iter().collect();
        let mut ids: Vec<_> =
            pages.iter().flat_map(|(_, page)| &page.page.items).map(|item| item.user).collect();
        ids.sort_unstable();
        ids.dedup();
        let users = self.users_by_ids(&ids).await?;
        let listed = |FollowItem { user, followed_at }| {
            Some(ListedUser { user: Arc::clone(users.get(&user)?), followed_at })
        };
        let with_users = |(key, FollowPage { counts, page }): (_, FollowPage)| {
            let Page { items, has_next, has_previous } = page;
            let items = items.into_iter().filter_map(listed).collect();
            (key, ListPage { counts, page: Page { items, has_next, has_previous } })
        };
        Ok(pages.into_iter().map(with_users).collect())
    }

    /// The remembered rows, while they are kept true.
    fn user_cache(&self) -> Option<&UserCache> {
        self.users.as_deref().filter(|cache| cache.is_on())
    }

    /// Changes the row of a user, and forgets what is remembered of it afterwards: in a task of its
    /// own, since the change is made also when its caller leaves meanwhile.
    pub(crate) async fn change_user<T, F>(
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
