//! The feed of a user's events: a subscriber reads its own log, and is woken by hints.
//!
//! Nothing is queued for a subscriber. It reads on when it has taken what it read last, so a slow
//! one is behind, and has lost nothing.
//!
//! **Invariant:** the viewer is looked up after events were read and before they are returned, so no
//! event that came after the end of a session is returned.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Semaphore, SemaphorePermit, watch},
    time::{Instant, MissedTickBehavior, interval, sleep, sleep_until},
};

use super::{Error, Outage, Result, SeenBy, Service, Viewer};
use crate::{
    domain::{EventLog, EventPage, FollowEvent, PageRequest, UserId, readable_after},
    store::{self, EventHint, EventSweep, Store},
};

/// How often a viewer who waits for events is looked up.
const CHECK_EVERY: Duration = Duration::from_secs(30);
/// How often logs are polled besides hints, which may be lost.
const POLL_EVERY: Duration = Duration::from_secs(30);
/// How often logs are polled where the database reports no changes of other servers.
const POLL_WITHOUT_HINTS_EVERY: Duration = Duration::from_secs(1);
/// The most logs that are polled by one statement.
const POLLED_TOGETHER: usize = 1_000;
/// The most feeds that read at once. Others wait for their turn: a poll may wake all feeds of a
/// server, and their look-ups would fill the queues of the store, which then refuses requests.
const READS_MAX: usize = 256;
/// How often old events are deleted.
const SWEEP_EVERY: Duration = Duration::from_mins(10);
/// Events that are younger stay even if a log is longer than it should be.
const CROWDED_AFTER: Duration = Duration::from_hours(1);
/// How much longer a sweep pauses after a step than the step took.
const SWEEP_PAUSES: u32 = 9;

/// Events that were read together, as the viewer sees them now.
#[derive(Clone, Debug)]
pub struct EventBatch {
    /// The viewer, looked up after the events were read.
    pub seen_by: SeenBy,
    /// The events in their order, at least one.
    pub events: Vec<FollowEvent>,
}

/// Why a feed has ended.
#[derive(Debug)]
pub enum EventFeedEnd {
    /// The token has expired or was revoked, or the account is gone.
    Unauthenticated,
    /// The next events were deleted. The feed can go on after the number `oldest`; the lists in
    /// between have to be loaded again.
    Expired {
        /// The number before that of the oldest event that is kept.
        oldest: i64,
    },
    /// The store failed.
    Failed(Error),
}

impl From<Error> for EventFeedEnd {
    fn from(error: Error) -> Self {
        match error {
            Error::Unauthenticated => Self::Unauthenticated,
            error => Self::Failed(error),
        }
    }
}

/// The events of a viewer from a number on. Dropping it ends the subscription.
#[derive(Debug)]
pub struct EventFeed {
    service: Arc<Service>,
    viewer: Arc<Viewer>,
    hints: Subscription,
    /// The number of the last event that was returned.
    after: i64,
    /// Whether there may be events to read.
    is_behind: bool,
    check_at: Instant,
}

impl EventFeed {
    /// The next events, once there are any. If the future is dropped, nothing is lost.
    ///
    /// # Errors
    /// The end of the feed.
    pub async fn next(&mut self) -> std::result::Result<EventBatch, EventFeedEnd> {
        loop {
            if self.is_behind {
                // A hint that arrives while the log is read leads to another read.
                self.hints.mark_read();
                if let Some(batch) = self.read().await? {
                    return Ok(batch);
                }
                self.is_behind = false;
            }
            tokio::select! {
                () = self.hints.grown() => self.is_behind = true,
                () = sleep_until(self.check_at) => drop(self.look_again().await?),
            }
        }
    }

    /// The viewer as they are now, for events that were returned earlier.
    ///
    /// # Errors
    /// The end of the feed.
    pub async fn look_again(&mut self) -> std::result::Result<SeenBy, EventFeedEnd> {
        let hub = Arc::clone(&self.hints.hub);
        let _permit = hub.permit().await;
        self.viewer = Arc::new(self.service.find_again(&self.viewer).await?);
        self.check_at = self.service.check_at(&self.viewer);
        Ok(self.service.seen_by(Some(Arc::clone(&self.viewer))))
    }

