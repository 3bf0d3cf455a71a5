//! Rows of users, cached from one request to the next.
//!
//! Most of the database's work for a page of follows is to look up the users on it, and their rows
//! hardly ever change. A row is evicted when it changes: at once when it is changed through this
//! process, and as soon as the database says so when it is changed through another. Nothing that
//! permissions depend on is cached.
//!
//! **Invariant:** no answer is older than a second. While changes are not reported the cache is
//! off; where the database cannot report them, everything is evicted each second.
//!
//! **Invariant:** the cache holds what everybody sees, never an answer for one viewer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use super::clock_map::ClockMap;
use crate::{
    domain::{User, UserId, UsernameKey},
    service::{Outage, Service},
    store::{Error, UserChanges, UserNews},
};

/// How long rows stay when the database cannot report changes, and how long the cache stays off
/// after a failure to report them.
const STALE_AFTER: Duration = Duration::from_secs(1);

/// The cache.
#[derive(Debug)]
pub(crate) struct UserCache {
    rows: ClockMap<UserId, Arc<User>>,
    /// Usernames never change, so a name leads to the same user as long as that user exists.
    names: ClockMap<UsernameKey, UserId>,
    is_on: AtomicBool,
    /// How many evictions there were.
    evictions: AtomicU64,
}

/// The moment at which a read began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment(u64);

impl UserCache {
    /// A cache of at most `users_max` users. It is off.
    pub(crate) fn new(users_max: usize) -> Self {
        Self {
            rows: ClockMap::new(users_max),
            names: ClockMap::new(users_max),
            is_on: AtomicBool::new(false),
            evictions: AtomicU64::new(0),
        }
    }

    /// Whether rows are cached at the moment.
    pub(crate) fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Acquire)
    }

    /// The cached rows of these users, in the order of the ids.
    pub(crate) fn get<'k>(&self, ids: impl Iterator<Item = &'k UserId>) -> Vec<Option<Arc<User>>> {
        if self.is_on() {
            self.rows.get(ids, |user| user.username.len())
        } else {
            ids.map(|_| None).collect()
        }
    }

    /// The cached rows of users by their usernames, in the order of the keys.
    pub(crate) fn get_by_names(&self, keys: &[UsernameKey]) -> Vec<Option<Arc<User>>> {
        let ids = self.names.get(keys.iter(), |id| *id);
        let mut rows = self.get(ids.iter().flatten()).into_iter();
        ids.iter().map(|id| id.and_then(|_| rows.next()?)).collect()
    }

    /// The moment to pass to [`Self::insert`]: take it before the rows are read.
    pub(crate) fn now(&self) -> Moment {
        Moment(self.evictions.load(Ordering::Acquire))
    }

    /// Caches rows that were read after `since`, unless anything was evicted since then: the rows
    /// may be older than the change that evicted it.
    pub(crate) fn insert<'u>(&self, since: Moment, users: impl Iterator<Item = &'u Arc<User>>) {
        if !self.is_on() || self.now().0 != since.0 {
            return;
        }
        let rows: Vec<_> = users.map(|user| (user.id, Arc::clone(user))).collect();
        if rows.is_empty() {
            return;
        }
        let names: Vec<_> = rows.iter().map(|(id, user)| (UsernameKey::of(user), *id)).collect();
        self.names.insert_many(names.into_iter());
        // Checked again under the lock of the rows: an eviction is counted before it takes that
        // lock, so either it is seen here or it evicts the row that is inserted here.
        self.rows.insert_many(rows.into_iter().take_while(|_| self.now().0 == since.0));
    }

    /// Evicts the row of a user who has changed.
    pub(crate) fn evict(&self, id: UserId) {
        self.evictions.fetch_add(1, Ordering::AcqRel);
        self.rows.remove(&id);
    }

    fn evict_all(&self) {
        self.evictions.fetch_add(1, Ordering::AcqRel);
        self.rows.clear();
    }

    fn turn(&self, on: bool) {
        self.is_on.store(on, Ordering::Release);
        self.evict_all();
    }
}

