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

use quick_cache::sync::Cache;

use super::Graph;
use crate::{
    domain::{User, UserId, UsernameKey},
    store::{UserChanges, UserNews},
};

/// How long a row is believed when the database does not tell of changes, and how long the cache
/// stays off after it broke off telling.
const BELIEVED: Duration = Duration::from_secs(1);

/// The remembered rows.
#[derive(Debug)]
pub(super) struct UserCache {
    rows: Cache<UserId, Arc<User>>,
    /// Names are never changed, so they lead to the same user as long as there is one.
    names: Cache<UsernameKey, UserId>,
    is_on: AtomicBool,
    /// How often something was forgotten.
    changes: AtomicU64,
}

/// The moment at which a reading began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment(u64);

impl UserCache {
    /// A cache of so many users, which is off.
    pub(super) fn new(users_max: usize) -> Self {
        Self {
            rows: Cache::new(users_max),
            names: Cache::new(users_max),
            is_on: AtomicBool::new(false),
            changes: AtomicU64::new(0),
        }
    }

    /// Whether rows are remembered at the moment.
    pub(super) fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Acquire)
    }

    /// The row of a user, if it is remembered.
    pub(super) fn get(&self, id: UserId) -> Option<Arc<User>> {
        self.is_on().then(|| self.rows.get(&id)).flatten()
    }

    /// Whether the row of a user is remembered, which is cheaper to tell than to remember it.
    pub(super) fn knows(&self, id: UserId) -> bool {
        self.rows.contains_key(&id)
    }

    /// The row of the user with this name, if it is remembered.
    pub(super) fn get_by_name(&self, key: &UsernameKey) -> Option<Arc<User>> {
        self.get(self.names.get(key)?)
    }

    /// To be asked before rows are read that are to be remembered.
    pub(super) fn now(&self) -> Moment {
        Moment(self.changes.load(Ordering::Acquire))
    }

    /// Remembers rows that were read after `since`. When anything has changed since then they are
    /// forgotten again: they may be older than the change.
    pub(super) fn remember<'u>(&self, since: Moment, users: impl Iterator<Item = &'u Arc<User>>) {
        if !self.is_on() || self.now().0 != since.0 {
            return;
        }
        let users: Vec<_> = users.collect();
        for user in &users {
            if self.rows.peek(&user.id).is_none() {
                self.rows.insert(user.id, Arc::clone(user));
            }
            let name = UsernameKey::of(user);
            if self.names.peek(&name) != Some(user.id) {
                self.names.insert(name, user.id);
            }
        }
        if self.now().0 != since.0 {
            for user in users {
                self.rows.remove(&user.id);
            }
        }
    }

    /// Forgets the row of a user that has changed.
    pub(super) fn forget(&self, id: UserId) {
        self.changes.fetch_add(1, Ordering::AcqRel);
        self.rows.remove(&id);
    }

    fn forget_all(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
        self.rows.clear();
    }

    fn turn(&self, on: bool) {
        self.is_on.store(on, Ordering::Release);
        self.forget_all();
    }
}

impl Graph {
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
                        cache.forget_all();
                    }
                }
                Err(error) => tracing::warn!(%error, "users are not remembered for now"),
            }
            tokio::time::sleep(BELIEVED).await;
        }
    }
}

/// Counts look-ups, for the hit rate: how many were answered, and how many had to be read.
pub(super) fn count(hits: usize, misses: usize) {
    metrics::counter!("entourage_user_cache_hits_total").increment(hits as u64);
    metrics::counter!("entourage_user_cache_misses_total").increment(misses as u64);
}

/// Forgets whoever changes, until that can no longer be told.
async fn follow(cache: &UserCache, mut changes: Box<dyn UserChanges>) -> crate::store::Error {
    loop {
        match changes.next().await {
            Ok(UserNews::Changed(user)) => cache.forget(user),
            Ok(UserNews::AnyChanged) => cache.forget_all(),
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
            username: username.to_owned(),
            name: None,
            bio: None,
            avatar_url: None,
            created_at: DateTime::UNIX_EPOCH,
        })
    }

    fn key(name: &str) -> UsernameKey {
        UsernameKey::parse(name).expect("a username")
    }

    fn cache() -> UserCache {
        let cache = UserCache::new(10);
        cache.turn(true);
        cache
    }

    #[test]
    fn what_was_read_is_found_by_id_and_by_name() {
        let (cache, alice) = (cache(), user(1, "Alice"));
        cache.remember(cache.now(), [&alice].into_iter());
        assert_eq!(cache.get(UserId(1)), Some(alice.clone()));
        assert_eq!(cache.get_by_name(&key("ALICE")), Some(alice));
        assert_eq!(cache.get(UserId(2)), None);
    }

    #[test]
    fn who_has_changed_is_forgotten() {
        let (cache, alice) = (cache(), user(1, "alice"));
        cache.remember(cache.now(), [&alice].into_iter());
        cache.forget(UserId(1));
        assert_eq!((cache.get(UserId(1)), cache.get_by_name(&key("alice"))), (None, None));
    }

    #[test]
    fn what_was_read_before_a_change_is_not_remembered_after_it() {
        let (cache, alice) = (cache(), user(1, "alice"));
        let before = cache.now();
        cache.forget(UserId(1));
        cache.remember(before, [&alice].into_iter());
        assert_eq!(cache.get(UserId(1)), None);
    }

    #[test]
    fn nothing_is_remembered_while_nobody_tells_of_changes() {
        let (cache, alice) = (cache(), user(1, "alice"));
        cache.remember(cache.now(), [&alice].into_iter());
        cache.turn(false);
        assert_eq!(cache.get(UserId(1)), None);
        cache.remember(cache.now(), [&alice].into_iter());
        cache.turn(true);
        assert_eq!(cache.get(UserId(1)), None);
    }
}
