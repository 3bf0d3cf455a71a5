//! A store whose calls fail as a test chooses, as if the database had become unavailable.

use std::{collections::HashMap, sync::Arc};

use entourage::{
    domain::{
        Audience, ExternalId, FollowPage, FollowPageKey, Page, Relation, SeenLists, User, UserId,
        UserListRequest, UserSearch, UsernameKey,
    },
    store::{Error, Result, Store},
};

use super::{
    faults::{Fate, Faults},
    forward::forward_store,
};

/// A store that forwards every call except those that fail.
#[derive(Debug)]
pub(crate) struct Faulty {
    pub(crate) inner: Arc<dyn Store>,
    pub(crate) faults: Faults,
}

impl Faulty {
    async fn call<T>(&self, work: impl Future<Output = Result<T>> + Send) -> Result<T> {
        match self.faults.meet(false) {
            Fate::Succeeds => work.await,
            Fate::IsLost => Err(unavailable()),
            Fate::IsStuck => std::future::pending().await,
            Fate::IsUnanswered => work.await.and_then(|_| Err(unavailable())),
        }
    }
}

fn unavailable() -> Error {
    Error::Unavailable("injected by a test".into())
}

/// Forwards the reads of the graph. A macro, since they differ only in their names and types.
macro_rules! forward_reads {
    ($(fn $method:ident($($name:ident: $type:ty),*) -> $result:ty;)+) => {
        forward_store! {
            Faulty {
                $(async fn $method(&self, $($name: $type),*) -> Result<$result> {
                    self.call(self.inner.$method($($name),*)).await
                })+
            }
        }
    };
}

forward_reads! {
    fn users_by_ids(audience: Audience, ids: &[UserId]) -> HashMap<UserId, Arc<User>>;
    fn users_by_usernames(
        audience: Audience, keys: &[UsernameKey]
    ) -> HashMap<UsernameKey, Arc<User>>;
    fn users_by_external_ids(
        audience: Audience, ids: &[ExternalId]
    ) -> HashMap<ExternalId, Arc<User>>;
    fn page_of_users(audience: Audience, request: &UserListRequest<'_>) -> Page<Arc<User>>;
    fn count_users(audience: Audience, search: &UserSearch) -> i64;
    fn lists_by_ids(audience: Audience, ids: &[UserId]) -> HashMap<UserId, SeenLists>;
    fn pages_of_follows(
        audience: Audience, keys: &[FollowPageKey]
    ) -> HashMap<FollowPageKey, FollowPage>;
    fn relations(
        viewer: UserId, followed: &[UserId], following_back: &[UserId]
    ) -> HashMap<UserId, Relation>;
}
