//! How a use case fails: one variant for each failure that clients can distinguish.

use std::{fmt, time::Duration};

use crate::{domain::Permissions, store};

/// The result of a use case.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure of a use case.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller is not signed in, or the token is no longer valid.
    #[error("sign in first")]
    Unauthenticated,
    /// The viewer lacks a permission.
    #[error("you lack the permission for this")]
    Forbidden {
        /// All permissions that are needed.
        required: Permissions,
    },
    /// Too much in a short time.
    #[error("too many requests, try again later")]
    RateLimited {
        /// How long to wait before the next attempt, in whole seconds.
        retry_after: Duration,
    },
    /// The database did not answer. Whether a write was applied is unknown.
    #[error("not available: {0}")]
    Unavailable(String),
    /// A bug, here or in the database.
    #[error("internal: {0}")]
    Internal(String),
}

impl Error {
    pub(super) fn internal(error: impl fmt::Display) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Unavailable(cause) => Self::Unavailable(cause.to_string()),
            store::Error::Conflict(cause) | store::Error::Corrupt(cause) => {
                Self::Internal(cause.to_string())
            }
        }
    }
}