    async fn read(&mut self) -> std::result::Result<Option<EventBatch>, EventFeedEnd> {
        let hub = Arc::clone(&self.hints.hub);
        let _permit = hub.permit().await;
        let (store, place) = (&self.service.store, (self.viewer.id(), self.after));
        let mut logs = store.events_after(&[place]).await.map_err(Error::from)?;
        let EventLog { last, events } = logs.remove(&place).ok_or(EventFeedEnd::Unauthenticated)?;
        let next = events.first().map_or(last + 1, |event| event.sequence);
        if next != self.after.wrapping_add(1) {
            return Err(self.expired(last).await?);
        }
        let Some(newest) = events.last().map(|event| event.sequence) else { return Ok(None) };

        let viewer = Arc::new(self.service.find_again(&self.viewer).await?);
        let seen_by = self.service.seen_by(Some(Arc::clone(&viewer)));
        self.check_at = self.service.check_at(&viewer);
        self.viewer = viewer;
        self.after = newest;
        Ok(Some(EventBatch { seen_by, events }))
    }

    /// The end of a feed whose next events are not kept; `last` is the number of the last event.
    async fn expired(&self, last: i64) -> Result<EventFeedEnd> {
        let page = self.service.store.page_of_events(self.viewer.id(), &PageRequest::NOTHING);
        let oldest = readable_after(page.await?.kept_after(), self.after, last);
        Ok(EventFeedEnd::Expired { oldest })
    }
}

impl SeenBy {
    /// The viewer's events after a number, and then live; without a number, live from now on.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when signed out, [`Error::Unavailable`] when no events are kept,
    /// or when the store fails.
    pub async fn follow_events(&self, after: Option<i64>) -> Result<EventFeed> {
        let (service, viewer) = (&self.service, Arc::clone(self.signed_in()?));
        let hub = service.hub()?;
        // First the hints, then the number: whatever comes after the number is a hint.
        let hints = Subscription::new(hub, viewer.id());
        let after = match after {
            Some(after) => after,
            None => service.last_event(viewer.id()).await?,
        };
        let check_at = service.check_at(&viewer);
        let service = Arc::clone(service);
        Ok(EventFeed { service, viewer, hints, after, is_behind: true, check_at })
    }

    /// A page of the viewer's log.
    ///
    /// # Errors
    /// As [`follow_events`](Self::follow_events).
    pub async fn page_of_events(&self, request: &PageRequest<i64>) -> Result<EventPage> {
        let viewer = self.signed_in()?.id();
        self.service.hub()?;
        Ok(self.service.store.page_of_events(viewer, request).await?)
    }
}

impl Service {
    fn hub(&self) -> Result<&Arc<EventHub>> {
        let off = || Error::Unavailable("the server keeps no events".to_owned());
        self.events.as_ref().ok_or_else(off)
    }

    async fn last_event(&self, user: UserId) -> Result<i64> {
        let last = self.store.last_events(&[user]).await?.remove(&user);
        last.ok_or(Error::Unauthenticated)
    }

    /// When to look up a viewer again: when the token expires, and from time to time.
    fn check_at(&self, viewer: &Viewer) -> Instant {
        let left = viewer.session.left(self.clock.now());
        Instant::now() + left.unwrap_or(CHECK_EVERY).min(CHECK_EVERY)
    }

    /// Keeps the feeds of all subscribers going.
    pub async fn keep_events_flowing(&self) {
        let Some(hub) = &self.events else { return std::future::pending().await };
        let watch_outage = Outage::new("events of other servers are polled for now");
        let poll_outage = Outage::new("cannot poll for events");
        let poll = async || poll_outage.note(&hub.poll(&*self.store).await);
        loop {
            let watched = self.store.watch_events().await;
            watch_outage.note(&watched);
            if let Ok((mut hints, has_all)) = watched {
                hub.wake_all();
                let every = if has_all { POLL_EVERY } else { POLL_WITHOUT_HINTS_EVERY };
                let mut polls = interval(every);
                polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
                let error = loop {
                    let mut hint = hints.next();
                    let hint = loop {
                        tokio::select! {
                            hint = &mut hint => break hint,
                            _ = polls.tick() => poll().await,
                        }
                    };
                    match hint {
                        Ok(EventHint::Grown(logs)) => hub.wake(&logs),
                        Ok(EventHint::AnyGrown) => poll().await,
                        Err(error) => break error,
                    }
                };
                watch_outage.failed(&error);
            }
            sleep(POLL_WITHOUT_HINTS_EVERY).await;
            poll().await;
        }
    }

