//! Error codes, and the one place where a failure becomes an error that clients see.
//!
//! **Invariant:** `INTERNAL` and `UNAVAILABLE` reveal nothing about their cause. The cause is
//! logged once, with the id of the request that the client gets.

use std::{fmt::Display, sync::Arc, time::Duration};

use apollo_compiler::{parser::LineColumn, response::GraphQLError};
use async_graphql::{ErrorExtensionValues, Pos, ServerError, Value, resolver_utils::enum_value};

use super::permission::Permission;
use crate::{domain::Permissions, service};

/// The longest message or argument path of an error, in characters.
const TEXT_CHARACTERS_MAX: usize = 500;

/// Defines the codes, each with its name in errors.
macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident = $name:literal,)+) => {
        /// The `extensions.code` of an error.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $($(#[$doc])* $code,)+
        }

        impl Code {
            /// All codes.
            pub const ALL: &[Self] = &[$(Self::$code),+];

            /// The code as clients see it.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$code => $name,)+
                }
            }
        }
    };
}

codes! {
    /// The caller is signed out, or the token is not valid.
    Unauthenticated = "UNAUTHENTICATED",
    /// The viewer lacks a permission; `requiredPermissions` lists them.
    Forbidden = "FORBIDDEN",
    /// An argument breaks a rule; `argument` is its path.
    BadUserInput = "BAD_USER_INPUT",
    /// A cursor is malformed, or belongs to another list or order; `argument` is its path.
    InvalidCursor = "INVALID_CURSOR",
    /// The log no longer has the events after the cursor; `oldestCursor` is where it goes on.
    EventsExpired = "EVENTS_EXPIRED",
    /// There is nothing at this path of the server.
    NotFound = "NOT_FOUND",
    /// The document is not GraphQL.
    ParseFailed = "GRAPHQL_PARSE_FAILED",
    /// The document does not fit the schema.
    ValidationFailed = "GRAPHQL_VALIDATION_FAILED",
    /// The document has too many tokens.
    QueryTooLarge = "QUERY_TOO_LARGE",
    /// The operation is nested too deeply.
    QueryTooDeep = "QUERY_TOO_DEEP",
    /// The operation has too many aliases or root fields, or its document too many fragments,
    /// variables or directives.
    QueryTooWide = "QUERY_TOO_WIDE",
    /// The operation could return too many nodes; `cost` and `limit` have the numbers.
    CostLimitExceeded = "COST_LIMIT_EXCEEDED",
    /// No document has this id or hash: send the text, with the hash if there is one.
    PersistedQueryNotFound = "PERSISTED_QUERY_NOT_FOUND",
    /// The server takes no ids and hashes of documents: send the text alone.
    PersistedQueryNotSupported = "PERSISTED_QUERY_NOT_SUPPORTED",
    /// The server runs trusted documents only, and this is not one.
    PersistedQueryOnly = "PERSISTED_QUERY_ONLY",
    /// Too many attempts; `retryAfter` has the seconds to wait.
    RateLimited = "RATE_LIMITED",
    /// The operation took too long.
    Timeout = "TIMEOUT",
    /// The database did not answer. A write may have happened or not.
    Unavailable = "UNAVAILABLE",
    /// A bug.
    Internal = "INTERNAL",
}

/// A failure on its way to a client. Cloning is cheap: one failed batch fails many fields.
#[derive(Clone, Debug)]
pub(crate) struct Failure(Arc<Details>);

#[derive(Clone, Debug)]
struct Details {
    code: Code,
    message: String,
    argument: Option<String>,
    required: Option<Permissions>,
    retry_after: Option<Duration>,
    cost: Option<(u64, u64)>,
    oldest_cursor: Option<String>,
}

