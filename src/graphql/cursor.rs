//! Cursors: positions in a list, opaque to clients.
//!
//! A cursor is base64url of a version, the tag of the list and its order, the direction, and the
//! position itself. It refers to no row, so it stays valid when its edge is deleted, and it is the
//! same on every database.
//!
//! **Invariant:** a cursor of another version, list or order never decodes.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use chrono::DateTime;

use super::lists::{AUDIT_LOG, FOLLOW_EVENTS, OrderField, OrderedList};
use crate::{
    domain::{FollowPosition, OrderDirection, TIMES, UserId},
    service::ListedUser,
};

const VERSION: u8 = 1;
/// In place of the owner of a log that is not a user's.
pub(super) const NO_OWNER: UserId = UserId(0);

/// The two bytes that identify a list in an order. Every cursor that a client keeps has them.
const fn tag(list: &OrderedList) -> [u8; 2] {
    match list.direction {
        OrderDirection::Asc => [list.order.tag, b'a'],
        OrderDirection::Desc => [list.order.tag, b'd'],
    }
}

/// A position in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Position {
    /// By a time, then by the id of a user.
    Time(FollowPosition),
    /// By a username in lower case.
    Username(String),
    /// By the number in the log of a user.
    Event {
        /// The owner of the log.
        owner: UserId,
        /// The number.
        sequence: i64,
    },
}

fn encode_time(list: &OrderedList, position: FollowPosition) -> String {
    let micros = position.followed_at.timestamp_micros();
    encode_bytes(list, [micros.to_be_bytes(), position.user.0.to_be_bytes()].as_flattened())
}

fn encode_bytes(list: &OrderedList, position: &[u8]) -> String {
    BASE64.encode([&[VERSION], &tag(list)[..], position].concat())
}

/// The cursor of an entry of a list.
pub(super) fn encode(list: &OrderedList, item: &ListedUser) -> String {
    match list.order.field {
        OrderField::Username => {
            encode_bytes(list, item.user.username.to_ascii_lowercase().as_bytes())
        }
        OrderField::CreatedAt | OrderField::FollowedAt | OrderField::MadeAt => {
            encode_time(list, item.position())
        }
        // The list has no users.
        OrderField::Sequence => encode_event(item.user.id, 0),
    }
}

/// The position that a cursor of this list stands for; `None` for any other text.
pub(super) fn decode(list: &OrderedList, cursor: &str) -> Option<Position> {
    let bytes = BASE64.decode(cursor).ok()?;
    let position = bytes.strip_prefix(&[VERSION])?.strip_prefix(&tag(list))?;
    match list.order.field {
        OrderField::Username => {
            // Any text, so that a username that breaks the rules of today can be paged past.
            let key = std::str::from_utf8(position).ok()?;
            (!key.is_empty() && !key.contains('\0')).then(|| Position::Username(key.to_owned()))
        }
        OrderField::FollowedAt | OrderField::CreatedAt | OrderField::MadeAt => {
            let (micros, id) = position.split_first_chunk::<8>()?;
            let followed_at = DateTime::from_timestamp_micros(i64::from_be_bytes(*micros));
            let followed_at = followed_at.filter(|time| TIMES.contains(time))?;
            let user = UserId(i64::from_be_bytes(id.try_into().ok()?));
            Some(Position::Time(FollowPosition { followed_at, user }))
        }
        OrderField::Sequence => {
            let (owner, sequence) = position.split_first_chunk::<8>()?;
            let owner = UserId(i64::from_be_bytes(*owner));
            let sequence = i64::from_be_bytes(sequence.try_into().ok()?);
            (sequence >= 0).then_some(Position::Event { owner, sequence })
        }
    }
}

/// The cursor of the event with this number in the log of a user.
#[must_use]
pub fn encode_event(owner: UserId, sequence: i64) -> String {
    let place = [owner.0.to_be_bytes(), sequence.to_be_bytes()];
    encode_bytes(&FOLLOW_EVENTS.ordered(None, None), place.as_flattened())
}

/// The cursor of an entry in the log of administrators, which has no owner.
pub(super) fn encode_audit(id: i64) -> String {
    let place = [NO_OWNER.0.to_be_bytes(), id.to_be_bytes()];
    encode_bytes(&AUDIT_LOG.ordered(None, None), place.as_flattened())
}

