//! The GraphQL API: its types, its loaders, and the life of an operation.

mod error;

use std::{net::IpAddr, sync::Arc};

pub use self::error::Code;
use crate::{
    domain::Limits,
    graph::{Graph, Viewer},
};

/// The API over a graph.
pub struct Api {
    graph: Arc<Graph>,
    limits: Limits,
}

/// A GraphQL request, as HTTP brings it.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The document.
    pub query: String,
    /// Which operation of it.
    pub operation_name: Option<String>,
    /// Its variables.
    pub variables: serde_json::Map<String, serde_json::Value>,
}

/// Who asks.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The signed-in viewer.
    pub viewer: Option<Viewer>,
    /// The address that the request came from.
    pub address: Option<IpAddr>,
    /// The id of the request, which is in the log as well.
    pub request_id: String,
}

/// An operation that is parsed and fits the schema.
pub struct Operation {}

impl Operation {
    /// Whether it changes something.
    pub fn is_mutation(&self) -> bool {
        false
    }
}

/// The answer to a request.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The response, as JSON.
    pub body: String,
    /// The code of the first error when the operation was refused and nothing was executed.
    pub refused: Option<Code>,
    /// When to come again, if that is what the refusal is about.
    pub retry_after: Option<std::time::Duration>,
}

impl Api {
    /// The API over a graph.
    pub fn new(graph: Arc<Graph>, limits: Limits) -> Self {
        Self { graph, limits }
    }

    /// The schema in the schema definition language: the text of `schema.graphql`.
    pub fn sdl(&self) -> &str {
        ""
    }

    /// Parses and validates a request. Nothing is executed.
    ///
    /// # Errors
    /// The reply to a request that is refused.
    pub fn prepare(&self, request: Request) -> Result<Operation, Reply> {
        Ok(Operation {})
    }

    /// Runs an operation for a caller, within the limit on its time.
    pub async fn execute(&self, operation: Operation, caller: Caller) -> Reply {
        Reply { body: String::new(), refused: None, retry_after: None }
    }

    /// A reply of one error, for failures outside of an operation.
    pub fn refusal(code: Code, message: &str) -> Reply {
        Reply { body: String::new(), refused: Some(code), retry_after: None }
    }
}
