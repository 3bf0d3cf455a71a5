//! Names and pictures that have changed at an identity provider.
//!
//! A request whose token has another name or picture than its user leaves the change in a queue and
//! goes on. One change after the other is written in the background.
//!
//! **Invariant:** no request waits for such a change or fails because of it, and each server makes at
//! most one in ten minutes for an account. A change that finds the queue full is left out; a later
//! token brings it again.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use quick_cache::unsync::Cache;
use tokio::sync::mpsc;

use super::claims::ForeignAccount;
use crate::{
    domain::{ProfileChange, User, UserId},
    service::Service,
    store::Store,
};

/// The shortest time between two changes of an account.
const INTERVAL: TimeDelta = TimeDelta::minutes(10);
/// The most changes that wait to be written.
const WAITING_MAX: usize = 1_000;
/// The most accounts whose last change is remembered.
const REMEMBERED_MAX: usize = 10_000;

/// The queue of changes.
#[derive(Debug)]
pub(crate) struct ProfileChanges {
    sender: mpsc::Sender<(UserId, ProfileChange)>,
    receiver: tokio::sync::Mutex<mpsc::Receiver<(UserId, ProfileChange)>>,
    /// When the last change of an account was queued.
    queued_at: Mutex<Cache<UserId, DateTime<Utc>>>,
}

impl Default for ProfileChanges {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        let queued_at = Mutex::new(Cache::new(REMEMBERED_MAX));
        Self { sender, receiver: receiver.into(), queued_at }
    }
}

impl ProfileChanges {
    /// Queues a change, unless the account has had one lately.
    fn queue(&self, id: UserId, change: ProfileChange, now: DateTime<Utc>) {
        let mut queued_at = self.queued_at.lock().expect("no code that holds the lock can panic");
        // The absolute value, so that a clock that is set back does not stop changes.
        if queued_at.get(&id).is_some_and(|at| (now - *at).abs() < INTERVAL) {
            return;
        }
        if self.sender.try_send((id, change)).is_ok() {
            queued_at.insert(id, now);
        }
    }
}

impl Service {
    /// Has the name and the picture of a user brought up to date, if those of the token differ. What
    /// the token does not have is kept.
    pub(crate) fn refresh_profile(&self, user: &User, foreign: &ForeignAccount) {
        if !foreign.updates_profiles {
            return;
        }
        let change = ProfileChange {
            name: foreign.name.clone().map(Some),
            bio: None,
            avatar_url: foreign.picture.clone().map(Some),
        };
        let change = change.that_differs_from(user);
        if change != ProfileChange::default() {
            self.profile_changes.queue(user.id, change, self.clock.now());
        }
    }

    /// Writes the changes of names and pictures, one after the other. Never returns.
    pub async fn keep_profiles_fresh(&self) {
        let mut receiver = self.profile_changes.receiver.lock().await;
        while let Some((id, change)) = receiver.recv().await {
            let update =
                |store: Arc<dyn Store>| async move { store.update_profile(id, &change).await };
            if let Err(error) = self.change_user(id, update).await {
                tracing::warn!(%error, "a profile could not be brought up to date");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_one_change_in_ten_minutes() {
        let changes = ProfileChanges::default();
        let at = |seconds| DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
        for (id, seconds) in [(1, 0), (1, 599), (2, 599), (1, 600), (1, 601), (2, 1_000)] {
            changes.queue(UserId(id), ProfileChange::default(), at(seconds));
        }
        let mut receiver = changes.receiver.into_inner();
        drop(changes.sender);
        let queued: Vec<_> = std::iter::from_fn(|| receiver.try_recv().ok()).collect();
        let queued: Vec<_> = queued.into_iter().map(|(id, _)| id.0).collect();
        assert_eq!(queued, [1, 2, 1]);
    }

    #[test]
    fn a_full_queue_leaves_changes_out() {
        let mut changes = ProfileChanges::default();
        let max = i64::try_from(WAITING_MAX).expect("it fits");
        for id in 0..=max {
            changes.queue(UserId(id), ProfileChange::default(), DateTime::UNIX_EPOCH);
        }
        let receiver = changes.receiver.get_mut();
        assert_eq!(receiver.len(), WAITING_MAX);
        receiver.try_recv().expect("a change");
        changes.queue(UserId(max), ProfileChange::default(), DateTime::UNIX_EPOCH);
        assert_eq!(changes.receiver.get_mut().len(), WAITING_MAX, "it was not counted as one");
    }
}
