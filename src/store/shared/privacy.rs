//! Privacy settings, mutes, and the lists that only their owner reads.

use chrono::{DateTime, Utc};
use sqlx::{Database, Pool, Row};

use super::super::{Db, Time, begin, stored, time};
use crate::{
    domain::{
        FollowPosition, Mute, MuteOutcome, OrderDirection, Outside, OwnItem, OwnLengths, OwnList,
        Page, PageRequest, Privacy, PrivacyChange, UserId,
    },
    store::{
        error::is_foreign_key_violation,
        pages::{follow_bounds, own_page},
        retry::Tries,
        sql::{
            ADD_MUTE, BLOCKED_NEWEST, BLOCKED_OLDEST, COUNT_MUTE, DISCOUNT_MUTE, EXTEND_MUTE,
            MUTED_NEWEST, MUTED_OLDEST, OWN_LENGTHS, PRIVACY, REMOVE_MUTE,
            REQUESTS_RECEIVED_NEWEST, REQUESTS_RECEIVED_OLDEST, REQUESTS_SENT_NEWEST,
            REQUESTS_SENT_OLDEST, UPDATE_PRIVACY,
        },
        statement::{query, query_as, query_scalar},
    },
};

pub(super) async fn find(
    connection: &mut Connection,
    user: UserId,
) -> sqlx::Result<Option<Privacy>> {
    let bits = query_scalar(PRIVACY).bind(user.0).fetch_optional(connection).await?;
    Ok(bits.map(Privacy::from_bits))
}

pub(super) async fn update(
    pool: Pool<Db>,
    user: UserId,
    change: PrivacyChange,
) -> sqlx::Result<Option<Privacy>> {
    let (kept, set) = change.masks();
    let update = query_scalar(UPDATE_PRIVACY).bind(user.0).bind(kept).bind(set);
    Ok(update.fetch_optional(&pool).await?.map(Privacy::from_bits))
}

type Connection = <Db as Database>::Connection;

/// Who mutes whom.
#[derive(Clone, Copy)]
pub(super) struct Muting {
    pub(super) muter: UserId,
    pub(super) muted: UserId,
}

pub(super) async fn mute(
    pool: Pool<Db>,
    Muting { muter, muted }: Muting,
    mute: Mute,
    at: DateTime<Utc>,
    limit: i64,
) -> sqlx::Result<MuteOutcome> {
    let mut tx = begin(&pool).await?;
    let until = mute.until.map(stored);
    let extend = query(EXTEND_MUTE).bind(muter.0).bind(muted.0).bind(until);
    if extend.execute(&mut *tx).await?.rows_affected() == 0 {
        let add = query(ADD_MUTE).bind(muter.0).bind(muted.0).bind(until).bind(stored(at));
        let added = match add.execute(&mut *tx).await {
            Ok(added) => added.rows_affected(),
            Err(error) if is_foreign_key_violation(&error) => return Ok(MuteOutcome::NotFound),
            Err(error) => return Err(error),
        };
        // Without a new row, another call has added it meanwhile: either end is right.
        if added == 1 {
            let count = query(COUNT_MUTE).bind(muter.0).bind(limit);
            if count.execute(&mut *tx).await?.rows_affected() == 0 {
                tx.rollback().await?;
                return Ok(MuteOutcome::LimitReached);
            }
        }
    }
    tx.commit().await?;
    Ok(MuteOutcome::Muted)
}

/// Ends a mute, and returns whether there was one.
pub(super) async fn unmute(
    tries: Tries,
    pool: Pool<Db>,
    Muting { muter, muted }: Muting,
) -> sqlx::Result<bool> {
    let mut tx = begin(&pool).await?;
    let remove = query(REMOVE_MUTE).bind(muter.0).bind(muted.0);
    if remove.execute(&mut *tx).await?.rows_affected() == 0 {
        return Ok(tries.may_have_committed());
    }
    query(DISCOUNT_MUTE).bind(muter.0).execute(&mut *tx).await?;
    tries.commit(tx).await?;
    Ok(true)
}

pub(super) async fn own_lengths(
    connection: &mut Connection,
    user: UserId,
    viewer: Option<UserId>,
) -> sqlx::Result<OwnLengths> {
    let query = query_as(OWN_LENGTHS).bind(user.0).bind(viewer.map(|viewer| viewer.0));
    let lengths = query.fetch_optional(connection).await?;
    let (requests_received, requests_sent, blocked, muted) = lengths.unwrap_or_default();
    Ok(OwnLengths { requests_received, requests_sent, blocked, muted })
}

/// A page of a list of a user's own, without the users who block the viewer.
pub(super) async fn page_of_own(
    connection: &mut Connection,
    user: UserId,
    list: OwnList,
    request: &PageRequest<FollowPosition>,
    viewer: Option<UserId>,
) -> sqlx::Result<Page<OwnItem>> {
    let (newest, oldest) = match list {
        OwnList::RequestsReceived => (REQUESTS_RECEIVED_NEWEST, REQUESTS_RECEIVED_OLDEST),
        OwnList::RequestsSent => (REQUESTS_SENT_NEWEST, REQUESTS_SENT_OLDEST),
        OwnList::Blocked => (BLOCKED_NEWEST, BLOCKED_OLDEST),
        OwnList::Muted => (MUTED_NEWEST, MUTED_OLDEST),
    };
    let sql = if request.scan() == OrderDirection::Desc { newest } else { oldest };
    let bounds = follow_bounds(request);
    let query = query(sql)
        .bind(user.0)
        .bind(i64::from(request.fetch()))
        .bind(viewer.map(|viewer| viewer.0))
        .bind(bounds.probe_low)
        .bind(bounds.probe_high)
        .bind(stored(bounds.low.0))
        .bind(bounds.low.1.0)
        .bind(stored(bounds.high.0))
        .bind(bounds.high.1.0);

    let (mut items, mut outside) = (Vec::new(), Outside::default());
    for row in query.fetch_all(connection).await? {
        outside = Outside { below: row.try_get(0)?, above: row.try_get(1)? };
        items.extend(item(&row)?);
    }
    Ok(own_page(request, items, outside))
}

fn item(row: &<Db as Database>::Row) -> sqlx::Result<Option<OwnItem>> {
    let Some(user) = row.try_get::<Option<i64>, _>(2)? else { return Ok(None) };
    let until: Option<Time> = row.try_get(4)?;
    Ok(Some(OwnItem {
        user: UserId(user),
        since: time(row.try_get(3)?)?,
        until: until.map(time).transpose()?,
    }))
}
