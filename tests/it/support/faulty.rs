//! A store whose n-th call fails as if the database had become unavailable.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use entourage::{
    domain::{
        Account, Audience, Changed, Credentials, Day, Drift, FollowChange, FollowChanged,
        FollowCounts, FollowPage, FollowPageKey, FollowUsage, NewUser, Page, ProfileChange,
        Relation, User, UserId, UserListRequest, UsernameKey, UsernamePrefix,
    },
    store::{
        CreateOutcome, Error, Graph, LoadOutcome, OnProgress, Result, SchemaState, SetRoleOutcome,
        Store, UserChanges,
    },
};

use super::faults::{Fate, Faults};

/// A store that forwards every call except the one that fails.
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
            Fate::IsUnanswered => work.await.and_then(|_| Err(unavailable())),
        }
    }
}

fn unavailable() -> Error {
    Error::Unavailable("injected by a test".into())
}

/// Forwards methods. A macro, since they differ only in their names and types.
macro_rules! forward {
    ($(fn $method:ident($($name:ident: $type:ty),*) -> $result:ty;)+) => {
        #[async_trait]
        impl Store for Faulty {
            $(async fn $method(&self, $($name: $type),*) -> Result<$result> {
                self.call(self.inner.$method($($name),*)).await
            })+

            async fn change_follows(
                &self,
                changes: &[FollowChange],
            ) -> Vec<Result<Changed<FollowChanged>>> {
                let work = async { Ok(self.inner.change_follows(changes).await) };
                self.call(work).await.unwrap_or_else(|error| vec![Err(error); changes.len()])
            }

            async fn close(&self) {
                self.inner.close().await;
            }
        }
    };
}

forward! {
    fn users_by_ids(audience: Audience, ids: &[UserId]) -> HashMap<UserId, Arc<User>>;
    fn users_by_usernames(audience: Audience, keys: &[UsernameKey]) -> HashMap<UsernameKey, Arc<User>>;
    fn watch_users() -> Option<Box<dyn UserChanges>>;
    fn page_of_users(audience: Audience, request: &UserListRequest<'_>) -> Page<Arc<User>>;
    fn count_users(audience: Audience, prefix: &UsernamePrefix) -> i64;
    fn counts_by_ids(audience: Audience, ids: &[UserId]) -> HashMap<UserId, FollowCounts>;
    fn pages_of_follows(
        audience: Audience, keys: &[FollowPageKey]
    ) -> HashMap<FollowPageKey, FollowPage>;
    fn relations(
        viewer: UserId, followed: &[UserId], following_back: &[UserId]
    ) -> HashMap<UserId, Relation>;
    fn change_follow(change: FollowChange) -> Changed<FollowChanged>;
    fn find_usage(user: UserId, day: Day) -> Option<FollowUsage>;
    fn find_account(id: UserId) -> Option<Account>;
    fn find_account_by_subject(subject: &str) -> Option<Account>;
    fn find_credentials(key: &UsernameKey) -> Option<Credentials>;
    fn find_credentials_by_id(id: UserId) -> Option<Credentials>;
    fn create_user(user: &NewUser) -> CreateOutcome;
    fn update_profile(id: UserId, change: &ProfileChange) -> Option<Arc<User>>;
    fn change_password(
        id: UserId, epoch: Option<i64>, password_hash: &str, at: DateTime<Utc>
    ) -> bool;
    fn end_tokens(id: UserId, at: DateTime<Utc>) -> bool;
    fn set_role(id: UserId, role: &str) -> SetRoleOutcome;
    fn delete_user(id: UserId) -> bool;
    fn schema_state() -> SchemaState;
    fn migrate() -> ();
    fn ping() -> ();
    fn load(graph: Graph, progress: OnProgress<'_>) -> LoadOutcome;
    fn find_drift(progress: OnProgress<'_>) -> Vec<Drift>;
    fn repair(drift: &[Drift]) -> u64;
}
