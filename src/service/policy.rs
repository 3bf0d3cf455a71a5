//! Who may do what, and why not.
//!
//! The guard of the mutations, `viewerCanFollow` and `viewerCannotFollowReasons` all come here,
//! so a button that shows is a mutation that works.

use super::{Error, Result};
use crate::domain::{
    Account, Audience, FollowFacts, FollowLimit, FollowRefusal, Permission, Permissions, UserId,
    decide_follow,
};

/// Whether answers depend on the reader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Visibility {
    /// Everybody sees the same, so reads are shared between requests and users are cached.
    #[default]
    Public,
    /// Each viewer sees an answer of their own: nothing is shared or cached for a signed-in
    /// caller.
    PerViewer,
}

impl Visibility {
    /// Whom the answers to this caller are for.
    pub(crate) fn audience(self, viewer: Option<&Viewer>) -> Audience {
        match (self, viewer) {
            (Self::PerViewer, Some(viewer)) => Audience::Viewer(viewer.id()),
            (Self::PerViewer, None) | (Self::Public, _) => Audience::Everybody,
        }
    }
}

/// The signed-in caller, with what they may do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Viewer {
    /// The account, as the database has it now.
    pub account: Account,
    /// What the role gives, narrowed by the scope of the token.
    pub permissions: Permissions,
}

impl Viewer {
    /// The id of the viewer's account.
    pub fn id(&self) -> UserId {
        self.account.user.id
    }
}

/// Why the viewer cannot follow a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FollowDenial {
    /// Nobody is signed in.
    Unauthenticated,
    /// The role or the token lacks the permission.
    MissingPermission,
    /// It is the viewer.
    Yourself,
    /// The viewer has reached a limit.
    LimitReached(FollowLimit),
}

/// Why the viewer cannot follow a user: a permission, the rule of a follow, or both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FollowDenials {
    permission: Option<FollowDenial>,
    rule: Option<FollowDenial>,
}

impl FollowDenials {
    /// Whether the viewer can follow the user.
    pub const fn is_empty(&self) -> bool {
        self.permission.is_none() && self.rule.is_none()
    }

    /// The reasons.
    pub fn iter(&self) -> impl Iterator<Item = FollowDenial> {
        self.permission.into_iter().chain(self.rule)
    }

    /// The reasons of a viewer. `facts` may lack what need not be looked up; signed out, there are
    /// none.
    pub(super) fn new(viewer: Option<&Viewer>, facts: Option<&FollowFacts>) -> Self {
        let permission = match authorize(viewer, Permissions::from_iter([Permission::Follow])) {
            Ok(_) => None,
            Err(Error::Unauthenticated) => Some(FollowDenial::Unauthenticated),
            Err(_) => Some(FollowDenial::MissingPermission),
        };
        let rule = facts.and_then(|facts| match decide_follow(facts).err()? {
            FollowRefusal::Yourself => Some(FollowDenial::Yourself),
            FollowRefusal::LimitReached(limit) => Some(FollowDenial::LimitReached(limit)),
            FollowRefusal::NotFound => None,
        });
        Self { permission, rule }
    }
}

/// Whether the viewer holds all of these permissions. With none asked for, it is enough to be
/// signed in.
///
/// # Errors
/// [`Error::Unauthenticated`] without a viewer, [`Error::Forbidden`] when one is missing.
pub fn authorize(viewer: Option<&Viewer>, required: Permissions) -> Result<&Viewer> {
    let viewer = viewer.ok_or(Error::Unauthenticated)?;
    if viewer.permissions.intersection(required) == required {
        Ok(viewer)
    } else {
        Err(Error::Forbidden { required })
    }
}
