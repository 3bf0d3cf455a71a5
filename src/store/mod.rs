//! The contract between the product and its database, and the engines that keep it.
//!
//! [`Store`] is the contract; `sqlite` and `postgres` keep it, and one conformance suite holds
//! both to it, case by case. All SQL of the program is below this folder, as constant text.
//!
//! **Invariant:** after every commit
//! - there is at most one edge for each (follower, followee), and none from a user to themselves;
//! - `followers` holds exactly the edges of `follows`;
//! - each count equals the number of its edges;
//! - no edge names a user who is not there.
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

mod batching;
mod error;
mod follow_writes;
mod maintenance;
mod metered;
mod pages;
mod postgres;
mod relations;
mod retry;
mod sql;
mod sqlite;

use std::{
    collections::HashMap, fmt::Debug, path::PathBuf, str::FromStr, sync::Arc, time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{postgres::PgConnectOptions, sqlite::SqliteConnectOptions};

pub use self::{
    batching::BatchPermit,
    error::{ConnectError, Error, Result},
    follow_writes::attempt::{FollowQueue, FollowsWritten},
    metered::{Metered, Statements},
};
use crate::domain::{
    Account, Audience, Credentials, Day, Drift, Follow, FollowChange, FollowCounts, FollowPage,
    FollowPageKey, FollowUsage, NewUser, Page, ProfileChange, Relation, User, UserId,
    UserListRequest, UsernameKey, UsernamePrefix,
};

/// What became of making a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreateOutcome {
    /// The user is made, with counts of zero.
    Created,
    /// Another user has the username, in whatever case.
    UsernameTaken,
    /// Another user has the subject.
    SubjectTaken,
    /// Another user has the id: draw a new one.
    IdTaken,
}

/// What became of giving a user a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetRoleOutcome {
    /// The user has the role.
    Set,
    /// There is no such user.
    NoSuchUser,
    /// There is no such role.
    NoSuchRole,
}

/// What became of loading a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadOutcome {
    /// All of it is there.
    Loaded,
    /// There are users already, and nothing has changed.
    NotEmpty,
}

/// How the schema of the database stands to the one that this program needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaState {
    /// The same.
    Current,
    /// The database has no table at all.
    Empty,
    /// Migrations are missing.
    Older {
        /// The last migration of the database.
        found: i64,
        /// The last migration of this program.
        needed: i64,
    },
    /// A newer program has migrated the database, or one of its migrations is not ours.
    Newer {
        /// The last migration of the database.
        found: i64,
        /// The last migration of this program.
        needed: i64,
    },
    /// The database has tables, and they are not ours.
    Foreign,
}

/// How far a long piece of work has come, in rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Rows done.
    pub done: u64,
    /// Rows in all.
    pub total: u64,
}

/// Is told how far a long piece of work has come, many times a second at most.
pub type OnProgress<'a> = &'a (dyn Fn(Progress) + Send + Sync);

/// A whole graph, to be loaded at once.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// The users, with distinct ids and username keys, and roles that are there.
    pub users: Vec<NewUser>,
    /// The follows between those users: distinct pairs, none to oneself.
    pub follows: Vec<Follow>,
}

