//! Deliveries to the host's webhook, from the outbox that changes write to.
//!
//! A server claims messages for a while, so that several servers share the work. If it dies
//! meanwhile, the claim ends and another attempt is made: each message is delivered at least once, in
//! any order.
//!
//! A message says what the users are called now. Their names are read when it is sent, not when it is
//! written: the change costs no look-up, and the outbox keeps nothing of a deleted user. A message
//! about a deleted user is dropped.

mod receiver;
mod schedule;
mod signature;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use tokio::{
    sync::watch,
    task::{JoinError, JoinSet},
    time::{Instant, sleep},
};

use self::{
    receiver::{Answer, TIME_MAX},
    schedule::next_attempt,
};
pub use self::{
    receiver::{WebhookReceiver, WebhookUrlError},
    signature::{WebhookSecretError, WebhookSecrets},
};
use super::{Operator, Outage, Result, Service};
use crate::domain::{
    Clock, GlobalId, Webhook, WebhookAttempt, WebhookBacklog, WebhookNames, WebhookOutcome,
    WebhookUser,
};

/// The most messages that one server sends at once.
const SENT_TOGETHER: usize = 16;
/// So many failures in a row are an outage of the receiver.
const FAILURES_OF_OUTAGE: usize = 16;
/// How often a message is sent in an outage, to see whether it is over.
const PROBE_EVERY: Duration = Duration::from_secs(1);
/// How often the outbox is searched for messages of other servers and messages that are due again.
const SEARCH_EVERY: Duration = Duration::from_secs(1);
/// For how long a message is claimed: longer than an attempt takes, also when clocks disagree.
const CLAIM: Duration = Duration::from_mins(2);
/// How often the outbox is counted for the metrics.
const COUNT_EVERY: Duration = Duration::from_secs(30);

const _: () = assert!(TIME_MAX.as_secs() * 2 < CLAIM.as_secs());

/// The webhook of a server that has one.
#[derive(Debug)]
pub(super) struct Deliveries {
    receiver: WebhookReceiver,
    /// Whether the receiver has answered that it is gone.
    is_off: AtomicBool,
    /// How many attempts have failed since the last that did not.
    failures: AtomicUsize,
    /// When the outbox cannot be searched.
    outage: Outage,
    /// Until when the receiver has asked to be left alone.
    paused_until: Mutex<DateTime<Utc>>,
}

impl Deliveries {
    pub(super) fn new(receiver: WebhookReceiver) -> Self {
        describe_metrics();
        Self {
            receiver,
            is_off: AtomicBool::new(false),
            failures: AtomicUsize::new(0),
            outage: Outage::new("messages of the webhook wait for the database"),
            paused_until: Mutex::new(DateTime::UNIX_EPOCH),
        }
    }

    /// How many messages may be on their way: in an outage one, so that the others keep their
    /// attempts.
    fn sent_together(&self, now: DateTime<Utc>) -> usize {
        let paused_until = self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_off.load(Ordering::Relaxed) || now < *paused_until {
            0
        } else if self.failures.load(Ordering::Relaxed) >= FAILURES_OF_OUTAGE {
            1
        } else {
            SENT_TOGETHER
        }
    }

    fn pause(&self, until: DateTime<Utc>) {
        let mut paused_until = self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
        *paused_until = until.max(*paused_until);
    }

    /// Notes a failure, after which the receiver may be left alone for a while. The log has one line for
    /// each outage.
    fn failed(&self, failure: &str, now: DateTime<Utc>, retry_after: Option<Duration>) {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        if failures == 1 {
            tracing::warn!(
                receiver = ?self.receiver, failure,
                "the webhook fails: messages wait, and are sent again"
            );
        }
        let probing = if failures >= FAILURES_OF_OUTAGE { PROBE_EVERY } else { Duration::ZERO };
        self.pause(now + retry_after.unwrap_or_default().max(probing));
    }

    fn worked(&self) {
        if self.failures.swap(0, Ordering::Relaxed) > 0 {
            tracing::info!(receiver = ?self.receiver, "the webhook works again");
        }
    }

    fn switch_off(&self) {
        if !self.is_off.swap(true, Ordering::Relaxed) {
            tracing::error!(
                receiver = ?self.receiver,
                "the webhook has answered 410 Gone: this server sends no more messages until it is \
                 restarted; they wait in the database"
            );
        }
    }
}

