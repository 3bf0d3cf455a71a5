//! Reading everything, or everything of one account, as of one moment.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::{Row, Transaction};

use super::{
    super::{
        Db, Engine, follows::pages, maintenance::drift::export_snapshot, time,
        users as rows_of_users,
    },
    events, follows, privacy, users,
};
use crate::{
    domain::{
        Day, Ends, Follow, FollowEvent, FollowItem, FollowPageKey, FollowPosition, ListReader,
        OrderDirection, OwnItem, PageRequest, User, UserId, Window,
    },
    store::{
        Export, ExportedAccount, ExportedList, Result,
        sql::{COUNT_EVENTS, EXPORT_FOLLOWS, EXPORT_USERS},
        statement::{query, query_scalar},
    },
};

/// The number of rows that are read together.
const ROWS: i64 = 5_000;
/// The number of entries of a list that are read together.
const ENTRIES: u32 = 1_000;

/// A snapshot, and how far each table was read.
struct Exported {
    tx: Transaction<'static, Db>,
    user: UserId,
    /// The followee and the follower.
    follow: (UserId, UserId),
}

pub(super) async fn begin(engine: &Engine) -> Result<Box<dyn Export>> {
    let (user, follow) = (UserId::MIN, (UserId::MIN, UserId::MIN));
    Ok(Box::new(Exported { tx: export_snapshot(engine).await?, user, follow }))
}

/// A page of a list from a position on.
const fn next<P>(direction: OrderDirection, after: Option<P>) -> PageRequest<P> {
    let window = Window::First(ENTRIES);
    PageRequest { direction, window, after, before: None, ends: Ends::NONE }
}

impl Exported {
    /// Users after an id, each with the name of their role.
    async fn users_after(
        &mut self,
        after: UserId,
        most: i64,
    ) -> sqlx::Result<Vec<(Arc<User>, String)>> {
        let rows = query(EXPORT_USERS).bind(after.0).bind(most).fetch_all(&mut *self.tx).await?;
        rows.iter().map(|row| Ok((users::user(row, 1)?, row.try_get(0)?))).collect()
    }

    /// Things about other users, each with the user, unless the user is missing or blocks the owner.
    async fn with_users<T>(
        &mut self,
        owner: UserId,
        items: Vec<T>,
        user: impl Fn(&T) -> UserId + Send + Sync,
    ) -> Result<Vec<(T, Option<Arc<User>>)>> {
        let ids: Vec<_> = items.iter().map(&user).collect();
        let tx = &mut *self.tx;
        let users = rows_of_users::by_ids(tx, &ids, Some(owner)).await?;
        let found = items.into_iter().map(|item| {
            let found = users.get(&user(&item)).map(Arc::clone);
            (item, found)
        });
        Ok(found.collect())
    }
}

#[async_trait]
impl Export for Exported {
    async fn users(&mut self) -> Result<Vec<(Arc<User>, String)>> {
        let found = self.users_after(self.user, ROWS).await?;
        self.user = found.last().map_or(self.user, |(user, _)| user.id);
        Ok(found)
    }

    async fn follows(&mut self) -> Result<Vec<Follow>> {
        let (followee, follower) = self.follow;
        let query = query(EXPORT_FOLLOWS).bind(followee.0).bind(follower.0).bind(ROWS);
        let rows = query.fetch_all(&mut *self.tx).await?;
        let mut found = Vec::with_capacity(rows.len());
        for row in rows {
            let (follower, followee) = (UserId(row.try_get(0)?), UserId(row.try_get(1)?));
            self.follow = (followee, follower);
            found.push(Follow { follower, followee, followed_at: time(row.try_get(2)?)? });
        }
        Ok(found)
    }

    async fn account(&mut self, user: UserId, day: Day) -> Result<Option<ExportedAccount>> {
        let found = self.users_after(UserId(user.0.saturating_sub(1)), 1).await?.pop();
        let Some((user, role)) = found.filter(|(found, _)| found.id == user) else {
            return Ok(None);
        };
        let (id, tx) = (user.id, &mut *self.tx);
        let privacy = privacy::find(tx, id).await?.unwrap_or_default();
        let usage = follows::usage(tx, id, day).await?.unwrap_or_default();
        let lengths = privacy::own_lengths(tx, id, Some(id)).await?;
        let events = query_scalar(COUNT_EVENTS).bind(id.0).fetch_one(tx).await?;
        Ok(Some(ExportedAccount { user, role, privacy, usage, lengths, events }))
    }

    async fn entries(
        &mut self,
        owner: UserId,
        list: ExportedList,
        after: Option<FollowPosition>,
    ) -> Result<Vec<(OwnItem, Option<Arc<User>>)>> {
        let (request, tx) = (next(OrderDirection::Desc, after), &mut *self.tx);
        let items = match list {
            ExportedList::Follows(list) => {
                let reader = ListReader::Everything;
                let key = FollowPageKey { user: owner, list, reader, request };
                let page = pages::any(tx, &[key], None).await?.remove(&key);
                let item = |FollowItem { user, followed_at }| OwnItem {
                    user,
                    since: followed_at,
                    until: None,
                };
                page.into_iter().flat_map(|page| page.page.items).map(item).collect()
            }
            ExportedList::Own(list) => {
                let page = privacy::page_of_own(tx, owner, list, &request, Some(owner));
                page.await?.items
            }
        };
        self.with_users(owner, items, |item| item.user).await
    }

    async fn events(
        &mut self,
        owner: UserId,
        after: i64,
    ) -> Result<Vec<(FollowEvent, Option<Arc<User>>)>> {
        let (request, tx) = (next(OrderDirection::Asc, Some(after)), &mut *self.tx);
        let page = events::page(tx, owner, &request).await?;
        self.with_users(owner, page.page.items, |event| event.other).await
    }
}
