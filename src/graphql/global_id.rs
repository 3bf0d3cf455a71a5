//! Global object identifiers: opaque to clients, base64url of a type and a number.
//!
//! Each object has exactly one: a text that decodes but is not the text that we would have written
//! is not an id.

use async_graphql::ID;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};

use crate::domain::UserId;

const USER: &str = "User:";

/// The global id of a user.
pub(super) fn of_user(id: UserId) -> ID {
    ID(BASE64.encode(format!("{USER}{id}")))
}

/// The user whom a global id names; `None` if it is not the id of a user.
pub(super) fn to_user(id: &str) -> Option<UserId> {
    let bytes = BASE64.decode(id).ok()?;
    let number = std::str::from_utf8(&bytes).ok()?.strip_prefix(USER)?;
    let user = UserId(number.parse().ok()?);
    (user.to_string() == number).then_some(user)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_user_has_exactly_one_id() {
        for id in [0, 1, -1, i64::MIN, i64::MAX] {
            assert_eq!(to_user(&of_user(UserId(id))), Some(UserId(id)));
        }
        for other in ["User:01", "User:+1", "User:", "Follow:1", "user:1", "User:1 "] {
            assert_eq!(to_user(&BASE64.encode(other)), None, "{other}");
        }
        assert_eq!(to_user("User:1"), None);
        assert_eq!(to_user(""), None);
    }
}
