//! Global object identifiers: opaque to clients, base64url of a type and a number.
//!
//! Each object has exactly one: a text that decodes but is not the text that we would have written
//! is not an id.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};

use super::UserId;

const USER: &str = "User";
const VIEWER: &str = "Viewer";

/// The object that a global id names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GlobalId {
    /// A user.
    User(UserId),
    /// A user as the caller of a request.
    Viewer(UserId),
}

impl GlobalId {
    /// The object that a text names; `None` if it is not an id.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = BASE64.decode(text).ok()?;
        let (ty, number) = std::str::from_utf8(&bytes).ok()?.split_once(':')?;
        let id = UserId(number.parse().ok()?);
        if id.to_string() != number {
            return None;
        }
        match ty {
            USER => Some(Self::User(id)),
            VIEWER => Some(Self::Viewer(id)),
            _ => None,
        }
    }

    /// The user that a text names; `None` if it is not the id of a user.
    #[must_use]
    pub fn user(text: &str) -> Option<UserId> {
        match Self::parse(text)? {
            Self::User(id) => Some(id),
            Self::Viewer(_) => None,
        }
    }

    /// The text of the id.
    #[must_use]
    pub fn text(self) -> String {
        let (ty, id) = match self {
            Self::User(id) => (USER, id),
            Self::Viewer(id) => (VIEWER, id),
        };
        BASE64.encode(format!("{ty}:{id}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_object_has_exactly_one_id() {
        for id in [0, 1, -1, i64::MIN, i64::MAX].map(UserId) {
            for object in [GlobalId::User(id), GlobalId::Viewer(id)] {
                assert_eq!(GlobalId::parse(&object.text()), Some(object));
            }
        }
        for other in ["User:01", "User:+1", "User:", "Follow:1", "user:1", "User:1 ", "Role:1"] {
            assert_eq!(GlobalId::parse(&BASE64.encode(other)), None, "{other}");
        }
        assert_eq!(GlobalId::parse("User:1"), None);
        assert_eq!(GlobalId::parse(""), None);
        assert_eq!(GlobalId::user(&GlobalId::Viewer(UserId(1)).text()), None);
    }
}
