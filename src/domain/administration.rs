//! What an administrator changes, and the log of it.

use chrono::{DateTime, Utc};

use super::{NewUser, Permissions, ProfileChange, Role, UserId};

/// What kind of account a user is, and whether it is in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(i16)]
pub enum Standing {
    /// A person.
    #[default]
    Active = 0,
    /// A person who cannot sign in, and whom lists of all users and searches leave out.
    Suspended = 1,
    /// A machine's account: in no list, and found by no look-up of others.
    Service = 2,
}

impl Standing {
    /// Every standing. Each is stored as its place here.
    pub const ALL: [Self; 3] = [Self::Active, Self::Suspended, Self::Service];

    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Service => "service",
        }
    }

    /// The standing that is stored as this number; unknown numbers are [`Self::Suspended`], so that
    /// an account of a later version cannot do more than it may.
    #[must_use]
    pub fn from_stored(number: i16) -> Self {
        let found = usize::try_from(number).ok().and_then(|place| Self::ALL.get(place));
        found.copied().unwrap_or(Self::Suspended)
    }
}

/// A change by an administrator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminChange {
    /// Create a user, or an account of kind [`Standing::Service`].
    Create(Box<NewUser>),
    /// Change a profile.
    UpdateProfile(UserId, Box<ProfileChange>),
    /// Give a user a role, by its name.
    SetRole(UserId, String),
    /// Suspend a user.
    Suspend(UserId, Option<String>),
    /// Lift a suspension.
    Reinstate(UserId),
    /// Replace the password by the one with this hash, and revoke all tokens.
    SetPassword(UserId, PasswordHash),
    /// Revoke all tokens.
    SignOut(UserId),
    /// Delete a user.
    Delete(UserId),
    /// Create a role, or change its permissions.
    DefineRole(Role),
    /// Remove a role, by its name.
    RemoveRole(String),
}

/// The hash of a password in PHC format.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(pub String);

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash")
    }
}

impl AdminChange {
    /// What the log calls it.
    #[must_use]
    pub const fn action(&self) -> AuditAction {
        match self {
            Self::Create(_) => AuditAction::UserCreated,
            Self::UpdateProfile(..) => AuditAction::ProfileUpdated,
            Self::SetRole(..) => AuditAction::RoleSet,
            Self::Suspend(..) => AuditAction::UserSuspended,
            Self::Reinstate(_) => AuditAction::UserReinstated,
            Self::SetPassword(..) => AuditAction::PasswordSet,
            Self::SignOut(_) => AuditAction::SignedOut,
            Self::Delete(_) => AuditAction::UserDeleted,
            Self::DefineRole(_) => AuditAction::RoleDefined,
            Self::RemoveRole(_) => AuditAction::RoleRemoved,
        }
    }

    /// The user whom it is about.
    #[must_use]
    pub fn user(&self) -> Option<UserId> {
        match self {
            Self::Create(new) => Some(new.id),
            Self::UpdateProfile(id, _)
            | Self::SetRole(id, _)
            | Self::Suspend(id, _)
            | Self::Reinstate(id)
            | Self::SetPassword(id, _)
            | Self::SignOut(id)
            | Self::Delete(id) => Some(*id),
            Self::DefineRole(_) | Self::RemoveRole(_) => None,
        }
    }

    /// What the log says besides the action and the user.
    #[must_use]
    pub fn detail(&self) -> Option<String> {
        match self {
            Self::Create(new) => Some(new.role.to_string()),
            Self::UpdateProfile(_, change) => Some(changed_fields(change).join(", ")),
            Self::SetRole(_, role) | Self::RemoveRole(role) => Some(role.clone()),
            Self::Suspend(_, reason) => reason.clone(),
            Self::DefineRole(role) => Some(format!("{}: {}", role.name, role.permissions)),
            Self::Reinstate(_) | Self::SetPassword(..) | Self::SignOut(_) | Self::Delete(_) => None,
        }
    }
}

fn changed_fields(change: &ProfileChange) -> Vec<&'static str> {
    let fields = [
        ("name", change.name.is_some()),
        ("bio", change.bio.is_some()),
        ("avatarUrl", change.avatar_url.is_some()),
    ];
    fields.into_iter().filter(|(_, is_changed)| *is_changed).map(|(field, _)| field).collect()
}

/// Who makes a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The person at the command line.
    Operator,
    /// An administrator, with their username.
    User(UserId, String),
    /// An identity provider, as the log calls it. No username has a space in it.
    Provider(String),
}

impl Actor {
    /// The user; `None` for all others.
    #[must_use]
    pub const fn id(&self) -> Option<UserId> {
        match self {
            Self::User(id, _) => Some(*id),
            Self::Operator | Self::Provider(_) => None,
        }
    }

    /// What the log calls them; `None` for the operator.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::User(_, name) | Self::Provider(name) => Some(name),
            Self::Operator => None,
        }
    }
}

