//! The answer to a request, as JSON.
//!
//! **Invariant:** every error has a code, and an error on our side reveals nothing but the id of the
//! request.

use std::{num::NonZeroU32, time::Duration};

use async_graphql::{Response, ServerError, Value};
use serde::Serialize;

use super::{
    error::{Code, Failure, INTERNAL, UNAVAILABLE},
    label::OperationLabel,
    projection::separate,
};
use crate::service;

/// The answer to a request.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The response, as JSON.
    pub body: Vec<u8>,
    /// The code of the first error if the operation was refused or failed as a whole, without data.
    pub refused: Option<Code>,
    /// The code of the first error, with or without data.
    pub error: Option<Code>,
    /// Whether the operation was executed, or had begun when it failed. Then its cost was charged.
    pub is_charged: bool,
    /// When to retry, if an error says so.
    pub retry_after: Option<Duration>,
    /// The operation that was refused before its execution, if one was found.
    pub operation: Option<OperationLabel>,
}

/// The body of a reply. The client sees the cost only if it asked for it.
fn body(errors: &[ServerError], data: Option<&Value>, cost: Option<NonZeroU32>) -> Vec<u8> {
    let mut json = vec![b'{'];
    if !errors.is_empty() {
        json.extend(b"\"errors\":");
        write(&mut json, errors);
    }
    if let Some(data) = data {
        separate(&mut json);
        json.extend(b"\"data\":");
        write_data(&mut json, data);
    }
    if let Some(cost) = cost {
        separate(&mut json);
        json.extend(b"\"extensions\":{\"cost\":");
        write(&mut json, &cost);
        json.push(b'}');
    }
    json.push(b'}');
    json
}

fn write(json: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    serde_json::to_writer(json, value).expect("names are texts and numbers are finite");
}

/// Writes the data of the executor. Bytes are projected answers, which are JSON already.
fn write_data(json: &mut Vec<u8>, data: &Value) {
    match data {
        Value::Binary(projected) => json.extend(projected),
        Value::Object(fields) => {
            json.push(b'{');
            for (key, value) in fields {
                separate(json);
                write(json, key.as_str());
                json.push(b':');
                write_data(json, value);
            }
            json.push(b'}');
        }
        Value::List(items) => {
            json.push(b'[');
            for item in items {
                separate(json);
                write_data(json, item);
            }
            json.push(b']');
        }
        leaf => write(json, leaf),
    }
}

impl Reply {
    /// A reply with one error, for failures outside of an operation.
    pub fn refusal(code: Code, message: &str) -> Self {
        Failure::new(code, message).into()
    }

    /// The reply to a failure on our side, outside of an operation. The caller logs the cause.
    pub fn failure(code: Code, request_id: &str) -> Self {
        let message = if code == Code::Unavailable { UNAVAILABLE } else { INTERNAL };
        Self::failed(Failure::new(code, message), request_id)
    }

    /// The reply to an operation that was not executed.
    pub(super) fn refused(code: Code, errors: &[ServerError]) -> Self {
        let body = body(errors, None, None);
        Self {
            body,
            refused: Some(code),
            error: Some(code),
            is_charged: false,
            retry_after: None,
            operation: None,
        }
    }

    /// The reply to an operation that failed as a whole, on our side.
    pub(super) fn failed(failure: Failure, request_id: &str) -> Self {
        let code = failure.code();
        let mut error = ServerError::from(failure);
        name_request(&mut error, request_id);
        Self::refused(code, &[error])
    }

    /// The reply to an operation that was executed.
    pub(super) fn executed(
        mut response: Response,
        request_id: &str,
        cost: Option<NonZeroU32>,
    ) -> Self {
        for error in &mut response.errors {
            mask(error);
            name_request(error, request_id);
        }
        let body = body(&response.errors, Some(&response.data), cost);
        let retry_after = response.errors.iter().filter_map(retry_after).max();
        let first = response.errors.first().and_then(code);
        let error = Code::ALL.iter().copied().find(|c| first == Some(&Value::from(c.as_str())));
        Self { body, refused: None, error, is_charged: true, retry_after, operation: None }
    }
}

impl From<Failure> for Reply {
    fn from(failure: Failure) -> Self {
        let (code, retry_after) = (failure.code(), failure.retry_after());
        Self { retry_after, ..Self::refused(code, &[failure.into()]) }
    }
}

impl From<service::Error> for Reply {
    fn from(error: service::Error) -> Self {
        Failure::from(error).into()
    }
}

fn code(error: &ServerError) -> Option<&Value> {
    error.extensions.as_ref()?.get("code")
}

fn retry_after(error: &ServerError) -> Option<Duration> {
    match error.extensions.as_ref()?.get("retryAfter")? {
        Value::Number(seconds) => seconds.as_u64().map(Duration::from_secs),
        _ => None,
    }
}

/// Hides an error of the executor's own: a bug, since the guard should have refused the operation.
/// Its message may repeat what the client sent, so only the path is logged.
fn mask(error: &mut ServerError) {
    if code(error).is_none() {
        tracing::error!(path = ?error.path, "the executor refused what the guard let pass");
        INTERNAL.clone_into(&mut error.message);
        error.extensions.get_or_insert_default().set("code", Code::Internal.as_str());
    }
}

/// Adds the id of the request to failures on our side.
fn name_request(error: &mut ServerError, request_id: &str) {
    let ours = [Code::Internal, Code::Unavailable].map(|code| Value::from(code.as_str()));
    if code(error).is_some_and(|code| ours.contains(code)) {
        error.extensions.get_or_insert_default().set("requestId", request_id);
    }
}
