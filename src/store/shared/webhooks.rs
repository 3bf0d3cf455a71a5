//! The outbox: claiming messages, settling attempts, and what the operator sees and resends.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use sqlx::{Database, Pool, Row};

use super::super::{
    Db, Time, begin, bind_attempts, bind_postponed, id_list, stored, text_list, time,
    webhooks::{CLAIM_WEBHOOKS, NAMES, POSTPONE_WEBHOOKS, REMOVE_WEBHOOKS, RESEND_WEBHOOKS},
};
use crate::{
    domain::{
        UserId, Webhook, WebhookAttempt, WebhookBacklog, WebhookKind, WebhookNames, WebhookOutcome,
        WebhookUser,
    },
    store::{
        sql::{PARKED_WEBHOOKS, WEBHOOK_BACKLOG},
        statement::{query, query_as, query_scalar},
    },
};

/// The id of an attempt's message, its number, when it is sent again, and why.
pub(crate) type Postponed<'a> = (&'a str, i16, Option<DateTime<Utc>>, &'a str);

pub(super) async fn claim(
    pool: Pool<Db>,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
    limit: u32,
) -> sqlx::Result<Vec<Webhook>> {
    let claim = query(CLAIM_WEBHOOKS).bind(stored(now)).bind(stored(until)).bind(i64::from(limit));
    let rows = claim.fetch_all(&pool).await?;
    webhooks(&pool, &rows).await
}

pub(super) async fn parked(pool: &Pool<Db>, after: &str, limit: u32) -> sqlx::Result<Vec<Webhook>> {
    let rows = query(PARKED_WEBHOOKS).bind(after.to_owned()).bind(i64::from(limit));
    let rows = rows.fetch_all(pool).await?;
    webhooks(pool, &rows).await
}

/// Messages from their rows, with the users in them.
async fn webhooks(pool: &Pool<Db>, rows: &[<Db as Database>::Row]) -> sqlx::Result<Vec<Webhook>> {
    let mut messages = rows.iter().map(webhook).collect::<sqlx::Result<Vec<_>>>()?;
    if messages.is_empty() {
        return Ok(messages);
    }
    let users: BTreeSet<_> =
        messages.iter().flat_map(|message| [message.follower.id, message.followee.id]).collect();
    let users: Vec<_> = users.into_iter().collect();
    let rows: Vec<(i64, String, Option<String>)> =
        query_as(NAMES).bind(id_list(&users)).fetch_all(pool).await?;
    let names: HashMap<_, _> = rows
        .into_iter()
        .map(|(id, username, external_id)| (UserId(id), WebhookNames { username, external_id }))
        .collect();
    for message in &mut messages {
        for user in [&mut message.follower, &mut message.followee] {
            user.names = names.get(&user.id).cloned();
        }
    }
    Ok(messages)
}

fn webhook(row: &<Db as Database>::Row) -> sqlx::Result<Webhook> {
    let kind: i16 = row.try_get(1)?;
    let found = usize::try_from(kind).ok().and_then(|place| WebhookKind::ALL.get(place));
    let unknown = || sqlx::Error::Decode(format!("a webhook has no kind {kind}").into());
    let user = |id| WebhookUser { id: UserId(id), names: None };
    Ok(Webhook {
        id: row.try_get(0)?,
        kind: *found.ok_or_else(unknown)?,
        follower: user(row.try_get(2)?),
        followee: user(row.try_get(3)?),
        at: time(row.try_get::<Time, _>(4)?)?,
        attempts: row.try_get(5)?,
        failure: row.try_get(6)?,
    })
}

/// Settles attempts in one transaction.
pub(super) async fn settle(pool: Pool<Db>, attempts: Arc<[WebhookAttempt]>) -> sqlx::Result<()> {
    let (mut done, mut postponed) = (Vec::new(), Vec::<Postponed<'_>>::new());
    for WebhookAttempt { id, number, outcome } in &*attempts {
        match outcome {
            WebhookOutcome::Done => done.push((id.as_str(), *number)),
            WebhookOutcome::Retry { due_at, failure } => {
                postponed.push((id, *number, Some(*due_at), failure));
            }
            WebhookOutcome::Parked { failure } => postponed.push((id, *number, None, failure)),
        }
    }
    let mut tx = begin(&pool).await?;
    if !done.is_empty() {
        bind_attempts(query(REMOVE_WEBHOOKS), &done).execute(&mut *tx).await?;
    }
    if !postponed.is_empty() {
        bind_postponed(query(POSTPONE_WEBHOOKS), &postponed).execute(&mut *tx).await?;
    }
    tx.commit().await
}

/// Makes messages due, unless one of the ids is not that of a parked one.
pub(super) async fn resend(
    pool: Pool<Db>,
    ids: Arc<[String]>,
    due_at: DateTime<Utc>,
) -> sqlx::Result<Vec<String>> {
    let mut tx = begin(&pool).await?;
    let resend = query_scalar(RESEND_WEBHOOKS).bind(text_list(&ids)).bind(stored(due_at));
    let resent: HashSet<String> = resend.fetch_all(&mut *tx).await?.into_iter().collect();
    let others: Vec<_> = ids.iter().filter(|id| !resent.contains(*id)).cloned().collect();
    if others.is_empty() {
        tx.commit().await?;
    } else {
        tx.rollback().await?;
    }
    Ok(others)
}

pub(super) async fn backlog(pool: &Pool<Db>) -> sqlx::Result<WebhookBacklog> {
    let (waiting, parked, oldest): (i64, i64, Option<Time>) =
        query_as(WEBHOOK_BACKLOG).fetch_one(pool).await?;
    Ok(WebhookBacklog { waiting, parked, oldest: oldest.map(time).transpose()? })
}
