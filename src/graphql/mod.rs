//! The GraphQL API: its types, its loaders, and the life of an operation.
//!
//! An operation is parsed and validated (`document`), looked at as a whole (`guard`), translated
//! for the executor (`translation`), checked against what the caller may do, and only then
//! executed. The types of the schema are in files of their names.
//!
//! **Invariant:** an operation that is refused has executed nothing.
//!
//! Plain data is not answered field by field: see `projection`.
//!
//! **Invariant:** resolvers ask loaders, so the number of SQL statements of an operation depends
//! on its shape, never on how many objects are in the answer.

mod context;
mod cursor;
mod error;
mod global_id;
mod loaders;
mod operation;
mod projection;
mod reply;
mod schema;
mod types;

use std::{net::IpAddr, panic::AssertUnwindSafe, sync::Arc};

use apollo_compiler::{
    Node, Schema, ast::VariableDefinition, executable, request::coerce_variable_values,
    response::JsonMap, validation::Valid,
};
use async_graphql::parser::types as parsed;
use futures_util::FutureExt;

use self::{
    context::RequestContext,
    error::Failure,
    loaders::Loaders,
    operation::{
        document::Documents,
        guard::{self, Findings},
        translation::{self, InterfaceMap},
        values::Variables,
    },
};
pub use self::{error::Code, reply::Reply};
use crate::{
    domain::Limits,
    service::{self, Service, Viewer},
};

/// The schema in the schema definition language: the text of `schema.graphql`.
pub fn sdl() -> String {
    schema::sdl(true)
}

/// The API over a graph.
pub struct Api {
    service: Arc<Service>,
    limits: Limits,
    sdl: String,
    documents: Documents,
    interfaces: InterfaceMap,
    executable: schema::Executable,
    projects: bool,
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
    /// What else the client sends along. `cost: true` asks for the cost of the operation.
    pub extensions: serde_json::Map<String, serde_json::Value>,
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

/// An operation that fits the schema and keeps the limits.
pub struct Operation {
    executable: parsed::ExecutableDocument,
    findings: Findings,
    is_mutation: bool,
    /// Whether the reply is to say what it cost.
    tells_cost: bool,
}

impl Operation {
    /// Whether it changes something.
    pub const fn is_mutation(&self) -> bool {
        self.is_mutation
    }
}

impl Api {
    /// The API over a graph.
    pub fn new(service: Arc<Service>, limits: Limits) -> Self {
        let sdl = schema::sdl(service.sign_up_is_open());
        let documents = Documents::new(&sdl, limits);
        let executable = schema::executable(&service);
        let interfaces = documents.schema().implementers_map();
        Self { service, limits, sdl, documents, interfaces, executable, projects: true }
    }

    /// The same API, answered by resolvers alone: what projected answers are compared with.
    #[must_use]
    pub fn without_projection(self) -> Self {
        Self { projects: false, ..self }
    }

    /// The schema in the schema definition language, without what this server does not offer.
    pub fn sdl(&self) -> &str {
        &self.sdl
    }

    /// Parses and validates a request, and looks at it as a whole. Nothing is executed.
    ///
    /// # Errors
    /// The reply to a request that is refused.
    pub fn prepare(&self, request: Request) -> Result<Operation, Reply> {
        let document = self.documents.get(&request.query)?;
        let operations = &document.operations;
        let operation = operations.get(request.operation_name.as_deref()).map_err(|error| {
            Failure::new(Code::BadUserInput, error.message().to_string())
                .with_argument("operationName")
        })?;

        let values = request.variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        let values: JsonMap = values.collect();
        let schema = self.documents.schema();
        let variables = coerce_variable_values(schema, operation, &values)
            .map_err(|_| misfit(schema, operation, &values))?;
        let variables = Variables(&variables);
        let findings = guard::inspect(schema, &document, operation, variables, &self.limits)?;
        let interfaces = &self.interfaces;
        let executable =
            translation::translate(schema, interfaces, &document, operation, variables)?;
        let is_mutation = operation.is_mutation();
        let tells_cost = request.extensions.get("cost") == Some(&serde_json::Value::Bool(true));
        Ok(Operation { executable, findings, is_mutation, tells_cost })
    }

    /// Runs an operation for a caller, within the limit on its time. Writes that have begun run to
    /// their end whatever happens here.
    pub async fn execute(&self, operation: Operation, caller: Caller) -> Reply {
        let Findings { required, cost } = operation.findings;
        let viewer = caller.viewer.as_ref();
        if let Some(required) = required
            && let Err(error) = service::authorize(viewer, required)
        {
            return Failure::from(error).into();
        }
        let budget = match self.service.charge(viewer, caller.address, cost) {
            Ok(budget) => budget,
            Err(error) => return Failure::from(error).into(),
        };

        let mut request = async_graphql::Request::new("");
        request.set_parsed_query(operation.executable);
        let service = self.service.seen_by(caller.viewer.map(Arc::new));
        let request = request.data(RequestContext {
            loaders: Loaders::new(&service),
            service,
            address: caller.address,
            limits: self.limits,
            projects: self.projects,
            budget,
        });

        let limit = self.limits.execution_time_max;
        let execution = AssertUnwindSafe(self.executable.execute(request)).catch_unwind();
        match tokio::time::timeout(limit, execution).await {
            Ok(Ok(response)) => {
                let cost = operation.tells_cost.then_some(cost);
                Reply::executed(response, &caller.request_id, cost)
            }
            Ok(Err(_panic)) => {
                tracing::error!("a resolver panicked");
                Reply::failed(Failure::internal(), &caller.request_id)
            }
            Err(_elapsed) => {
                tracing::warn!(?limit, "an operation took too long");
                let message = format!("the operation took longer than {limit:?}");
                Failure::new(Code::Timeout, message).into()
            }
        }
    }
}

/// The failure of variables that do not fit, with the name of the first that does not. The value
/// is not repeated: it may be a secret, and its sender knows it.
fn misfit(schema: &Valid<Schema>, operation: &executable::Operation, values: &JsonMap) -> Failure {
    let fits = |variable: &Node<VariableDefinition>| {
        let variables = vec![variable.clone()];
        let alone = executable::Operation { variables, ..operation.clone() };
        coerce_variable_values(schema, &alone, values).is_ok()
    };
    match operation.variables.iter().find(|variable| !fits(variable)) {
        Some(variable) => {
            let (name, ty) = (&variable.name, &variable.ty);
            Failure::bad_input(
                &format!("${name}"),
                format!("is missing or does not fit its type {ty}"),
            )
        }
        None => Failure::new(Code::BadUserInput, "the variables do not fit their types"),
    }
}
