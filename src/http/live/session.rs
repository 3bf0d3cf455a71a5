//! Whom a socket speaks for.
//!
//! The token comes with the upgrade, or in the payload of `connection_init`, since scripts of a browser
//! can set no header on a WebSocket. It is checked again for every operation: a socket lives longer
//! than most tokens.

use serde_json::{Map, Value};

use super::{
    frames::Close,
    seats::{Full, Seat},
};
use crate::{
    domain::UserId,
    http::{auth, state},
    service::{Error, Viewer},
};

/// Credentials that a client gave.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Given {
    Nothing,
    Token(String),
    /// Something that is no bearer token, and was meant to be one.
    Malformed,
}

impl From<auth::Credentials<'_>> for Given {
    fn from(credentials: auth::Credentials<'_>) -> Self {
        match credentials {
            auth::Credentials::Absent => Self::Nothing,
            auth::Credentials::Bearer(token) => Self::Token(token.to_owned()),
            auth::Credentials::NoScheme => Self::Malformed,
        }
    }
}

impl Given {
    /// Those in the payload of `connection_init`.
    fn in_payload(payload: &Map<String, Value>) -> Result<Self, Close> {
        let named = |(name, _): &(&String, _)| name.eq_ignore_ascii_case("authorization");
        let mut values = payload.iter().filter(named);
        match (values.next(), values.next()) {
            (None | Some((_, Value::Null)), None) => Ok(Self::Nothing),
            (Some((_, Value::String(value))), None) => Ok(auth::parse(value).into()),
            (_, None) => Err(Close::invalid("authorization must be a string")),
            (_, Some(_)) => Err(Close::invalid("authorization is there twice")),
        }
    }
}

/// The session of a socket that was acknowledged.
pub(super) struct Session {
    token: Option<String>,
    pub(super) viewer: Option<UserId>,
    _seat: Option<Seat>,
}

impl Session {
    /// Begins a session with the credentials of the upgrade and the payload of `connection_init`.
    ///
    /// # Errors
    /// The close of a socket whose token is not valid.
    pub(super) async fn begin(
        state: &state::State,
        header: Given,
        payload: Map<String, Value>,
    ) -> Result<Self, Close> {
        let given = match (header, Given::in_payload(&payload)?) {
            (header, Given::Nothing) => header,
            (Given::Nothing, payload) => payload,
            (header, payload) if header == payload => header,
            _ => return Err(Close::invalid("Two different tokens")),
        };
        let token = match given {
            Given::Nothing => None,
            Given::Token(token) => Some(token),
            Given::Malformed => return Err(Close::FORBIDDEN),
        };
        let viewer = authenticate(state, token.as_deref()).await?.map(|viewer| viewer.id());
        let seat = viewer.map(|viewer| state.seats.for_viewer(viewer)).transpose();
        let seat = seat.map_err(|_: Full| Close::TOO_MANY_SOCKETS)?;
        Ok(Self { token, viewer, _seat: seat })
    }

    /// The token, to be checked again.
    pub(super) fn token(&self) -> Option<String> {
        self.token.clone()
    }
}

/// The viewer of a token; `None` without one.
///
/// # Errors
/// The close of a socket whose token is not valid any more, or could not be checked.
pub(super) async fn authenticate(
    state: &state::State,
    token: Option<&str>,
) -> Result<Option<Viewer>, Close> {
    let Some(token) = token else { return Ok(None) };
    state.service.authenticate(token).await.map(Some).map_err(|error| match error {
        Error::Unauthenticated | Error::Forbidden { .. } | Error::RateLimited { .. } => {
            Close::FORBIDDEN
        }
        Error::Unavailable(cause) => {
            tracing::error!(cause, "cannot look up the viewer");
            Close::TRY_LATER
        }
        Error::Internal(cause) => {
            tracing::error!(cause, "cannot look up the viewer");
            Close::INTERNAL
        }
    })
}

/// Whether the session of a token has ended. If the viewer cannot be looked up, that is not known, and
/// the socket stays.
pub(super) async fn has_ended(state: &state::State, token: &str) -> bool {
    match state.service.authenticate(token).await {
        Ok(_) => {
            state.checks_outage.worked();
            false
        }
        Err(Error::Unauthenticated | Error::Forbidden { .. } | Error::RateLimited { .. }) => true,
        Err(Error::Unavailable(cause) | Error::Internal(cause)) => {
            state.checks_outage.failed(&cause);
            false
        }
    }
}