impl Service {
    /// Delivers messages until the server drains, and then waits for the answers to those that are on
    /// their way. Returns at once without a webhook.
    pub async fn keep_webhooks_delivered(&self, mut draining: watch::Receiver<bool>) {
        let Some(deliveries) = &self.webhook else { return };
        let delivering = async {
            loop {
                self.deliver(deliveries, &draining).await;
                if *draining.borrow() {
                    return;
                }
                tokio::select! {
                    () = self.store.webhooks_written() => {}
                    () = sleep(SEARCH_EVERY) => {}
                    _ = draining.changed() => {}
                }
            }
        };
        let counting = async {
            loop {
                self.count_webhooks(deliveries).await;
                sleep(COUNT_EVERY).await;
            }
        };
        tokio::select! {
            () = delivering => {}
            () = counting => {}
        }
    }

    /// Delivers the messages that are due, for tests with a clock of their own.
    pub async fn deliver_webhooks(&self) {
        if let Some(deliveries) = &self.webhook {
            let (_draining, is_draining) = watch::channel(false);
            self.deliver(deliveries, &is_draining).await;
        }
    }

    /// Sends messages until none is due and all have been answered. Each is sent by a task of its own,
    /// so that a database that is slow to answer here delays no delivery. The tasks end with this
    /// future.
    async fn deliver(&self, deliveries: &Deliveries, draining: &watch::Receiver<bool>) {
        let mut on_their_way = JoinSet::new();
        let mut may_be_due = true;
        loop {
            let most =
                if *draining.borrow() { 0 } else { deliveries.sent_together(self.clock.now()) };
            let free = most.saturating_sub(on_their_way.len());
            if may_be_due && free > 0 {
                let claimed = self.claim(deliveries, free).await;
                may_be_due = claimed.len() == free;
                for message in claimed {
                    let (receiver, clock) = (deliveries.receiver.clone(), Arc::clone(&self.clock));
                    on_their_way.spawn(send(receiver, clock, message));
                }
            }
            if on_their_way.is_empty() {
                return;
            }

            let mut ended = Vec::new();
            tokio::select! {
                sent = on_their_way.join_next() => ended.extend(sent),
                () = self.store.webhooks_written() => may_be_due = true,
                () = sleep(SEARCH_EVERY) => may_be_due = true,
            }
            ended.extend(std::iter::from_fn(|| on_their_way.try_join_next()));
            let attempt = |sent: std::result::Result<_, JoinError>| {
                self.attempt(deliveries, sent.expect("a delivery neither panics nor is cancelled"))
            };
            self.settle(&ended.into_iter().map(attempt).collect::<Vec<_>>()).await;
        }
    }

    async fn claim(&self, deliveries: &Deliveries, limit: usize) -> Vec<Webhook> {
        let now = self.clock.now();
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        let claimed = self.store.claim_webhooks(now, now + CLAIM, limit).await;
        deliveries.outage.note(&claimed);
        claimed.unwrap_or_default()
    }

    async fn settle(&self, attempts: &[WebhookAttempt]) {
        if let Err(error) = self.store.settle_webhooks(attempts).await {
            let messages = attempts.len();
            tracing::warn!(%error, messages, "messages of the webhook are sent once more");
        }
    }

    /// Decides what becomes of a message that was sent.
    fn attempt(&self, deliveries: &Deliveries, sent: Sent) -> WebhookAttempt {
        let Sent { message, answer, at } = sent;
        let outcome = match answer {
            None => {
                count("dropped");
                WebhookOutcome::Done
            }
            Some(Answer::Taken) => {
                count("delivered");
                deliveries.worked();
                WebhookOutcome::Done
            }
            Some(Answer::Gone) => {
                deliveries.switch_off();
                self.failed(&message, "answered 410".to_owned(), None)
            }
            Some(Answer::Failed { failure, retry_after }) => {
                deliveries.failed(&failure, at, retry_after);
                self.failed(&message, failure, retry_after)
            }
        };
        WebhookAttempt { id: message.id, number: message.attempts, outcome }
    }

    /// What becomes of a message whose attempt failed.
    fn failed(
        &self,
        message: &Webhook,
        failure: String,
        retry_after: Option<Duration>,
    ) -> WebhookOutcome {
        count("failed");
        let now = self.clock.now();
        if let Some(due_at) = next_attempt(message.attempts, now, retry_after, &*self.random) {
            return WebhookOutcome::Retry { due_at, failure };
        }
        count("parked");
        tracing::warn!(
            id = message.id,
            attempts = message.attempts,
            failure,
            "a message of the webhook is parked: `entourage webhooks resend` sends it again"
        );
        WebhookOutcome::Parked { failure }
    }

