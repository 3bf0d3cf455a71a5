//! Pages of follows: what is asked by which statement (`sql`), and how its rows are read.

mod sql;

use std::collections::HashMap;

use crate::store::statement::query;
use sqlx::{
    PgExecutor, Postgres, Row,
    postgres::{PgArguments, PgRow},
    query::Query,
};

use self::sql::{PAGES, Statements};
use crate::{
    domain::{
        FollowCounts, FollowItem, FollowList, FollowPage, FollowPageKey, OrderDirection, Outside,
        UserId,
    },
    store::pages::{self, Shape},
    store::postgres::arrays,
};

/// All SQL of pages.
pub(crate) fn statements() -> &'static [&'static str] {
    sql::STATEMENTS
}

/// Pages, for at least one key.
pub(crate) async fn find(
    connection: impl PgExecutor<'_>,
    in_one_place: bool,
    keys: &[FollowPageKey],
) -> sqlx::Result<HashMap<FollowPageKey, FollowPage>> {
    let question = Question::new(in_one_place, keys);
    let rows = question.ask(&PAGES).fetch_all(connection).await?;
    question.pages(&rows)
}

/// What a statement is asked.
struct Question<'k> {
    shape: Shape,
    /// The one list that all pages are of; `None` where they are of both.
    list: Option<FollowList>,
    keys: &'k [FollowPageKey],
    /// What each row is asked for.
    rows: Vec<Asked<'k>>,
}

impl<'k> Question<'k> {
    fn new(in_one_place: bool, keys: &'k [FollowPageKey]) -> Self {
        let shape = if in_one_place { pages::shape(keys) } else { Shape::Any };
        let mut lists = keys.iter().map(|key| key.list);
        let list = lists.next().filter(|first| lists.all(|list| list == *first));
        let rows = match shape {
            Shape::Newest => Asked::of_users(keys),
            Shape::Older | Shape::Any => Asked::one_by_one(keys),
        };
        Self { shape, list, keys, rows }
    }

    fn ask(&self, statements: &Statements) -> PgQuery {
        let of_list = |[both, followers, following]: [&'static str; 3]| match self.list {
            None => both,
            Some(FollowList::Followers) => followers,
            Some(FollowList::Following) => following,
        };
        match self.shape {
            Shape::Newest => ask_older(of_list(statements.newest), &self.rows),
            Shape::Older => {
                let query = ask_older(of_list(statements.older), &self.rows);
                ask_bounds(query, self.keys)
            }
            Shape::Any => ask_any(of_list(statements.any), self.keys),
        }
    }

    fn pages(&self, rows: &[PgRow]) -> sqlx::Result<HashMap<FollowPageKey, FollowPage>> {
        let mut pages = HashMap::with_capacity(self.keys.len());
        for row in rows {
            let n: i64 = row.try_get(0)?;
            let asked = usize::try_from(n - 1).ok().and_then(|n| self.rows.get(n));
            let asked = asked.ok_or_else(|| sqlx::Error::Decode(format!("no row {n}").into()))?;
            let counts = FollowCounts { followers: row.try_get(1)?, following: row.try_get(2)? };
            let outside = if self.shape == Shape::Any {
                let lies = |n| row.try_get(n).map(|lies: Option<bool>| lies.unwrap_or(false));
                Outside { below: lies(3)?, above: lies(4)? }
            } else {
                Outside::default()
            };
            for key in asked.keys() {
                let items = items(row, self.column(key.list))?;
                pages.insert(*key, pages::follow_page(key, counts, items, outside));
            }
        }
        Ok(pages)
    }

    /// The column with which the edges of a page begin.
    fn column(&self, list: FollowList) -> usize {
        match self.shape {
            Shape::Any => 5,
            Shape::Newest | Shape::Older
                if self.list.is_none() && list == FollowList::Following =>
            {
                3 + EDGE_COLUMNS
            }
            Shape::Newest | Shape::Older => 3,
        }
    }
}

/// The times of edges, and the ids of the users on them.
const EDGE_COLUMNS: usize = 2;

type PgQuery = Query<'static, Postgres, PgArguments>;

