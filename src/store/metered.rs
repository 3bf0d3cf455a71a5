//! A decorator that counts and times what a store is asked.
//!
//! It counts by the contract of [`Store`], not by looking into an engine: a test compares the
//! numbers with the statements that both engines really send. Work that takes a number of
//! statements which depends on the data (deletion, administration) counts as one.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{
    BatchPermit, CreateOutcome, Error, FollowsWritten, Graph, LoadOutcome, OnProgress, Result,
    SchemaState, SetRoleOutcome, Store, UserChanges,
};
use crate::domain::{
    Account, Audience, Credentials, Day, Drift, FollowChange, FollowCounts, FollowPage,
    FollowPageKey, FollowUsage, NewUser, Page, ProfileChange, Relation, User, UserId,
    UserListRequest, UsernameKey, UsernamePrefix,
};

/// How many statements went to a store. Clones are handles on the same number.
#[derive(Clone, Debug, Default)]
pub struct Statements(Arc<AtomicU64>);

impl Statements {
    /// How many there were so far.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A store that counts. Besides [`Statements`] it keeps the metrics
/// `entourage_store_statements_total{method}`, `entourage_store_seconds{method}` and
/// `entourage_store_errors_total{method, kind}`.
#[derive(Clone, Debug)]
pub struct Metered {
    inner: Arc<dyn Store>,
    statements: Statements,
}

impl Metered {
    /// Counts what `inner` is asked from now on.
    #[must_use]
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self { inner, statements: Statements::default() }
    }

    /// The handle on the number of statements.
    #[must_use]
    pub fn statements(&self) -> Statements {
        self.statements.clone()
    }

    /// Waits for a call. `statements` tells how many its result took.
    async fn call<T>(
        &self,
        method: &'static str,
        work: impl Future<Output = Result<T>> + Send,
        statements: impl FnOnce(&T) -> u64 + Send,
    ) -> Result<T> {
        let start = Instant::now();
        let result = work.await;
        let count = result.as_ref().map_or(1, statements);
        self.record(method, start, count, result.as_ref().err().into_iter());
        result
    }

    /// Counts what a call has cost.
    fn record<'a>(
        &self,
        method: &'static str,
        start: Instant,
        statements: u64,
        failures: impl Iterator<Item = &'a Error>,
    ) {
        metrics::histogram!("entourage_store_seconds", "method" => method)
            .record(start.elapsed().as_secs_f64());
        self.statements.0.fetch_add(statements, Ordering::Relaxed);
        metrics::counter!("entourage_store_statements_total", "method" => method)
            .increment(statements);
        for failure in failures {
            let kind = match failure {
                Error::Conflict(_) => "conflict",
                Error::Unavailable(_) => "unavailable",
                Error::Corrupt(_) => "corrupt",
            };
            metrics::counter!("entourage_store_errors_total", "method" => method, "kind" => kind)
                .increment(1);
        }
    }

    /// A call that takes one statement, and none when there is nothing to ask.
    async fn read<T>(
        &self,
        method: &'static str,
        keys: usize,
        work: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        self.call(method, work, |_| u64::from(keys > 0)).await
    }

    /// A call that takes one statement, or counts as one.
    async fn one<T>(
        &self,
        method: &'static str,
        work: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        self.call(method, work, |_| 1).await
    }
}

#[async_trait]
impl Store for Metered {
    async fn users_by_ids(
        &self,
        audience: Audience,
        ids: &[UserId],
    ) -> Result<HashMap<UserId, Arc<User>>> {
        self.read("users_by_ids", ids.len(), self.inner.users_by_ids(audience, ids)).await
    }

    async fn users_by_usernames(
        &self,
        audience: Audience,
        keys: &[UsernameKey],
    ) -> Result<HashMap<UsernameKey, Arc<User>>> {
        self.read("users_by_usernames", keys.len(), self.inner.users_by_usernames(audience, keys))
            .await
    }

    async fn watch_users(&self) -> Result<Option<Box<dyn UserChanges>>> {
        self.inner.watch_users().await
    }

    async fn page_of_users(
        &self,
        audience: Audience,
        request: &UserListRequest<'_>,
    ) -> Result<Page<Arc<User>>> {
        self.one("page_of_users", self.inner.page_of_users(audience, request)).await
    }

    async fn count_users(&self, audience: Audience, prefix: &UsernamePrefix) -> Result<i64> {
        self.one("count_users", self.inner.count_users(audience, prefix)).await
    }

