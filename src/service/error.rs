//! What can go wrong in a use case, told apart by what a client is told.

use std::time::Duration;

use crate::{domain::Permissions, store};

/// The result of a use case.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure of a use case.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody is signed in.
    #[error("sign in first")]
    Unauthenticated,
    /// The viewer lacks a permission.
    #[error("you lack the permission for this")]
    Forbidden {
        /// All permissions that are needed.
        required: Permissions,
    },
    /// An input that no database needs to be asked about.
    #[error("{field} {reason}")]
    BadInput {
        /// The field of the input that is at fault.
        field: &'static str,
        /// What is wrong with it, to be read after its name.
        reason: String,
    },
    /// Too much in a short time.
    #[error("too many requests, try again later")]
    RateLimited {
        /// When the next one will be looked at.
        retry_after: Duration,
    },
    /// The database did not answer. Whether a write happened is unknown.
    #[error("not available: {0}")]
    Unavailable(String),
    /// A bug, here or in the database.
    #[error("internal: {0}")]
    Internal(String),
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
