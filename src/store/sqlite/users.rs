//! Users: look-ups and lists.

use std::{collections::HashMap, sync::Arc};

use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

use super::{
    id_list, json, search,
    shared::users::{by_their_external_ids, user},
};
use crate::{
    domain::{
        ExternalId, Outside, Page, User, UserId, UserListRequest, UserOrderField, UsernameKey,
    },
    store::{
        Result, pages,
        sql::{is_found, is_listed, user_columns},
        statement::query,
    },
};

/// A page of all users between two bounds (`$4` and up), in one scan of the index of its order. An
/// empty page also has a row, which says what lies outside its bounds. `LIMIT $1 + 0` is explained
/// in [`super`].
macro_rules! page_of_users {
    (
        $standing:literal, $position:literal, $low:literal, $high:literal, $order:literal, $viewer:literal,
        $role:literal
    ) => {
        concat! {
            "SELECT o.below, o.above, ", user_columns!("u."), " ",
            "FROM (SELECT $2 AND EXISTS ( ",
                           "SELECT 1 FROM users WHERE ", $position, " <= ", $low, " AND ",
                           is_listed!($standing, $viewer, $role), ") AS below, ",
                         "$3 AND EXISTS ( ",
                           "SELECT 1 FROM users WHERE ", $position, " >= ", $high, " AND ",
                           is_listed!($standing, $viewer, $role), ") AS above) o ",
            "LEFT JOIN ( ",
              "SELECT * FROM users WHERE ", $position, " > ", $low, " AND ", $position, " < ", $high,
              " AND ", is_listed!($standing, $viewer, $role), " ORDER BY ", $order, " LIMIT $1 + 0) u ON true"
        }
    };
}

macro_rules! page_by_age {
    ($standing:literal, $order:literal) => {
        page_of_users!($standing, "(created_at, id)", "($4, $5)", "($6, $7)", $order, "$8", "$9")
    };
}

macro_rules! page_by_name {
    ($standing:literal, $order:literal) => {
        page_of_users!($standing, "username_key", "$4", "$5", $order, "$6", "$7")
    };
}

statements! {
    BY_IDS = concat!(
        "SELECT ", user_columns!(""),
        " FROM users WHERE id IN (SELECT value FROM json_each($1)) AND ",
        is_found!("", "$2")
    );
    BY_USERNAMES = concat!(
        "SELECT ", user_columns!(""),
        " FROM users WHERE username_key IN (SELECT value FROM json_each($1)) AND ",
        is_found!("", "$2")
    );
    BY_EXTERNAL_IDS = concat!(
        "SELECT ", user_columns!(""),
        " FROM users WHERE subject IN (SELECT value FROM json_each($1)) AND ",
        is_found!("", "$2")
    );
    OLDEST = page_by_age!("0", "created_at, id");
    NEWEST = page_by_age!("0", "created_at DESC, id DESC");
    FIRST = page_by_name!("0", "username_key");
    LAST = page_by_name!("0", "username_key DESC");
    OLDEST_SUSPENDED = page_by_age!("1", "created_at, id");
    NEWEST_SUSPENDED = page_by_age!("1", "created_at DESC, id DESC");
    FIRST_SUSPENDED = page_by_name!("1", "username_key");
    LAST_SUSPENDED = page_by_name!("1", "username_key DESC");
}

/// The users with these ids, without those who block the viewer.
pub(super) async fn by_ids(
    connection: &mut SqliteConnection,
    ids: &[UserId],
    viewer: Option<UserId>,
) -> sqlx::Result<HashMap<UserId, Arc<User>>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = query(BY_IDS)
        .bind(id_list(ids))
        .bind(viewer.map(|viewer| viewer.0))
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| user(row, 0).map(|user| (user.id, user))).collect()
}

/// The same, by username.
pub(super) async fn by_usernames(
    connection: &mut SqliteConnection,
    keys: &[UsernameKey],
    viewer: Option<UserId>,
) -> sqlx::Result<HashMap<UsernameKey, Arc<User>>> {
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let keys = json(&keys.iter().map(UsernameKey::as_str).collect::<Vec<_>>());
    let rows = query(BY_USERNAMES)
        .bind(keys)
        .bind(viewer.map(|viewer| viewer.0))
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| user(row, 0).map(|user| (UsernameKey::of(&user), user))).collect()
}

/// The same, by the id at the host.
pub(super) async fn by_external_ids(
    connection: &mut SqliteConnection,
    ids: &[ExternalId],
    viewer: Option<UserId>,
) -> sqlx::Result<HashMap<ExternalId, Arc<User>>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let texts = json(&ids.iter().map(ExternalId::as_str).collect::<Vec<_>>());
    let query = query(BY_EXTERNAL_IDS).bind(texts).bind(viewer.map(|viewer| viewer.0));
    let rows = query.fetch_all(connection).await?;
    let users = rows.iter().map(|row| user(row, 0)).collect::<sqlx::Result<Vec<_>>>()?;
    Ok(by_their_external_ids(ids, users))
}

/// A page of users, without those who block the viewer.
pub(super) async fn page(
    connection: &mut SqliteConnection,
    request: &UserListRequest<'_>,
    viewer: Option<UserId>,
) -> Result<Page<Arc<User>>> {
    let UserListRequest { page, search, .. } = request;
    let sql = super::shared::search::page(request);
    let query = query(sql).bind(page.fetch());
    let with_search = |query| {
        let query = if search.has_words() { search::bind_search(query, search) } else { query };
        query.bind(viewer.map(|viewer| viewer.0)).bind(search.role.clone())
    };

    match request.order {
        UserOrderField::CreatedAt => {
            let bounds = pages::age_bounds(page)?;
            let query = query.bind(bounds.probe_low).bind(bounds.probe_high);
            let query = query.bind(bounds.low.0.timestamp_micros()).bind(bounds.low.1.0);
            let query = query.bind(bounds.high.0.timestamp_micros()).bind(bounds.high.1.0);
            let (users, outside) = listed(&with_search(query).fetch_all(connection).await?)?;
            Ok(pages::age_page(page, users, outside))
        }
        UserOrderField::Username => {
            let bounds = pages::key_bounds(page)?;
            let query = query.bind(bounds.probe_low).bind(bounds.probe_high);
            let query = query.bind(bounds.low.to_owned()).bind(bounds.high.to_owned());
            let (users, outside) = listed(&with_search(query).fetch_all(connection).await?)?;
            Ok(pages::key_page(page, users, outside))
        }
    }
}

/// The users of a page, and what lies outside its bounds.
fn listed(rows: &[SqliteRow]) -> sqlx::Result<(Vec<Arc<User>>, Outside)> {
    let mut outside = Outside::default();
    let mut users = Vec::with_capacity(rows.len());
    for row in rows {
        outside = Outside { below: row.try_get(0)?, above: row.try_get(1)? };
        if row.try_get::<Option<i64>, _>(2)?.is_some() {
            users.push(user(row, 2)?);
        }
    }
    Ok((users, outside))
}
