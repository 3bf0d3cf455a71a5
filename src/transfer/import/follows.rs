//! Follows, each a row with both users and a time.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};

use super::{Rows, Verdict};
use crate::{
    domain::{
        FollowAction, FollowChange, FollowChanged, FollowImport, FollowRefusal, ImportKind, UserId,
        UserNames, UsernameKey,
    },
    store::{self, Checkpoint, Store},
    transfer::{columns::Columns, table::Values, values},
};

/// The most pairs that a dry run remembers.
const REMEMBERED_MAX: usize = 4_000_000;

/// How a file of follows names users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// By our id.
    Id,
    /// By the id at the host.
    External,
    /// By username.
    Username,
}

impl By {
    /// Every way.
    pub const ALL: [Self; 3] = [Self::Id, Self::External, Self::Username];

    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::External => "external",
            Self::Username => "username",
        }
    }
}

/// The rows of a file of follows.
#[derive(Debug)]
pub struct Follows {
    columns: Columns,
    by: By,
    now: DateTime<Utc>,
    at_missing: DateTime<Utc>,
    at_given: Option<DateTime<Utc>>,
    is_logged: bool,
    pairs: Pairs,
}

impl Follows {
    /// Rows of a table with these columns. Those without a time get `at_missing`.
    #[must_use]
    pub fn new(
        columns: Columns,
        by: By,
        now: DateTime<Utc>,
        at_missing: Option<DateTime<Utc>>,
        is_logged: bool,
    ) -> Self {
        let (at_given, at_missing) = (at_missing, at_missing.unwrap_or(now));
        Self { columns, by, now, at_missing, at_given, is_logged, pairs: Pairs::default() }
    }

    /// The name of a user in a column, as it is looked up.
    fn user(&self, values: &Values, field: &str) -> Result<String, String> {
        let text = self.columns.value(values, field);
        let text = text.ok_or_else(|| format!("no {field}"))?;
        match self.by {
            By::Id | By::External => Ok(text),
            By::Username => match UsernameKey::parse(&text) {
                Some(key) => Ok(key.as_str().to_owned()),
                None => Err(format!("no such {field}")),
            },
        }
    }
}

/// A follow of users who were not looked up.
#[derive(Debug)]
pub struct ParsedFollow {
    follower: String,
    followee: String,
    at: Option<DateTime<Utc>>,
}

/// A follow of users who are known.
#[derive(Clone, Copy, Debug)]
pub struct FollowRow {
    pub(super) change: FollowChange,
    pub(super) has_time: bool,
}

impl Rows for Follows {
    type Parsed = ParsedFollow;
    type Row = FollowRow;
    type Outcome = FollowChanged;

    const KIND: ImportKind = ImportKind::Follows;

    fn options(&self) -> String {
        let (columns, by) = (self.columns.description(), self.by.name());
        let events = if self.is_logged { "events" } else { "no events" };
        let missing = self.at_given.map(|at| at.to_rfc3339()).unwrap_or_default();
        format!("{columns}; by {by}; {events}; {missing}")
    }

    fn parse(&mut self, values: &Values) -> Result<ParsedFollow, String> {
        let follower = self.user(values, "follower")?;
        let followee = self.user(values, "followee")?;
        let text = self.columns.value(values, "followed_at");
        let at = text.map(|text| values::time(&text, self.now)).transpose()?;
        Ok(ParsedFollow { follower, followee, at })
    }

    async fn look_up(
        &mut self,
        store: &dyn Store,
        parsed: Vec<ParsedFollow>,
    ) -> store::Result<Vec<Result<FollowRow, String>>> {
        let names = || parsed.iter().flat_map(|row| [&row.follower, &row.followee]);
        let names: BTreeSet<_> = names().collect();
        let ids: HashMap<String, UserId> = if self.by == By::Id {
            let id = |name: &&String| Some(((*name).clone(), UserId(name.parse().ok()?)));
            names.iter().filter_map(id).collect()
        } else {
            let names = names.into_iter().cloned().collect();
            let names = match self.by {
                By::Username => UserNames::Usernames(names),
                By::Id | By::External => UserNames::ExternalIds(names),
            };
            store.find_ids(&names).await?
        };

        let row = |row: &ParsedFollow| {
            let missing = |which: &str| format!("no such {which}");
            let follower = ids.get(&row.follower).ok_or_else(|| missing("follower"))?;
            let followee = ids.get(&row.followee).ok_or_else(|| missing("followee"))?;
            let (follower, followee) = (*follower, *followee);
            let logged_at = self.is_logged.then_some(self.now);
            let action = FollowAction::Import { logged_at };
            let at = row.at.unwrap_or(self.at_missing);
            let change = FollowChange { follower, followee, at, action };
            Ok(FollowRow { change, has_time: row.at.is_some() })
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

/// The pairs that would be loaded, in a dry run.
#[derive(Debug, Default)]
pub(super) struct Pairs(HashSet<(UserId, UserId)>);

impl Pairs {
    /// What becomes of a row.
    pub(super) fn verdict(
        &mut self,
        row: &FollowRow,
        outcome: FollowChanged,
        is_dry: bool,
    ) -> Verdict {
        let FollowChanged::Import(outcome) = outcome else {
            return Verdict::Rejected("not imported".to_owned());
        };
        let pair = (row.change.follower, row.change.followee);
        let reason = match outcome {
            Ok(FollowImport::Followed) if is_dry && self.0.contains(&pair) => {
                return Verdict::Present;
            }
            Ok(FollowImport::Followed) => {
                if is_dry && self.0.len() < REMEMBERED_MAX {
                    self.0.insert(pair);
                }
                return Verdict::Loaded;
            }
            Ok(FollowImport::Differs) if row.has_time => "follows already, since another time",
            Ok(FollowImport::Present | FollowImport::Differs) => return Verdict::Present,
            Err(FollowRefusal::NotFound) => "no such follower or followee",
            Err(FollowRefusal::Yourself) => "follows themselves",
            Err(FollowRefusal::Blocked | FollowRefusal::Blocking) => {
                "one of the users blocks the other"
            }
            Err(FollowRefusal::LimitReached(_)) => "a limit is reached",
        };
        Verdict::Rejected(reason.to_owned())
    }
}
