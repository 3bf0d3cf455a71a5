//! Users, each a row with a username and more.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    sync::Arc,
};

use chrono::{DateTime, Utc};

use super::{Rows, Verdict};
use crate::{
    domain::{
        AvatarUrl, Bio, DisplayName, ExternalId, ImportKind, ImportedUser, NewUser, Standing,
        TextError, UserId, UserIds, UserImport, Username,
    },
    service::{Random, stored_hash},
    store::{self, Checkpoint, Store},
    transfer::{columns::Columns, table::Values, values},
};

/// The most names and ids that a dry run remembers.
const REMEMBERED_MAX: usize = 1_000_000;

/// What becomes of the column `id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ids {
    /// It is our id.
    Keep,
    /// It is the id at the host, and ours is new.
    External,
    /// It is not used, and ours is new.
    New,
}

impl Ids {
    /// Every way.
    pub const ALL: [Self; 3] = [Self::Keep, Self::External, Self::New];

    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::External => "external",
            Self::New => "new",
        }
    }
}

/// What becomes of usernames that break the rules or are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usernames {
    /// The row is rejected.
    Refuse,
    /// The user gets a similar name.
    Adapt,
}

impl Usernames {
    /// Every way.
    pub const ALL: [Self; 2] = [Self::Refuse, Self::Adapt];

    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Adapt => "adapt",
        }
    }
}

/// The rows of a file of users.
#[derive(Debug)]
pub struct Users {
    columns: Columns,
    ids: Ids,
    usernames: Usernames,
    roles: Vec<String>,
    role: String,
    now: DateTime<Utc>,
    random: Arc<dyn Random>,
    new_ids: UserIds,
    /// The last number that was tried for a username.
    numbers: HashMap<String, u64>,
    /// Usernames and external ids of the users who would be loaded, in a dry run.
    remembered: HashSet<String>,
}

/// A user to import, with the username of the row.
#[derive(Clone, Debug)]
pub struct UserRow {
    imported: ImportedUser,
    /// The username of the row, adapted to the rules but not yet to other users.
    wanted: Username,
    given: String,
    is_adapted: bool,
    /// How many numbers were tried.
    tries: u32,
}

impl Users {
    /// Rows of a table with these columns. `ids` is by default `Keep` if the table also has external
    /// ids, as our own has.
    ///
    /// # Errors
    /// If there is no such role.
    pub fn new(
        columns: Columns,
        ids: Option<Ids>,
        usernames: Usernames,
        (role, roles): (String, Vec<String>),
        now: DateTime<Utc>,
        random: Arc<dyn Random>,
    ) -> Result<Self, String> {
        if !roles.contains(&role) {
            return Err(format!("unknown role {role:?}; roles: {}", roles.join(", ")));
        }
        let has_both = columns.get("external_id").is_some();
        let ids = ids.unwrap_or(if has_both { Ids::Keep } else { Ids::External });
        let (new_ids, numbers, remembered) = (UserIds::default(), HashMap::new(), HashSet::new());
        Ok(Self { columns, ids, usernames, roles, role, now, random, new_ids, numbers, remembered })
    }

    /// Both ids of a row.
    fn ids(&self, values: &Values) -> Result<(Option<UserId>, Option<ExternalId>), String> {
        let value = |field| self.columns.value(values, field);
        let (id, external_id) = (value("id"), value("external_id"));
        let external =
            |text: String| ExternalId::parse(&text).map_err(|error| format!("external_id {error}"));
        let external_id = external_id.map(external).transpose()?;
        match (self.ids, id) {
            (Ids::Keep, Some(id)) => {
                let id = id.parse().ok().filter(|id| *id > 0).map(UserId);
                let id = id.ok_or("id is not a positive number of 63 bits; see --ids external")?;
                Ok((Some(id), external_id))
            }
            (Ids::External, Some(id)) if external_id.is_none() => Ok((None, Some(external(id)?))),
            (_, _) => Ok((None, external_id)),
        }
    }

    /// The username of a row, and whether it was adapted.
    fn username(&self, given: &str, id: Option<&str>) -> Result<(Username, bool), String> {
        match (Username::parse(given), self.usernames) {
            (Ok(username), _) => Ok((username, false)),
            (Err(error), Usernames::Refuse) => Err(format!("username {error}")),
            (Err(_), Usernames::Adapt) => {
                let or_by_id = || Username::adapted(&format!("user_{}", id.unwrap_or_default()));
                let username = Username::adapted(given).or_else(or_by_id);
                Ok((username.ok_or("no username")?, true))
            }
        }
    }
}

impl Rows for Users {
    type Parsed = UserRow;
    type Row = UserRow;
    type Outcome = UserImport;

    const KIND: ImportKind = ImportKind::Users;

    fn options(&self) -> String {
        let (columns, ids) = (self.columns.description(), self.ids.name());
        format!("{columns}; ids {ids}; usernames {}; role {}", self.usernames.name(), self.role)
    }

