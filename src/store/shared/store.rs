//! [`Store`] for this engine: look-ups that requests share, writes with retries, and long work in
//! tasks of its own.

use std::{collections::HashMap, slice, sync::Arc};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{
    super::{
        Engine, accounts as own_accounts,
        follows::{edges_of, lists, pages, standing, ties},
        maintenance::schema::{migrate, ping},
        users, watch,
    },
    accounts, administration, deletion, drift, events, export, follows, imports, load,
    privacy::{self, Muting},
    schema, search, webhooks,
};
use crate::{
    domain::{
        Account, AdminOutcome, Administration, Audience, AuditEntry, Changed, Credentials, Day,
        Drift, EventLog, EventPage, ExternalId, FollowChange, FollowChanged, FollowPage,
        FollowPageKey, FollowPosition, FollowStanding, FollowUsage, Import, ImportProgress,
        ImportedUser, Mute, MuteOutcome, NewUser, OwnItem, OwnLengths, OwnList, Page, PageRequest,
        Privacy, PrivacyChange, ProfileChange, Relation, Role, SeenLists, Tie, User, UserId,
        UserImport, UserListRequest, UserNames, UserSearch, UsernameKey, Webhook, WebhookAttempt,
        WebhookBacklog,
    },
    store::{
        Checkpoint, CreateOutcome, Error, EventHintStream, EventSweep, Export, Graph, LoadOutcome,
        OnProgress, Result, SchemaState, Store, Swept, UserChanges,
        error::{is_transient, is_unique_violation},
        follow_writes::ImportStep,
        relations, retry,
    },
};

#[async_trait]
impl Store for Engine {
    async fn users_by_ids(
        &self,
        audience: Audience,
        ids: &[UserId],
    ) -> Result<HashMap<UserId, Arc<User>>> {
        let Some(viewer) = audience.blocked_viewer() else {
            return self.reads.users.get(ids).await;
        };
        let read = async |connection: &mut _| users::by_ids(connection, ids, Some(viewer)).await;
        self.reads.connections.read(read).await
    }

    async fn users_by_usernames(
        &self,
        audience: Audience,
        keys: &[UsernameKey],
    ) -> Result<HashMap<UsernameKey, Arc<User>>> {
        let Some(viewer) = audience.blocked_viewer() else {
            return self.reads.usernames.get(keys).await;
        };
        let read =
            async |connection: &mut _| users::by_usernames(connection, keys, Some(viewer)).await;
        self.reads.connections.read(read).await
    }

    async fn users_by_external_ids(
        &self,
        audience: Audience,
        ids: &[ExternalId],
    ) -> Result<HashMap<ExternalId, Arc<User>>> {
        let Some(viewer) = audience.blocked_viewer() else {
            return self.reads.external_ids.get(ids).await;
        };
        let read =
            async |connection: &mut _| users::by_external_ids(connection, ids, Some(viewer)).await;
        self.reads.connections.read(read).await
    }

    async fn watch_users(&self) -> Result<Option<Box<dyn UserChanges>>> {
        watch::users(self).await
    }

    async fn page_of_users(
        &self,
        audience: Audience,
        request: &UserListRequest<'_>,
    ) -> Result<Page<Arc<User>>> {
        let viewer = audience.blocked_viewer();
        let read = async |connection: &mut _| users::page(connection, request, viewer).await;
        self.reads.connections.read(read).await
    }

    async fn count_users(&self, audience: Audience, search: &UserSearch) -> Result<i64> {
        let searches = slice::from_ref(search);
        let mut counts = match audience.blocked_viewer() {
            None => self.reads.user_counts.get(searches).await?,
            Some(viewer) => {
                let read = async |connection: &mut _| {
                    search::counts(connection, searches, Some(viewer)).await
                };
                self.reads.connections.read(read).await?
            }
        };
        Ok(counts.remove(search).unwrap_or_default())
    }

    async fn lists_by_ids(
        &self,
        audience: Audience,
        ids: &[UserId],
    ) -> Result<HashMap<UserId, SeenLists>> {
        let keys: Vec<_> = ids.iter().map(|id| (*id, audience.reader_of(*id))).collect();
        let found = match audience.blocked_viewer() {
            None => self.reads.lists.get(&keys).await?,
            Some(viewer) => {
                let read = async |connection: &mut _| lists(connection, &keys, Some(viewer)).await;
                self.reads.connections.read(read).await?
            }
        };
        Ok(found.into_iter().map(|((owner, _), lists)| (owner, lists)).collect())
    }

