//! The reads of every request, which keep connections and gather.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::{Sqlite, SqlitePool};

use super::{follows, users};
use crate::{
    domain::{FollowCounts, FollowPage, FollowPageKey, User, UserId, UsernameKey, UsernamePrefix},
    store::{
        Options,
        batching::{shared_lookup::SharedLookup, warm_connections::WarmConnections},
        follow_writes::Pair,
        pages,
    },
};

type Gathered<K, V> = SharedLookup<Sqlite, K, V>;

#[derive(Debug)]
pub(super) struct Reads {
    pub(super) kept: WarmConnections<Sqlite>,
    pub(super) users: Gathered<UserId, Arc<User>>,
    pub(super) usernames: Gathered<UsernameKey, Arc<User>>,
    pub(super) user_counts: Gathered<UsernamePrefix, i64>,
    pub(super) counts: Gathered<UserId, FollowCounts>,
    pub(super) edges: Gathered<Pair, DateTime<Utc>>,
    pub(super) pages: Gathered<FollowPageKey, FollowPage>,
}

impl Reads {
    pub(super) fn new(readers: SqlitePool, options: Options) -> Self {
        let kept = WarmConnections::of(readers, options);
        Self {
            users: SharedLookup::new(kept.clone(), |c, ids| Box::pin(users::by_ids(c, ids))),
            usernames: SharedLookup::new(kept.clone(), |c, k| Box::pin(users::by_usernames(c, k))),
            // All users are counted for all who ask. To count those with a prefix may take far less
            // time than that, so it shares nothing.
            user_counts: SharedLookup::new(kept.clone(), |c, prefixes| {
                Box::pin(users::counts(c, prefixes))
            })
            .gathering_only(|prefixes| prefixes.iter().all(UsernamePrefix::is_empty)),
            counts: SharedLookup::new(kept.clone(), |c, ids| Box::pin(follows::counts(c, ids))),
            edges: SharedLookup::new(kept.clone(), |c, pairs| Box::pin(follows::edges(c, pairs))),
            pages: SharedLookup::new(kept.clone(), |c, keys| Box::pin(follows::pages(c, keys)))
                .gathering_only(pages::are_small),
            kept,
        }
    }
}