    fn parse(&mut self, values: &Values) -> Result<UserRow, String> {
        let value = |field| self.columns.value(values, field);
        let (id, external_id) = self.ids(values)?;
        let given = value("username").unwrap_or_default();
        let (username, is_adapted) = self.username(&given, value("id").as_deref())?;

        let broken = |field| move |error: TextError| format!("{field} {error}");
        let mut name = value("name").map(|text| DisplayName::parse(&text)).transpose();
        if is_adapted && matches!(name, Ok(None)) {
            name = Ok(DisplayName::parse(&given).ok());
        }
        let name = name.map_err(broken("name"))?;
        let bio = value("bio").map(|text| Bio::parse(&text)).transpose().map_err(broken("bio"))?;
        let avatar_url = value("avatar_url").map(|text| AvatarUrl::parse(&text)).transpose();
        let avatar_url = avatar_url.map_err(broken("avatar_url"))?;
        let role = value("role");
        if role.as_ref().is_some_and(|role| !self.roles.contains(role)) {
            return Err("unknown role".to_owned());
        }
        let created_at = value("created_at").map(|text| values::time(&text, self.now));
        let created_at = created_at.transpose().map_err(|error| format!("created_at: {error}"))?;
        let unknown = || "password_hash of an unknown kind".to_owned();
        let hash = |hash: String| stored_hash(&hash).map(str::to_owned).ok_or_else(unknown);
        // Django has such texts for users without a password.
        let given_hash = value("password_hash").filter(|hash| !hash.starts_with('!'));
        let password_hash = given_hash.map(hash).transpose()?;

        let (has_id, has_created_at, has_role) =
            (id.is_some(), created_at.is_some(), role.is_some());
        let may_be_numbered = self.usernames == Usernames::Adapt;
        let new_id = || self.new_ids.next(self.now, self.random.next_u32());
        let user = NewUser {
            id: id.unwrap_or_else(new_id),
            username: username.clone(),
            name: name.map(|name| name.as_str().to_owned()),
            bio: bio.map(|bio| bio.as_str().to_owned()),
            avatar_url: avatar_url.map(|url| url.as_str().to_owned()),
            external_id,
            password_hash,
            role: Cow::Owned(role.unwrap_or_else(|| self.role.clone())),
            created_at: created_at.unwrap_or(self.now),
            standing: Standing::Active,
        };
        let imported = ImportedUser { user, has_id, has_created_at, has_role, may_be_numbered };
        Ok(UserRow { imported, wanted: username, given, is_adapted, tries: 0 })
    }

    async fn look_up(
        &mut self,
        _: &dyn Store,
        parsed: Vec<UserRow>,
    ) -> store::Result<Vec<Result<UserRow, String>>> {
        Ok(parsed.into_iter().map(Ok).collect())
    }

    fn expected(&self) -> UserImport {
        UserImport::Created
    }

    async fn write(
        &self,
        store: &dyn Store,
        rows: &[UserRow],
        expected: &[UserImport],
        checkpoint: Option<Checkpoint>,
    ) -> store::Result<Option<Vec<UserImport>>> {
        let users: Vec<_> = rows.iter().map(|row| row.imported.clone()).collect();
        store.import_users(&users, expected, checkpoint).await
    }

    fn adapt(&mut self, rows: &mut [UserRow], outcomes: &mut [UserImport]) {
        if self.usernames == Usernames::Refuse {
            return;
        }
        for (row, outcome) in rows.iter_mut().zip(outcomes) {
            if *outcome == UserImport::UsernameTaken {
                // Larger and larger steps find a free number even after an import that was
                // interrupted amid thousands of the same name.
                let last = self.numbers.entry(row.wanted.key().as_str().to_owned()).or_insert(1);
                *last += 1 << row.tries.min(16);
                row.tries += 1;
                row.imported.user.username = row.wanted.numbered(*last);
                row.is_adapted = true;
                if row.imported.user.name.is_none() {
                    let name = DisplayName::parse(&row.given).ok();
                    row.imported.user.name = name.map(|name| name.as_str().to_owned());
                }
                *outcome = UserImport::Created;
            }
        }
    }

    fn verdict(&mut self, row: &UserRow, outcome: &UserImport, is_dry: bool) -> Verdict {
        let user = &row.imported.user;
        let reason = match outcome {
            UserImport::Created => {
                if is_dry && self.remembered.len() < REMEMBERED_MAX {
                    let external_id = user.external_id.as_ref();
                    let external_id = external_id.map(|id| format!("id {}", id.as_str()));
                    if external_id.is_some_and(|id| !self.remembered.insert(id)) {
                        return Verdict::Present;
                    }
                    let username = format!("name {}", user.username.key().as_str());
                    if !self.remembered.insert(username) {
                        return Verdict::Rejected("username is taken".to_owned());
                    }
                }
                return if row.is_adapted {
                    let (from, to) = (&row.given, user.username.as_str());
                    Verdict::Adapted(format!("adapted: username {from:?} to {to}"))
                } else {
                    Verdict::Loaded
                };
            }
            UserImport::Present => return Verdict::Present,
            UserImport::Differs(field) => format!("is there with another {field}"),
            UserImport::UsernameTaken => "username is taken".to_owned(),
            UserImport::IdTaken => "id is taken".to_owned(),
        };
        Verdict::Rejected(reason)
    }
}
