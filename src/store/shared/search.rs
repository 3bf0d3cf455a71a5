//! The beginnings of names, which users are searched by, and the number of users who match.

use std::collections::HashMap;

use sqlx::{Database, Row};

use super::super::{
    Db,
    search::{
        ADD_NAME_PREFIXES, COUNT_FOUND, COUNT_SUSPENDED_FOUND, FIRST_FOUND, FIRST_SUSPENDED_FOUND,
        LAST_FOUND, LAST_SUSPENDED_FOUND, NEWEST_FOUND, NEWEST_SUSPENDED_FOUND, OLDEST_FOUND,
        OLDEST_SUSPENDED_FOUND, REMOVE_NAME_PREFIXES, about_name, bind_search,
    },
    users::{
        FIRST, FIRST_SUSPENDED, LAST, LAST_SUSPENDED, NEWEST, NEWEST_SUSPENDED, OLDEST,
        OLDEST_SUSPENDED,
    },
};
use crate::{
    domain::{OrderDirection, UserId, UserListRequest, UserOrderField, UserSearch, name_prefixes},
    store::{
        sql::{COUNT_OF_ROLE, COUNT_SUSPENDED, COUNT_USERS},
        statement::query,
    },
};

/// The statement of a page of users.
pub(crate) fn page(request: &UserListRequest<'_>) -> &'static str {
    let UserListRequest { order, page, search } = request;
    let of =
        |all, suspended, found, suspended_found| match (search.has_words(), search.is_suspended) {
            (false, false) => all,
            (false, true) => suspended,
            (true, false) => found,
            (true, true) => suspended_found,
        };
    match (order, page.scan()) {
        (UserOrderField::CreatedAt, OrderDirection::Asc) => {
            of(OLDEST, OLDEST_SUSPENDED, OLDEST_FOUND, OLDEST_SUSPENDED_FOUND)
        }
        (UserOrderField::CreatedAt, OrderDirection::Desc) => {
            of(NEWEST, NEWEST_SUSPENDED, NEWEST_FOUND, NEWEST_SUSPENDED_FOUND)
        }
        (UserOrderField::Username, OrderDirection::Asc) => {
            of(FIRST, FIRST_SUSPENDED, FIRST_FOUND, FIRST_SUSPENDED_FOUND)
        }
        (UserOrderField::Username, OrderDirection::Desc) => {
            of(LAST, LAST_SUSPENDED, LAST_FOUND, LAST_SUSPENDED_FOUND)
        }
    }
}

/// Stores the beginnings of the words of a new user.
pub(crate) async fn add(
    tx: &mut <Db as Database>::Connection,
    user: UserId,
    key: &str,
    name: Option<&str>,
) -> sqlx::Result<u64> {
    let prefixes = name_prefixes(key, name);
    if prefixes.is_empty() {
        return Ok(0);
    }
    let add = about_name(ADD_NAME_PREFIXES, user, key, &prefixes);
    Ok(add.fetch_all(tx).await?.len() as u64)
}

/// Replaces the beginnings of the words of a user, whose row the transaction has locked. Returns the
/// number of changed rows.
pub(crate) async fn replace(
    tx: &mut <Db as Database>::Connection,
    user: UserId,
    key: &str,
    name: Option<&str>,
) -> sqlx::Result<u64> {
    let remove = about_name(REMOVE_NAME_PREFIXES, user, key, &name_prefixes(key, name));
    let removed = remove.execute(&mut *tx).await?.rows_affected();
    Ok(removed + add(tx, user, key, name).await?)
}

/// The number of users who match each search, without those who block the viewer. One statement each:
/// a call has one search, and calls
/// that share a statement have the same.
pub(crate) async fn counts(
    connection: &mut <Db as Database>::Connection,
    searches: &[UserSearch],
    viewer: Option<UserId>,
) -> sqlx::Result<HashMap<UserSearch, i64>> {
    let viewer = viewer.map(|viewer| viewer.0);
    let mut counts = HashMap::with_capacity(searches.len());
    for search in searches {
        let count = if search.matches_all() {
            query(COUNT_USERS).bind(viewer)
        } else if search.has_words() {
            let sql = if search.is_suspended { COUNT_SUSPENDED_FOUND } else { COUNT_FOUND };
            bind_search(query(sql), search).bind(viewer).bind(search.role.clone())
        } else {
            let sql = if search.is_suspended { COUNT_SUSPENDED } else { COUNT_OF_ROLE };
            query(sql).bind(viewer).bind(search.role.clone())
        };
        let count = count.fetch_one(&mut *connection).await?.try_get(0)?;
        counts.insert(search.clone(), count);
    }
    Ok(counts)
}
