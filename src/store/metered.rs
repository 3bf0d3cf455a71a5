//! A decorator that counts the statements of a store, measures the time of its methods, and watches
//! its health.

use std::{collections::HashMap, sync::Arc, time::Instant};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{
    Checkpoint, CreateOutcome, Error, EventHintStream, EventSweep, Export, Graph, LoadOutcome,
    OnProgress, Result, SchemaState, Store, Swept, UserChanges,
    calls::Calls,
    health::Health,
    statement::{Meter, Statements},
};
use crate::domain::{
    Account, AdminOutcome, Administration, Audience, AuditEntry, Changed, Credentials, Day, Drift,
    EventLog, EventPage, ExternalId, FollowChange, FollowChanged, FollowPage, FollowPageKey,
    FollowPosition, FollowStanding, FollowUsage, Import, ImportProgress, ImportedUser, Mute,
    MuteOutcome, NewUser, OwnItem, OwnLengths, OwnList, Page, PageRequest, Privacy, PrivacyChange,
    ProfileChange, Relation, Role, SeenLists, Tie, User, UserId, UserImport, UserListRequest,
    UserNames, UserSearch, UsernameKey, Webhook, WebhookAttempt, WebhookBacklog,
};

/// A store that counts. Besides [`Statements`] it keeps the metrics
/// `entourage_store_statements_total{method}`, `entourage_store_seconds{method}` and
/// `entourage_store_errors_total{method, kind}`.
#[derive(Clone, Debug)]
pub struct Metered {
    inner: Arc<dyn Store>,
    statements: Statements,
    health: Arc<Health>,
}

impl Metered {
    /// Counts the calls of `inner` that are made through this store.
    #[must_use]
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self { inner, statements: Statements::default(), health: Arc::default() }
    }

    /// The handle on the number of statements.
    #[must_use]
    pub fn statements(&self) -> Statements {
        self.statements.clone()
    }

    fn note(&self, method: &'static str, error: &Error) {
        count_error(method, error);
        self.health.note(method, error);
    }

    async fn measure<T>(&self, method: &'static str, work: impl Future<Output = T> + Send) -> T {
        let start = Instant::now();
        let calls = Calls::current();
        let _call = calls.clone().begin(method);
        let result = Meter::new(method, &self.statements, calls).measure(work).await;
        metrics::histogram!("entourage_store_seconds", "method" => method)
            .record(start.elapsed().as_secs_f64());
        result
    }
}

fn count_error(method: &'static str, error: &Error) {
    let kind = match error {
        Error::Conflict(_) => "conflict",
        Error::Unavailable(_) => "unavailable",
        Error::Corrupt(_) => "corrupt",
    };
    metrics::counter!("entourage_store_errors_total", "method" => method, "kind" => kind)
        .increment(1);
}

/// Implements [`Store`] for [`Metered`]. A macro, since the methods differ only in their names and
/// types.
macro_rules! measured {
    ($(fn $method:ident($($name:ident: $type:ty),*) -> $result:ty;)+) => {
        #[async_trait]
        impl Store for Metered {
            $(async fn $method(&self, $($name: $type),*) -> Result<$result> {
                let method = stringify!($method);
                let result = self.measure(method, self.inner.$method($($name),*)).await;
                result.inspect_err(|error| self.note(method, error))
            })+

            async fn ping(&self) -> Result<()> {
                let method = "ping";
                let result = self.measure(method, self.health.check(&*self.inner)).await;
                result.inspect_err(|error| count_error(method, error))
            }

            async fn change_follows(
                &self,
                changes: &[FollowChange],
            ) -> Vec<Result<Changed<FollowChanged>>> {
                let method = "change_follows";
                let results = self.measure(method, self.inner.change_follows(changes)).await;
                for error in results.iter().filter_map(|result| result.as_ref().err()) {
                    self.note(method, error);
                }
                results
            }

            async fn watch_users(&self) -> Result<Option<Box<dyn UserChanges>>> {
                self.inner.watch_users().await
            }

            async fn watch_events(&self) -> Result<(Box<dyn EventHintStream>, bool)> {
                self.inner.watch_events().await
            }

            async fn export(&self) -> Result<Box<dyn Export>> {
                self.inner.export().await
            }

            async fn webhooks_written(&self) {
                self.inner.webhooks_written().await;
            }

            async fn close(&self) {
                self.inner.close().await;
            }
        }
    };
}

