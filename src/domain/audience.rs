//! The audience of an answer.

use super::{ListReader, UserId};

/// The reader that an answer is for. Answers that are the same for everybody are shared between
/// requests and may be cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Audience {
    viewer: Option<UserId>,
    moderates: bool,
    is_blocked: bool,
}

impl Audience {
    /// Readers who are signed out.
    pub const EVERYBODY: Self = Self { viewer: None, moderates: false, is_blocked: false };

    /// A signed-in reader. `is_blocked` says whether any user blocks them.
    #[must_use]
    pub const fn viewer(viewer: UserId, moderates: bool, is_blocked: bool) -> Self {
        Self { viewer: Some(viewer), moderates, is_blocked }
    }

    /// The reader from whom the users who block them are hidden; `None` if no user is hidden.
    #[must_use]
    pub const fn blocked_viewer(self) -> Option<UserId> {
        if self.is_blocked && !self.moderates { self.viewer } else { None }
    }

    /// The audience as the reader of the lists of a user.
    #[must_use]
    pub fn reader_of(self, owner: UserId) -> ListReader {
        if self.moderates || self.viewer == Some(owner) {
            ListReader::Everything
        } else {
            ListReader::Other(self.viewer)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: UserId = UserId(1);
    const BOB: UserId = UserId(2);

    #[test]
    fn owners_and_moderators_read_everything() {
        let bob = Audience::viewer(BOB, false, false);
        assert_eq!(bob.reader_of(BOB), ListReader::Everything);
        assert_eq!(bob.reader_of(ALICE), ListReader::Other(Some(BOB)));
        assert_eq!(Audience::EVERYBODY.reader_of(ALICE), ListReader::Other(None));
        let moderator = Audience::viewer(BOB, true, false);
        assert_eq!(moderator.reader_of(ALICE), ListReader::Everything);
    }

    #[test]
    fn users_are_hidden_only_from_those_whom_they_block() {
        assert_eq!(Audience::viewer(BOB, false, true).blocked_viewer(), Some(BOB));
        assert_eq!(Audience::viewer(BOB, true, true).blocked_viewer(), None);
        assert_eq!(Audience::viewer(BOB, false, false).blocked_viewer(), None);
        assert_eq!(Audience::EVERYBODY.blocked_viewer(), None);
    }
}
