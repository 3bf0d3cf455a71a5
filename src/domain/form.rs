//! Forms: values that a person types in, and the rules that they break.

use std::fmt::Display;

use super::{ExternalIdError, TextError, UsernameError};

/// The kind of a rule, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrokenRule {
    /// The value is empty or too short.
    TooShort,
    /// The value is too long.
    TooLong,
    /// The value has a wrong form, or characters that are not allowed.
    Invalid,
    /// Another user has the value.
    Taken,
    /// It is not the current password.
    Wrong,
}

/// A field whose value breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {reason}")]
pub struct FormError {
    /// The name of the field.
    pub field: &'static str,
    /// The kind of the rule.
    pub rule: BrokenRule,
    /// The rule, worded to follow the name of the field.
    pub reason: String,
}

impl FormError {
    /// The error of a field.
    #[must_use]
    pub fn new(field: &'static str, rule: BrokenRule, reason: impl Display) -> Self {
        Self { field, rule, reason: reason.to_string() }
    }
}

/// A form that is being checked: all fields are, so that a person learns of all errors at once.
#[derive(Debug, Default)]
pub struct Form {
    /// The errors so far, one for a field at most.
    pub errors: Vec<FormError>,
}

impl Form {
    /// The parsed value of a field; `None`, with an error, if it breaks a rule.
    pub fn check<T, E>(&mut self, field: &'static str, parsed: Result<T, E>) -> Option<T>
    where
        E: Copy + Display + Into<BrokenRule>,
    {
        let error = |error: E| FormError::new(field, error.into(), error);
        parsed.map_err(|broken| self.errors.push(error(broken))).ok()
    }
}

impl From<TextError> for BrokenRule {
    fn from(error: TextError) -> Self {
        match error {
            TextError::Blank | TextError::TooShort { .. } => Self::TooShort,
            TextError::TooLong { .. } | TextError::TooManyBytes { .. } => Self::TooLong,
            TextError::ControlCharacter | TextError::NotAUrl => Self::Invalid,
        }
    }
}

impl From<ExternalIdError> for BrokenRule {
    fn from(_: ExternalIdError) -> Self {
        Self::Invalid
    }
}

impl From<UsernameError> for BrokenRule {
    fn from(error: UsernameError) -> Self {
        match error {
            UsernameError::Empty => Self::TooShort,
            UsernameError::TooLong => Self::TooLong,
            UsernameError::OtherCharacter => Self::Invalid,
        }
    }
}
