//! The contract between the product and its database, and the engines that fulfil it.
//!
//! [`Store`] is the contract, implemented by `sqlite` and `postgres`; one conformance suite tests
//! both, case by case. All SQL of the program is below this folder, as constant text.
//!
//! **Invariant:** after every commit
//! - there is at most one follow, one request and one block for each ordered pair of users, and none
//!   from a user to themselves;
//! - there is no follow and no request beside a block of the two users, in either direction, and no
//!   request beside the follow of the same pair;
//! - `followers`, `follow_requests_received` and `blocked_by` hold exactly the edges of `follows`,
//!   `follow_requests` and `blocks`;
//! - each length equals the number of its edges or mutes;
//! - both users of an edge or mute exist;
//! - the numbers of the events of a user are one run, which ends at the number of the last event that
//!   is stored with the counts, unless all events up to it were deleted;
//! - `name_prefixes` holds exactly the beginnings of the words of each user's name.
//!
//! **Invariant:** one method is one unit of work. No transaction handle leaves an engine.

/// A statement: the path of its constant, and its text.
type Statement = (&'static str, &'static str);

/// Defines the statements of a file as constants, and collects them so that tests can prepare,
/// explain and print every one.
macro_rules! statements {
    ($($name:ident = $sql:expr;)+) => {
        $(pub(crate) const $name: &str = $sql;)+
        pub(crate) const STATEMENTS: &[crate::store::Statement] =
            &[$((concat!(module_path!(), "::", stringify!($name)), $name)),+];
    };
}

mod backup;
mod batching;
mod calls;
mod connect;
mod error;
mod events;
mod export;
mod follow_writes;
mod health;
mod imports;
mod metered;
mod migrations;
mod pages;
mod postgres;
mod relations;
mod retry;
mod schema;
mod sql;
mod sqlite;
mod statement;
mod webhooks;

use std::{collections::HashMap, fmt::Debug, sync::Arc};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

pub use self::{
    backup::{BackupError, Restored, backup, restore},
    calls::Calls,
    connect::{Options, check_url, connect, connect_by, place, sqlite_file},
    error::{Cause, ConnectError, Error, Result},
    events::{EVENTS_KEPT_MAX, EVENTS_TOGETHER, EventHint, EventHintStream, EventSweep, Swept},
    export::{Export, ExportedAccount, ExportedList},
    imports::Checkpoint,
    metered::Metered,
    schema::SchemaState,
    statement::Statements,
};
use crate::domain::{
    Account, AdminOutcome, Administration, Audience, AuditEntry, Changed, Credentials, Day, Drift,
    EventLog, EventPage, ExternalId, Follow, FollowChange, FollowChanged, FollowPage,
    FollowPageKey, FollowPosition, FollowStanding, FollowUsage, Import, ImportProgress,
    ImportedUser, Mute, MuteOutcome, NewUser, OwnItem, OwnLengths, OwnList, Page, PageRequest,
    Privacy, PrivacyChange, ProfileChange, Relation, Role, SeenLists, Tie, User, UserId,
    UserImport, UserListRequest, UserNames, UserSearch, UsernameKey, Webhook, WebhookAttempt,
    WebhookBacklog,
};

/// The outcome of creating a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreateOutcome {
    /// The user was created, with counts of zero.
    Created,
    /// Another user has the external id.
    ExternalIdTaken,
    /// Another user has the username, regardless of case.
    UsernameTaken,
    /// Another user has the id: draw a new one.
    IdTaken,
}

/// The outcome of loading a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadOutcome {
    /// The whole graph was loaded.
    Loaded,
    /// The database has users already; nothing changed.
    NotEmpty,
}

/// The progress of long work, in rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Rows done.
    pub done: u64,
    /// Rows in total.
    pub total: u64,
}

/// Called with the progress of long work, up to many times a second.
pub type OnProgress<'a> = &'a (dyn Fn(Progress) + Send + Sync);

