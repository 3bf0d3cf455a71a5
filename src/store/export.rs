//! Reading everything, or everything of one account, as of one moment.

use std::sync::Arc;

use async_trait::async_trait;

use super::Result;
use crate::domain::{
    Day, Follow, FollowEvent, FollowList, FollowPosition, FollowUsage, OwnItem, OwnLengths,
    OwnList, Privacy, User, UserId,
};

/// All users and follows as of the moment when the export began. [`users`](Self::users) and
/// [`follows`](Self::follows) return the next rows each time; none at the end.
///
/// What is read of one account is as its owner sees it: without the users who block the owner.
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

    /// What is stored of an account besides its lists; `None` if there is no such user. `day` is that
    /// of the usage.
    ///
    /// # Errors
    /// If the database is not available.
    async fn account(&mut self, user: UserId, day: Day) -> Result<Option<ExportedAccount>>;

    /// Entries of a list of an account after a position, the newest first; none at the end. A user who
    /// is missing is `None`.
    ///
    /// # Errors
    /// If the database is not available.
    async fn entries(
        &mut self,
        owner: UserId,
        list: ExportedList,
        after: Option<FollowPosition>,
    ) -> Result<Vec<(OwnItem, Option<Arc<User>>)>>;

    /// Events of the log of an account after a number, the oldest first; none at the end. Another user
    /// who is missing or blocks the owner is `None`.
    ///
    /// # Errors
    /// If the database is not available.
    async fn events(
        &mut self,
        owner: UserId,
        after: i64,
    ) -> Result<Vec<(FollowEvent, Option<Arc<User>>)>>;
}

/// A list of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportedList {
    /// One of follows.
    Follows(FollowList),
    /// One that only its owner reads.
    Own(OwnList),
}

/// What is stored of an account besides its lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportedAccount {
    /// The user.
    pub user: Arc<User>,
    /// The name of the role.
    pub role: String,
    /// The privacy settings.
    pub privacy: Privacy,
    /// The lengths of both lists of follows, and what counts towards the limits.
    pub usage: FollowUsage,
    /// The lengths of the other lists.
    pub lengths: OwnLengths,
    /// The number of events that are kept.
    pub events: i64,
}
