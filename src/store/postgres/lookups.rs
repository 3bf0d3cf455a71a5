//! The reads of every request, which keep connections and gather. Groups of changes take their
//! connections from the same ones.

use std::{collections::HashMap, sync::Arc};

use chrono::{DateTime, Utc};
use sqlx::PgPool;

use super::{
    Server, accounts,
    follows::{self, pages},
    users,
};
use crate::{
    domain::{
        Account, Audience, FollowCounts, FollowPage, FollowPageKey, User, UserId, UsernameKey,
        UsernamePrefix,
    },
    store::{
        Options, Result,
        batching::{shared_lookup::SharedLookup, warm_connections::WarmConnections},
        follow_writes::Pair,
        pages::{Shape, are_few_rows, are_small, shape},
    },
};

type Gathered<K, V> = SharedLookup<sqlx::Postgres, K, V>;

#[derive(Debug)]
pub(super) struct Reads {
    pub(super) kept: WarmConnections<sqlx::Postgres>,
    pub(super) users: Gathered<UserId, Arc<User>>,
    pub(super) usernames: Gathered<UsernameKey, Arc<User>>,
    pub(super) accounts: Gathered<UserId, Account>,
    pub(super) user_counts: Gathered<UsernamePrefix, i64>,
    pub(super) counts: Gathered<UserId, FollowCounts>,
    pub(super) edges: Gathered<Pair, DateTime<Utc>>,
    pub(super) pages: Pages,
}

impl Reads {
    pub(super) fn new(pool: PgPool, server: Server, options: Options) -> Self {
        let kept = WarmConnections::of(pool, options);
        // Where the server is one place, each page has a limit of its own.
        let pages_may_gather = if server.in_one_place { are_few_rows } else { are_small };
        Self {
            users: SharedLookup::new(kept.clone(), |c, ids| Box::pin(users::by_ids(c, ids))),
            usernames: SharedLookup::new(kept.clone(), |c, k| Box::pin(users::by_usernames(c, k))),
            accounts: SharedLookup::new(kept.clone(), |c, ids| Box::pin(accounts::by_ids(c, ids))),
            // All users are counted for all who ask. To count those with a prefix may take far less
            // time than that, so it shares nothing.
            user_counts: SharedLookup::new(kept.clone(), |c, p| Box::pin(users::counts(c, p)))
                .gathering_only(|prefixes| prefixes.iter().all(UsernamePrefix::is_empty)),
            counts: SharedLookup::new(kept.clone(), |c, ids| Box::pin(follows::counts(c, ids))),
            edges: SharedLookup::new(kept.clone(), |c, pairs| Box::pin(follows::edges(c, pairs))),
            pages: Pages::new(pages_may_gather, || {
                SharedLookup::new(kept.clone(), move |c, keys| {
                    Box::pin(pages::find(c, server.in_one_place, keys))
                })
            }),
            kept,
        }
    }
}

/// Pages. Those of a shape that few have share no statement with the rest, since the largest form that
/// one page needs is that of all.
#[derive(Debug)]
pub(super) struct Pages {
    older: Gathered<FollowPageKey, FollowPage>,
    any: Gathered<FollowPageKey, FollowPage>,
}

impl Pages {
    /// `may_gather` tells which of the older ones share a statement.
    fn new(
        may_gather: fn(&[FollowPageKey]) -> bool,
        lookups: impl Fn() -> Gathered<FollowPageKey, FollowPage>,
    ) -> Self {
        let older = lookups().gathering_only(may_gather);
        Self { older, any: lookups().gathering_only(are_small) }
    }

    pub(super) async fn get(
        &self,
        audience: Audience,
        keys: &[FollowPageKey],
    ) -> Result<HashMap<FollowPageKey, FollowPage>> {
        match shape(keys) {
            Shape::Newest | Shape::Older => self.older.get(audience, keys).await,
            Shape::Any => self.any.get(audience, keys).await,
        }
    }
}
