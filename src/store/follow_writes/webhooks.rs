//! Messages to be written to the outbox.

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use chrono::{DateTime, Utc};

use super::{decision::Plan, events::NewEvent};
use crate::domain::{EventCause, EventKind, UserId, WebhookKind};

/// How much of the hash is in an id: too much for two of them to be equal by chance.
const HASH_BYTES: usize = 16;

/// A message to be added to the outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NewWebhook {
    pub(crate) kind: WebhookKind,
    pub(crate) follower: UserId,
    pub(crate) followee: UserId,
    pub(crate) at: DateTime<Utc>,
}

impl NewWebhook {
    /// The message about an event. `None` if the host is not notified of it: not of a repeat, and
    /// not of what was imported.
    fn of(event: &NewEvent) -> Option<Self> {
        let kind = match event.kind {
            EventKind::Followed => WebhookKind::FollowCreated,
            EventKind::Requested => WebhookKind::FollowRequested,
            EventKind::FollowerLost
            | EventKind::FollowEnded
            | EventKind::RequestAccepted
            | EventKind::RequestWithdrawn => return None,
        };
        let NewEvent { log, other, at, .. } = *event;
        let is_news = !event.is_repeat && event.cause != EventCause::Import;
        is_news.then_some(Self { kind, follower: other, followee: log, at })
    }

    /// The id: a hash of the message. So a change that is written again after a lost answer has the
    /// same id, and two follows of a pair within one microsecond are one message.
    pub(crate) fn id(&self) -> String {
        let Self { kind, follower, followee, at } = self;
        let text = format!("{} {follower} {followee} {}", kind.name(), at.timestamp_micros());
        let hash = digest(&SHA256, text.as_bytes());
        format!("msg_{}", BASE64.encode(&hash.as_ref()[..HASH_BYTES]))
    }
}

impl Plan {
    /// The messages about its events, in their order.
    pub(crate) fn webhooks(&self) -> impl Iterator<Item = NewWebhook> {
        self.events.iter().filter_map(NewWebhook::of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: EventKind, cause: EventCause, is_repeat: bool) -> NewEvent {
        let (log, other) = (UserId(1), UserId(2));
        NewEvent { log, kind, cause, other, at: DateTime::UNIX_EPOCH, is_repeat }
    }

    #[test]
    fn there_is_a_message_about_each_new_follow_and_request() {
        for kind in EventKind::ALL {
            for cause in EventCause::ALL {
                let is_new = matches!(kind, EventKind::Followed | EventKind::Requested);
                let message = NewWebhook::of(&event(kind, cause, false));
                assert_eq!(message.is_some(), is_new && cause != EventCause::Import, "{kind:?}");
                assert_eq!(NewWebhook::of(&event(kind, cause, true)), None, "{kind:?}");
            }
        }
    }

    #[test]
    fn ids_differ_when_anything_in_the_message_does() {
        let followed = event(EventKind::Followed, EventCause::User, false);
        let others = [
            NewEvent { kind: EventKind::Requested, ..followed },
            NewEvent { log: UserId(3), ..followed },
            NewEvent { other: UserId(3), ..followed },
            NewEvent { at: DateTime::from_timestamp_micros(1).expect("in range"), ..followed },
        ];
        let id = |event| NewWebhook::of(&event).expect("a message").id();

        assert_eq!(id(followed), "msg_QQeMrPPOgAKybFVqOLrWPQ");
        assert_eq!(id(followed), id(NewEvent { cause: EventCause::PrivacyChanged, ..followed }));
        assert!(others.into_iter().all(|other| id(other) != id(followed)));
    }
}
