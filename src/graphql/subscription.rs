//! A subscription: the events of a feed, each as the answer to the operation.
//!
//! The feed returns events in batches. The events of a batch are executed at the same time, with the
//! same loaders, so a batch takes as many SQL statements as one event.
//!
//! **Invariant:** nothing is read ahead. A batch is read when the last answer has been taken.
//!
//! **Invariant:** events are executed for the viewer that the feed has just looked up, also those of a
//! batch that costs more than one operation may, and those that had to wait.
//!
//! **Invariant:** events are paid before they are executed, so a client that subscribes again and
//! again pays for each.

use std::{
    collections::VecDeque,
    net::IpAddr,
    num::NonZeroU32,
    sync::{Arc, LazyLock},
    time::Duration,
};

use async_graphql::{
    Response, Value,
    parser::types::{DocumentOperations, ExecutableDocument, Selection},
};
use chrono::{DateTime, Utc};
use futures_util::{StreamExt, future::join_all};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::sleep,
};

use super::{
    cursor,
    error::{Code, Failure},
    execution::Execution,
    reply::Reply,
    types::event::FollowEvent,
};
use crate::{
    domain,
    service::{Error, EventFeed, EventFeedEnd, SeenBy, Service, Viewer},
};

/// How long a subscription with an empty budget waits before it looks the viewer up again.
const UNPAID_MAX: Duration = Duration::from_secs(30);
/// How many batches are executed at once, in all subscriptions together. Further ones wait, so that
/// they cannot occupy every connection to the database.
const BATCHES_MAX: usize = 64;

static BATCHES: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(BATCHES_MAX));

/// An event, as the answer to the operation.
#[derive(Debug)]
pub struct Delivery {
    /// The response, as JSON.
    pub body: Vec<u8>,
    /// The cursor of the event.
    pub cursor: String,
    at: DateTime<Utc>,
}

/// What is answered for each event.
pub(super) struct Plan {
    pub document: ExecutableDocument,
    /// What an event costs.
    pub cost: NonZeroU32,
    pub shows_cost: bool,
    pub address: Option<IpAddr>,
    pub request_id: String,
}

/// A running subscription. Dropping it ends it.
pub struct Subscription {
    service: Arc<Service>,
    execution: Execution,
    plan: Plan,
    viewer: Arc<Viewer>,
    feed: EventFeed,
    /// The events of the last batch that were not executed yet.
    rest: VecDeque<domain::FollowEvent>,
    answered: VecDeque<Delivery>,
}

impl Subscription {
    /// Subscribes a viewer to what follows `after`, or the argument of that name if it is given.
    ///
    /// # Errors
    /// The reply to a subscription that is refused.
    pub(super) async fn open(
        (service, execution): (Arc<Service>, Execution),
        seen_by: SeenBy,
        plan: Plan,
        after: Option<&str>,
    ) -> Result<Self, Reply> {
        let viewer = Arc::clone(seen_by.signed_in()?);
        let (argument, field) = root_field(&plan.document);
        let after = argument.as_deref().or(after);
        let after = after.map(|text| cursor::decode_event(viewer.id(), text).ok_or(())).transpose();
        let after = after.map_err(|()| {
            let message = "after is not a cursor of your events";
            Failure::new(Code::InvalidCursor, message).with_argument(format!("{field}.after"))
        })?;

        let feed = seen_by.follow_events(after).await?;
        Ok(Self {
            service,
            execution,
            plan,
            viewer,
            feed,
            rest: VecDeque::new(),
            answered: VecDeque::new(),
        })
    }

    /// The next event, answered; waits until there is one.
    ///
    /// # Errors
    /// The reply that the subscription ends with.
    pub async fn next(&mut self) -> Result<Delivery, Reply> {
        loop {
            if let Some(delivery) = self.answered.pop_front() {
                self.measure(&delivery);
                return Ok(delivery);
            }
            let mut seen_by = if self.rest.is_empty() {
                let batch = self.feed.next().await.map_err(|end| self.ending(end))?;
                self.rest = batch.events.into();
                batch.seen_by
            } else {
                self.look_again().await?
            };
            let most = self.execution.limits.nodes_max / u64::from(self.plan.cost.get());
            let most = usize::try_from(most).unwrap_or(usize::MAX);
            let count = most.clamp(1, self.rest.len());
            let (permit, has_waited) = self.turn(count).await?;
            if has_waited {
                seen_by = self.look_again().await?;
            }
            self.answer(seen_by, count).await?;
            drop(permit);
        }
    }