/// What a row is asked for: pages of the lists of one user.
#[derive(Clone, Copy, Debug, Default)]
struct Asked<'k> {
    followers: Option<&'k FollowPageKey>,
    following: Option<&'k FollowPageKey>,
}

impl<'k> Asked<'k> {
    /// A row for each page.
    fn one_by_one(keys: &'k [FollowPageKey]) -> Vec<Self> {
        let alone = |key| {
            let mut asked = Self::default();
            *asked.place_of(key) = Some(key);
            asked
        };
        keys.iter().map(alone).collect()
    }

    /// A row for each user, and more of those of whom more than one page of a list is asked.
    fn of_users(keys: &'k [FollowPageKey]) -> Vec<Self> {
        let (mut rows, mut last) = (Vec::<Self>::with_capacity(keys.len()), HashMap::new());
        for key in keys {
            let row = last.entry(key.user).or_insert(rows.len());
            if rows.get_mut(*row).is_none_or(|row| row.place_of(key).is_some()) {
                *row = rows.len();
                rows.push(Self::default());
            }
            *rows[*row].place_of(key) = Some(key);
        }
        rows
    }

    const fn place_of(&mut self, key: &FollowPageKey) -> &mut Option<&'k FollowPageKey> {
        match key.list {
            FollowList::Followers => &mut self.followers,
            FollowList::Following => &mut self.following,
        }
    }

    fn keys(&self) -> impl Iterator<Item = &'k FollowPageKey> {
        self.followers.into_iter().chain(self.following)
    }
}

/// Asks for pages from newer to older follows.
fn ask_older(sql: &'static str, rows: &[Asked<'_>]) -> PgQuery {
    let owner = |row: &Asked<'_>| row.keys().map(|key| key.user.0).next();
    let fetch = |key: Option<&FollowPageKey>| key.map_or(0, |key| i64::from(key.request.fetch()));
    query(sql)
        .bind(rows.iter().map(owner).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| fetch(row.followers)).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| fetch(row.following)).collect::<Vec<_>>())
}

/// Asks for pages in any direction, and what to find out beside them.
fn ask_any(sql: &'static str, keys: &[FollowPageKey]) -> PgQuery {
    let query = query(sql)
        .bind(keys.iter().map(|key| key.user.0).collect::<Vec<_>>())
        .bind((1..).take(keys.len()).collect::<Vec<i64>>())
        .bind(pages::fetch(keys));
    let bounds: Vec<_> = keys.iter().map(|key| pages::follow_bounds(&key.request)).collect();
    let is_ascending = |key: &FollowPageKey| key.request.scan() == OrderDirection::Asc;
    let is_of_followers = |key: &FollowPageKey| key.list == FollowList::Followers;
    ask_bounds(query, keys)
        .bind(keys.iter().map(is_of_followers).collect::<Vec<_>>())
        .bind(keys.iter().map(is_ascending).collect::<Vec<_>>())
        .bind(bounds.iter().map(|b| b.probe_low).collect::<Vec<_>>())
        .bind(bounds.iter().map(|b| b.probe_high).collect::<Vec<_>>())
}

/// Tells the bounds of pages.
fn ask_bounds(query: PgQuery, keys: &[FollowPageKey]) -> PgQuery {
    let bounds: Vec<_> = keys.iter().map(|key| pages::follow_bounds(&key.request)).collect();
    query
        .bind(bounds.iter().map(|b| b.low.0).collect::<Vec<_>>())
        .bind(bounds.iter().map(|b| b.low.1.0).collect::<Vec<_>>())
        .bind(bounds.iter().map(|b| b.high.0).collect::<Vec<_>>())
        .bind(bounds.iter().map(|b| b.high.1.0).collect::<Vec<_>>())
}

/// The edges that begin with a column, and when they began if the row tells it.
fn items(row: &PgRow, first: usize) -> sqlx::Result<Vec<FollowItem>> {
    let mut times = arrays::of_times(row, first)?;
    let ids = arrays::of_numbers(row, first + 1)?;
    let missing = || sqlx::Error::Decode("an edge has no time".into());
    let mut items = Vec::with_capacity(ids.len());
    for id in ids {
        items.push(FollowItem {
            user: UserId(id?),
            followed_at: times.next().ok_or_else(missing)??,
        });
    }
    Ok(items)
}