    /// Deletes old events from time to time; all of them if none are kept. Several servers may do
    /// that at once.
    pub async fn keep_logs_short(&self) {
        loop {
            sleep(SWEEP_EVERY).await;
            let mut from = (UserId::MIN, 0);
            loop {
                let begin = Instant::now();
                match self.store.sweep_events(self.sweep(), from).await {
                    Ok(swept) => match swept.next {
                        Some(next) => from = next,
                        None => break,
                    },
                    Err(error) => {
                        tracing::warn!(%error, "cannot delete old events");
                        break;
                    }
                }
                sleep(begin.elapsed() * SWEEP_PAUSES).await;
            }
        }
    }

    fn sweep(&self) -> EventSweep {
        let now = self.clock.now();
        if self.events.is_none() {
            return EventSweep { before: now, crowded_before: now };
        }
        EventSweep { before: now - self.events_kept, crowded_before: now - CROWDED_AFTER }
    }
}

/// Wakes the subscribers of this process.
#[derive(Debug)]
pub(super) struct EventHub {
    logs: Mutex<HashMap<UserId, Log>>,
    /// One permit for each feed that reads.
    reads: Semaphore,
}

impl Default for EventHub {
    fn default() -> Self {
        Self { logs: Mutex::default(), reads: Semaphore::new(READS_MAX) }
    }
}

/// A log with subscribers.
#[derive(Debug)]
struct Log {
    grown: watch::Sender<()>,
    /// The number of the last event at the last poll.
    polled: i64,
}

impl EventHub {
    fn logs(&self) -> MutexGuard<'_, HashMap<UserId, Log>> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn permit(&self) -> SemaphorePermit<'_> {
        self.reads.acquire().await.expect("it is never closed")
    }

    fn wake(&self, users: &[UserId]) {
        let logs = self.logs();
        for log in users.iter().filter_map(|user| logs.get(user)) {
            log.grown.send_replace(());
        }
    }

    fn wake_all(&self) {
        for log in self.logs().values() {
            log.grown.send_replace(());
        }
    }

    /// Wakes the subscribers of all logs that have grown since the last poll.
    async fn poll(&self, store: &dyn Store) -> store::Result<()> {
        let users: Vec<_> = self.logs().keys().copied().collect();
        for users in users.chunks(POLLED_TOGETHER) {
            let found = store.last_events(users).await?;
            let mut logs = self.logs();
            for (user, last) in found {
                if let Some(log) = logs.get_mut(&user).filter(|log| log.polled != last) {
                    log.polled = last;
                    log.grown.send_replace(());
                }
            }
        }
        Ok(())
    }
}

/// The hints of one log for one subscriber.
#[derive(Debug)]
struct Subscription {
    hub: Arc<EventHub>,
    user: UserId,
    /// `None` only while it is dropped.
    grown: Option<watch::Receiver<()>>,
}

impl Subscription {
    fn new(hub: &Arc<EventHub>, user: UserId) -> Self {
        let new = || Log { grown: watch::Sender::new(()), polled: 0 };
        let grown = hub.logs().entry(user).or_insert_with(new).grown.subscribe();
        Self { hub: Arc::clone(hub), user, grown: Some(grown) }
    }

    fn mark_read(&mut self) {
        if let Some(grown) = &mut self.grown {
            grown.mark_unchanged();
        }
    }

    async fn grown(&mut self) {
        let Some(grown) = &mut self.grown else { return };
        if grown.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut logs = self.hub.logs();
        self.grown = None;
        if let Entry::Occupied(log) = logs.entry(self.user)
            && log.get().grown.receiver_count() == 0
        {
            log.remove();
        }
    }
}
