//! The messages of `graphql-transport-ws`, and the codes that close its socket.
//!
//! A message is read into a JSON object first, never straight into a struct: a struct could be read
//! from an array as well.

use axum::extract::ws::{CloseFrame, Message};
use serde::Serialize;
use serde_json::{Map, Value, value::RawValue};

/// The protocol, as a client offers it.
pub(super) const PROTOCOL: &str = "graphql-transport-ws";

/// The longest id of an operation, in bytes. Every answer repeats it.
const ID_BYTES_MAX: usize = 256;

/// Why a socket is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Close {
    pub(super) code: u16,
    /// At most 123 bytes, or the frame is not valid (RFC 6455, 5.5).
    pub(super) reason: &'static str,
}

const fn close(code: u16, reason: &'static str) -> Close {
    Close { code, reason }
}

impl Close {
    pub(super) const MALFORMED_FRAME: Self = close(1002, "Malformed frame");
    pub(super) const NOT_UTF_8: Self = close(1007, "Text must be UTF-8");
    pub(super) const TOO_MANY_MESSAGES: Self = close(1008, "Too many messages");
    pub(super) const TOO_LARGE: Self = close(1009, "Message too large");
    pub(super) const INTERNAL: Self = close(1011, "Internal error");
    pub(super) const RESTART: Self = close(1012, "Service restart");
    pub(super) const TRY_LATER: Self = close(1013, "Try again later");
    pub(super) const TOO_MANY_SOCKETS: Self = close(1013, "Too many sockets of this viewer");
    pub(super) const NOT_ACKNOWLEDGED: Self = close(4401, "Unauthorized");
    pub(super) const FORBIDDEN: Self = close(4403, "Forbidden");
    pub(super) const NO_INIT: Self = close(4408, "Connection initialisation timeout");
    pub(super) const ID_IN_USE: Self = close(4409, "Subscriber for this id already exists");
    pub(super) const SECOND_INIT: Self = close(4429, "Too many initialisation requests");

    /// The client broke the protocol.
    pub(super) const fn invalid(reason: &'static str) -> Self {
        close(4400, reason)
    }

    pub(super) fn frame(self) -> Message {
        Message::Close(Some(CloseFrame { code: self.code, reason: self.reason.into() }))
    }
}

/// A message of the client.
#[derive(Debug, PartialEq)]
pub(super) enum ClientMessage {
    Init(Map<String, Value>),
    /// The payload has the parameters of a GraphQL request.
    Subscribe(String, Map<String, Value>),
    Complete(String),
    Ping,
    Pong,
}

impl ClientMessage {
    /// Reads a message.
    ///
    /// # Errors
    /// The close that the protocol wants for any other text.
    pub(super) fn parse(text: &str) -> Result<Self, Close> {
        let message = serde_json::from_str(text).map_err(|_| Close::invalid("Not JSON"))?;
        let Value::Object(mut message) = message else {
            return Err(Close::invalid("A message is an object"));
        };
        match message.get("type").and_then(Value::as_str) {
            Some("connection_init") => payload(&mut message).map(Self::Init),
            Some("subscribe") => {
                let id = id(&mut message)?;
                if !matches!(message.get("payload"), Some(Value::Object(_))) {
                    return Err(Close::invalid("subscribe has a payload, which is an object"));
                }
                Ok(Self::Subscribe(id, payload(&mut message)?))
            }
            Some("complete") => id(&mut message).map(Self::Complete),
            Some("ping") => payload(&mut message).map(|_| Self::Ping),
            Some("pong") => payload(&mut message).map(|_| Self::Pong),
            Some(_) => Err(Close::invalid("Unknown type of message")),
            None => Err(Close::invalid("A message has a type, which is a string")),
        }
    }
}

fn id(message: &mut Map<String, Value>) -> Result<String, Close> {
    match message.remove("id") {
        Some(Value::String(id)) if id.is_empty() => Err(Close::invalid("id must not be empty")),
        Some(Value::String(id)) if id.len() > ID_BYTES_MAX => {
            Err(Close::invalid("id has more than 256 bytes"))
        }
        Some(Value::String(id)) => Ok(id),
        _ => Err(Close::invalid("The message has an id, which is a string")),
    }
}

/// The payload of a message where it is optional.
fn payload(message: &mut Map<String, Value>) -> Result<Map<String, Value>, Close> {
    match message.remove("payload") {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(payload)) => Ok(payload),
        Some(_) => Err(Close::invalid("payload must be an object")),
    }
}

/// A message of the server.
#[derive(Serialize)]
struct ServerMessage<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(rename = "type")]
    ty: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a RawValue>,
}

fn message(id: Option<&str>, ty: &'static str, payload: Option<&RawValue>) -> Message {
    let message = ServerMessage { id, ty, payload };
    let text = serde_json::to_string(&message).expect("texts and JSON that was read");
    Message::Text(text.into())
}

pub(super) fn ack() -> Message {
    message(None, "connection_ack", None)
}

pub(super) fn pong() -> Message {
    message(None, "pong", None)
}

pub(super) fn next(id: &str, payload: &RawValue) -> Message {
    message(Some(id), "next", Some(payload))
}

pub(super) fn complete(id: &str) -> Message {
    message(Some(id), "complete", None)
}

/// The message that ends an operation with the errors of a response.
pub(super) fn error(id: &str, response: &[u8]) -> Message {
    #[derive(serde::Deserialize)]
    struct Refusal<'a> {
        #[serde(borrow)]
        errors: &'a RawValue,
    }
    let refusal: Result<Refusal<'_>, _> = serde_json::from_slice(response);
    message(Some(id), "error", Some(refusal.expect("a refusal has errors").errors))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_message_is_refused() {
        for bad in [
            "",
            "{",
            "[]",
            "\"ping\"",
            "{}",
            r#"["connection_init",{}]"#,
            r#"{"type":7}"#,
            r#"{"type":"start","id":"1","payload":{"query":"{ a }"}}"#,
            r#"{"type":"stop","id":"1"}"#,
            r#"{"type":"connection_terminate"}"#,
            r#"{"type":"next","id":"1","payload":{}}"#,
            r#"{"type":"connection_init","payload":[]}"#,
            r#"{"type":"ping","payload":"x"}"#,
            r#"{"type":"subscribe","payload":{"query":"{ a }"}}"#,
            r#"{"type":"subscribe","id":"","payload":{"query":"{ a }"}}"#,
            r#"{"type":"subscribe","id":1,"payload":{"query":"{ a }"}}"#,
            r#"{"type":"subscribe","id":"1"}"#,
            r#"{"type":"subscribe","id":"1","payload":null}"#,
            r#"{"type":"complete"}"#,
        ] {
            assert_eq!(ClientMessage::parse(bad).expect_err(bad).code, 4400, "{bad}");
        }
        let long = format!(r#"{{"type":"complete","id":"{}"}}"#, "x".repeat(257));
        assert!(ClientMessage::parse(&long).is_err());
    }

    #[test]
    fn a_reason_fits_into_a_close_frame() {
        for close in [Close::TOO_MANY_SOCKETS, Close::ID_IN_USE, Close::NO_INIT] {
            assert!(close.reason.len() <= 123);
        }
    }
}
