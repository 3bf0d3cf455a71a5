//! The reads of every request, which keep connections and gather. Groups of changes take their
//! connections from the same ones.

use std::{collections::HashMap, sync::Arc};

use chrono::{DateTime, Utc};
use sqlx::PgPool;

use super::{Server, accounts, follows, pages, users};
use crate::{
    domain::{
        Account, FollowCounts, FollowPage, FollowPageKey, User, UserId, UsernameKey, UsernamePrefix,
    },
    store::{
        Options, Result,
        kept::Kept,
        lookups::Lookups,
        pages::{Shape, are_few_rows, are_small, shape},
        plan::Pair,
    },
};

type Gathered<K, V> = Lookups<sqlx::Postgres, K, V>;

#[derive(Debug)]
pub(super) struct Reads {
    pub(super) kept: Kept<sqlx::Postgres>,
    pub(super) users: Gathered<UserId, Arc<User>>,
    pub(super) usernames: Gathered<UsernameKey, Arc<User>>,
    pub(super) accounts: Gathered<UserId, Account>,
    pub(super) user_counts: Gathered<UsernamePrefix, i64>,
    pub(super) counts: Gathered<UserId, FollowCounts>,
    pub(super) edges: Gathered<Pair, DateTime<Utc>>,
    pub(super) pages: Pages<FollowPage>,
    pub(super) page_ids: Pages<FollowPage<UserId>>,
}

impl Reads {
    pub(super) fn new(pool: PgPool, server: Server, options: Options) -> Self {
        let kept = Kept::of(pool, options);
        // Where the server is one place, each page has a limit of its own.
        let ids_may_gather = if server.in_one_place { are_few_rows } else { are_small };
        Self {
            users: Lookups::new(kept.clone(), |c, ids| Box::pin(users::by_ids(c, ids))),
            usernames: Lookups::new(kept.clone(), |c, k| Box::pin(users::by_usernames(c, k))),
            accounts: Lookups::new(kept.clone(), |c, ids| Box::pin(accounts::by_ids(c, ids))),
            // All users are counted for all who ask. To count those with a prefix may take far less
            // time than that, so it shares nothing.
            user_counts: Lookups::new(kept.clone(), |c, p| Box::pin(users::counts(c, p)))
                .gathering_only(|prefixes| prefixes.iter().all(UsernamePrefix::is_empty)),
            counts: Lookups::new(kept.clone(), |c, ids| Box::pin(follows::counts(c, ids))),
            edges: Lookups::new(kept.clone(), |c, pairs| Box::pin(follows::edges(c, pairs))),
            // With users, a large page is work enough for a statement of its own.
            pages: Pages::new(are_small, || {
                Lookups::new(kept.clone(), move |c, keys| {
                    Box::pin(pages::find(c, server.in_one_place, keys))
                })
            }),
            page_ids: Pages::new(ids_may_gather, || {
                Lookups::new(kept.clone(), move |c, keys| {
                    Box::pin(pages::find_ids(c, server.in_one_place, keys))
                })
            }),
            kept,
        }
    }
}

/// Pages. Those of a shape that few have share no statement with the rest, since the largest form that
/// one page needs is that of all.
#[derive(Debug)]
pub(super) struct Pages<P> {
    older: Gathered<FollowPageKey, P>,
    any: Gathered<FollowPageKey, P>,
}

impl<P: Clone + Send + 'static> Pages<P> {
    /// `may_gather` tells which of the older ones share a statement.
    fn new(
        may_gather: fn(&[FollowPageKey]) -> bool,
        lookups: impl Fn() -> Gathered<FollowPageKey, P>,
    ) -> Self {
        let older = lookups().gathering_only(may_gather);
        Self { older, any: lookups().gathering_only(are_small) }
    }

    pub(super) async fn get(&self, keys: &[FollowPageKey]) -> Result<HashMap<FollowPageKey, P>> {
        match shape(keys) {
            Shape::Newest | Shape::Older => self.older.get(keys).await,
            Shape::Any => self.any.get(keys).await,
        }
    }
}