/// A database that holds users and who follows whom.
///
/// Common to all methods:
/// - **Errors** are only those of [`Error`]; whatever a caller can expect is part of the result.
/// - **Atomicity**: a write happens as a whole or not at all, also when its future is dropped:
///   it then runs to its end on its own. A read is one statement and so sees one moment, unless
///   it says otherwise.
/// - **Retries**: writes are repeated, a bounded number of times, after a deadlock, a failed
///   serialization or a lost connection. Each is idempotent, and a repetition that meets what an
///   earlier one has done answers for it.
/// - **Batches** cost one statement however many keys there are, and none without a key. Keys
///   may repeat. A key whose row is missing is missing from the map.
/// - **Audience**: what is read is as this audience sees it. Reads for everybody may share a
///   statement with those of other requests; reads for a viewer never do. Today both see the same.
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

    /// The users with these usernames.
    async fn users_by_usernames(
        &self,
        audience: Audience,
        keys: &[UsernameKey],
    ) -> Result<HashMap<UsernameKey, Arc<User>>>;

    /// Tells of every user whose row changes from now on, whoever changes it; `None` when the
    /// database has no way to tell.
    async fn watch_users(&self) -> Result<Option<Box<dyn UserChanges>>>;

    /// A page of the users whose key begins with the prefix, in the order of the request. The
    /// order is total: keys are unique, and times are followed by ids. One statement.
    async fn page_of_users(
        &self,
        audience: Audience,
        request: &UserListRequest<'_>,
    ) -> Result<Page<Arc<User>>>;

    /// How many users there are whose key begins with the prefix. One statement, and one that
    /// walks them all.
    async fn count_users(&self, audience: Audience, prefix: &UsernamePrefix) -> Result<i64>;

    // The graph

    /// The lengths of both lists of these users.
    async fn counts_by_ids(
        &self,
        audience: Audience,
        ids: &[UserId],
    ) -> Result<HashMap<UserId, FollowCounts>>;

    /// Pages of the lists of many users, in the order of their requests: by time, then by the id
    /// of the user at the other end, both in the same direction.
    ///
    /// One statement for all keys, whatever pages they ask for, also several of one user. It
    /// reads no more of a list than the largest page in the statement, and one row. The counts
    /// come with it and are of the same moment. `has_next` and `has_previous` may be false where
    /// the key's [`Ends`](crate::domain::Ends) do not ask for them.
    async fn pages_of_follows(
        &self,
        audience: Audience,
        keys: &[FollowPageKey],
    ) -> Result<HashMap<FollowPageKey, FollowPage>>;

    /// How `viewer` stands to other users: since when they follow those of `followed`, and since
    /// when those of `following_back` follow them. One statement. Users without an edge, and
    /// users who are not there, are missing from the map.
    async fn relations(
        &self,
        viewer: UserId,
        followed: &[UserId],
        following_back: &[UserId],
    ) -> Result<HashMap<UserId, Relation>>;

    /// Adds edges and takes edges away, each with both its ends and both counts: as
    /// if one after the other in the order of the group, and tells what became of each.
    ///
    /// The changes are committed together. Those that cannot be, because the database refuses one
    /// of them or others change the same edges all the time, are made apart from each other, so
    /// that no failure is anybody's but the one's whose change it is; only when the database is
    /// away, all fail.
    ///
    /// The number of statements does not depend on how many changes there are. One finds what
    /// there is; when something changes, two take edges away, two add some, two count the changes
    /// of pairs after an unfollow, and one all counts. PostgreSQL writes most groups at once,
    /// without looking before: one statement for edges, one for counts, and one where pairs have
    /// limits. A group that turns out to need a look is then made anew, with all of the above.
    ///
    /// The turn of the group ends as soon as nothing but the commit is left and the engine can
    /// write another group meanwhile.
    async fn change_follows(&self, group: &[FollowChange], turn: BatchPermit) -> FollowsWritten;

    /// How many groups of changes may be worked on at once.
    fn groups_max(&self) -> usize;

    /// What counts towards the limits of a user on a day; `None` when there is no such user. One
    /// statement.
    async fn find_usage(&self, user: UserId, day: Day) -> Result<Option<FollowUsage>>;

    // Accounts

    /// The user with their role, for a signed-in request. One statement.
    async fn find_account(&self, id: UserId) -> Result<Option<Account>>;

    /// The same, by the account at the host's identity provider. One statement.
    async fn find_account_by_subject(&self, subject: &str) -> Result<Option<Account>>;

    /// What the password of this username is checked against. One statement.
    async fn find_credentials(&self, key: &UsernameKey) -> Result<Option<Credentials>>;

    /// The same, by id. One statement.
    async fn find_credentials_by_id(&self, id: UserId) -> Result<Option<Credentials>>;

    /// Makes a user. When several things are taken, the answer names the first in the order of
    /// [`CreateOutcome`]. Two statements.
    ///
    /// # Errors
    /// [`Error::Conflict`] when there is no such role.
    async fn create_user(&self, user: &NewUser) -> Result<CreateOutcome>;

    /// Changes a profile and gives the user as they are then; `None` when there is none. One
    /// statement.
    async fn update_profile(&self, id: UserId, change: &ProfileChange)
    -> Result<Option<Arc<User>>>;

    /// Replaces the password of an account and ends all its tokens: its epoch is one higher then,
    /// and `at` the moment that other tokens have to be newer than. Tells whether that was done:
    /// not when there is no such user, nor when `epoch` is given and not the account's any more.
    ///
    /// The hash has a salt of its own, so a repetition that finds it answers as the first did.
    ///
    /// Statements: one when it is done, else two.
    async fn change_password(
        &self,
        id: UserId,
        epoch: Option<i64>,
        password_hash: &str,
        at: DateTime<Utc>,
    ) -> Result<bool>;

    /// Ends all tokens of an account in the same way; tells whether there was such a user. A
    /// repetition ends them again, with what was made in between. One statement.
    async fn end_tokens(&self, id: UserId, at: DateTime<Utc>) -> Result<bool>;

    /// Gives a user a role. When both are missing, the answer is that there is no such user.
    ///
    /// Statements: one when it is given, else two.
    async fn set_role(&self, id: UserId, role: &str) -> Result<SetRoleOutcome>;

    /// Deletes a user with all their edges in both directions, lowering the counts of everybody
    /// at the other ends; tells whether there was such a user.
    ///
    /// A user with many edges loses them in bounded transactions before the last one deletes the
    /// user. Each keeps the invariants, so a call that breaks off leaves a user with fewer
    /// edges, and can be repeated. Some ten statements for each thousand edges.
    async fn delete_user(&self, id: UserId) -> Result<bool>;

    // Administration

    /// How the schema of the database stands to this program's.
    async fn schema_state(&self) -> Result<SchemaState>;

    /// Brings the schema up to this program's. Safe to call from several processes at once: one
    /// of them migrates, the others wait and find nothing to do.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the schema is [`SchemaState::Newer`] or [`SchemaState::Foreign`];
    /// nothing has changed then.
    async fn migrate(&self) -> Result<()>;

    /// Whether the database answers.
    async fn ping(&self) -> Result<()>;

    /// Loads a whole graph into a database without users: all of it or nothing.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the graph breaks a rule of [`Graph`]; nothing has changed then.
    async fn load(&self, graph: Graph, progress: OnProgress<'_>) -> Result<LoadOutcome>;

    /// Recounts every counter and compares both edge tables, all at one moment, without blocking
    /// anybody. The answer is sorted by user and holds every difference.
    async fn find_drift(&self, progress: OnProgress<'_>) -> Result<Vec<Drift>>;

    /// Mends differences that [`Store::find_drift`] found, while others read and write. Each is
    /// looked at again under a lock, so one that is gone is left alone. Tells how many rows
    /// changed.
    async fn repair(&self, drift: &[Drift]) -> Result<u64>;

    /// Waits for the connections to become idle and closes them.
    async fn close(&self);
}

/// News of users whose rows change.
#[async_trait]
pub trait UserChanges: Send {
    /// What is heard next. Several times a second there is something, if only a sign of life.
    ///
    /// # Errors
    /// When news may have been missed. There will be no more.
    async fn next(&mut self) -> Result<UserNews>;
}

/// Who has changed, or is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserNews {
    /// This user.
    Changed(UserId),
    /// Maybe anybody: the database does not tell who.
    AnyChanged,
    /// Nobody. A sign of life.
    NobodyChanged,
}

