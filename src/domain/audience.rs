//! Who an answer is for.

use super::UserId;

/// Whose eyes an answer is for. What everybody sees alike is read once for many requests and may
/// be remembered; what depends on a viewer is read for that viewer's request alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Audience {
    /// The answer is the same for everybody.
    Everybody,
    /// The answer is for this viewer only.
    Viewer(UserId),
}