    async fn counts_by_ids(
        &self,
        audience: Audience,
        ids: &[UserId],
    ) -> Result<HashMap<UserId, FollowCounts>> {
        self.read("counts_by_ids", ids.len(), self.inner.counts_by_ids(audience, ids)).await
    }

    async fn pages_of_follows(
        &self,
        audience: Audience,
        keys: &[FollowPageKey],
    ) -> Result<HashMap<FollowPageKey, FollowPage>> {
        let work = self.inner.pages_of_follows(audience, keys);
        self.read("pages_of_follows", keys.len(), work).await
    }

    async fn relations(
        &self,
        viewer: UserId,
        followed: &[UserId],
        following_back: &[UserId],
    ) -> Result<HashMap<UserId, Relation>> {
        let work = self.inner.relations(viewer, followed, following_back);
        self.read("relations", followed.len() + following_back.len(), work).await
    }

    async fn change_follows(&self, group: &[FollowChange], turn: BatchPermit) -> FollowsWritten {
        let start = Instant::now();
        let changed = self.inner.change_follows(group, turn).await;
        let failures = changed.outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
        self.record("change_follows", start, changed.statements, failures);
        changed
    }

    fn groups_max(&self) -> usize {
        self.inner.groups_max()
    }

    async fn find_usage(&self, user: UserId, day: Day) -> Result<Option<FollowUsage>> {
        self.one("find_usage", self.inner.find_usage(user, day)).await
    }

    async fn find_account(&self, id: UserId) -> Result<Option<Account>> {
        self.one("find_account", self.inner.find_account(id)).await
    }

    async fn find_account_by_subject(&self, subject: &str) -> Result<Option<Account>> {
        self.one("find_account_by_subject", self.inner.find_account_by_subject(subject)).await
    }

    async fn find_credentials(&self, key: &UsernameKey) -> Result<Option<Credentials>> {
        self.one("find_credentials", self.inner.find_credentials(key)).await
    }

    async fn find_credentials_by_id(&self, id: UserId) -> Result<Option<Credentials>> {
        self.one("find_credentials_by_id", self.inner.find_credentials_by_id(id)).await
    }

    async fn create_user(&self, user: &NewUser) -> Result<CreateOutcome> {
        self.call("create_user", self.inner.create_user(user), |_| 2).await
    }

    async fn update_profile(
        &self,
        id: UserId,
        change: &ProfileChange,
    ) -> Result<Option<Arc<User>>> {
        self.one("update_profile", self.inner.update_profile(id, change)).await
    }

    async fn change_password(
        &self,
        id: UserId,
        epoch: Option<i64>,
        password_hash: &str,
        at: DateTime<Utc>,
    ) -> Result<bool> {
        let work = self.inner.change_password(id, epoch, password_hash, at);
        self.call("change_password", work, |changed| if *changed { 1 } else { 2 }).await
    }

    async fn end_tokens(&self, id: UserId, at: DateTime<Utc>) -> Result<bool> {
        self.one("end_tokens", self.inner.end_tokens(id, at)).await
    }

    async fn set_role(&self, id: UserId, role: &str) -> Result<SetRoleOutcome> {
        self.call("set_role", self.inner.set_role(id, role), |outcome| match outcome {
            SetRoleOutcome::Set => 1,
            SetRoleOutcome::NoSuchUser | SetRoleOutcome::NoSuchRole => 2,
        })
        .await
    }

    async fn delete_user(&self, id: UserId) -> Result<bool> {
        self.one("delete_user", self.inner.delete_user(id)).await
    }

    async fn schema_state(&self) -> Result<SchemaState> {
        self.one("schema_state", self.inner.schema_state()).await
    }

    async fn migrate(&self) -> Result<()> {
        self.one("migrate", self.inner.migrate()).await
    }

    async fn ping(&self) -> Result<()> {
        self.one("ping", self.inner.ping()).await
    }

    async fn load(&self, graph: Graph, progress: OnProgress<'_>) -> Result<LoadOutcome> {
        self.one("load", self.inner.load(graph, progress)).await
    }

    async fn find_drift(&self, progress: OnProgress<'_>) -> Result<Vec<Drift>> {
        self.one("find_drift", self.inner.find_drift(progress)).await
    }

    async fn repair(&self, drift: &[Drift]) -> Result<u64> {
        self.one("repair", self.inner.repair(drift)).await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}
