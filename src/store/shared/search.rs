//! The beginnings of names, which users are searched by, and the number of users who match.

use std::collections::HashMap;

use sqlx::{Database, Row};

use super::super::{
    Db,
    search::{ADD_NAME_PREFIXES, COUNT_FOUND, REMOVE_NAME_PREFIXES, about_name, bind_search},
};
use crate::{
    domain::{UserId, UserSearch, name_prefixes},
    store::{
        sql::COUNT_USERS,
        statement::{query, query_scalar},
    },
};

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
            query_scalar(COUNT_USERS).bind(viewer).fetch_one(&mut *connection).await?
        } else {
            let found = bind_search(query(COUNT_FOUND), search).bind(viewer);
            found.fetch_one(&mut *connection).await?.try_get(0)?
        };
        counts.insert(search.clone(), count);
    }
    Ok(counts)
}
