//! A store with a rule of visibility, as an engine that knows blocks and private lists will have:
//! some things are hidden from one viewer.

use std::{collections::HashMap, sync::Arc};

use entourage::{
    domain::{
        Audience, FollowCounts, FollowList, FollowPage, FollowPageKey, Page, Relation, User,
        UserId, UserListRequest, UserSearch, UsernameKey,
    },
    store::{Result, Store},
};

use super::forward::forward_store;

/// What is hidden from whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hidden {
    /// The viewer that the rest is hidden from.
    pub(crate) viewer: UserId,
    /// The user whose followers are hidden.
    pub(crate) followers_of: UserId,
    /// The user who is absent.
    pub(crate) absent: UserId,
}

impl Hidden {
    fn applies_to(&self, audience: Audience) -> bool {
        audience == Audience::Viewer(self.viewer)
    }
}

/// A store that hides something from one viewer.
#[derive(Debug)]
pub(crate) struct Hiding {
    pub(crate) inner: Arc<dyn Store>,
    pub(crate) hidden: Hidden,
}

impl Hiding {
    async fn call<T>(&self, work: impl Future<Output = Result<T>> + Send) -> Result<T> {
        work.await
    }

    fn hide_from_page(&self, key: &FollowPageKey, found: &mut FollowPage) {
        if (key.user, key.list) == (self.hidden.followers_of, FollowList::Followers) {
            found.counts.followers = 0;
            found.page = Page { items: Vec::new(), has_next: false, has_previous: false };
        }
        found.page.items.retain(|item| item.user != self.hidden.absent);
    }
}

forward_store! {
    Hiding {
        async fn users_by_ids(
            &self,
            audience: Audience,
            ids: &[UserId],
        ) -> Result<HashMap<UserId, Arc<User>>> {
            let mut users = self.inner.users_by_ids(audience, ids).await?;
            users.retain(|id, _| !self.hidden.applies_to(audience) || *id != self.hidden.absent);
            Ok(users)
        }

        async fn users_by_usernames(
            &self,
            audience: Audience,
            keys: &[UsernameKey],
        ) -> Result<HashMap<UsernameKey, Arc<User>>> {
            let mut users = self.inner.users_by_usernames(audience, keys).await?;
            users.retain(|_, user| {
                !self.hidden.applies_to(audience) || user.id != self.hidden.absent
            });
            Ok(users)
        }

        async fn page_of_users(
            &self,
            audience: Audience,
            request: &UserListRequest<'_>,
        ) -> Result<Page<Arc<User>>> {
            let mut page = self.inner.page_of_users(audience, request).await?;
            page.items.retain(|user| {
                !self.hidden.applies_to(audience) || user.id != self.hidden.absent
            });
            Ok(page)
        }

        async fn count_users(&self, audience: Audience, search: &UserSearch) -> Result<i64> {
            let count = self.inner.count_users(audience, search).await?;
            Ok(count - i64::from(self.hidden.applies_to(audience)))
        }

        async fn counts_by_ids(
            &self,
            audience: Audience,
            ids: &[UserId],
        ) -> Result<HashMap<UserId, FollowCounts>> {
            let mut counts = self.inner.counts_by_ids(audience, ids).await?;
            if self.hidden.applies_to(audience)
                && let Some(counts) = counts.get_mut(&self.hidden.followers_of)
            {
                counts.followers = 0;
            }
            Ok(counts)
        }

        async fn pages_of_follows(
            &self,
            audience: Audience,
            keys: &[FollowPageKey],
        ) -> Result<HashMap<FollowPageKey, FollowPage>> {
            let mut pages = self.inner.pages_of_follows(audience, keys).await?;
            if self.hidden.applies_to(audience) {
                for (key, found) in &mut pages {
                    self.hide_from_page(key, found);
                }
            }
            Ok(pages)
        }

        async fn relations(
            &self,
            viewer: UserId,
            followed: &[UserId],
            following_back: &[UserId],
        ) -> Result<HashMap<UserId, Relation>> {
            let mut relations = self.inner.relations(viewer, followed, following_back).await?;
            relations.retain(|id, _| viewer != self.hidden.viewer || *id != self.hidden.absent);
            Ok(relations)
        }
    }
}