    async fn pages_of_follows(
        &self,
        audience: Audience,
        keys: &[FollowPageKey],
    ) -> Result<HashMap<FollowPageKey, FollowPage>> {
        let Some(viewer) = audience.blocked_viewer() else {
            return self.reads.pages(keys).get(keys).await;
        };
        if keys.is_empty() {
            return Ok(HashMap::new());
        }
        let read = async |connection: &mut _| pages::any(connection, keys, Some(viewer)).await;
        self.reads.connections.read(read).await
    }

    async fn relations(
        &self,
        viewer: UserId,
        followed: &[UserId],
        following_back: &[UserId],
    ) -> Result<HashMap<UserId, Relation>> {
        let edges = if relations::are_few(followed, following_back) {
            let pairs = relations::pairs(viewer, followed, following_back);
            self.reads.edges.get(&pairs).await?
        } else {
            let connections = &self.reads.connections;
            let read = connections.read(async |connection| {
                edges_of(connection, viewer, followed, following_back).await
            });
            read.await?
        };
        Ok(relations::of_edges(viewer, edges))
    }

    async fn ties(&self, viewer: UserId, others: &[UserId]) -> Result<HashMap<UserId, Tie>> {
        if others.is_empty() {
            return Ok(HashMap::new());
        }
        let read = async |connection: &mut _| ties(connection, viewer, others).await;
        self.reads.connections.read(read).await
    }

    async fn change_follow(&self, change: FollowChange) -> Result<Changed<FollowChanged>> {
        self.follows.change(change).await
    }

    async fn change_follows(
        &self,
        changes: &[FollowChange],
    ) -> Vec<Result<Changed<FollowChanged>>> {
        self.follows.change_together(changes).await
    }

    async fn find_usage(&self, user: UserId, day: Day) -> Result<Option<FollowUsage>> {
        Ok(follows::usage(&mut *self.readers.acquire().await?, user, day).await?)
    }

    async fn find_standing(
        &self,
        user: UserId,
        others: &[UserId],
        day: Day,
    ) -> Result<Option<FollowStanding>> {
        let connections = &self.reads.connections;
        let read = async |connection: &mut _| standing(connection, user, others, day).await;
        Ok(connections.read(read).await?)
    }

    // Privacy

    async fn find_privacy(&self, user: UserId) -> Result<Option<Privacy>> {
        Ok(privacy::find(&mut *self.readers.acquire().await?, user).await?)
    }

    async fn update_privacy(&self, user: UserId, change: PrivacyChange) -> Result<Option<Privacy>> {
        let pool = self.writer.clone();
        retry::write(move |_| privacy::update(pool.clone(), user, change)).await
    }

    async fn mute(
        &self,
        muter: UserId,
        muted: UserId,
        mute: Mute,
        at: DateTime<Utc>,
        limit: i64,
    ) -> Result<MuteOutcome> {
        let (pool, muting) = (self.writer.clone(), Muting { muter, muted });
        retry::write(move |_| privacy::mute(pool.clone(), muting, mute, at, limit)).await
    }

    async fn unmute(&self, muter: UserId, muted: UserId) -> Result<bool> {
        let (pool, muting) = (self.writer.clone(), Muting { muter, muted });
        retry::write(move |tries| privacy::unmute(tries, pool.clone(), muting)).await
    }

    async fn own_lengths(&self, audience: Audience, user: UserId) -> Result<OwnLengths> {
        Ok(privacy::own_lengths(
            &mut *self.readers.acquire().await?,
            user,
            audience.blocked_viewer(),
        )
        .await?)
    }

    async fn page_of_own(
        &self,
        audience: Audience,
        user: UserId,
        list: OwnList,
        request: &PageRequest<FollowPosition>,
    ) -> Result<Page<OwnItem>> {
        let viewer = audience.blocked_viewer();
        Ok(privacy::page_of_own(&mut *self.readers.acquire().await?, user, list, request, viewer)
            .await?)
    }

    // Events

    async fn events_after(
        &self,
        places: &[(UserId, i64)],
    ) -> Result<HashMap<(UserId, i64), EventLog>> {
        self.reads.events.get(places).await
    }

    async fn page_of_events(&self, user: UserId, request: &PageRequest<i64>) -> Result<EventPage> {
        Ok(events::page(&mut *self.readers.acquire().await?, user, request).await?)
    }

