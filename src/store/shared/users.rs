//! Users: rows of them, and their number.

use std::{collections::HashMap, sync::Arc};

use smol_str::SmolStr;
use sqlx::{Database, Row};

use super::super::{Db, time};
use crate::{
    domain::{User, UserId, UsernamePrefix},
    store::{sql::COUNT_USERS_WITH_PREFIX, statement::query_scalar},
};

/// A user from six columns that begin at `first`.
pub(crate) fn user(row: &<Db as Database>::Row, first: usize) -> sqlx::Result<Arc<User>> {
    Ok(Arc::new(User {
        id: UserId(row.try_get(first)?),
        username: row.try_get::<&str, _>(first + 1)?.into(),
        name: row.try_get::<Option<&str>, _>(first + 2)?.map(SmolStr::new),
        bio: row.try_get(first + 3)?,
        avatar_url: row.try_get(first + 4)?,
        created_at: time(row.try_get(first + 5)?)?,
    }))
}

/// The number of users with each prefix, one statement each: a call has one prefix, and calls that
/// share a statement have the same.
pub(crate) async fn counts(
    connection: &mut <Db as Database>::Connection,
    prefixes: &[UsernamePrefix],
) -> sqlx::Result<HashMap<UsernamePrefix, i64>> {
    let mut counts = HashMap::with_capacity(prefixes.len());
    for prefix in prefixes {
        let query = query_scalar(COUNT_USERS_WITH_PREFIX)
            .bind(prefix.lower_bound())
            .bind(prefix.upper_bound());
        counts.insert(prefix.clone(), query.fetch_one(&mut *connection).await?);
    }
    Ok(counts)
}
