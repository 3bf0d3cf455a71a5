//! Imports: users in bulk, and how far each import has got. Follows are imported by the write path
//! of follows.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use sqlx::{Database, Pool, Row, Transaction};

use super::super::{
    Db, Time, begin, bind_counts, id_list,
    imports::{IDS_BY_EXTERNAL_IDS, IDS_BY_USERNAMES, IMPORTED_USERS},
    maintenance::load::{LOAD_COUNTS, load_name_prefixes, load_users},
    stored, text_list, time,
};
use super::{load::prefixes_of, users};
use crate::{
    domain::{
        FollowCounts, Import, ImportKind, ImportProgress, ImportedUser, NewUser, User, UserId,
        UserImport, UserNames,
    },
    store::{
        Checkpoint,
        retry::Tries,
        sql::{BEGIN_IMPORT, FINISH_IMPORT, IMPORT, IMPORTS, RESTART_IMPORT, SAVE_IMPORT},
        statement::{query, query_as},
    },
};

type DbRow = <Db as Database>::Row;

/// Registers an import, unless it is there already, and returns what is stored of it.
pub(super) async fn register(pool: Pool<Db>, import: Arc<Import>) -> sqlx::Result<Import> {
    let mut tx = begin(&pool).await?;
    query(BEGIN_IMPORT)
        .bind(import.id.as_str())
        .bind(import.kind as i16)
        .bind(import.file.as_str())
        .bind(stored(import.started_at))
        .execute(&mut *tx)
        .await?;
    let row = query(IMPORT).bind(import.id.as_str()).fetch_one(&mut *tx).await?;
    let import = of_row(&row)?;
    tx.commit().await?;
    Ok(import)
}

/// Saves how far an import has got, and returns whether it was still where the checkpoint goes on from:
/// if not, another run has gone on with it, and the transaction must not be committed.
pub(crate) async fn save(
    tx: &mut Transaction<'_, Db>,
    checkpoint: &Checkpoint,
) -> sqlx::Result<bool> {
    let (from, progress) = (&checkpoint.from, &checkpoint.progress);
    let saved = query(SAVE_IMPORT)
        .bind(checkpoint.import.as_str())
        .bind(progress.position)
        .bind(progress.lines)
        .bind(progress.loaded)
        .bind(progress.present)
        .bind(progress.rejected)
        .bind(progress.rejects_length)
        .bind(from.position)
        .bind(from.loaded)
        .bind(from.present)
        .bind(from.rejected)
        .execute(&mut **tx)
        .await?;
    Ok(saved.rows_affected() > 0)
}

/// Sets an import back to the beginning of its file.
pub(super) async fn restart(pool: Pool<Db>, id: Arc<str>, at: DateTime<Utc>) -> sqlx::Result<()> {
    query(RESTART_IMPORT).bind(&*id).bind(stored(at)).execute(&pool).await?;
    Ok(())
}

/// Marks an import as done, and returns whether it was still where the caller left it.
pub(super) async fn finish(
    pool: Pool<Db>,
    id: Arc<str>,
    at: DateTime<Utc>,
    progress: ImportProgress,
) -> sqlx::Result<bool> {
    let finished = query(FINISH_IMPORT)
        .bind(&*id)
        .bind(stored(at))
        .bind(progress.position)
        .bind(progress.loaded)
        .bind(progress.present)
        .bind(progress.rejected)
        .execute(&pool)
        .await?;
    Ok(finished.rows_affected() > 0)
}

/// All imports, the newest first.
pub(super) async fn all(pool: &Pool<Db>) -> sqlx::Result<Vec<Import>> {
    query(IMPORTS).fetch_all(pool).await?.iter().map(of_row).collect()
}

fn of_row(row: &DbRow) -> sqlx::Result<Import> {
    let kind: i16 = row.try_get(1)?;
    let found = usize::try_from(kind).ok().and_then(|place| ImportKind::ALL.get(place));
    let unknown = || sqlx::Error::Decode(format!("an import has no kind {kind}").into());
    let finished_at: Option<Time> = row.try_get(10)?;
    Ok(Import {
        id: row.try_get(0)?,
        kind: *found.ok_or_else(unknown)?,
        file: row.try_get(2)?,
        progress: ImportProgress {
            position: row.try_get(3)?,
            lines: row.try_get(4)?,
            loaded: row.try_get(5)?,
            present: row.try_get(6)?,
            rejected: row.try_get(7)?,
            rejects_length: row.try_get(8)?,
        },
        started_at: time(row.try_get(9)?)?,
        finished_at: finished_at.map(time).transpose()?,
    })
}

/// The ids of the users with these names. Users who do not exist are missing.
pub(super) async fn ids(
    pool: &Pool<Db>,
    names: &UserNames,
) -> sqlx::Result<HashMap<String, UserId>> {
    let (sql, texts) = match names {
        UserNames::ExternalIds(texts) => (IDS_BY_EXTERNAL_IDS, texts),
        UserNames::Usernames(texts) => (IDS_BY_USERNAMES, texts),
    };
    if texts.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(String, i64)> = query_as(sql).bind(text_list(texts)).fetch_all(pool).await?;
    Ok(rows.into_iter().map(|(name, id)| (name, UserId(id))).collect())
}

