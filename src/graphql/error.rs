//! Error codes, and the one place where a failure becomes something that a client sees.
//!
//! **Invariant:** `INTERNAL` and `UNAVAILABLE` say nothing of their cause but a request id. The
//! cause is in the log, once, with that id.

/// The `extensions.code` of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// Nobody is signed in, or the token is not valid.
    Unauthenticated,
    /// The viewer lacks a permission; `requiredPermissions` lists them.
    Forbidden,
    /// An argument breaks a rule; `argument` is its path.
    BadUserInput,
    /// A cursor cannot be read, or is of another order or list; `argument` is its path.
    InvalidCursor,
    /// The document is not GraphQL.
    ParseFailed,
    /// The document does not fit the schema.
    ValidationFailed,
    /// The document has too many tokens.
    QueryTooLarge,
    /// The operation is nested too deeply.
    QueryTooDeep,
    /// The operation has too many aliases or root fields.
    QueryTooWide,
    /// The operation could return too many nodes; `cost` and `limit` tell.
    CostLimitExceeded,
    /// Too many attempts; `retryAfter` tells the seconds to wait.
    RateLimited,
    /// The operation took too long.
    Timeout,
    /// The database did not answer. Whether a write happened is unknown.
    Unavailable,
    /// A bug.
    Internal,
}

impl Code {
    /// The code as clients see it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Forbidden => "FORBIDDEN",
            Self::BadUserInput => "BAD_USER_INPUT",
            Self::InvalidCursor => "INVALID_CURSOR",
            Self::ParseFailed => "GRAPHQL_PARSE_FAILED",
            Self::ValidationFailed => "GRAPHQL_VALIDATION_FAILED",
            Self::QueryTooLarge => "QUERY_TOO_LARGE",
            Self::QueryTooDeep => "QUERY_TOO_DEEP",
            Self::QueryTooWide => "QUERY_TOO_WIDE",
            Self::CostLimitExceeded => "COST_LIMIT_EXCEEDED",
            Self::RateLimited => "RATE_LIMITED",
            Self::Timeout => "TIMEOUT",
            Self::Unavailable => "UNAVAILABLE",
            Self::Internal => "INTERNAL",
        }
    }
}