/// A whole graph, to be loaded at once. Its times are [`TIMES`](crate::domain::TIMES).
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// The users, with distinct ids and username keys, and roles that exist.
    pub users: Vec<NewUser>,
    /// The follows between those users: distinct pairs, none to oneself.
    pub follows: Vec<Follow>,
}

/// A database that holds users and who follows whom.
///
/// Common to all methods:
/// - **Errors** are only those of [`Error`]; expected outcomes are part of the result.
/// - **Atomicity**: a write happens as a whole or not at all. If its future is dropped, it still
///   runs to its end. A read is one statement and so sees one moment, unless it says otherwise.
/// - **Retries**: writes are retried, a bounded number of times, after a deadlock, a serialization
///   failure or a lost connection. A repeated attempt is harmless: one that finds the rows of an
///   earlier one returns the outcome of that one. Only [`load`](Self::load) is not retried.
/// - **Batches** cost one statement, regardless of the number of keys, and none without keys. Keys
///   may repeat. A key whose row is missing is missing from the map.
/// - **Audience**: what is read is as this audience sees it: without the users who block it, and
///   without the contents of lists that are hidden from it. Reads of a viewer whom others block
///   never share a statement with those of other requests. Reads without an audience are about the
///   viewer, or about accounts.
/// - **Bounds**: waiting for a connection ends after [`Options::acquire_timeout`].
#[async_trait]
pub trait Store: Debug + Send + Sync + 'static {
    // Users

    /// The users with these ids.
    async fn users_by_ids(
        &self,
        audience: Audience,
        ids: &[UserId],
    ) -> Result<HashMap<UserId, Arc<User>>>;

    /// The users with these ids at the host.
    async fn users_by_external_ids(
        &self,
        audience: Audience,
        ids: &[ExternalId],
    ) -> Result<HashMap<ExternalId, Arc<User>>>;

    /// The users with these usernames.
    async fn users_by_usernames(
        &self,
        audience: Audience,
        keys: &[UsernameKey],
    ) -> Result<HashMap<UsernameKey, Arc<User>>>;

    /// Reports every user whose row changes from now on, also by other processes; `None` if the
    /// database cannot report that. The statements of the reports are not counted.
    async fn watch_users(&self) -> Result<Option<Box<dyn UserChanges>>>;

    /// A page of the users who match the search, in the order of the request. The order is total:
    /// keys are unique, and times are followed by ids.
    ///
    /// One statement. By username, it reads no more than two pages of the users who match the
    /// longest word; with other words, it reads on until it has found a page of those who match
    /// these as well. By age, a search reads all users who match the longest word.
    async fn page_of_users(
        &self,
        audience: Audience,
        request: &UserListRequest<'_>,
    ) -> Result<Page<Arc<User>>>;

    /// The number of users who match the search. One statement, which walks all users who match
    /// the longest word.
    async fn count_users(&self, audience: Audience, search: &UserSearch) -> Result<i64>;

    // The graph

    /// The lists of these users, as far as that takes no page: their lengths, and which of them are
    /// hidden. For a viewer whom others block, it looks each of those up on each list.
    async fn lists_by_ids(
        &self,
        audience: Audience,
        ids: &[UserId],
    ) -> Result<HashMap<UserId, SeenLists>>;

    /// Pages of the lists of many users, in the order of their requests: by time, then by the id
    /// of the user at the other end, both in the same direction.
    ///
    /// One statement for all keys, whatever pages they ask for, also several of one user. It
    /// reads no more of a list than the largest page in the statement, and one row. A hidden list
    /// is not read, and its page is empty. The counts come with it and are of the same moment, but
    /// for a viewer whom others block they are those of all users: [`Store::lists_by_ids`] has
    /// theirs. `has_next` and `has_previous` may be false where the key's
    /// [`Ends`](crate::domain::Ends) do not ask for them. The readers of the keys are those of the
    /// audience.
    async fn pages_of_follows(
        &self,
        audience: Audience,
        keys: &[FollowPageKey],
    ) -> Result<HashMap<FollowPageKey, FollowPage>>;

    /// The edges between `viewer` and other users: when the viewer began to follow those of
    /// `followed`, and when those of `following_back` began to follow the viewer. One statement.
    /// Users without an edge and users who do not exist are missing from the map.
    async fn relations(
        &self,
        viewer: UserId,
        followed: &[UserId],
        following_back: &[UserId],
    ) -> Result<HashMap<UserId, Relation>>;

    /// What is between `viewer` and other users besides follows. One statement. Users without any of
    /// that are missing from the map.
    async fn ties(&self, viewer: UserId, others: &[UserId]) -> Result<HashMap<UserId, Tie>>;

    /// Adds or removes edges between two users, with both their ends and all counts. The outcome is
    /// one of the same action. Changes that are requested at the same time are committed together, with the
    /// guarantees and the cost of [`Store::change_follows`].
    ///
    /// # Errors
    /// [`Error::Unavailable`] also if too many changes are waiting.
    async fn change_follow(&self, change: FollowChange) -> Result<Changed<FollowChanged>>;

    /// Makes changes as if one after the other, in their order, and commits them together. The
    /// results are in the same order.
    ///
    /// Each change that changes something is an event in the logs of the users who may know of it, in
    /// the order of the changes, unless it was made by a user whom the owner of the log mutes.
    ///
    /// Where [`Options::writes_webhooks`] is on, each such event that is a new follower or a new request
    /// is also a message in the outbox, unless it is a repeat or was imported. It is committed with the
    /// change.
    ///
    /// A change fails alone: if the database refuses one of them, or others keep changing the same
    /// edges, the changes are committed in smaller parts. Only if the database is not available do
    /// all fail.
    ///
    /// The number of statements does not depend on the number of changes. One reads the state; if
    /// something changes, for each kind of edge two remove and two add, two count changes of pairs
    /// after an unfollow, one changes all counts, and on SQLite one writes the events; one writes messages for the webhook; on PostgreSQL, one more looks for blocks and
    /// requests that were committed meanwhile. PostgreSQL writes most batches of follows and
    /// unfollows optimistically, without reading first: one statement for edges, one for counts, and
    /// one if pairs have limits, and one for messages. A batch that turns out to need the state is rolled back and then
    /// costs all of the above.
    async fn change_follows(&self, changes: &[FollowChange])
    -> Vec<Result<Changed<FollowChanged>>>;

    /// What counts towards the limits of a user on a day; `None` if there is no such user. One
    /// statement.
    async fn find_usage(&self, user: UserId, day: Day) -> Result<Option<FollowUsage>>;

    /// What decides whether a user may follow `others` on a day; `None` if there is no such user.
    /// One statement, which looks each of the others up.
    async fn find_standing(
        &self,
        user: UserId,
        others: &[UserId],
        day: Day,
    ) -> Result<Option<FollowStanding>>;

    // Privacy

    /// The privacy settings of a user; `None` if there is no such user. One statement.
    async fn find_privacy(&self, user: UserId) -> Result<Option<Privacy>>;

    /// Changes privacy settings and returns those after the change; `None` if there is no such user.
    /// Follows that are decided later obey them. Requests that are waiting stay. One statement.
    async fn update_privacy(&self, user: UserId, change: PrivacyChange) -> Result<Option<Privacy>>;

    /// Mutes a user, or changes when their mute ends. At most three statements.
    async fn mute(
        &self,
        muter: UserId,
        muted: UserId,
        mute: Mute,
        at: DateTime<Utc>,
        limit: i64,
    ) -> Result<MuteOutcome>;

    /// Ends a mute, and returns whether there was one, lapsed or not. At most two statements.
    async fn unmute(&self, muter: UserId, muted: UserId) -> Result<bool>;

    /// The lengths of the lists that only `user` reads. One statement.
    async fn own_lengths(&self, audience: Audience, user: UserId) -> Result<OwnLengths>;

    /// A page of such a list: by time, then by the id of the user at the other end. One statement,
    /// which reads no more of the list than the page, and one row.
    async fn page_of_own(
        &self,
        audience: Audience,
        user: UserId,
        list: OwnList,
        request: &PageRequest<FollowPosition>,
    ) -> Result<Page<OwnItem>>;

    // Events

    /// The logs of users, each after a number, and what is kept of the next events. One statement.
    /// Users who do not exist are missing from the map.
    async fn events_after(
        &self,
        places: &[(UserId, i64)],
    ) -> Result<HashMap<(UserId, i64), EventLog>>;

    /// A page of the log of a user, by number. One statement.
    async fn page_of_events(&self, user: UserId, request: &PageRequest<i64>) -> Result<EventPage>;

    /// The numbers of the last events of users, 0 without any. One statement.
    async fn last_events(&self, users: &[UserId]) -> Result<HashMap<UserId, i64>>;

    /// Hints of every log that grows from now on, by this process, and by others as far as the
    /// database can report that; with whether it can. Statements of the hints are not counted.
    async fn watch_events(&self) -> Result<(Box<dyn EventHintStream>, bool)>;

    /// Deletes old events, in one bounded transaction: one step of a walk over all logs, which
    /// goes on from `from`. What is left of a log is one run of numbers.
    async fn sweep_events(&self, sweep: EventSweep, from: (UserId, i64)) -> Result<Swept>;

    // Imports

    /// Registers an import, unless it is registered already, and returns what is stored of it.
    async fn register_import(&self, import: &Import) -> Result<Import>;

    /// Sets an import back to the beginning of its file.
    async fn restart_import(&self, id: &str, at: DateTime<Utc>) -> Result<()>;

    /// Sets when an import was finished, and returns whether it was still where this run left it.
    async fn finish_import(
        &self,
        id: &str,
        at: DateTime<Utc>,
        progress: ImportProgress,
    ) -> Result<bool>;

    /// All imports, the newest first.
    async fn imports(&self) -> Result<Vec<Import>>;

    /// The ids of the users with these names; missing users are left out. One statement.
    async fn find_ids(&self, names: &UserNames) -> Result<HashMap<String, UserId>>;

    /// A number that is another one after another process has committed, in a database with one lock for
    /// all writers; `None` where writers lock only what they change.
    async fn version_of_others(&self) -> Result<Option<u64>>;

    /// Collects the statistics of the tables, after many rows were added. Until the server does that by
    /// itself, it would take the tables for as small as they were. One statement, if any.
    async fn collect_statistics(&self) -> Result<()>;

    /// Begins to read everything, as of now, on a separate connection. Statements of it
    /// are not counted.
    async fn export(&self) -> Result<Box<dyn Export>>;

    /// Creates the users of a chunk who are new, in one transaction with the checkpoint, if the
    /// outcomes are those that are expected. Otherwise, and without a checkpoint, nothing changes.
    /// Returns the outcomes in the order of the users, each after the ones before it; `None` if the
    /// import is no longer where the checkpoint goes on from, since another run goes on with it. Then
    /// nothing has changed.
    ///
    /// # Errors
    /// [`Error::Conflict`] if a role does not exist.
    async fn import_users(
        &self,
        users: &[ImportedUser],
        expected: &[UserImport],
        checkpoint: Option<Checkpoint>,
    ) -> Result<Option<Vec<UserImport>>>;

    /// Makes changes of [`FollowAction::Import`](crate::domain::FollowAction::Import) in the same way.
    /// Edges, mirrors and counts are right after each call.
    async fn import_follows(
        &self,
        follows: &[FollowChange],
        expected: &[FollowChanged],
        checkpoint: Option<Checkpoint>,
    ) -> Result<Option<Vec<FollowChanged>>>;

    // Webhooks

    /// Waits until this process has committed messages for the host's webhook; returns at once if it
    /// has since the last call. Waits for ever on a store that writes none.
    async fn webhooks_written(&self);

    /// Claims messages that are due, oldest first, at most `limit`: none of them is claimed again before
    /// `until`, and each counts one more attempt. What another server claims at the same moment is
    /// skipped. Two statements, or one if nothing is due.
    async fn claim_webhooks(
        &self,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<Webhook>>;

    /// Removes, postpones or parks claimed messages, in one transaction. A message that was claimed
    /// again in the meantime stays as it is. At most two statements.
    async fn settle_webhooks(&self, attempts: &[WebhookAttempt]) -> Result<()>;

    /// Parked messages by id, those after `after`, at most `limit`. Two statements, or one if there
    /// are none.
    async fn parked_webhooks(&self, after: &str, limit: u32) -> Result<Vec<Webhook>>;

    /// Makes parked messages due at a time, as if they had never been sent. Ids do not repeat. Returns
    /// the ids that are not those of parked messages; then nothing has changed. One statement.
    async fn resend_webhooks(&self, ids: &[String], due_at: DateTime<Utc>) -> Result<Vec<String>>;

    /// What is in the outbox. One statement, which reads all of it.
    async fn webhook_backlog(&self) -> Result<WebhookBacklog>;

    // Accounts

    /// The user with their role, for a signed-in request. One statement.
    async fn find_account(&self, id: UserId) -> Result<Option<Account>>;

    /// The same, by the id at the host. One statement.
    async fn find_account_by_external_id(&self, id: &ExternalId) -> Result<Option<Account>>;

    /// The credentials that the password of this username is checked against. One statement.
    async fn find_credentials(&self, key: &UsernameKey) -> Result<Option<Credentials>>;

    /// The same, by id. One statement.
    async fn find_credentials_by_id(&self, id: UserId) -> Result<Option<Credentials>>;

    /// Creates a user. If several values are taken, the outcome names the first in the order of
    /// [`CreateOutcome`]. Two statements, and a third for a user with a name; a retry takes one
    /// more to recognize its own user.
    ///
    /// # Errors
    /// [`Error::Conflict`] if there is no such role.
    async fn create_user(&self, user: &NewUser) -> Result<CreateOutcome>;

    /// Changes a profile and returns the user after the change; `None` if there is no such user.
    /// One statement; three if the name is changed, two if it is removed.
    async fn update_profile(&self, id: UserId, change: &ProfileChange)
    -> Result<Option<Arc<User>>>;

    /// Replaces the password of an account and revokes all its tokens: its epoch is raised by one,
    /// and tokens have to be newer than `at`. Returns whether that was done: not if there is no
    /// such user, nor if `epoch` is given and no longer that of the account.
    ///
    /// Each hash has its own salt, so a retry that finds the hash knows it as its own.
    ///
    /// One statement if it is done, otherwise two.
    async fn change_password(
        &self,
        id: UserId,
        epoch: Option<i64>,
        password_hash: &str,
        at: DateTime<Utc>,
    ) -> Result<bool>;

    /// Replaces the hash of a password by another one of the same password, unless it has changed.
    /// Tokens stay valid. One statement.
    async fn replace_password_hash(&self, id: UserId, from: &str, to: &str) -> Result<()>;

    /// Revokes all tokens of an account in the same way; returns whether there was such a user. A
    /// retry revokes again, including tokens issued in between. One statement.
    async fn end_tokens(&self, id: UserId, at: DateTime<Utc>) -> Result<bool>;

    /// All roles, in the order in which they were created. One statement.
    async fn roles(&self) -> Result<Vec<Role>>;

    /// Makes a change of an administrator, with its entry in their log in the same transaction. A
    /// change that is not [`AdminOutcome::Done`] has no entry.
    ///
    /// A deletion is as [`Store::delete_user`]; its last transaction writes the entry. Other changes
    /// are at most six statements.
    async fn administer(&self, step: &Administration) -> Result<AdminOutcome>;

    /// A page of the log of administrators, by id. One statement.
    async fn page_of_audit_log(&self, request: &PageRequest<i64>) -> Result<Page<AuditEntry>>;

    /// Deletes a user with all their edges in both directions and their log, lowers the counts of the
    /// users at the other ends, and writes events to the logs of those who do not mute the user;
    /// returns whether there was such a user.
    ///
    /// The edges are removed in bounded transactions, the last of which deletes the user. Each one
    /// keeps the invariants, so a call that is interrupted leaves a user with fewer edges, and can
    /// be repeated. Some ten statements for each thousand edges.
    async fn delete_user(&self, id: UserId, at: DateTime<Utc>) -> Result<bool>;

    // Administration

    /// The schema of the database, compared with that of this program.
    async fn schema_state(&self) -> Result<SchemaState>;

    /// Migrates the schema to that of this program. Safe to call from several processes at once:
    /// one of them migrates, the others wait and then have nothing to do. What derives from rows of
    /// an earlier version is filled afterwards; [`repair`](Self::repair) does it as well if that is
    /// interrupted.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the schema is [`SchemaState::Newer`] or [`SchemaState::Foreign`];
    /// nothing has changed then.
    async fn migrate(&self) -> Result<()>;

    /// Whether the database answers, and would take writes: it is not a standby, its transactions
    /// are not read-only, and the file of SQLite is the one that was opened. Writes nothing.
    ///
    /// # Errors
    /// [`Error::Unavailable`] with the reason; [`Error::Corrupt`] if the file is not what it was.
    async fn ping(&self) -> Result<()>;

    /// Writes a row as it is, to see whether that works: disks may be full. Does nothing without
    /// users.
    async fn test_write(&self) -> Result<()>;

    /// Loads a whole graph into a database without users: all of it or nothing.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the graph violates a rule of [`Graph`]; nothing has changed then.
    async fn load(&self, graph: Graph, progress: OnProgress<'_>) -> Result<LoadOutcome>;

    /// Recounts every length, compares the edges of each kind with their mirrors, looks for edges
    /// that exclude each other and for rows of users who do not exist, and compares the names with
    /// what users are searched by: all as of one moment and without blocking other calls. Returns
    /// every difference, sorted by user.
    ///
    /// A request to a public account is no difference.
    async fn find_drift(&self, progress: OnProgress<'_>) -> Result<Vec<Drift>>;

    /// Repairs differences that [`Store::find_drift`] found, while others read and write. Each one
    /// is checked again under a lock, so one that has disappeared is left alone. Returns the
    /// number of changed rows.
    async fn repair(&self, drift: &[Drift]) -> Result<u64>;

    /// Waits for the connections to become idle and closes them.
    async fn close(&self);
}

/// A stream of the users whose rows change.
#[async_trait]
pub trait UserChanges: Send {
    /// The next report. There are several a second, if only heartbeats.
    ///
    /// # Errors
    /// If reports may have been missed. The stream has ended then.
    async fn next(&mut self) -> Result<UserNews>;
}

/// A report of changed or deleted users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserNews {
    /// This user has changed.
    Changed(UserId),
    /// Any user may have changed: the database does not say which.
    AnyChanged,
    /// No user has changed: a heartbeat.
    NobodyChanged,
}

/// All statements of both engines, by the path of their constants below `store`, for tests.
#[must_use]
pub fn statements() -> [(&'static str, Vec<(&'static str, &'static str)>); 2] {
    let named = |statements: Vec<Statement>| {
        let short =
            |(path, sql): Statement| (path.trim_start_matches(concat!(module_path!(), "::")), sql);
        statements.into_iter().map(short).collect()
    };
    [("sqlite", named(sqlite::statements())), ("postgres", named(postgres::statements()))]
}