/// Creates the users who are new, if the outcomes are those that are expected, in one transaction with
/// the checkpoint. Without a checkpoint nothing is written. Returns the outcomes; `None` if another run
/// has gone on with the import.
pub(super) async fn users(
    tries: Tries,
    pool: Pool<Db>,
    imported: Arc<[ImportedUser]>,
    expected: Arc<[UserImport]>,
    checkpoint: Option<Checkpoint>,
) -> sqlx::Result<Option<Vec<UserImport>>> {
    let mut tx = begin(&pool).await?;
    if let Some(checkpoint) = &checkpoint
        && tries.may_have_committed()
    {
        let row = query(IMPORT).bind(checkpoint.import.as_str()).fetch_one(&mut *tx).await?;
        if of_row(&row)?.progress == checkpoint.progress {
            return Ok(Some(expected.to_vec()));
        }
    }
    let outcomes = Known::find(&mut tx, &imported).await?.outcomes(&imported);
    let Some(checkpoint) = checkpoint.filter(|_| *outcomes == *expected) else {
        return Ok(Some(outcomes));
    };

    let is_new = |(_, outcome): &(_, &UserImport)| **outcome == UserImport::Created;
    let new = imported.iter().zip(&outcomes).filter(is_new);
    let mut new: Vec<NewUser> = new.map(|(imported, _)| imported.user.clone()).collect();
    if !new.is_empty() {
        new.sort_unstable_by_key(|user| user.id);
        load_users(&new).execute(&mut *tx).await?;
        let counts: Vec<_> = new.iter().map(|user| (user.id, FollowCounts::default())).collect();
        bind_counts(query(LOAD_COUNTS), &counts).execute(&mut *tx).await?;
        let prefixes = prefixes_of(&new);
        if !prefixes.is_empty() {
            load_name_prefixes(&prefixes).execute(&mut *tx).await?;
        }
    }
    if !save(&mut tx, &checkpoint).await? {
        return Ok(None);
    }
    tries.commit(tx).await?;
    Ok(Some(outcomes))
}

/// A user who is there, with the name of their role.
struct KnownUser {
    user: Arc<User>,
    role: String,
}

/// The users who are there already, or will be after the first rows of a chunk.
#[derive(Default)]
struct Known {
    users: Vec<KnownUser>,
    ids: HashMap<UserId, usize>,
    usernames: HashMap<String, usize>,
    external_ids: HashMap<String, usize>,
}

impl Known {
    /// Finds the users whom rows name in any way.
    async fn find(tx: &mut Transaction<'_, Db>, imported: &[ImportedUser]) -> sqlx::Result<Self> {
        let users = || imported.iter().map(|imported| &imported.user);
        let ids: Vec<_> = users().map(|user| user.id).collect();
        let keys: Vec<_> = users().map(|user| user.username.key().as_str().to_owned()).collect();
        let external_ids = users().filter_map(|user| user.external_id.as_ref());
        let external_ids: Vec<_> = external_ids.map(|id| id.as_str().to_owned()).collect();
        let find = query(IMPORTED_USERS).bind(id_list(&ids));
        let find = find.bind(text_list(&keys)).bind(text_list(&external_ids));

        let (mut known, mut seen) = (Self::default(), HashSet::new());
        for row in find.fetch_all(&mut **tx).await? {
            let user = users::user(&row, 1)?;
            if seen.insert(user.id) {
                known.add(KnownUser { user, role: row.try_get(0)? });
            }
        }
        Ok(known)
    }

    fn add(&mut self, known: KnownUser) {
        let place = self.users.len();
        let user = &known.user;
        self.ids.insert(user.id, place);
        self.usernames.insert(user.username.to_ascii_lowercase(), place);
        if let Some(id) = &user.external_id {
            self.external_ids.insert(id.to_string(), place);
        }
        self.users.push(known);
    }

    /// What becomes of each row, after the rows before it.
    fn outcomes(mut self, imported: &[ImportedUser]) -> Vec<UserImport> {
        let outcome = |imported: &ImportedUser| {
            let outcome = self.outcome(imported);
            if outcome == UserImport::Created {
                let user = Arc::new(User::from(&imported.user));
                self.add(KnownUser { user, role: imported.user.role.to_string() });
            }
            outcome
        };
        imported.iter().map(outcome).collect()
    }

    fn outcome(&self, imported: &ImportedUser) -> UserImport {
        let new = &imported.user;
        let external_id = new.external_id.as_ref();
        let by_external_id = external_id.and_then(|id| self.external_ids.get(id.as_str()));
        let by_id = self.ids.get(&new.id).filter(|_| imported.has_id);
        let by_name = self.usernames.get(new.username.key().as_str());
        // Who the row is about: the first of the ids that it has, or else the name.
        let is_named_only = external_id.is_none() && !imported.has_id;
        let same = match (by_external_id, by_id) {
            (Some(one), Some(other)) if one != other => return UserImport::IdTaken,
            (Some(same), _) => Some(same),
            (None, Some(same)) if external_id.is_none() => Some(same),
            (None, Some(_)) => return UserImport::IdTaken,
            (None, None) => by_name.filter(|_| is_named_only),
        };
        let Some(known) = same.map(|place| &self.users[*place]) else {
            if by_name.is_some() {
                return UserImport::UsernameTaken;
            }
            return if self.ids.contains_key(&new.id) {
                UserImport::IdTaken
            } else {
                UserImport::Created
            };
        };
        imported
            .difference(&known.user, &known.role)
            .map_or(UserImport::Present, UserImport::Differs)
    }
}