/// How to talk to a database.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The most connections that are open at once.
    pub connections_max: u32,
    /// The longest that a call waits for a connection.
    pub acquire_timeout: Duration,
    /// The longest that the database works on one statement of a request (PostgreSQL).
    pub statement_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connections_max: 16,
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(10),
        }
    }
}

/// Opens the database that `url` names. The schema is neither looked at nor changed; a SQLite
/// file that is missing is made.
///
/// # Errors
/// When the URL is of no engine we know, the database cannot be reached, or the file is none.
pub async fn connect(url: &str, options: Options) -> Result<Arc<dyn Store>, ConnectError> {
    Ok(match engine(url)? {
        Engine::Sqlite(file) => Arc::new(sqlite::Sqlite::connect(file, options).await?),
        Engine::Postgres(server) => Arc::new(postgres::Postgres::connect(server, options).await?),
    })
}

/// Looks whether a URL names a database, without opening anything.
///
/// # Errors
/// When it is of no engine we know or cannot be read.
pub fn check_url(url: &str) -> Result<(), ConnectError> {
    engine(url).map(drop)
}

/// What a URL names.
enum Engine {
    Sqlite(SqliteConnectOptions),
    Postgres(PgConnectOptions),
}

fn engine(url: &str) -> Result<Engine, ConnectError> {
    let bad = |error: sqlx::Error| ConnectError::BadUrl(reason(&error));
    match url.split_once(':').map(|(scheme, _)| scheme) {
        Some("sqlite") => {
            let file = SqliteConnectOptions::from_str(url).map_err(bad)?;
            sqlite::check(url, &file)?;
            Ok(Engine::Sqlite(file))
        }
        Some("postgres" | "postgresql") => {
            PgConnectOptions::from_str(url).map(Engine::Postgres).map_err(bad)
        }
        _ => Err(ConnectError::UnknownScheme),
    }
}

/// What is wrong with a configuration, without sqlx's preface.
fn reason(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Configuration(reason) => reason.to_string(),
        error => error.to_string(),
    }
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

/// The file that a URL names, when it is one of SQLite; for what has to lie beside the database.
#[must_use]
pub fn sqlite_file(url: &str) -> Option<PathBuf> {
    match engine(url) {
        Ok(Engine::Sqlite(file)) => Some(file.get_filename().to_owned()),
        Ok(Engine::Postgres(_)) | Err(_) => None,
    }
}
