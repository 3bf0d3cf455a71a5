//! Cursors: positions in a list, opaque to clients.
//!
//! A cursor is base64url of a version, the list with its order, and the position itself. It names
//! no row, so it stays valid when its edge is gone, and it is the same on every database.
//!
//! **Invariant:** a cursor of another version, list or order never decodes.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use chrono::DateTime;

use crate::domain::{FollowList, FollowPosition, OrderDirection, UserId, UserOrderField, Username};

const VERSION: u8 = 1;
use crate::service::ListedUser;

/// The list, with its order, that a cursor is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    /// The followers of a user, or those whom they follow, by time.
    Follows(FollowList, OrderDirection),
    /// The users, by something.
    Users(UserOrderField, OrderDirection),
}

impl List {
    /// The two bytes that tell lists and orders apart. They are part of every cursor out there:
    /// never give one a new meaning.
    const fn tag(self) -> [u8; 2] {
        let (list, direction) = match self {
            Self::Follows(FollowList::Followers, direction) => (b'f', direction),
            Self::Follows(FollowList::Following, direction) => (b'g', direction),
            Self::Users(UserOrderField::Username, direction) => (b'u', direction),
            Self::Users(UserOrderField::CreatedAt, direction) => (b'c', direction),
        };
        match direction {
            OrderDirection::Asc => [list, b'a'],
            OrderDirection::Desc => [list, b'd'],
        }
    }
}

/// A position in any list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Position {
    /// By a time and the id of a user.
    Time(FollowPosition),
    /// By a username in lower case.
    Username(String),
}

/// The cursor of a position in a list.
pub(super) fn encode(list: List, position: &Position) -> String {
    let mut bytes = vec![VERSION];
    bytes.extend(list.tag());
    match position {
        Position::Time(at) => {
            bytes.extend(at.followed_at.timestamp_micros().to_be_bytes());
            bytes.extend(at.user.0.to_be_bytes());
        }
        Position::Username(key) => bytes.extend(key.as_bytes()),
    }
    BASE64.encode(bytes)
}

/// The cursor of a follow.
pub(super) fn of_follow(direction: FollowList, order: OrderDirection, item: &ListedUser) -> String {
    encode(List::Follows(direction, order), &Position::Time(position_of(item)))
}

/// The position of a follow, wherever it was asked for.
pub(super) fn position_of(item: &ListedUser) -> FollowPosition {
    item.position()
}

/// The position that a cursor of this list names; `None` for whatever else.
pub(super) fn decode(list: List, cursor: &str) -> Option<Position> {
    let bytes = BASE64.decode(cursor).ok()?;
    let position = bytes.strip_prefix(&[VERSION])?.strip_prefix(&list.tag())?;
    match list {
        List::Users(UserOrderField::Username, _) => {
            let key = std::str::from_utf8(position).ok()?;
            let key = Username::parse(key).ok()?.key();
            Some(Position::Username(key.as_str().to_owned()))
        }
        List::Follows(..) | List::Users(UserOrderField::CreatedAt, _) => {
            let (micros, id) = position.split_first_chunk::<8>()?;
            let followed_at = DateTime::from_timestamp_micros(i64::from_be_bytes(*micros))?;
            let user = UserId(i64::from_be_bytes(id.try_into().ok()?));
            Some(Position::Time(FollowPosition { followed_at, user }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTS: [List; 4] = [
        List::Follows(FollowList::Followers, OrderDirection::Desc),
        List::Follows(FollowList::Followers, OrderDirection::Asc),
        List::Follows(FollowList::Following, OrderDirection::Desc),
        List::Users(UserOrderField::CreatedAt, OrderDirection::Desc),
    ];

    fn position() -> Position {
        let followed_at = DateTime::from_timestamp_micros(1_700_000_000_000_001).expect("in range");
        Position::Time(FollowPosition { followed_at, user: UserId(42) })
    }

    #[test]
    fn a_cursor_is_of_one_list_and_order_only() {
        for of in LISTS {
            let cursor = encode(of, &position());
            for asked in LISTS {
                let expected = (asked == of).then(position);
                assert_eq!(decode(asked, &cursor), expected, "{of:?} asked as {asked:?}");
            }
        }
    }

    #[test]
    fn a_cursor_of_a_username_round_trips() {
        let list = List::Users(UserOrderField::Username, OrderDirection::Asc);
        let position = Position::Username("alice_1".to_owned());
        assert_eq!(decode(list, &encode(list, &position)), Some(position));
    }

    #[test]
    fn whatever_we_did_not_write_is_no_cursor() {
        let list = LISTS[0];
        let good = encode(list, &position());
        let mut bytes = BASE64.decode(&good).expect("ours");
        bytes[0] = VERSION + 1;
        let another_version = BASE64.encode(&bytes);
        let longer = BASE64.encode([&BASE64.decode(&good).expect("ours")[..], b"x"].concat());

        for bad in ["", "x", "!", &good[1..], &format!("{good}="), &another_version, &longer] {
            assert_eq!(decode(list, bad), None, "{bad}");
        }
    }
}
