//! What both engines share about pages: bounds as values, with none missing, and the page for a
//! request from the rows that were found.

use std::{cmp::Reverse, sync::Arc};

use chrono::{DateTime, Utc};

use super::{Error, Result, batching::KEYS_MAX};
use crate::domain::{
    AuditEntry, FollowEvent, FollowItem, FollowPage, FollowPageKey, FollowPosition, ListReader,
    OrderDirection, Outside, OwnItem, Page, PageRequest, SeenLists, TIMES, User, UserId,
    UserPosition,
};

/// A position may hold any time, and PostgreSQL refuses some of them, so positions are clamped to
/// the times that the product has.
pub(super) const LOWEST: DateTime<Utc> = *TIMES.start();
const HIGHEST: DateTime<Utc> = *TIMES.end();

/// A time, and the id of a user. Follows and users by age are in this order.
pub(super) type Position = (DateTime<Utc>, UserId);
/// Below and above every position.
pub(super) const ENDS: (Position, Position) = ((LOWEST, UserId::MIN), (HIGHEST, UserId::MAX));

/// Below and above every username key.
const KEY_BOUNDS: (&str, &str) = ("", "~");

/// The bounds of a page as values, both exclusive. A missing one lies beyond every item.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds<P> {
    pub(super) low: P,
    pub(super) high: P,
    /// Whether to look for an item at the bound or beyond it.
    pub(super) probe_low: bool,
    pub(super) probe_high: bool,
}

impl<P> Bounds<P> {
    fn new<Q: Copy>(request: &PageRequest<Q>, ends: (P, P), value: impl Fn(Q) -> P) -> Self {
        let (low, high) = request.bounds();
        let (probe_low, probe_high) = request.probes();
        Self {
            probe_low,
            probe_high,
            low: low.map_or(ends.0, &value),
            high: high.map_or(ends.1, &value),
        }
    }
}

fn within(position: Position) -> Position {
    position.clamp(ENDS.0, ENDS.1)
}

/// The bounds of a page of follows.
pub(super) fn follow_bounds(request: &PageRequest<FollowPosition>) -> Bounds<Position> {
    Bounds::new(request, ENDS, |position| within((position.followed_at, position.user)))
}

/// The bounds of a page of users by age.
pub(super) fn age_bounds(request: &PageRequest<UserPosition<'_>>) -> Result<Bounds<Position>> {
    check(request, |position| matches!(position, UserPosition::CreatedAt(..)))?;
    Ok(Bounds::new(request, ENDS, |position| match position {
        UserPosition::CreatedAt(at, id) => within((at, id)),
        UserPosition::Username(_) => ENDS.0,
    }))
}

/// The bounds of a page of users by username.
pub(super) fn key_bounds<'a>(request: &PageRequest<UserPosition<'a>>) -> Result<Bounds<&'a str>> {
    check(request, |position| matches!(position, UserPosition::Username(_)))?;
    Ok(Bounds::new(request, KEY_BOUNDS, |position| match position {
        UserPosition::Username(key) => key,
        UserPosition::CreatedAt(..) => KEY_BOUNDS.0,
    }))
}

fn check(
    request: &PageRequest<UserPosition<'_>>,
    fits: impl Fn(UserPosition<'_>) -> bool,
) -> Result<()> {
    if request.after.into_iter().chain(request.before).all(fits) {
        Ok(())
    } else {
        Err(Error::Corrupt("a page of users is bounded by a position of another order".into()))
    }
}

/// The rows to fetch for the largest page of a batch.
pub(super) fn fetch(keys: &[FollowPageKey]) -> i64 {
    keys.iter().map(|key| i64::from(key.request.fetch())).max().unwrap_or(0)
}

/// Whether pages may share a statement that reads as much for each of them as the largest needs:
/// if none is larger than a page of the default size.
pub(super) fn are_small(keys: &[FollowPageKey]) -> bool {
    fetch(keys) <= i64::from(SMALL_PAGE_ROWS)
}

/// Whether pages may share a statement that reads for each of them what it needs: if they have no
/// more rows together than a caller may ask for in small pages.
pub(super) fn are_few_rows(keys: &[FollowPageKey]) -> bool {
    keys.iter().map(|key| key.request.fetch() as usize).sum::<usize>() <= FEW_ROWS
}

/// A page of the default size, and one row more.
const SMALL_PAGE_ROWS: u32 = 21;
/// As many small pages as one call may ask for in a shared statement.
const FEW_ROWS: usize = KEYS_MAX * SMALL_PAGE_ROWS as usize;

/// The owner of lists, and who reads them.
pub(super) type ListsKey = (UserId, ListReader);

/// The user whose follow of the owner counts, as statements take it: 0 is no user.
pub(super) fn viewer_of(reader: ListReader) -> i64 {
    reader.viewer().map_or(0, |viewer| viewer.0)
}

/// The page of follows for a key, from its items in any order. That of a hidden list is empty,
/// whatever was found.
pub(super) fn follow_page(
    key: &FollowPageKey,
    lists: SeenLists,
    items: Vec<FollowItem>,
    outside: Outside,
) -> FollowPage {
    let page = if lists.is_hidden(key.list) {
        Page { items: Vec::new(), has_next: false, has_previous: false }
    } else {
        page(&key.request, items, outside, FollowItem::position)
    };
    FollowPage { lists, page }
}

/// The page of a list of the user's own, from its items in any order.
pub(super) fn own_page(
    request: &PageRequest<FollowPosition>,
    items: Vec<OwnItem>,
    outside: Outside,
) -> Page<OwnItem> {
    page(request, items, outside, |item| (item.since, item.user))
}

/// The page of a log, from its events in any order.
pub(super) fn event_page(
    request: &PageRequest<i64>,
    events: Vec<FollowEvent>,
    outside: Outside,
) -> Page<FollowEvent> {
    page(request, events, outside, |event| event.sequence)
}

/// The page of the log of administrators, from its entries in any order.
pub(super) fn audit_page(
    request: &PageRequest<i64>,
    entries: Vec<AuditEntry>,
    outside: Outside,
) -> Page<AuditEntry> {
    page(request, entries, outside, |entry| entry.id)
}

/// The page of users by age, from its items in any order.
pub(super) fn age_page(
    request: &PageRequest<UserPosition<'_>>,
    users: Vec<Arc<User>>,
    outside: Outside,
) -> Page<Arc<User>> {
    page(request, users, outside, |user| (user.created_at, user.id))
}

/// The page of users by username, from its items in any order.
pub(super) fn key_page(
    request: &PageRequest<UserPosition<'_>>,
    users: Vec<Arc<User>>,
    outside: Outside,
) -> Page<Arc<User>> {
    page(request, users, outside, |user| user.username.to_ascii_lowercase())
}

/// A statement finds the right rows through an index, but no engine promises that a join keeps
/// their order, so rows that arrive out of order are sorted here.
fn page<P: Copy, T, K: Ord>(
    request: &PageRequest<P>,
    mut items: Vec<T>,
    outside: Outside,
    position: impl Fn(&T) -> K,
) -> Page<T> {
    match request.scan() {
        OrderDirection::Asc if items.is_sorted_by_key(&position) => {}
        OrderDirection::Desc if items.is_sorted_by(|a, b| position(a) >= position(b)) => {}
        OrderDirection::Asc => items.sort_by_cached_key(position),
        OrderDirection::Desc => items.sort_by_cached_key(|item| Reverse(position(item))),
    }
    items.truncate(request.fetch() as usize);
    Page::from_scan(request, items, outside)
}