    /// Pays for the next events, and waits for its turn to execute them; with whether that took a
    /// while, so that the viewer may have changed. An empty budget delays the events.
    async fn turn(&mut self, count: usize) -> Result<(SemaphorePermit<'static>, bool), Reply> {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let cost = NonZeroU32::new(self.plan.cost.get().saturating_mul(count));
        let cost = cost.unwrap_or(self.plan.cost);
        let mut has_waited = false;
        while let Err(Error::RateLimited { retry_after }) =
            self.service.charge(Some(&self.viewer), self.plan.address, cost)
        {
            sleep(retry_after.min(UNPAID_MAX)).await;
            self.look_again().await?;
            has_waited = true;
        }
        if let Ok(permit) = BATCHES.try_acquire() {
            return Ok((permit, has_waited));
        }
        Ok((BATCHES.acquire().await.expect("it is never closed"), true))
    }

    /// Looks the viewer up again.
    async fn look_again(&mut self) -> Result<SeenBy, Reply> {
        self.feed.look_again().await.map_err(|end| self.ending(end))
    }

    /// Executes the next events.
    async fn answer(&mut self, seen_by: SeenBy, count: usize) -> Result<(), Reply> {
        let Self { execution, plan, rest, .. } = self;
        let chunk: Vec<_> = rest.drain(..count).collect();
        let owner = self.viewer.id();
        let context = execution.context(seen_by, plan.address, None).await;
        let responses = join_all(chunk.iter().map(|event| {
            let mut request = async_graphql::Request::new("");
            request.set_parsed_query(plan.document.clone());
            let request = request.data(Arc::clone(&context));
            one_response(execution, request.data(FollowEvent { event: *event, owner }))
        }));
        let responses = execution.bounded(&plan.request_id, responses).await?;

        let cost = plan.shows_cost.then_some(plan.cost);
        self.answered.extend(chunk.iter().zip(responses).map(|(event, response)| Delivery {
            body: Reply::executed(response, &plan.request_id, cost).body,
            cursor: cursor::encode_event(owner, event.sequence),
            at: event.at,
        }));
        Ok(())
    }

    fn ending(&self, end: EventFeedEnd) -> Reply {
        match end {
            EventFeedEnd::Unauthenticated => Error::Unauthenticated.into(),
            EventFeedEnd::Expired { oldest } => {
                Failure::events_expired(cursor::encode_event(self.viewer.id(), oldest)).into()
            }
            EventFeedEnd::Failed(error) => {
                let failure = Failure::from(error);
                Reply::failed(failure, &self.plan.request_id)
            }
        }
    }

    fn measure(&self, delivery: &Delivery) {
        let lag = self.service.now() - delivery.at;
        let lag = lag.to_std().unwrap_or_default();
        metrics::counter!("entourage_events_delivered_total").increment(1);
        metrics::histogram!("entourage_event_lag_seconds").record(lag);
    }
}

/// The answer of one event.
async fn one_response(execution: &Execution, request: async_graphql::Request) -> Response {
    let mut responses = execution.executable.execute_stream(request);
    responses.next().await.unwrap_or_default()
}

/// The argument `after` of the root field, and the key of the field.
fn root_field(document: &ExecutableDocument) -> (Option<String>, String) {
    let DocumentOperations::Single(operation) = &document.operations else {
        return (None, String::new());
    };
    let first = operation.node.selection_set.node.items.first();
    let Some(Selection::Field(field)) = first.map(|first| &first.node) else {
        return (None, String::new());
    };
    let after = field.node.get_argument("after").and_then(|value| value.node.clone().into_const());
    let after = match after {
        Some(Value::String(cursor)) => Some(cursor),
        _ => None,
    };
    (after, field.node.response_key().node.to_string())
}
