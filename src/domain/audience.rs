//! The audience of an answer.

use super::UserId;

/// The reader that an answer is for. It is part of every key whose answer may depend on the
/// reader: answers for everybody are shared between requests and may be cached, answers for a
/// viewer live as long as that viewer's request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Audience {
    /// Any reader, signed in or not: the answer is the same for all.
    Everybody,
    /// This viewer only.
    Viewer(UserId),
}
