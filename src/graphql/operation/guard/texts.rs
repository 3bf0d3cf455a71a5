//! The texts that clients can send, and what each of them means.
//!
//! The guard refuses a text without a row here, so that no text is read that nothing has checked.
//! The cursors of a list need no row: they follow from the row of the list. Neither do the texts in
//! a representation of an entity, which is read as a whole.

use crate::graphql::lists::List;

/// What a text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextMeaning {
    /// A cursor: that of a list is decoded by the guard, that of a log, which belongs to one user,
    /// when the viewer is known.
    Cursor,
    /// A global id: a malformed one names no object.
    Id,
    /// An id at the host: one that breaks the rule matches no user.
    ExternalId,
    /// A username: one that breaks the rule matches no user.
    Username,
    /// What users are searched for: one without words matches no user.
    Search,
    /// The name of a role: no user has one that does not exist.
    Role,
    /// A password: never logged and never part of an error.
    Password,
    /// A field of a form: the mutation checks it, and its errors are user errors. It may be a
    /// password: never logged and never part of an error.
    Form,
}

/// A text that clients can send.
#[derive(Clone, Copy, Debug)]
pub struct Text {
    /// The type of the field, or the input object.
    pub ty: &'static str,
    /// The field.
    pub field: &'static str,
    /// The argument; empty for a field of an input object.
    pub argument: &'static str,
    /// What it means.
    pub meaning: TextMeaning,
}

const fn argument(field: &'static str, argument: &'static str, meaning: TextMeaning) -> Text {
    Text { ty: "Query", field, argument, meaning }
}

const fn cursor(ty: &'static str, field: &'static str, argument: &'static str) -> Text {
    Text { ty, field, argument, meaning: TextMeaning::Cursor }
}

const fn input(ty: &'static str, field: &'static str, meaning: TextMeaning) -> Text {
    Text { ty, field, argument: "", meaning }
}

/// Every text of the schema but the cursors of lists.
pub static TEXTS: [Text; 27] = [
    argument("node", "id", TextMeaning::Id),
    argument("nodes", "ids", TextMeaning::Id),
    argument("user", "username", TextMeaning::Username),
    argument("users", "query", TextMeaning::Search),
    argument("users", "role", TextMeaning::Role),
    cursor("Subscription", "followEvents", "after"),
    input("ChangePasswordInput", "currentPassword", TextMeaning::Form),
    input("ChangePasswordInput", "newPassword", TextMeaning::Form),
    input("DeleteAccountInput", "password", TextMeaning::Password),
    input("SetRoleInput", "role", TextMeaning::Role),
    input("SignInInput", "password", TextMeaning::Password),
    input("SignInInput", "username", TextMeaning::Username),
    input("SignUpInput", "name", TextMeaning::Form),
    input("SignUpInput", "password", TextMeaning::Form),
    input("SignUpInput", "username", TextMeaning::Form),
    input("SuspendUserInput", "reason", TextMeaning::Form),
    input("UpdateProfileInput", "avatarUrl", TextMeaning::Form),
    input("UpdateProfileInput", "bio", TextMeaning::Form),
    input("UpdateProfileInput", "name", TextMeaning::Form),
    input("UpsertUserInput", "avatarUrl", TextMeaning::Form),
    input("UpsertUserInput", "bio", TextMeaning::Form),
    input("UpsertUserInput", "externalId", TextMeaning::Form),
    input("UpsertUserInput", "name", TextMeaning::Form),
    input("UpsertUserInput", "username", TextMeaning::Form),
    input("UserRef", "externalId", TextMeaning::ExternalId),
    input("UserRef", "id", TextMeaning::Id),
    input("UserRef", "username", TextMeaning::Username),
];

impl TextMeaning {
    /// The meaning of a text; `None` if it has no row. `argument` is empty for a field of an input
    /// object.
    #[must_use]
    pub fn find(ty: &str, field: &str, argument: &str) -> Option<Self> {
        if matches!(argument, "after" | "before") && List::find(ty, field).is_some() {
            return Some(Self::Cursor);
        }
        let is_this =
            |text: &&Text| text.ty == ty && text.field == field && text.argument == argument;
        TEXTS.iter().find(is_this).map(|text| text.meaning)
    }
}