    async fn count_webhooks(&self, deliveries: &Deliveries) {
        let counted = self.store.webhook_backlog().await;
        deliveries.outage.note(&counted);
        let Ok(WebhookBacklog { waiting, parked, oldest }) = counted else { return };
        let lag = oldest.map_or(0, |at| (self.clock.now() - at).num_seconds().max(0));
        for (name, value) in [
            ("entourage_webhooks_waiting", waiting),
            ("entourage_webhooks_parked", parked),
            ("entourage_webhook_lag_seconds", lag),
        ] {
            metrics::gauge!(name).set(i32::try_from(value).unwrap_or(i32::MAX));
        }
    }
}

/// A message that was sent.
struct Sent {
    message: Webhook,
    /// `None` if it is about a deleted user, and so was not sent.
    answer: Option<Answer>,
    /// When it was answered.
    at: DateTime<Utc>,
}

/// Sends a claimed message.
async fn send(receiver: WebhookReceiver, clock: Arc<dyn Clock>, message: Webhook) -> Sent {
    let begin = Instant::now();
    let answer = match body(&message) {
        Some(body) => Some(receiver.send(&message.id, body, clock.now()).await),
        None => None,
    };
    if answer.is_some() {
        metrics::histogram!("entourage_webhook_seconds").record(begin.elapsed());
    }
    Sent { message, answer, at: clock.now() }
}

impl Operator<'_> {
    /// Parked messages by id, those after `after`, at most `limit`.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn parked_webhooks(&self, after: &str, limit: u32) -> Result<Vec<Webhook>> {
        Ok(self.0.store.parked_webhooks(after, limit).await?)
    }

    /// Makes parked messages due now, with all their attempts. Returns the ids that are not those of
    /// parked messages; then nothing has changed.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn resend_webhooks(&self, ids: &[String]) -> Result<Vec<String>> {
        Ok(self.0.store.resend_webhooks(ids, self.0.clock.now()).await?)
    }
}

/// The body of a message.
#[derive(Serialize)]
struct Body<'a> {
    r#type: &'static str,
    timestamp: String,
    data: BodyData<'a>,
}

#[derive(Serialize)]
struct BodyData<'a> {
    follower: BodyUser<'a>,
    followee: BodyUser<'a>,
}

#[derive(Serialize)]
struct BodyUser<'a> {
    id: String,
    username: &'a str,
    #[serde(rename = "externalId")]
    external_id: Option<&'a str>,
}

/// The body of a message; `None` if one of the users was deleted. Its length is bounded by those of
/// usernames and external ids: less than 4 kB.
fn body(message: &Webhook) -> Option<String> {
    let body = Body {
        r#type: message.kind.name(),
        timestamp: message.at.to_rfc3339_opts(SecondsFormat::Micros, true),
        data: BodyData { follower: user(&message.follower)?, followee: user(&message.followee)? },
    };
    Some(serde_json::to_string(&body).expect("text is always JSON"))
}

fn user(user: &WebhookUser) -> Option<BodyUser<'_>> {
    let WebhookNames { username, external_id } = user.names.as_ref()?;
    let id = GlobalId::User(user.id).text();
    Some(BodyUser { id, username, external_id: external_id.as_deref() })
}

fn count(outcome: &'static str) {
    metrics::counter!("entourage_webhooks_total", "outcome" => outcome).increment(1);
}

fn describe_metrics() {
    metrics::describe_counter!(
        "entourage_webhooks_total",
        "Messages of the webhook: delivered, failed attempts, parked, dropped with a deleted user."
    );
    metrics::describe_histogram!(
        "entourage_webhook_seconds",
        metrics::Unit::Seconds,
        "Time until the webhook has answered."
    );
    metrics::describe_gauge!("entourage_webhooks_waiting", "Messages that are to be sent.");
    metrics::describe_gauge!("entourage_webhooks_parked", "Messages that failed too often.");
    metrics::describe_gauge!(
        "entourage_webhook_lag_seconds",
        metrics::Unit::Seconds,
        "Age of the oldest message that is to be sent."
    );
}
