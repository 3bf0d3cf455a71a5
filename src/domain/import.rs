//! Imports: how far each has got, and what became of its rows.

use chrono::{DateTime, Utc};

use super::{ExternalId, NewUser, User};

/// An import of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// A hash of the file and of the options that decide what becomes of its rows.
    pub id: String,
    /// What is in the file.
    pub kind: ImportKind,
    /// The name of the file.
    pub file: String,
    /// How far it has got.
    pub progress: ImportProgress,
    /// When it was begun.
    pub started_at: DateTime<Utc>,
    /// When it was done; `None` for one that can go on.
    pub finished_at: Option<DateTime<Utc>>,
}

/// What is in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportKind {
    /// Users.
    Users,
    /// Follows.
    Follows,
    /// The users whom one account follows.
    Following,
}

impl ImportKind {
    /// Every kind. Its place is its number in the database.
    pub const ALL: [Self; 3] = [Self::Users, Self::Follows, Self::Following];

    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Follows => "follows",
            Self::Following => "following",
        }
    }
}

/// How far an import has got. It is saved in the transaction that loads its rows, so an import that
/// is interrupted goes on where it has stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportProgress {
    /// The number of bytes of the file that are done.
    pub position: i64,
    /// The number of lines of the file that are done.
    pub lines: i64,
    /// The rows that were loaded.
    pub loaded: i64,
    /// The rows that were there already.
    pub present: i64,
    /// The rows that could not be taken.
    pub rejected: i64,
    /// The number of bytes of the file of rejected rows.
    pub rejects_length: i64,
}

impl ImportProgress {
    /// The rows that are done.
    #[must_use]
    pub const fn rows(&self) -> i64 {
        self.loaded + self.present + self.rejected
    }
}

/// What becomes of an imported user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserImport {
    /// The user is created.
    Created,
    /// The same user is there already.
    Present,
    /// A user with this id or external id is there, with another value of the field.
    Differs(&'static str),
    /// Another user has the username.
    UsernameTaken,
    /// Another user has the id.
    IdTaken,
}

/// A row of a file of users.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "any of the values may be missing")]
pub struct ImportedUser {
    /// The user to create.
    pub user: NewUser,
    /// Whether the row has the id; otherwise it was made up.
    pub has_id: bool,
    /// Whether the row has the time of the creation.
    pub has_created_at: bool,
    /// Whether the row has the role.
    pub has_role: bool,
    /// Whether the username may have a number, if another user has the one without.
    pub may_be_numbered: bool,
}

impl ImportedUser {
    /// The first field in which a user who is there differs from what the row has.
    #[must_use]
    pub fn difference(&self, there: &User, role: &str) -> Option<&'static str> {
        let new = &self.user;
        let differs = |new: Option<&str>, there: Option<&str>| new.is_some() && new != there;
        let external_id = new.external_id.as_ref().map(ExternalId::as_str);
        let is_numbered = self.may_be_numbered && new.username.is_of_numbered(&there.username);
        let fields = [
            ("id", self.has_id && new.id != there.id),
            ("external_id", differs(external_id, there.external_id.as_deref())),
            ("username", new.username.as_str() != there.username && !is_numbered),
            ("name", differs(new.name.as_deref(), there.name.as_deref())),
            ("bio", differs(new.bio.as_deref(), there.bio.as_deref())),
            ("avatar_url", differs(new.avatar_url.as_deref(), there.avatar_url.as_deref())),
            ("created_at", self.has_created_at && new.created_at != there.created_at),
            ("role", self.has_role && new.role != role),
        ];
        fields.into_iter().find(|(_, differs)| *differs).map(|(field, _)| field)
    }
}

/// How a file of follows names users, with such names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserNames {
    /// By the id at the host.
    ExternalIds(Vec<String>),
    /// By the username in lower case.
    Usernames(Vec<String>),
}
