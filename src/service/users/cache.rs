//! Rows of users, remembered from one request to the next.
//!
//! Most of what the database does for a page of follows is to look up the users on it, and these
//! hardly ever change. So rows that were read are remembered, and forgotten when they change: at
//! once when they are changed through this process, and as soon as the database tells of it when
//! they are changed through another. Nothing that permissions depend on is remembered.
//!
//! **Invariant:** nothing is answered that was not true a second ago. While nobody tells of
//! changes the cache is off, or forgets everything each second when the database cannot tell.

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
    service::Service,
    store::{UserChanges, UserNews},
};

/// How long a row is believed when the database does not tell of changes, and how long the cache
/// stays off after it broke off telling.
const BELIEVED: Duration = Duration::from_secs(1);

/// The remembered rows.
#[derive(Debug)]
pub(crate) struct UserCache {
    rows: ClockMap<UserId, Arc<User>>,
    /// Names are never changed, so they lead to the same user as long as there is one.
    names: ClockMap<UsernameKey, UserId>,
    is_on: AtomicBool,
    /// How often something was forgotten.
    changes: AtomicU64,
}

/// The moment at which a reading began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment(u64);

impl UserCache {
    /// A cache of so many users, which is off.
    pub(crate) fn new(users_max: usize) -> Self {
        Self {
            rows: ClockMap::new(users_max),
            names: ClockMap::new(users_max),
            is_on: AtomicBool::new(false),
            changes: AtomicU64::new(0),
        }
    }

    /// Whether rows are remembered at the moment.
    pub(crate) fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Acquire)
    }

    /// The rows of these users in their order, as far as they are remembered.
    pub(crate) fn get<'k>(&self, ids: impl Iterator<Item = &'k UserId>) -> Vec<Option<Arc<User>>> {
        if self.is_on() {
            self.rows.get(ids, |user| user.username.len())
        } else {
            ids.map(|_| None).collect()
        }
    }

    /// The same of users by their names.
    pub(crate) fn get_by_names(&self, keys: &[UsernameKey]) -> Vec<Option<Arc<User>>> {
        let ids = self.names.get(keys.iter(), |id| *id);
        let mut rows = self.get(ids.iter().flatten()).into_iter();
        ids.iter().map(|id| id.and_then(|_| rows.next()?)).collect()
    }

    /// To be asked before rows are read that are to be remembered.
    pub(crate) fn now(&self) -> Moment {
        Moment(self.changes.load(Ordering::Acquire))
    }

    /// Remembers rows that were read after `since`, as long as nothing has changed since then: they
    /// may be older than the change.
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
        // Told while the rows are locked: who forgets one has counted that before.
        self.rows.insert_many(rows.into_iter().take_while(|_| self.now().0 == since.0));
    }

    /// Forgets the row of a user that has changed.
    pub(crate) fn evict(&self, id: UserId) {
        self.changes.fetch_add(1, Ordering::AcqRel);
        self.rows.remove(&id);
    }

    fn evict_all(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
        self.rows.clear();
    }

    fn turn(&self, on: bool) {
        self.is_on.store(on, Ordering::Release);
        self.evict_all();
    }
}

impl Service {
    /// Keeps the cache of users true for as long as it is polled. Until then it is off.
    pub async fn keep_users_true(&self) {
        let Some(cache) = &self.users else { return std::future::pending().await };
        loop {
            match self.store.watch_users().await {
                Ok(Some(changes)) => {
                    cache.turn(true);
                    let error = follow(cache, changes).await;
                    cache.turn(false);
                    tracing::warn!(%error, "users are not remembered for now");
                }
                Ok(None) => {
                    cache.turn(true);
                    loop {
                        tokio::time::sleep(BELIEVED).await;
                        cache.evict_all();
                    }
                }
                Err(error) => tracing::warn!(%error, "users are not remembered for now"),
            }
            tokio::time::sleep(BELIEVED).await;
        }
    }
}

/// Counts look-ups, for the hit rate: how many were answered, and how many had to be read.
pub(crate) fn count(hits: usize, misses: usize) {
    metrics::counter!("entourage_user_cache_hits_total").increment(hits as u64);
    metrics::counter!("entourage_user_cache_misses_total").increment(misses as u64);
}

/// Forgets whoever changes, until that can no longer be told.
async fn follow(cache: &UserCache, mut changes: Box<dyn UserChanges>) -> crate::store::Error {
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
        Arc::new(User {
            id: UserId(id),
            username: username.into(),
            name: None,
            bio: None,
            avatar_url: None,
            created_at: DateTime::UNIX_EPOCH,
        })
    }

    fn of(cache: &UserCache, id: i64) -> Option<Arc<User>> {
        cache.get([UserId(id)].iter()).pop().flatten()
    }

    fn named(cache: &UserCache, name: &str) -> Option<Arc<User>> {
        let key = UsernameKey::parse(name).expect("a username");
        cache.get_by_names(&[key]).pop().flatten()
    }

    fn cache() -> UserCache {
        let cache = UserCache::new(10);
        cache.turn(true);
        cache
    }

    #[test]
    fn what_was_read_is_found_by_id_and_by_name() {
        let (cache, alice) = (cache(), user(1, "Alice"));
        cache.insert(cache.now(), [&alice].into_iter());
        assert_eq!(of(&cache, 1), Some(alice.clone()));
        assert_eq!(named(&cache, "ALICE"), Some(alice));
        assert_eq!(of(&cache, 2), None);
    }

    #[test]
    fn many_are_found_in_the_order_in_which_they_are_asked_for() {
        let (cache, alice, bob) = (cache(), user(1, "alice"), user(2, "bob"));
        cache.insert(cache.now(), [&alice, &bob].into_iter());
        let keys = ["bob", "nobody", "alice"].map(|name| UsernameKey::parse(name).expect("a name"));
        let found = [Some(bob), None, Some(alice)];
        assert_eq!(cache.get([UserId(2), UserId(9), UserId(1)].iter()), found);
        assert_eq!(cache.get_by_names(&keys), found);
    }

    #[test]
    fn who_takes_the_name_of_somebody_who_is_gone_is_found_by_it() {
        let (cache, first, second) = (cache(), user(1, "alice"), user(2, "alice"));
        cache.insert(cache.now(), [&first].into_iter());
        cache.evict(UserId(1));
        cache.insert(cache.now(), [&second].into_iter());
        assert_eq!(named(&cache, "alice"), Some(second));
    }

    #[test]
    fn who_has_changed_is_forgotten() {
        let (cache, alice) = (cache(), user(1, "alice"));
        cache.insert(cache.now(), [&alice].into_iter());
        cache.evict(UserId(1));
        assert_eq!((of(&cache, 1), named(&cache, "alice")), (None, None));
    }

    #[test]
    fn what_was_read_before_a_change_is_not_remembered_after_it() {
        let (cache, alice) = (cache(), user(1, "alice"));
        let before = cache.now();
        cache.evict(UserId(1));
        cache.insert(before, [&alice].into_iter());
        assert_eq!(of(&cache, 1), None);
    }

    #[test]
    fn nothing_is_remembered_while_nobody_tells_of_changes() {
        let (cache, alice) = (cache(), user(1, "alice"));
        cache.insert(cache.now(), [&alice].into_iter());
        cache.turn(false);
        assert_eq!(of(&cache, 1), None);
        cache.insert(cache.now(), [&alice].into_iter());
        cache.turn(true);
        assert_eq!(of(&cache, 1), None);
    }
}