/// A change with what the log says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Administration {
    /// The id of the entry in the log: time-ordered, as ids of users are.
    pub id: i64,
    /// When it is made.
    pub at: DateTime<Utc>,
    /// Who makes it.
    pub actor: Actor,
    /// The username of the user whom it is about.
    pub username: Option<String>,
    /// The change.
    pub change: AdminChange,
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdminOutcome {
    /// It was made, and is in the log.
    Done,
    /// It was so already; nothing changed.
    Unchanged,
    /// There is no such user.
    NoSuchUser,
    /// The account is a machine's, which is neither suspended nor reinstated.
    IsMachine,
    /// There is no such role.
    NoSuchRole,
    /// Users have the role.
    RoleInUse,
    /// Another user has the username, regardless of case.
    UsernameTaken,
    /// Another user has the external id.
    ExternalIdTaken,
    /// Another user has the id: draw a new one.
    IdTaken,
}

/// What was done, in the log of administrators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuditAction {
    /// An account was created.
    UserCreated,
    /// A profile was changed.
    ProfileUpdated,
    /// A user was given a role.
    RoleSet,
    /// A user was suspended.
    UserSuspended,
    /// A suspension was lifted.
    UserReinstated,
    /// A password was replaced, and all tokens revoked.
    PasswordSet,
    /// All tokens of a user were revoked.
    SignedOut,
    /// A user was deleted.
    UserDeleted,
    /// A role was created or changed.
    RoleDefined,
    /// A role was removed.
    RoleRemoved,
}

impl AuditAction {
    /// Every action.
    pub const ALL: [Self; 10] = [
        Self::UserCreated,
        Self::ProfileUpdated,
        Self::RoleSet,
        Self::UserSuspended,
        Self::UserReinstated,
        Self::PasswordSet,
        Self::SignedOut,
        Self::UserDeleted,
        Self::RoleDefined,
        Self::RoleRemoved,
    ];

    /// The name, as in the database and in the schema.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UserCreated => "USER_CREATED",
            Self::ProfileUpdated => "PROFILE_UPDATED",
            Self::RoleSet => "ROLE_SET",
            Self::UserSuspended => "USER_SUSPENDED",
            Self::UserReinstated => "USER_REINSTATED",
            Self::PasswordSet => "PASSWORD_SET",
            Self::SignedOut => "SIGNED_OUT",
            Self::UserDeleted => "USER_DELETED",
            Self::RoleDefined => "ROLE_DEFINED",
            Self::RoleRemoved => "ROLE_REMOVED",
        }
    }

    /// The action with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }
}

/// An entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// The id; later entries have greater ones.
    pub id: i64,
    /// When it was done.
    pub at: DateTime<Utc>,
    /// The user who did it, who may be gone; `None` for the operator on the command line and for an
    /// identity provider.
    pub actor: Option<UserId>,
    /// Their username at that time, or what the identity provider is called.
    pub actor_name: Option<String>,
    /// What was done.
    pub action: AuditAction,
    /// Whom it is about, who may be gone.
    pub user: Option<UserId>,
    /// Their username at that time.
    pub username: Option<String>,
    /// What was given: a role, the changed fields, a reason.
    pub detail: Option<String>,
}

/// Why a viewer may not change an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdminRefusal {
    /// It is the viewer.
    Yourself,
    /// The user has a permission to administer that the viewer lacks.
    Outranked,
}

/// Whether someone with these permissions may change an account with those of its role: an account
/// that moderates or administers is changed only by those who may do all that it may.
#[must_use]
pub fn outranks(permissions: Permissions, of_role: Permissions) -> bool {
    let of_role = of_role.intersection(Permissions::OF_STAFF);
    permissions.intersection(of_role) == of_role
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Permission;

    #[test]
    fn a_standing_is_stored_as_its_place() {
        for (place, standing) in Standing::ALL.into_iter().enumerate() {
            assert_eq!(standing as usize, place);
            assert_eq!(Standing::from_stored(standing as i16), standing);
        }
        assert_eq!(Standing::from_stored(9), Standing::Suspended);
    }

    #[test]
    fn every_action_has_a_name_of_its_own() {
        for action in AuditAction::ALL {
            assert_eq!(AuditAction::parse(action.name()), Some(action));
        }
    }

    #[test]
    fn an_account_is_changed_by_those_who_may_do_what_it_may() {
        let (user, moderator, admin) = (
            Permissions::from_iter([Permission::Follow]),
            Permissions::from_iter([Permission::Follow, Permission::Moderate]),
            Permissions::from_iter([Permission::Moderate, Permission::Admin]),
        );
        assert!(outranks(moderator, user) && outranks(moderator, moderator));
        assert!(!outranks(moderator, admin) && !outranks(user, moderator));
        assert!(outranks(admin, moderator), "following is no rank");
    }
}
