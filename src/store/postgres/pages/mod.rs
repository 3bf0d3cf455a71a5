//! Pages of follows: what is asked by which statement (`sql`), and how its rows are read.

mod sql;

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use smol_str::SmolStr;
use sqlx::{
    PgExecutor, Postgres, Row,
    postgres::{PgArguments, PgRow},
    query::Query,
};

use self::sql::{Statements, WITH_IDS, WITH_USERS};
use super::arrays;
use crate::{
    domain::{
        Direction, FollowCounts, FollowItem, FollowPage, FollowPageKey, Identified, OrderDirection,
        Outside, User, UserId,
    },
    store::pages::{self, Shape},
};

/// All SQL of pages.
pub(super) fn statements() -> &'static [&'static str] {
    sql::STATEMENTS
}

/// Pages, with the users on the edges.
pub(super) async fn find(
    connection: impl PgExecutor<'_>,
    in_one_place: bool,
    keys: &[FollowPageKey],
) -> sqlx::Result<HashMap<FollowPageKey, FollowPage>> {
    let mut users = HashMap::new();
    let read = |row: &_, first| items(row, first, &mut users);
    fetch(connection, in_one_place, &WITH_USERS, keys, read).await
}

/// The same with the ids of the users.
pub(super) async fn find_ids(
    connection: impl PgExecutor<'_>,
    in_one_place: bool,
    keys: &[FollowPageKey],
) -> sqlx::Result<HashMap<FollowPageKey, FollowPage<UserId>>> {
    fetch(connection, in_one_place, &WITH_IDS, keys, items_of_ids).await
}

/// Whether pages may share a statement with those of others, who wait for all of them and ask by
/// the largest form that one of them needs.
pub(super) fn may_gather(keys: &[FollowPageKey]) -> bool {
    pages::shape(keys) != Shape::Any && pages::are_small(keys)
}

/// What a statement is asked.
struct Question<'k> {
    shape: Shape,
    /// The one list that all pages are of; `None` where they are of both.
    list: Option<Direction>,
    keys: &'k [FollowPageKey],
}

impl<'k> Question<'k> {
    fn new(in_one_place: bool, keys: &'k [FollowPageKey]) -> Self {
        let shape = if in_one_place { pages::shape(keys) } else { Shape::Any };
        let mut lists = keys.iter().map(|key| key.direction);
        let list = lists.next().filter(|first| lists.all(|list| list == *first));
        Self { shape, list, keys }
    }

    /// What each row is asked for.
    fn rows(&self) -> Vec<Asked<'k>> {
        match self.shape {
            Shape::Newest => Asked::of_users(self.keys),
            Shape::Older | Shape::Any => Asked::one_by_one(self.keys),
        }
    }

    fn ask(&self, statements: &Statements, rows: &[Asked<'_>]) -> PgQuery {
        let of_list = |[both, followers, following]: [&'static str; 3]| match self.list {
            None => both,
            Some(Direction::Followers) => followers,
            Some(Direction::Following) => following,
        };
        match self.shape {
            Shape::Newest => self.ask_older(of_list(statements.newest), statements, rows),
            Shape::Older => {
                let query = self.ask_older(of_list(statements.older), statements, rows);
                ask_bounds(query, self.keys)
            }
            Shape::Any => ask_any(of_list(statements.any), self.keys),
        }
    }

    /// Asks for pages from newer to older follows.
    fn ask_older(&self, sql: &'static str, statements: &Statements, rows: &[Asked<'_>]) -> PgQuery {
        let owner = |row: &Asked<'_>| row.keys().map(|key| key.user.0).next();
        let fetch =
            |key: Option<&FollowPageKey>| key.map_or(0, |key| i64::from(key.request.fetch()));
        let query = sqlx::query(sql)
            .bind(rows.iter().map(owner).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| fetch(row.followers)).collect::<Vec<_>>())
            .bind(rows.iter().map(|row| fetch(row.following)).collect::<Vec<_>>());
        let wants = pages::wants(self.keys);
        statements.wants.iter().fold(query, |query, is_wanted| query.bind(is_wanted(wants)))
    }

    /// The column with which the edges of a page begin.
    fn column(&self, statements: &Statements, list: Direction) -> usize {
        match self.shape {
            Shape::Any => 5,
            Shape::Newest | Shape::Older if self.list.is_none() && list == Direction::Following => {
                3 + statements.columns
            }
            Shape::Newest | Shape::Older => 3,
        }
    }
}

type PgQuery = Query<'static, Postgres, PgArguments>;

