//! The users whom one account follows, each a row with a name.

use std::{collections::HashMap, path::Path};

use chrono::{DateTime, Utc};

use super::{
    Rows, Verdict,
    follows::{FollowRow, Pairs},
};
use crate::{
    domain::{
        FollowAction, FollowChange, FollowChanged, FollowImport, ImportKind, UserId, UserNames,
        UsernameKey,
    },
    store::{self, Checkpoint, Store},
    transfer::table::{Table, Values},
};

/// The most rows of a table of accounts, which is held in memory.
const ACCOUNTS_MAX: usize = 1_000_000;

/// How a list names users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListedBy {
    /// By username, or as `name@domain`.
    Username,
    /// By the id at the host.
    External,
}

impl ListedBy {
    /// Every way.
    pub const ALL: [Self; 2] = [Self::Username, Self::External];

    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Username => "username",
            Self::External => "external",
        }
    }
}

/// The usernames of accounts elsewhere, by their ids there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accounts {
    usernames: HashMap<String, String>,
    /// Of the file, for the id of an import.
    hash: String,
}

impl Accounts {
    /// Reads a table with the columns `accountId` and `username`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn open(path: &Path) -> Result<Self, String> {
        let mut table = Table::open(path, None).map_err(|error| error.to_string())?;
        if table.length().is_none() {
            return Err("it is not a file, and is read twice".to_owned());
        }
        let hash = super::hash(path).map_err(|error| error.to_string())?;
        let place = |name: &str| {
            let place = table.header().iter().position(|other| other.eq_ignore_ascii_case(name));
            place.ok_or_else(|| format!("no column {name}; columns: {}", table.header().join(", ")))
        };
        let (id, username) = (place("accountId")?, place("username")?);
        let (header, mut usernames) = (table.header().to_vec(), HashMap::new());
        while let Some(row) = table.next_row().map_err(|error| error.to_string())? {
            let values = row.values.map_err(|reason| format!("line {}: {reason}", row.line))?;
            let mut values = values.all(&header);
            if values.len() < header.len() || usernames.len() == ACCOUNTS_MAX {
                return Err(format!("line {}: more than {ACCOUNTS_MAX} rows", row.line));
            }
            let [id, username] = [id, username].map(|place| std::mem::take(&mut values[place]));
            usernames.insert(id, username);
        }
        let hash = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { usernames, hash })
    }
}

/// How a list is read.
#[derive(Clone, Debug)]
pub struct ListOptions {
    /// How it names users.
    pub by: ListedBy,
    /// The domain of users who are here, of names such as `name@domain`.
    pub domain: Option<String>,
    /// The usernames of the names in the list, if those are ids elsewhere.
    pub accounts: Option<Accounts>,
}

/// The rows of a list.
#[derive(Debug)]
pub struct Following {
    owner: UserId,
    options: ListOptions,
    now: DateTime<Utc>,
    pairs: Pairs,
}

impl Following {
    /// Rows of the list of a user, who follows all of them from now on.
    #[must_use]
    pub fn new(owner: UserId, options: ListOptions, now: DateTime<Utc>) -> Self {
        Self { owner, options, now, pairs: Pairs::default() }
    }

    /// The name of a row as it is looked up.
    fn name(&self, text: &str) -> Result<String, String> {
        let ListOptions { by, domain, accounts } = &self.options;
        if *by == ListedBy::External {
            return Ok(text.to_owned());
        }
        let text = match accounts {
            Some(accounts) => {
                let username = accounts.usernames.get(text).filter(|name| !name.is_empty());
                username.ok_or("not in the table of accounts")?
            }
            None => text,
        };
        let text = text.strip_prefix('@').unwrap_or(text);
        let (username, other) = match text.split_once('@') {
            Some((username, other)) => (username, Some(other)),
            None => (text, None),
        };
        let is_here =
            |other: &str| domain.as_ref().is_some_and(|domain| domain.eq_ignore_ascii_case(other));
        if !other.is_none_or(is_here) {
            return Err("other domain".to_owned());
        }
        let key = UsernameKey::parse(username).ok_or("no such user")?;
        Ok(key.as_str().to_owned())
    }
}

impl Rows for Following {
    type Parsed = String;
    type Row = FollowRow;
    type Outcome = FollowChanged;

    const KIND: ImportKind = ImportKind::Following;

    fn options(&self) -> String {
        let ListOptions { by, domain, accounts } = &self.options;
        let (owner, by) = (self.owner, by.name());
        let domain = domain.as_deref().unwrap_or_default();
        let accounts = accounts.as_ref().map_or("", |accounts| &accounts.hash);
        format!("of {owner}; by {by}; domain {domain}; accounts {accounts}")
    }

    fn parse(&mut self, values: &Values) -> Result<String, String> {
        let all = values.all(&[]);
        let text = all.first().map(|text| text.trim()).filter(|text| !text.is_empty());
        self.name(text.ok_or("no name")?)
    }

    async fn look_up(
        &mut self,
        store: &dyn Store,
        parsed: Vec<String>,
    ) -> store::Result<Vec<Result<FollowRow, String>>> {
        let mut names = parsed.clone();
        names.sort_unstable();
        names.dedup();
        let names = match self.options.by {
            ListedBy::Username => UserNames::Usernames(names),
            ListedBy::External => UserNames::ExternalIds(names),
        };
        let ids = store.find_ids(&names).await?;
        let (follower, at) = (self.owner, self.now);
        let row = |name: &String| {
            let followee = *ids.get(name).ok_or("no such user")?;
            let action = FollowAction::Import { logged_at: None };
            let change = FollowChange { follower, followee, at, action };
            Ok(FollowRow { change, has_time: false })
        };
        Ok(parsed.iter().map(row).collect())
    }

    fn expected(&self) -> FollowChanged {
        FollowChanged::Import(Ok(FollowImport::Followed))
    }

    async fn write(
        &self,
        store: &dyn Store,
        rows: &[FollowRow],
        expected: &[FollowChanged],
        checkpoint: Option<Checkpoint>,
    ) -> store::Result<Option<Vec<FollowChanged>>> {
        let changes: Vec<_> = rows.iter().map(|row| row.change).collect();
        store.import_follows(&changes, expected, checkpoint).await
    }

    fn adapt(&mut self, _: &mut [FollowRow], _: &mut [FollowChanged]) {}

    fn verdict(&mut self, row: &FollowRow, outcome: &FollowChanged, is_dry: bool) -> Verdict {
        self.pairs.verdict(row, *outcome, is_dry)
    }
}