    async fn last_events(&self, users: &[UserId]) -> Result<HashMap<UserId, i64>> {
        Ok(events::last(&self.readers, users).await?)
    }

    async fn watch_events(&self) -> Result<(Box<dyn EventHintStream>, bool)> {
        watch::events(self).await
    }

    async fn sweep_events(&self, sweep: EventSweep, from: (UserId, i64)) -> Result<Swept> {
        let pool = self.writer.clone();
        retry::write(move |_| events::sweep(pool.clone(), sweep, from)).await
    }

    // Imports

    async fn register_import(&self, import: &Import) -> Result<Import> {
        let (pool, import) = (self.writer.clone(), Arc::new(import.clone()));
        retry::write(move |_| imports::register(pool.clone(), Arc::clone(&import))).await
    }

    async fn restart_import(&self, id: &str, at: DateTime<Utc>) -> Result<()> {
        let (pool, id) = (self.writer.clone(), Arc::<str>::from(id));
        retry::write(move |_| imports::restart(pool.clone(), Arc::clone(&id), at)).await
    }

    async fn finish_import(
        &self,
        id: &str,
        at: DateTime<Utc>,
        progress: ImportProgress,
    ) -> Result<bool> {
        let (pool, id) = (self.writer.clone(), Arc::<str>::from(id));
        retry::write(move |_| imports::finish(pool.clone(), Arc::clone(&id), at, progress)).await
    }

    async fn imports(&self) -> Result<Vec<Import>> {
        Ok(imports::all(&self.readers).await?)
    }

    async fn find_ids(&self, names: &UserNames) -> Result<HashMap<String, UserId>> {
        Ok(imports::ids(&self.readers, names).await?)
    }

    async fn version_of_others(&self) -> Result<Option<u64>> {
        watch::version_of_others(self).await
    }

    async fn collect_statistics(&self) -> Result<()> {
        Ok(load::collect_statistics(&self.unlimited_pool(1)).await?)
    }

    async fn export(&self) -> Result<Box<dyn Export>> {
        export::begin(self).await
    }

    async fn import_users(
        &self,
        users: &[ImportedUser],
        expected: &[UserImport],
        checkpoint: Option<Checkpoint>,
    ) -> Result<Option<Vec<UserImport>>> {
        let (pool, users) = (self.writer.clone(), Arc::<[_]>::from(users));
        let expected = Arc::<[_]>::from(expected);
        let import = move |tries| {
            let (users, expected) = (Arc::clone(&users), Arc::clone(&expected));
            imports::users(tries, pool.clone(), users, expected, checkpoint.clone())
        };
        // A user who was free may be taken meanwhile; the next attempt finds them.
        let is_temporary = |error: &_| is_transient(error) || is_unique_violation(error);
        retry::detached(async move { Ok(retry::retried_when(is_temporary, import).await?) }).await
    }

    async fn import_follows(
        &self,
        follows: &[FollowChange],
        expected: &[FollowChanged],
        checkpoint: Option<Checkpoint>,
    ) -> Result<Option<Vec<FollowChanged>>> {
        let step = ImportStep { expected: expected.to_vec(), checkpoint };
        self.follows.import(follows, step).await
    }

    // Webhooks

    async fn webhooks_written(&self) {
        self.outbox.written().await;
    }

