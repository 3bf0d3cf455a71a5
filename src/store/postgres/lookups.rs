//! The reads of every request: the stash of connections that they take, and the look-ups that
//! requests share. Batches of follow changes take their connections from the same stash.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::PgPool;

use super::{
    Server, accounts,
    follows::{self, pages},
    shared, users,
};
use crate::{
    domain::{
        Account, EventLog, ExternalId, FollowPage, FollowPageKey, SeenLists, User, UserId,
        UserSearch, UsernameKey,
    },
    store::{
        Options,
        batching::{SharedLookup, WarmConnections},
        follow_writes::Pair,
        pages::{ListsKey, are_few_rows},
    },
};

type Lookup<K, V> = SharedLookup<sqlx::Postgres, K, V>;

#[derive(Debug)]
pub(super) struct Reads {
    pub(super) connections: WarmConnections<sqlx::Postgres>,
    pub(super) users: Lookup<UserId, Arc<User>>,
    pub(super) usernames: Lookup<UsernameKey, Arc<User>>,
    pub(super) external_ids: Lookup<ExternalId, Arc<User>>,
    pub(super) accounts: Lookup<UserId, Account>,
    pub(super) user_counts: Lookup<UserSearch, i64>,
    pub(super) lists: Lookup<ListsKey, SeenLists>,
    pub(super) edges: Lookup<Pair, DateTime<Utc>>,
    pub(super) events: Lookup<(UserId, i64), EventLog>,
    in_one_place: bool,
    newest_pages: Lookup<FollowPageKey, FollowPage>,
    any_pages: Lookup<FollowPageKey, FollowPage>,
}

impl Reads {
    pub(super) fn new(pool: PgPool, server: Server, options: Options) -> Self {
        let connections = WarmConnections::new(pool, options);
        let c = || connections.clone();
        Self {
            users: SharedLookup::new(c(), |c, ids| Box::pin(users::by_ids(c, ids, None))),
            usernames: SharedLookup::new(c(), |c, keys| {
                Box::pin(users::by_usernames(c, keys, None))
            }),
            external_ids: SharedLookup::new(c(), |c, ids| {
                Box::pin(users::by_external_ids(c, ids, None))
            }),
            accounts: SharedLookup::new(c(), |c, ids| Box::pin(accounts::by_ids(c, ids))),
            // The count of all users is the same for all callers. Counting those who match a
            // search may take far less time, so it does not wait for others.
            user_counts: SharedLookup::new(c(), |c, keys| {
                Box::pin(shared::search::counts(c, keys, None))
            })
            .sharing_only(|searches| searches.iter().all(UserSearch::matches_all)),
            lists: SharedLookup::new(c(), |c, keys| Box::pin(follows::lists(c, keys, None))),
            edges: SharedLookup::new(c(), |c, pairs| Box::pin(follows::edges(c, pairs))),
            events: SharedLookup::new(c(), |c, places| Box::pin(shared::events::after(c, places))),
            newest_pages: SharedLookup::new(c(), |c, keys| Box::pin(pages::newest(c, keys)))
                .sharing_only(are_few_rows),
            any_pages: SharedLookup::new(c(), |c, keys| Box::pin(pages::any(c, keys, None)))
                .sharing_only(are_few_rows),
            in_one_place: server.in_one_place,
            connections,
        }
    }

    /// The look-up for these pages. The two kinds never share a statement: one page that needs the
    /// general statement would make all others in it dearer.
    pub(super) fn pages(&self, keys: &[FollowPageKey]) -> &Lookup<FollowPageKey, FollowPage> {
        if self.in_one_place && keys.iter().all(pages::is_newest_first) {
            &self.newest_pages
        } else {
            &self.any_pages
        }
    }
}
