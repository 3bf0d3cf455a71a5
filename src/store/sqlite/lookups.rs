//! The reads of every request: the stash of connections that they take, and the look-ups that
//! requests share.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::{Sqlite, SqlitePool};

use super::{
    follows::{self, pages},
    shared, users,
};
use crate::{
    domain::{
        EventLog, ExternalId, FollowPage, FollowPageKey, SeenLists, User, UserId, UserSearch,
        UsernameKey,
    },
    store::{
        Options,
        batching::{SharedLookup, WarmConnections},
        follow_writes::Pair,
        pages::{ListsKey, are_small},
    },
};

type Lookup<K, V> = SharedLookup<Sqlite, K, V>;

#[derive(Debug)]
pub(super) struct Reads {
    pub(super) connections: WarmConnections<Sqlite>,
    pub(super) users: Lookup<UserId, Arc<User>>,
    pub(super) usernames: Lookup<UsernameKey, Arc<User>>,
    pub(super) external_ids: Lookup<ExternalId, Arc<User>>,
    pub(super) user_counts: Lookup<UserSearch, i64>,
    pub(super) lists: Lookup<ListsKey, SeenLists>,
    pub(super) edges: Lookup<Pair, DateTime<Utc>>,
    pub(super) events: Lookup<(UserId, i64), EventLog>,
    follow_pages: Lookup<FollowPageKey, FollowPage>,
}

impl Reads {
    pub(super) fn new(readers: SqlitePool, options: Options) -> Self {
        let connections = WarmConnections::new(readers, options);
        let c = || connections.clone();
        Self {
            users: SharedLookup::new(c(), |c, ids| Box::pin(users::by_ids(c, ids, None))),
            usernames: SharedLookup::new(c(), |c, keys| {
                Box::pin(users::by_usernames(c, keys, None))
            }),
            external_ids: SharedLookup::new(c(), |c, ids| {
                Box::pin(users::by_external_ids(c, ids, None))
            }),
            // The count of all users is the same for all callers. Counting those who match a
            // search may take far less time, so it does not wait for others.
            user_counts: SharedLookup::new(c(), |c, keys| {
                Box::pin(shared::search::counts(c, keys, None))
            })
            .sharing_only(|searches| searches.iter().all(UserSearch::matches_all)),
            lists: SharedLookup::new(c(), |c, keys| Box::pin(follows::lists(c, keys, None))),
            edges: SharedLookup::new(c(), |c, pairs| Box::pin(follows::edges(c, pairs))),
            events: SharedLookup::new(c(), |c, places| Box::pin(shared::events::after(c, places))),
            follow_pages: SharedLookup::new(c(), |c, keys| Box::pin(pages::any(c, keys, None)))
                .sharing_only(are_small),
            connections,
        }
    }

    /// The look-up for pages of any kind.
    pub(super) const fn pages(&self, _: &[FollowPageKey]) -> &Lookup<FollowPageKey, FollowPage> {
        &self.follow_pages
    }
}