impl Failure {
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        Self(Arc::new(Details {
            code,
            message: shortened(message.into()),
            argument: None,
            required: None,
            retry_after: None,
            cost: None,
            oldest_cursor: None,
        }))
    }

    /// `INTERNAL`. The caller has logged the cause.
    pub(super) fn internal() -> Self {
        Self::new(Code::Internal, INTERNAL)
    }

    /// `BAD_USER_INPUT`, with the argument at fault and the reason.
    pub(super) fn bad_input(argument: &str, reason: impl Display) -> Self {
        Self::new(Code::BadUserInput, format!("{argument} {reason}")).with_argument(argument)
    }

    /// `COST_LIMIT_EXCEEDED`, with the cost and the limit.
    pub(super) fn too_costly(cost: u64, limit: u64) -> Self {
        let message =
            format!("the operation could return {cost} nodes, and at most {limit} may be");
        Self::new(Code::CostLimitExceeded, message)
            .with(|details| details.cost = Some((cost, limit)))
    }

    /// `EVENTS_EXPIRED`, with the cursor after which there are events.
    pub(super) fn events_expired(oldest_cursor: String) -> Self {
        let message = "the log no longer has the events after this cursor: load the lists again, and \
                       go on after oldestCursor";
        Self::new(Code::EventsExpired, message)
            .with(|details| details.oldest_cursor = Some(oldest_cursor))
    }

    /// The same failure with the path of the argument at fault.
    pub(super) fn with_argument(self, path: impl Into<String>) -> Self {
        self.with(|details| details.argument = Some(shortened(path.into())))
    }

    /// The same failure with the path of the argument continued up to the root.
    pub(super) fn below(self, path: Option<impl Display>) -> Self {
        match (&self.0.argument, path) {
            (Some(argument), Some(path)) => {
                let path = format!("{path}.{argument}");
                self.with_argument(path)
            }
            _ => self,
        }
    }

    fn with(mut self, change: impl FnOnce(&mut Details)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    pub(super) fn code(&self) -> Code {
        self.0.code
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The `extensions` of the error.
    pub(super) fn extensions(&self) -> ErrorExtensionValues {
        let details = &*self.0;
        let mut values = ErrorExtensionValues::default();
        values.set("code", details.code.as_str());
        if let Some(argument) = &details.argument {
            values.set("argument", argument.as_str());
        }
        if let Some(required) = details.required {
            let names = required.iter().map(|permission| enum_value(Permission::from(permission)));
            values.set("requiredPermissions", Value::List(names.collect()));
        }
        if let Some(wait) = details.retry_after {
            values.set("retryAfter", wait.as_secs());
        }
        if let Some((cost, limit)) = details.cost {
            values.set("cost", cost);
            values.set("limit", limit);
        }
        if let Some(cursor) = &details.oldest_cursor {
            values.set("oldestCursor", cursor.as_str());
        }
        values
    }
}

/// Bounds a text for a client: it may repeat a name of any length from the request.
fn shortened(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(TEXT_CHARACTERS_MAX) {
        text.truncate(end);
        text.push('…');
    }
    text
}

impl From<service::Error> for Failure {
    /// The one place where the cause of a failure is logged. The current span has the request id.
    fn from(error: service::Error) -> Self {
        let message = error.to_string();
        match error {
            service::Error::Unauthenticated => Self::new(Code::Unauthenticated, message),
            service::Error::Forbidden { required } => Self::new(Code::Forbidden, message)
                .with(|details| details.required = Some(required)),
            service::Error::RateLimited { retry_after } => Self::new(Code::RateLimited, message)
                .with(|details| details.retry_after = Some(retry_after)),
            service::Error::Unavailable(cause) => {
                tracing::error!(cause, "the database is not available");
                Self::new(Code::Unavailable, UNAVAILABLE)
            }
            service::Error::Internal(cause) => {
                tracing::error!(cause, "an operation failed");
                Self::internal()
            }
        }
    }
}

impl From<Failure> for async_graphql::Error {
    fn from(failure: Failure) -> Self {
        let mut error = Self::new(failure.0.message.clone());
        error.extensions = Some(failure.extensions());
        error
    }
}

impl From<Failure> for ServerError {
    fn from(failure: Failure) -> Self {
        let mut error = Self::new(failure.0.message.clone(), None);
        error.extensions = Some(failure.extensions());
        error
    }
}

/// A failure at places in the document.
pub(super) fn located(failure: Failure, locations: Vec<Pos>) -> ServerError {
    let mut error = ServerError::from(failure);
    error.locations = locations;
    error
}

/// An error of apollo-compiler as one of the executor.
pub(super) fn server_error(code: Code, error: &GraphQLError) -> ServerError {
    let position = |place: &LineColumn| Pos { line: place.line, column: place.column };
    let locations = error.locations.iter().map(position).collect();
    located(Failure::new(code, error.message.as_str()), locations)
}

/// The message when the database does not answer.
pub(super) const UNAVAILABLE: &str = "The service is not available right now.";
/// The message for a bug.
pub(super) const INTERNAL: &str = "Something went wrong on our side.";