    async fn claim_webhooks(
        &self,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<Webhook>> {
        let pool = self.writer.clone();
        retry::write(move |_| webhooks::claim(pool.clone(), now, until, limit)).await
    }

    async fn settle_webhooks(&self, attempts: &[WebhookAttempt]) -> Result<()> {
        if attempts.is_empty() {
            return Ok(());
        }
        let (pool, attempts) = (self.writer.clone(), Arc::<[_]>::from(attempts));
        retry::write(move |_| webhooks::settle(pool.clone(), Arc::clone(&attempts))).await
    }

    async fn parked_webhooks(&self, after: &str, limit: u32) -> Result<Vec<Webhook>> {
        Ok(webhooks::parked(&self.readers, after, limit).await?)
    }

    async fn resend_webhooks(&self, ids: &[String], due_at: DateTime<Utc>) -> Result<Vec<String>> {
        let (pool, ids) = (self.writer.clone(), Arc::<[_]>::from(ids));
        retry::write(move |_| webhooks::resend(pool.clone(), Arc::clone(&ids), due_at)).await
    }

    async fn webhook_backlog(&self) -> Result<WebhookBacklog> {
        Ok(webhooks::backlog(&self.readers).await?)
    }

    // Accounts

    async fn find_account(&self, id: UserId) -> Result<Option<Account>> {
        own_accounts::find(self, id).await
    }

    async fn find_account_by_external_id(&self, id: &ExternalId) -> Result<Option<Account>> {
        Ok(accounts::find_by_external_id(&self.readers, id).await?)
    }

    async fn find_credentials(&self, key: &UsernameKey) -> Result<Option<Credentials>> {
        Ok(accounts::credentials(&self.readers, key).await?)
    }

    async fn find_credentials_by_id(&self, id: UserId) -> Result<Option<Credentials>> {
        Ok(accounts::credentials_by_id(&self.readers, id).await?)
    }

    async fn create_user(&self, user: &NewUser) -> Result<CreateOutcome> {
        let (pool, user) = (self.writer.clone(), Arc::new(user.clone()));
        retry::write(move |tries| accounts::create_user(tries, pool.clone(), user.clone())).await
    }

    async fn update_profile(
        &self,
        id: UserId,
        change: &ProfileChange,
    ) -> Result<Option<Arc<User>>> {
        let (pool, change) = (self.writer.clone(), Arc::new(change.clone()));
        let sql = own_accounts::update_profile(self);
        retry::write(move |_| accounts::update_profile(sql, pool.clone(), id, change.clone())).await
    }

    async fn change_password(
        &self,
        id: UserId,
        epoch: Option<i64>,
        password_hash: &str,
        at: DateTime<Utc>,
    ) -> Result<bool> {
        let (pool, hash) = (self.writer.clone(), Arc::<str>::from(password_hash));
        retry::write(move |_| accounts::change_password(pool.clone(), id, epoch, hash.clone(), at))
            .await
    }

    async fn replace_password_hash(&self, id: UserId, from: &str, to: &str) -> Result<()> {
        let (pool, hashes) = (self.writer.clone(), Arc::new((from.to_owned(), to.to_owned())));
        retry::write(move |_| {
            accounts::replace_password_hash(pool.clone(), id, Arc::clone(&hashes))
        })
        .await
    }

    async fn end_tokens(&self, id: UserId, at: DateTime<Utc>) -> Result<bool> {
        let pool = self.writer.clone();
        retry::write(move |_| accounts::end_tokens(pool.clone(), id, at)).await
    }

    async fn roles(&self) -> Result<Vec<Role>> {
        Ok(administration::roles(&self.readers).await?)
    }

    async fn administer(&self, step: &Administration) -> Result<AdminOutcome> {
        retry::detached(administration::administer(self.clone(), Arc::new(step.clone()))).await
    }

    async fn page_of_audit_log(&self, request: &PageRequest<i64>) -> Result<Page<AuditEntry>> {
        Ok(administration::page(&self.readers, request).await?)
    }

    async fn delete_user(&self, id: UserId, at: DateTime<Utc>) -> Result<bool> {
        retry::detached(deletion::delete(self.clone(), id, at, None)).await
    }

    async fn schema_state(&self) -> Result<SchemaState> {
        Ok(schema::state(&mut *self.readers.acquire().await?).await?)
    }

    async fn migrate(&self) -> Result<()> {
        let (engine, before) = (self.clone(), self.schema_state().await?);
        if let Some(refusal) = retry::write(move |_| migrate(engine.clone())).await? {
            return Err(Error::Conflict(refusal.into()));
        }
        if matches!(before, SchemaState::Older { .. }) {
            retry::detached(drift::repair_names(self.clone())).await?;
        }
        Ok(())
    }

    async fn ping(&self) -> Result<()> {
        ping(self).await
    }

    async fn test_write(&self) -> Result<()> {
        let pool = self.writer.clone();
        retry::write(move |_| schema::test_write(pool.clone())).await
    }

    async fn load(&self, graph: Graph, progress: OnProgress<'_>) -> Result<LoadOutcome> {
        let engine = self.clone();
        retry::reporting(progress, |report| load::load(engine, graph, report)).await
    }

    async fn find_drift(&self, progress: OnProgress<'_>) -> Result<Vec<Drift>> {
        let engine = self.clone();
        retry::reporting(progress, |report| drift::find(engine, report)).await
    }

    async fn repair(&self, drift: &[Drift]) -> Result<u64> {
        retry::detached(drift::repair(self.clone(), drift.to_vec())).await
    }

    async fn close(&self) {
        self.reads.connections.close();
        self.readers.close().await;
        self.close_exporters().await;
        self.writer.close().await;
    }
}