measured! {
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
    fn ties(viewer: UserId, others: &[UserId]) -> HashMap<UserId, Tie>;
    fn change_follow(change: FollowChange) -> Changed<FollowChanged>;
    fn find_usage(user: UserId, day: Day) -> Option<FollowUsage>;
    fn find_standing(user: UserId, others: &[UserId], day: Day) -> Option<FollowStanding>;
    fn find_privacy(user: UserId) -> Option<Privacy>;
    fn update_privacy(user: UserId, change: PrivacyChange) -> Option<Privacy>;
    fn mute(
        muter: UserId, muted: UserId, mute: Mute, at: DateTime<Utc>, limit: i64
    ) -> MuteOutcome;
    fn unmute(muter: UserId, muted: UserId) -> bool;
    fn own_lengths(audience: Audience, user: UserId) -> OwnLengths;
    fn page_of_own(
        audience: Audience, user: UserId, list: OwnList, request: &PageRequest<FollowPosition>
    ) -> Page<OwnItem>;
    fn events_after(places: &[(UserId, i64)]) -> HashMap<(UserId, i64), EventLog>;
    fn page_of_events(user: UserId, request: &PageRequest<i64>) -> EventPage;
    fn last_events(users: &[UserId]) -> HashMap<UserId, i64>;
    fn sweep_events(sweep: EventSweep, from: (UserId, i64)) -> Swept;
    fn register_import(import: &Import) -> Import;
    fn restart_import(id: &str, at: DateTime<Utc>) -> ();
    fn finish_import(id: &str, at: DateTime<Utc>, progress: ImportProgress) -> bool;
    fn imports() -> Vec<Import>;
    fn version_of_others() -> Option<u64>;
    fn collect_statistics() -> ();
    fn find_ids(names: &UserNames) -> HashMap<String, UserId>;
    fn import_users(
        users: &[ImportedUser], expected: &[UserImport], checkpoint: Option<Checkpoint>
    ) -> Option<Vec<UserImport>>;
    fn import_follows(
        follows: &[FollowChange], expected: &[FollowChanged], checkpoint: Option<Checkpoint>
    ) -> Option<Vec<FollowChanged>>;
    fn claim_webhooks(now: DateTime<Utc>, until: DateTime<Utc>, limit: u32) -> Vec<Webhook>;
    fn settle_webhooks(attempts: &[WebhookAttempt]) -> ();
    fn parked_webhooks(after: &str, limit: u32) -> Vec<Webhook>;
    fn resend_webhooks(ids: &[String], due_at: DateTime<Utc>) -> Vec<String>;
    fn webhook_backlog() -> WebhookBacklog;
    fn find_account(id: UserId) -> Option<Account>;
    fn find_account_by_external_id(id: &ExternalId) -> Option<Account>;
    fn find_credentials(key: &UsernameKey) -> Option<Credentials>;
    fn find_credentials_by_id(id: UserId) -> Option<Credentials>;
    fn create_user(user: &NewUser) -> CreateOutcome;
    fn update_profile(id: UserId, change: &ProfileChange) -> Option<Arc<User>>;
    fn change_password(
        id: UserId, epoch: Option<i64>, password_hash: &str, at: DateTime<Utc>
    ) -> bool;
    fn replace_password_hash(id: UserId, from: &str, to: &str) -> ();
    fn end_tokens(id: UserId, at: DateTime<Utc>) -> bool;
    fn roles() -> Vec<Role>;
    fn administer(step: &Administration) -> AdminOutcome;
    fn page_of_audit_log(request: &PageRequest<i64>) -> Page<AuditEntry>;
    fn delete_user(id: UserId, at: DateTime<Utc>) -> bool;
    fn schema_state() -> SchemaState;
    fn migrate() -> ();
    fn test_write() -> ();
    fn load(graph: Graph, progress: OnProgress<'_>) -> LoadOutcome;
    fn find_drift(progress: OnProgress<'_>) -> Vec<Drift>;
    fn repair(drift: &[Drift]) -> u64;
}
