//! Events to be written, and their numbers.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::domain::{EventCause, EventKind, UserId};

/// An event to be added to a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NewEvent {
    /// The owner of the log.
    pub(crate) log: UserId,
    pub(crate) kind: EventKind,
    pub(crate) cause: EventCause,
    pub(crate) other: UserId,
    pub(crate) at: DateTime<Utc>,
    pub(crate) is_repeat: bool,
}

/// Events with their numbers, counted back from the last event of their logs after the write: 0 is
/// the last one, -1 the one before. The database adds the number of the last event.
pub(crate) fn numbered(events: &[NewEvent]) -> impl Iterator<Item = (NewEvent, i64)> {
    let mut left = HashMap::<UserId, i64>::new();
    for event in events {
        *left.entry(event.log).or_default() += 1;
    }
    events.iter().map(move |event| {
        let left = left.entry(event.log).or_default();
        *left -= 1;
        (*event, -*left)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_numbered_in_order_within_each_log() {
        let event = |log| NewEvent {
            log: UserId(log),
            kind: EventKind::Followed,
            cause: EventCause::User,
            other: UserId(9),
            at: DateTime::UNIX_EPOCH,
            is_repeat: false,
        };

        let events = [event(1), event(2), event(1), event(1)];

        let back: Vec<_> = numbered(&events).map(|(event, back)| (event.log.0, back)).collect();
        assert_eq!(back, [(1, -2), (2, 0), (1, -1), (1, 0)]);
    }
}
