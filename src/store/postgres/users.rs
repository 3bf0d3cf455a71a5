//! Users: look-ups and lists.

use std::{collections::HashMap, sync::Arc};

use smol_str::SmolStr;
use sqlx::{PgConnection, PgExecutor, Row, postgres::PgRow};

use super::{arrays, id_list, search, shared::users::by_their_external_ids};
use crate::{
    domain::{
        ExternalId, Outside, Page, Standing, User, UserId, UserListRequest, UserOrderField,
        UsernameKey,
    },
    store::{
        Result, pages,
        sql::{is_found, is_listed},
        statement::query,
    },
};

/// The columns of `user_columns` as one row of arrays, which decode many times faster than a row for
/// each user. [`of_arrays`] reads them.
macro_rules! arrays_of_users {
    () => {
        "array_agg(u.id), array_agg(u.username), array_agg(u.name), array_agg(u.bio), \
         array_agg(u.avatar_url), array_agg(u.created_at), array_agg(u.subject), \
         array_agg(CAST(u.standing AS bigint))"
    };
}

pub(super) use arrays_of_users;

/// A page of all users between two bounds (`$4` and up), in one scan of the index of its order: one
/// row with arrays. An empty page also has that row, which says what lies outside its bounds.
macro_rules! page_of_users {
    (
        $standing:literal, $position:literal, $low:literal, $high:literal, $order:literal, $viewer:literal,
        $role:literal
    ) => {
        concat! {
            "SELECT o.below, o.above, p.* FROM ( ",
              "SELECT $2::boolean AND EXISTS ( ",
                       "SELECT 1 FROM users WHERE ", $position, " <= ", $low, " AND ",
                       is_listed!($standing, $viewer, $role), ") AS below, ",
                     "$3::boolean AND EXISTS ( ",
                       "SELECT 1 FROM users WHERE ", $position, " >= ", $high, " AND ",
                       is_listed!($standing, $viewer, $role), ") AS above) o ",
            "CROSS JOIN ( ",
              "SELECT ", arrays_of_users!(), " FROM ( ",
                "SELECT * FROM users ",
                "WHERE ", $position, " > ", $low, " AND ", $position, " < ", $high,
                " AND ", is_listed!($standing, $viewer, $role), " ORDER BY ", $order, " LIMIT $1) u) p"
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
        "SELECT ", arrays_of_users!(), " FROM users u WHERE u.id = ANY($1) AND ",
        is_found!("u.", "$2")
    );
    BY_USERNAMES = concat!(
        "SELECT ", arrays_of_users!(), " FROM users u WHERE u.username_key = ANY($1) AND ",
        is_found!("u.", "$2")
    );
    BY_EXTERNAL_IDS = concat!(
        "SELECT ", arrays_of_users!(), " FROM users u WHERE u.subject = ANY($1) AND ",
        is_found!("u.", "$2")
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

/// Users from `arrays_of_users` that begin at `first`.
fn of_arrays(row: &PgRow, first: usize) -> sqlx::Result<Vec<Arc<User>>> {
    let texts = |column| arrays::of_texts(row, first + column).map(Vec::into_iter);
    let (mut usernames, mut names, mut bios, mut urls) =
        (texts(1)?, texts(2)?, texts(3)?, texts(4)?);
    let mut times = arrays::of_times(row, first + 5)?;
    let mut external_ids = texts(6)?;
    let mut standings = arrays::of_numbers(row, first + 7)?;
    let short = || sqlx::Error::Decode("the columns of users differ in length".into());
    let user = |id| {
        Ok(Arc::new(User {
            id: UserId(id?),
            username: usernames.next().flatten().ok_or_else(short)?.into(),
            name: names.next().ok_or_else(short)?.map(SmolStr::from),
            bio: bios.next().ok_or_else(short)?.map(str::to_owned),
            avatar_url: urls.next().ok_or_else(short)?.map(str::to_owned),
            created_at: times.next().ok_or_else(short)??,
            external_id: external_ids.next().ok_or_else(short)?.map(SmolStr::from),
            standing: standing(standings.next().ok_or_else(short)??),
        }))
    };
    arrays::of_numbers(row, first)?.map(user).collect()
}

fn standing(stored: i64) -> Standing {
    Standing::from_stored(stored.try_into().unwrap_or(i16::MAX))
}

/// The users with these ids, without those who block the viewer.
pub(super) async fn by_ids(
    connection: impl PgExecutor<'_>,
    ids: &[UserId],
    viewer: Option<UserId>,
) -> sqlx::Result<HashMap<UserId, Arc<User>>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let row = query(BY_IDS)
        .bind(id_list(ids))
        .bind(viewer.map(|viewer| viewer.0))
        .fetch_one(connection)
        .await?;
    Ok(of_arrays(&row, 0)?.into_iter().map(|user| (user.id, user)).collect())
}

/// The same, by username.
pub(super) async fn by_usernames(
    connection: impl PgExecutor<'_>,
    keys: &[UsernameKey],
    viewer: Option<UserId>,
) -> sqlx::Result<HashMap<UsernameKey, Arc<User>>> {
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let keys: Vec<_> = keys.iter().map(UsernameKey::as_str).collect();
    let row = query(BY_USERNAMES)
        .bind(keys)
        .bind(viewer.map(|viewer| viewer.0))
        .fetch_one(connection)
        .await?;
    Ok(of_arrays(&row, 0)?.into_iter().map(|user| (UsernameKey::of(&user), user)).collect())
}

/// The same, by the id at the host.
pub(super) async fn by_external_ids(
    connection: impl PgExecutor<'_>,
    ids: &[ExternalId],
    viewer: Option<UserId>,
) -> sqlx::Result<HashMap<ExternalId, Arc<User>>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let texts: Vec<_> = ids.iter().map(ExternalId::as_str).collect();
    let query = query(BY_EXTERNAL_IDS).bind(texts).bind(viewer.map(|viewer| viewer.0));
    let row = query.fetch_one(connection).await?;
    Ok(by_their_external_ids(ids, of_arrays(&row, 0)?))
}

/// A page of users, without those who block the viewer.
pub(super) async fn page(
    connection: &mut PgConnection,
    request: &UserListRequest<'_>,
    viewer: Option<UserId>,
) -> Result<Page<Arc<User>>> {
    let UserListRequest { page, search, .. } = request;
    let sql = super::shared::search::page(request);
    let query = query(sql).bind(i64::from(page.fetch()));
    let with_search = |query| {
        let query = if search.has_words() { search::bind_search(query, search) } else { query };
        query.bind(viewer.map(|viewer| viewer.0)).bind(search.role.clone())
    };

    match request.order {
        UserOrderField::CreatedAt => {
            let bounds = pages::age_bounds(page)?;
            let query = query.bind(bounds.probe_low).bind(bounds.probe_high);
            let query = query.bind(bounds.low.0).bind(bounds.low.1.0);
            let query = query.bind(bounds.high.0).bind(bounds.high.1.0);
            let (users, outside) = listed(&with_search(query).fetch_one(connection).await?)?;
            Ok(pages::age_page(page, users, outside))
        }
        UserOrderField::Username => {
            let bounds = pages::key_bounds(page)?;
            let query = query.bind(bounds.probe_low).bind(bounds.probe_high);
            let query = query.bind(bounds.low.to_owned()).bind(bounds.high.to_owned());
            let (users, outside) = listed(&with_search(query).fetch_one(connection).await?)?;
            Ok(pages::key_page(page, users, outside))
        }
    }
}

/// The users of a page, and what lies outside its bounds.
fn listed(row: &PgRow) -> sqlx::Result<(Vec<Arc<User>>, Outside)> {
    let outside = Outside { below: row.try_get(0)?, above: row.try_get(1)? };
    Ok((of_arrays(row, 2)?, outside))
}
