//! The logs of users: reading them, and deleting old events.

use std::collections::{BTreeMap, HashMap};

use sqlx::{Database, Pool, Row};

use super::super::{
    Db, Time, begin, bind_places,
    events::{DELETE_EVENTS, EVENTS_AFTER, LAST_EVENTS},
    id_list, stored, time,
};
use crate::{
    domain::{
        EventCause, EventKind, EventLog, EventPage, FollowEvent, OrderDirection, Outside,
        PageRequest, UserId,
    },
    store::{
        EVENTS_KEPT_MAX, EVENTS_TOGETHER, EventSweep, Swept,
        pages::event_page,
        sql::{EVENTS_NEWEST, EVENTS_OLDEST, EVENTS_SWEPT},
        statement::{query, query_as},
    },
};

/// The number of rows that a step of a sweep reads.
const SWEPT_TOGETHER: i64 = 1_000;

type DbRow = <Db as Database>::Row;

/// The logs of users, each after a number. Users without counts are missing.
pub(crate) async fn after(
    connection: &mut <Db as Database>::Connection,
    places: &[(UserId, i64)],
) -> sqlx::Result<HashMap<(UserId, i64), EventLog>> {
    let query = bind_places(query(EVENTS_AFTER), places).bind(EVENTS_TOGETHER);
    let mut logs = HashMap::<_, EventLog>::with_capacity(places.len());
    for row in query.fetch_all(connection).await? {
        let place = (UserId(row.try_get(0)?), row.try_get(1)?);
        let new = || EventLog { last: 0, events: Vec::new() };
        let log = logs.entry(place).or_insert_with(new);
        log.last = row.try_get(2)?;
        log.events.extend(event(&row, 3)?);
    }
    for log in logs.values_mut() {
        log.events.sort_unstable_by_key(|event| event.sequence);
        // While the log is off, numbers go on without events: what comes after such a gap is another
        // read, which notices it.
        let is_run = |pair: &[FollowEvent]| pair[0].sequence + 1 == pair[1].sequence;
        let run = log.events.windows(2).take_while(|pair| is_run(pair)).count();
        log.events.truncate(run + 1);
    }
    Ok(logs)
}

/// The event in the columns from this one on; `None` if they are null.
fn event(row: &DbRow, first: usize) -> sqlx::Result<Option<FollowEvent>> {
    let Some(sequence) = row.try_get::<Option<i64>, _>(first)? else { return Ok(None) };
    let (kind, cause): (i16, i16) = (row.try_get(first + 1)?, row.try_get(first + 2)?);
    Ok(Some(FollowEvent {
        sequence,
        kind: *numbered(&EventKind::ALL, kind)?,
        cause: *numbered(&EventCause::ALL, cause)?,
        other: UserId(row.try_get(first + 3)?),
        at: time(row.try_get::<Time, _>(first + 4)?)?,
        is_repeat: row.try_get(first + 5)?,
    }))
}

/// The value that is stored as this number.
fn numbered<T>(all: &[T], number: i16) -> sqlx::Result<&T> {
    let found = usize::try_from(number).ok().and_then(|place| all.get(place));
    found.ok_or_else(|| {
        sqlx::Error::Decode(format!("an event has no kind or cause {number}").into())
    })
}

pub(super) async fn page(
    connection: &mut <Db as Database>::Connection,
    user: UserId,
    request: &PageRequest<i64>,
) -> sqlx::Result<EventPage> {
    let sql = match request.scan() {
        OrderDirection::Desc => EVENTS_NEWEST,
        OrderDirection::Asc => EVENTS_OLDEST,
    };
    let (low, high) = request.bounds();
    let (low, high) = (low.unwrap_or(0), high.unwrap_or(i64::MAX));
    let query = query(sql).bind(user.0).bind(low).bind(high).bind(i64::from(request.fetch()));

    let (mut oldest, mut last, mut events) = (None, 0, Vec::new());
    for row in query.fetch_all(connection).await? {
        (last, oldest) = (row.try_get(0)?, row.try_get::<Option<i64>, _>(1)?);
        events.extend(event(&row, 2)?);
    }
    let (probes_low, probes_high) = request.probes();
    let outside = Outside {
        below: probes_low && oldest.is_some_and(|oldest| oldest <= low),
        above: probes_high && oldest.is_some() && last >= high,
    };
    Ok(EventPage { last, oldest, page: event_page(request, events, outside) })
}

/// The numbers of the last events of users.
pub(super) async fn last(pool: &Pool<Db>, users: &[UserId]) -> sqlx::Result<HashMap<UserId, i64>> {
    let query = query_as(LAST_EVENTS).bind(id_list(users));
    let rows: Vec<(i64, i64)> = query.fetch_all(pool).await?;
    Ok(rows.into_iter().map(|(user, last)| (UserId(user), last)).collect())
}

/// Deletes old events among the next rows, as the beginnings of logs: what is left of a log stays
/// one run. A log whose next event is kept is skipped.
pub(super) async fn sweep(
    pool: Pool<Db>,
    sweep: EventSweep,
    from: (UserId, i64),
) -> sqlx::Result<Swept> {
    let mut tx = begin(&pool).await?;
    let rows = query_as(EVENTS_SWEPT).bind(from.0.0).bind(from.1).bind(SWEPT_TOGETHER);
    let rows: Vec<(i64, i64, Time, Option<i64>)> = rows.fetch_all(&mut *tx).await?;

    let mut ends = BTreeMap::new();
    let mut next = None;
    for (user, sequence, at, last) in &rows {
        if next == Some((UserId(*user), i64::MAX)) {
            continue;
        }
        let is_crowded = last.is_some_and(|last| *sequence <= last - EVENTS_KEPT_MAX);
        let is_old = *at < stored(sweep.before);
        if is_old || is_crowded && *at < stored(sweep.crowded_before) {
            ends.insert(UserId(*user), *sequence);
            next = Some((UserId(*user), *sequence));
        } else {
            next = Some((UserId(*user), i64::MAX));
        }
    }
    let ends: Vec<_> = ends.into_iter().collect();
    let deleted = if ends.is_empty() {
        0
    } else {
        bind_places(query(DELETE_EVENTS), &ends).execute(&mut *tx).await?.rows_affected()
    };
    tx.commit().await?;
    let is_full = i64::try_from(rows.len()).is_ok_and(|rows| rows == SWEPT_TOGETHER);
    Ok(Swept { deleted, next: next.filter(|_| is_full) })
}