/// The number of the event that a cursor of this log stands for; `None` for any other text, and for
/// the log of another user.
#[must_use]
pub fn decode_event(user: UserId, cursor: &str) -> Option<i64> {
    match decode(&FOLLOW_EVENTS.ordered(None, None), cursor)? {
        Position::Event { owner, sequence } if owner == user => Some(sequence),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graphql::lists::{FOLLOWERS, LISTS, USERS};

    /// Every list in every order.
    fn lists() -> Vec<OrderedList> {
        let directions = [OrderDirection::Asc, OrderDirection::Desc];
        let lists = LISTS.into_iter().flat_map(|list| {
            let orders = list.orders.iter();
            orders
                .flat_map(move |order| directions.map(|d| list.ordered(Some(order.field), Some(d))))
        });
        lists.collect()
    }

    fn position(list: &OrderedList) -> Position {
        let followed_at = DateTime::from_timestamp_micros(1_700_000_000_000_001).expect("in range");
        match list.order.field {
            OrderField::Username => Position::Username("alice_1".to_owned()),
            OrderField::CreatedAt | OrderField::FollowedAt | OrderField::MadeAt => {
                Position::Time(FollowPosition { followed_at, user: UserId(42) })
            }
            OrderField::Sequence => Position::Event { owner: UserId(42), sequence: 7 },
        }
    }

    fn encoded(list: &OrderedList, position: &Position) -> String {
        match position {
            Position::Time(position) => encode_time(list, *position),
            Position::Username(key) => encode_bytes(list, key.as_bytes()),
            Position::Event { owner, sequence } => {
                let place = [owner.0.to_be_bytes(), sequence.to_be_bytes()];
                encode_bytes(list, place.as_flattened())
            }
        }
    }

    #[test]
    fn a_cursor_is_of_one_list_and_order_only() {
        for list in lists() {
            let cursor = encoded(&list, &position(&list));
            for other in lists() {
                let expected = (other == list).then(|| position(&list));
                assert_eq!(decode(&other, &cursor), expected, "{list:?} read as {other:?}");
            }
        }
    }

    #[test]
    fn cursors_that_clients_keep_stay_valid() {
        for (list, field, direction, cursor) in [
            (&FOLLOWERS, None, OrderDirection::Desc, "AWZkAAYKJBgeQAEAAAAAAAAAKg"),
            (&USERS, None, OrderDirection::Asc, "AXVhYWxpY2VfMQ"),
            (
                &USERS,
                Some(OrderField::CreatedAt),
                OrderDirection::Desc,
                "AWNkAAYKJBgeQAEAAAAAAAAAKg",
            ),
        ] {
            let list = list.ordered(field, Some(direction));
            assert_eq!(encoded(&list, &position(&list)), cursor);
        }
    }

    #[test]
    fn a_time_outside_of_the_years_1_to_9999_is_no_position() {
        let list = FOLLOWERS.ordered(None, None);
        let cursor = |micros: i64| {
            let position = [micros.to_be_bytes(), 42_i64.to_be_bytes()];
            encode_bytes(&list, position.as_flattened())
        };
        let (first, last) = (TIMES.start().timestamp_micros(), TIMES.end().timestamp_micros());
        for micros in [first, last] {
            assert!(decode(&list, &cursor(micros)).is_some(), "{micros}");
        }
        for micros in [i64::MIN, first - 1, last + 1, i64::MAX] {
            assert_eq!(decode(&list, &cursor(micros)), None, "{micros}");
        }
    }

    #[test]
    fn a_text_that_we_did_not_write_is_not_a_cursor() {
        let list = FOLLOWERS.ordered(None, None);
        let good = encoded(&list, &position(&list));
        let mut bytes = BASE64.decode(&good).expect("ours");
        bytes[0] = VERSION + 1;
        let another_version = BASE64.encode(&bytes);
        let longer = BASE64.encode([&BASE64.decode(&good).expect("ours")[..], b"x"].concat());

        for bad in ["", "x", "!", &good[1..], &format!("{good}="), &another_version, &longer] {
            assert_eq!(decode(&list, bad), None, "{bad}");
        }
    }
}