/// Asks for pages. `read` reads the edges that begin with a column.
async fn fetch<U: Identified>(
    connection: impl PgExecutor<'_>,
    in_one_place: bool,
    statements: &Statements,
    keys: &[FollowPageKey],
    mut read: impl FnMut(&PgRow, usize) -> sqlx::Result<Vec<FollowItem<U>>>,
) -> sqlx::Result<HashMap<FollowPageKey, FollowPage<U>>> {
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let question = Question::new(in_one_place, keys);
    let asked = question.rows();
    let rows = question.ask(statements, &asked).fetch_all(connection).await?;

    let mut found = HashMap::with_capacity(keys.len());
    for row in &rows {
        let n: i64 = row.try_get(0)?;
        let asked = usize::try_from(n - 1).ok().and_then(|n| asked.get(n));
        let asked = asked.ok_or_else(|| sqlx::Error::Decode(format!("no row {n}").into()))?;
        let counts = FollowCounts { followers: row.try_get(1)?, following: row.try_get(2)? };
        let outside = if question.shape == Shape::Any {
            let lies = |n| row.try_get(n).map(|lies: Option<bool>| lies.unwrap_or(false));
            Outside { below: lies(3)?, above: lies(4)? }
        } else {
            Outside::default()
        };
        for key in asked.keys() {
            let items = read(row, question.column(statements, key.direction))?;
            found.insert(*key, pages::follow_page(key, counts, items, outside));
        }
    }
    Ok(found)
}

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
        match key.direction {
            Direction::Followers => &mut self.followers,
            Direction::Following => &mut self.following,
        }
    }

    fn keys(&self) -> impl Iterator<Item = &'k FollowPageKey> {
        self.followers.into_iter().chain(self.following)
    }
}

/// Asks for pages in any direction, and what to find out beside them.
fn ask_any(sql: &'static str, keys: &[FollowPageKey]) -> PgQuery {
    let query = sqlx::query(sql)
        .bind(keys.iter().map(|key| key.user.0).collect::<Vec<_>>())
        .bind((1..).take(keys.len()).collect::<Vec<i64>>())
        .bind(pages::fetch(keys));
    let bounds: Vec<_> = keys.iter().map(|key| pages::follow_bounds(&key.request)).collect();
    let is_ascending = |key: &FollowPageKey| key.request.scan() == OrderDirection::Asc;
    let is_of_followers = |key: &FollowPageKey| key.direction == Direction::Followers;
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

/// The edges with the ids of their users, and when they began if the row tells it.
fn items_of_ids(row: &PgRow, first: usize) -> sqlx::Result<Vec<FollowItem<UserId>>> {
    let mut times = arrays::of_times(row, first)?;
    let ids = arrays::of_numbers(row, first + 1)?;
    let mut items = Vec::with_capacity(ids.len());
    for id in ids {
        items.push(FollowItem { user: UserId(id?), followed_at: times.next().transpose()? });
    }
    Ok(items)
}

/// The edges with their users. A user who is on several pages of the batch is kept once.
fn items(
    row: &PgRow,
    first: usize,
    users: &mut HashMap<UserId, Arc<User>>,
) -> sqlx::Result<Vec<FollowItem>> {
    let ids = items_of_ids(row, first)?;
    let texts = |column| match arrays::of_texts(row, first + column)? {
        texts if texts.len() == ids.len() => Ok(texts),
        // Nobody wants it.
        texts if texts.is_empty() => Ok(vec![None; ids.len()]),
        _ => Err(sqlx::Error::Decode("the columns of a page differ in length".into())),
    };
    let (usernames, names) = (texts(2)?, texts(3)?);
    let (bios, avatar_urls) = (texts(4)?, texts(5)?);
    let mut ages = arrays::of_times(row, first + 6)?;

    let mut next_user = |n: usize, id| -> sqlx::Result<User> {
        let username = usernames[n];
        Ok(User {
            id,
            username: username.ok_or_else(|| sqlx::Error::Decode("no username".into()))?.into(),
            name: names[n].map(SmolStr::from),
            bio: bios[n].map(str::to_owned),
            avatar_url: avatar_urls[n].map(str::to_owned),
            created_at: ages.next().transpose()?.unwrap_or_default(),
        })
    };
    let with_user = |(n, FollowItem { user: id, followed_at })| {
        let user = next_user(n, id)?;
        let user = match users.entry(id) {
            Entry::Occupied(known) => Arc::clone(known.get()),
            Entry::Vacant(place) => Arc::clone(place.insert(Arc::new(user))),
        };
        Ok(FollowItem { user, followed_at })
    };
    ids.into_iter().enumerate().map(with_user).collect()
}
