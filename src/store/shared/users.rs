//! Rows of users.

use std::{collections::HashMap, sync::Arc};

use smol_str::SmolStr;
use sqlx::{Database, Row};

use super::super::{Db, time};
use crate::domain::{ExternalId, Standing, User, UserId};

/// A user from eight columns that begin at `first`.
pub(crate) fn user(row: &<Db as Database>::Row, first: usize) -> sqlx::Result<Arc<User>> {
    Ok(Arc::new(User {
        id: UserId(row.try_get(first)?),
        username: row.try_get::<&str, _>(first + 1)?.into(),
        name: row.try_get::<Option<&str>, _>(first + 2)?.map(SmolStr::new),
        bio: row.try_get(first + 3)?,
        avatar_url: row.try_get(first + 4)?,
        created_at: time(row.try_get(first + 5)?)?,
        external_id: row.try_get::<Option<&str>, _>(first + 6)?.map(SmolStr::new),
        standing: Standing::from_stored(row.try_get(first + 7)?),
    }))
}

/// Users by those of the ids at the host that they have.
pub(crate) fn by_their_external_ids(
    ids: &[ExternalId],
    users: Vec<Arc<User>>,
) -> HashMap<ExternalId, Arc<User>> {
    let named = |user: Arc<User>| Some((user.external_id.clone()?, user));
    let mut users: HashMap<_, _> = users.into_iter().filter_map(named).collect();
    ids.iter().filter_map(|id| Some((id.clone(), users.remove(id.as_str())?))).collect()
}
