//! Reading everything, as of one moment.

use std::sync::Arc;

use async_trait::async_trait;

use super::Result;
use crate::domain::{Follow, User};

/// All users and follows as of the moment when the export began. Each call returns the next rows; none
/// at the end.
#[async_trait]
pub trait Export: Send {
    /// The next users, by id, each with the name of their role.
    ///
    /// # Errors
    /// If the database is not available.
    async fn users(&mut self) -> Result<Vec<(Arc<User>, String)>>;

    /// The next follows, by the ids of the followee and the follower.
    ///
    /// # Errors
    /// If the database is not available.
    async fn follows(&mut self) -> Result<Vec<Follow>>;
}
