//! What both engines share about pages: bounds by value, none of them absent, and the page that
//! answers a request.

use std::{cmp::Reverse, sync::Arc};

use chrono::{DateTime, Utc};

use super::{Error, Result};
use crate::domain::{
    FollowCounts, FollowItem, FollowPage, FollowPageKey, FollowPosition, OrderDirection, Outside,
    Page, PageRequest, User, UserId, UserPosition,
};

/// No time of the product is before the year 1 or after 9999: what lies beyond is cut off, since
/// a cursor may hold any number and PostgreSQL refuses some of them.
pub(super) const LOWEST: DateTime<Utc> = micros(-62_135_596_800_000_000);
const HIGHEST: DateTime<Utc> = micros(253_402_300_799_999_999);

const fn micros(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).expect("in range, as the compiler has seen")
}

/// Below and above every username key.
const KEY_BOUNDS: (&str, &str) = ("", "~");

/// The bounds of a page by value. Both are exclusive; an absent one lies beyond every item.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds<P> {
    pub(super) low: P,
    pub(super) high: P,
    /// Whether to find out if something lies at the bound or beyond it.
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

/// Cuts a position off to what both databases can hold.
fn within(position: (DateTime<Utc>, UserId)) -> (DateTime<Utc>, UserId) {
    position.clamp((LOWEST, UserId::MIN), (HIGHEST, UserId::MAX))
}

/// The bounds of a page of follows.
pub(super) fn follow_bounds(
    request: &PageRequest<FollowPosition>,
) -> Bounds<(DateTime<Utc>, UserId)> {
    let ends = ((LOWEST, UserId::MIN), (HIGHEST, UserId::MAX));
    Bounds::new(request, ends, |position| within((position.followed_at, position.user)))
}

/// The bounds of a page of users by age.
pub(super) fn age_bounds(
    request: &PageRequest<UserPosition<'_>>,
) -> Result<Bounds<(DateTime<Utc>, UserId)>> {
    let ends = ((LOWEST, UserId::MIN), (HIGHEST, UserId::MAX));
    check(request, |position| matches!(position, UserPosition::CreatedAt(..)))?;
    Ok(Bounds::new(request, ends, |position| match position {
        UserPosition::CreatedAt(at, id) => within((at, id)),
        UserPosition::Username(_) => ends.0,
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

/// Whether no page of a batch is larger than one that comes without `first`. The largest page of a
/// statement decides how much it reads for each of them.
pub(super) fn are_small(keys: &[FollowPageKey]) -> bool {
    fetch(keys) <= SMALL_PAGE_ROWS
}

/// Whether the pages of a batch have no more rows together than some small ones.
pub(super) fn are_few_rows(keys: &[FollowPageKey]) -> bool {
    keys.iter().map(|key| i64::from(key.request.fetch())).sum::<i64>() <= FEW_ROWS
}

/// A page of the size that comes without `first`, and one row.
const SMALL_PAGE_ROWS: i64 = 21;
/// As many as one caller may ask for in a statement with others, in pages of that size.
const FEW_ROWS: i64 = 16 * SMALL_PAGE_ROWS;

/// What the pages of a batch ask at most. The less it is, the smaller is their statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shape {
    /// They begin with the newest follow. Most do.
    Newest,
    /// They go from newer to older follows, between bounds, and nobody asks what lies beyond.
    Older,
    /// They go in any direction, and somebody asks what lies beyond their bounds.
    Any,
}

/// What these pages ask at most.
pub(super) fn shape(keys: &[FollowPageKey]) -> Shape {
    let each = |FollowPageKey { request, .. }: &FollowPageKey| {
        let bounds = follow_bounds(request);
        if request.scan() == OrderDirection::Asc || bounds.probe_low || bounds.probe_high {
            Shape::Any
        } else if request.after.is_some() || request.before.is_some() {
            Shape::Older
        } else {
            Shape::Newest
        }
    };
    keys.iter().map(each).max().unwrap_or(Shape::Newest)
}

/// The page of follows that answers a key, from its items in any order.
pub(super) fn follow_page(
    key: &FollowPageKey,
    counts: FollowCounts,
    items: Vec<FollowItem>,
    outside: Outside,
) -> FollowPage {
    FollowPage { counts, page: page(&key.request, items, outside, FollowItem::position) }
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

/// A statement finds the right rows through an index, but no engine promises to keep their order
/// through a join: the program orders what has not kept it.
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
