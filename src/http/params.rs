//! Parses the parameters of a GraphQL request from a body or a query string
//! (GraphQL over HTTP, 5).
//!
//! Parsed by hand, so that a message names the wrong parameter and none of our types. Unknown
//! parameters are ignored, as the specification requires.

use std::borrow::Cow;

use serde_json::{Map, Value};
use url::form_urlencoded;

use super::{failure::Failure, surrogates};
use crate::graphql::Request;

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Parses the body of a POST.
///
/// # Errors
/// Status 400 if it is not one JSON object whose parameters have the right types and that has or
/// names a document.
pub(super) fn from_json(body: &[u8]) -> Result<Request, Failure> {
    // Some clients write a byte order mark, which JSON does not allow (RFC 8259, 8.1).
    let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    let body = str::from_utf8(body).map_err(|_| Failure::bad_request("The body is not UTF-8."))?;
    match parsed("The body", "", body)? {
        Value::Object(body) => from_object(body),
        Value::Array(batch) => Err(Failure::batch(batch.len())),
        _ => Err(Failure::bad_request("The body must be a JSON object.")),
    }
}

/// Reads the parameters of an object.
///
/// # Errors
/// Status 400 if a parameter has the wrong type, or without a document or its name.
pub(super) fn from_object(mut body: Map<String, Value>) -> Result<Request, Failure> {
    let request = Request {
        query: string("query", body.remove("query"))?,
        document_id: string("documentId", body.remove("documentId"))?,
        operation_name: string("operationName", body.remove("operationName"))?,
        variables: object("variables", body.remove("variables"))?,
        extensions: object("extensions", body.remove("extensions"))?,
    };
    expect_document(request)
}

/// Parses the query string of a GET. An empty parameter counts as absent.
///
/// # Errors
/// Status 400 if a parameter is repeated or has the wrong type, or without a document or its name.
pub(super) fn from_query(query: Option<&str>) -> Result<Request, Failure> {
    let mut given = ["query", "documentId", "operationName", "variables", "extensions"]
        .map(|name| (name, None));
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        let Some((name, slot)) = given.iter_mut().find(|(known, _)| *known == name) else {
            continue;
        };
        if slot.replace(value).is_some() {
            return Err(Failure::bad_request(&format!("{name} is there twice.")));
        }
    }
    let [query, document_id, operation_name, variables, extensions] =
        given.map(|(_, value)| value.filter(|value| !value.is_empty()));

    let parse = |name, value: Option<Cow<'_, str>>| match value {
        Some(text) => object(name, Some(parsed(name, name, &text)?)),
        None => Ok(Map::new()),
    };
    expect_document(Request {
        query: query.map(Cow::into_owned),
        document_id: document_id.map(Cow::into_owned),
        operation_name: operation_name.map(Cow::into_owned),
        variables: parse("variables", variables)?,
        extensions: parse("extensions", extensions)?,
    })
}

/// Refuses a request that neither has a document nor names one.
fn expect_document(request: Request) -> Result<Request, Failure> {
    let is_named =
        request.document_id.is_some() || request.extensions.contains_key("persistedQuery");
    if request.query.is_none() && !is_named {
        return Err(Failure::bad_request("query is missing."));
    }
    Ok(request)
}

/// Parses JSON. `name` begins the message if it is not JSON, `path` is where the JSON belongs.
fn parsed(name: &str, path: &str, json: &str) -> Result<Value, Failure> {
    serde_json::from_str(json).map_err(|_| match surrogates::find_lone(path, json) {
        Some(lone) => Failure::bad_request(&lone),
        None => Failure::bad_request(&format!("{name} is not JSON.")),
    })
}

fn string(name: &str, value: Option<Value>) -> Result<Option<String>, Failure> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Failure::bad_request(&format!("{name} must be a string."))),
    }
}

fn object(name: &str, value: Option<Value>) -> Result<Map<String, Value>, Failure> {
    match value {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(map)) => Ok(map),
        Some(_) => Err(Failure::bad_request(&format!("{name} must be an object."))),
    }
}
