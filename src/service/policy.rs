//! Who may do what, and why not.
//!
//! The guard of the mutations, `viewerCanFollow` and `viewerCannotFollowReasons` all come here,
//! so a button that shows is a mutation that works.

use std::sync::Arc;

use super::{Error, Result, SeenBy, Session};
use crate::domain::{
    Account, Audience, FollowFacts, FollowLimit, FollowRefusal, Permission, Permissions, Standing,
    UserId, decide_follow,
};

/// The signed-in caller, with what they may do now.
#[derive(Clone, Debug, PartialEq)]
pub struct Viewer {
    /// The account, as the database has it now.
    pub account: Account,
    /// What the role gives, narrowed by the scope of the token.
    pub permissions: Permissions,
    /// The token's scope and how long it is valid.
    pub session: Session,
}

impl Viewer {
    /// The id of the viewer's account.
    pub fn id(&self) -> UserId {
        self.account.user.id
    }

    /// Whether the viewer is a machine, which no look-up of users finds.
    pub fn is_service(&self) -> bool {
        self.account.user.standing == Standing::Service
    }

    /// Whether the viewer sees what others hide.
    pub const fn moderates(&self) -> bool {
        self.permissions.contains(Permission::Moderate)
    }

    /// Whether the viewer administers accounts.
    pub const fn administers(&self) -> bool {
        self.permissions.contains(Permission::Admin)
    }
}

impl SeenBy {
    /// Whether the caller sees the id of a user at the host, if they see the user: their own, as an
    /// administrator, and in a federation, whose subgraphs know users by it.
    pub fn sees_external_id_of(&self, user: UserId) -> bool {
        let sees = |viewer: &Arc<Viewer>| viewer.id() == user || viewer.administers();
        self.service.is_federated() || self.viewer().is_some_and(sees)
    }
}

/// Whom the answers to a caller are for. Blocks and hidden lists follow from that: the store leaves
/// out the users who block the audience, and [`ListReader::sees`](crate::domain::ListReader::sees)
/// says which lists it sees.
pub(super) fn audience(viewer: Option<&Viewer>) -> Audience {
    viewer.map_or(Audience::EVERYBODY, |viewer| {
        Audience::viewer(viewer.id(), viewer.moderates(), viewer.account.is_blocked)
    })
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
    /// The user blocks the viewer, who moderates and so sees that.
    Blocked,
    /// The viewer blocks the user.
    Blocking,
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
            FollowRefusal::Blocking => Some(FollowDenial::Blocking),
            FollowRefusal::Blocked => {
                viewer.filter(|viewer| viewer.moderates()).map(|_| FollowDenial::Blocked)
            }
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
