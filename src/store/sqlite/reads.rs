//! The reads of every request, which keep connections and gather.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::{Sqlite, SqlitePool};

use super::{follows, users};
use crate::{
    domain::{FollowCounts, FollowPage, FollowPageKey, User, UserId, UsernameKey, UsernamePrefix},
    store::{Options, kept::Kept, lookups::Lookups, pages, plan::Pair},
};

type Gathered<K, V> = Lookups<Sqlite, K, V>;

#[derive(Debug)]
pub(super) struct Reads {
    pub(super) kept: Kept<Sqlite>,
    pub(super) users: Gathered<UserId, Arc<User>>,
    pub(super) usernames: Gathered<UsernameKey, Arc<User>>,
    pub(super) user_counts: Gathered<UsernamePrefix, i64>,
    pub(super) counts: Gathered<UserId, FollowCounts>,
    pub(super) edges: Gathered<Pair, DateTime<Utc>>,
    pub(super) pages: Gathered<FollowPageKey, FollowPage>,
    pub(super) page_ids: Gathered<FollowPageKey, FollowPage<UserId>>,
}

impl Reads {
    pub(super) fn new(readers: SqlitePool, options: Options) -> Self {
        let kept = Kept::of(readers, options);
        Self {
            users: Lookups::new(kept.clone(), |c, ids| Box::pin(users::by_ids(c, ids))),
            usernames: Lookups::new(kept.clone(), |c, k| Box::pin(users::by_usernames(c, k))),
            // All users are counted for all who ask. To count those with a prefix may take far less
            // time than that, so it shares nothing.
            user_counts: Lookups::new(kept.clone(), |c, prefixes| {
                Box::pin(users::counts(c, prefixes))
            })
            .gathering_only(|prefixes| prefixes.iter().all(UsernamePrefix::is_empty)),
            counts: Lookups::new(kept.clone(), |c, ids| Box::pin(follows::counts(c, ids))),
            edges: Lookups::new(kept.clone(), |c, pairs| Box::pin(follows::edges(c, pairs))),
            pages: Lookups::new(kept.clone(), |c, keys| Box::pin(follows::pages(c, keys)))
                .gathering_only(pages::are_small),
            page_ids: Lookups::new(kept.clone(), |c, keys| {
                Box::pin(follows::pages_of_ids(c, keys))
            })
            .gathering_only(pages::are_small),
            kept,
        }
    }
}
