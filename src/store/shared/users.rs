//! Rows of users.

use std::sync::Arc;

use smol_str::SmolStr;
use sqlx::{Database, Row};

use super::super::{Db, time};
use crate::domain::{User, UserId};

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