impl Service {
    /// Keeps the cache of users fresh for as long as this future is polled. Until then the cache
    /// is off.
    pub async fn keep_users_fresh(&self) {
        let Some(cache) = &self.users else { return std::future::pending().await };
        let outage = Outage::new("the cache of users is off for now");
        loop {
            let watched = self.store.watch_users().await;
            outage.note(&watched);
            match watched {
                Ok(Some(changes)) => {
                    cache.turn(true);
                    let error = evict_changed(cache, changes).await;
                    cache.turn(false);
                    outage.failed(&error);
                }
                Ok(None) => {
                    cache.turn(true);
                    loop {
                        tokio::time::sleep(STALE_AFTER).await;
                        cache.evict_all();
                    }
                }
                Err(_) => {}
            }
            tokio::time::sleep(STALE_AFTER).await;
        }
    }
}

/// Counts look-ups, for the hit rate.
pub(crate) fn count(hits: usize, misses: usize) {
    metrics::counter!("entourage_user_cache_hits_total").increment(hits as u64);
    metrics::counter!("entourage_user_cache_misses_total").increment(misses as u64);
}

/// Evicts users as they change, until changes are no longer reported.
async fn evict_changed(cache: &UserCache, mut changes: Box<dyn UserChanges>) -> Error {
    loop {
        match changes.next().await {
            Ok(UserNews::Changed(user)) => cache.evict(user),
            Ok(UserNews::AnyChanged) => cache.evict_all(),
            Ok(UserNews::NobodyChanged) => {}
            Err(error) => return error,
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn user(id: i64, username: &str) -> Arc<User> {
        Arc::new(User::bare(UserId(id), username, DateTime::UNIX_EPOCH))
    }

    fn by_id(cache: &UserCache, id: i64) -> Option<Arc<User>> {
        cache.get([UserId(id)].iter()).pop().flatten()
    }

    fn by_name(cache: &UserCache, name: &str) -> Option<Arc<User>> {
        let key = UsernameKey::parse(name).expect("a username");
        cache.get_by_names(&[key]).pop().flatten()
    }

    fn cache() -> UserCache {
        let cache = UserCache::new(10);
        cache.turn(true);
        cache
    }

    #[test]
    fn users_come_in_the_order_of_their_keys() {
        let (cache, alice, bob) = (cache(), user(1, "alice"), user(2, "bob"));
        cache.insert(cache.now(), [&alice, &bob].into_iter());
        let keys = ["BOB", "nobody", "alice"].map(|name| UsernameKey::parse(name).expect("a name"));
        let found = [Some(bob), None, Some(alice)];
        assert_eq!(cache.get([UserId(2), UserId(9), UserId(1)].iter()), found);
        assert_eq!(cache.get_by_names(&keys), found);
    }

    #[test]
    fn a_reused_name_leads_to_its_new_user() {
        let (cache, first, second) = (cache(), user(1, "alice"), user(2, "alice"));
        cache.insert(cache.now(), [&first].into_iter());
        cache.evict(UserId(1));
        cache.insert(cache.now(), [&second].into_iter());
        assert_eq!(by_name(&cache, "alice"), Some(second));
    }

    #[test]
    fn a_row_read_before_a_change_is_not_cached_after_it() {
        let (cache, alice) = (cache(), user(1, "alice"));
        let before = cache.now();
        cache.evict(UserId(1));
        cache.insert(before, [&alice].into_iter());
        assert_eq!(by_id(&cache, 1), None);
    }

    #[test]
    fn nothing_is_cached_while_changes_are_not_reported() {
        let (cache, alice) = (cache(), user(1, "alice"));
        cache.insert(cache.now(), [&alice].into_iter());
        cache.turn(false);
        assert_eq!(by_id(&cache, 1), None);
        cache.insert(cache.now(), [&alice].into_iter());
        cache.turn(true);
        assert_eq!(by_id(&cache, 1), None);
    }
}
