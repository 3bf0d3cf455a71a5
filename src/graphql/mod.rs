//! The GraphQL API: its types, its loaders, and the life of an operation.
//!
//! An operation is parsed and validated, inspected as a whole by the guard, and translated for the
//! executor (`operation/`). Then the permissions and the budget of the caller are checked, and only
//! then it is executed. The types of the schema are in `types/`, its lists in `lists.rs`.
//!
//! **Invariant:** an operation that is refused has executed nothing.
//!
//! Plain data is not resolved field by field: see `projection/`.
//!
//! **Invariant:** resolvers and projections read through loaders, so the number of SQL statements
//! of an operation depends on its shape, never on the number of objects in the answer.

mod context;
mod cursor;
mod error;
mod execution;
mod global_id;
mod label;
pub mod lists;
mod loaders;
mod operation;
mod permission;
mod projection;
mod reply;
mod schema;
mod subscription;
mod types;

use std::{net::IpAddr, num::NonZeroU32, sync::Arc};

use apollo_compiler::{executable::OperationType, response::JsonMap};
use async_graphql::parser::types as parsed;

pub use self::{
    cursor::{decode_event, encode_event},
    error::Code,
    global_id::GlobalId,
    label::OperationLabel,
    operation::{
        guard::texts::{TEXTS, Text, TextMeaning},
        persisted::{DocumentRules, Manifest, ManifestError},
    },
    projection::{count::Projections, projected_fields},
    reply::Reply,
    schema::Features,
    subscription::{Delivery, Subscription},
};
use self::{
    error::Failure,
    execution::Execution,
    operation::{
        coercion,
        document::Documents,
        guard::{self, Findings},
        persisted::{Admission, Persisted},
        translation,
        values::Variables,
    },
};
use crate::{
    domain::{Limits, Permission},
    service::{self, Budget, Service, Viewer},
};

/// The schema in the schema definition language: the text of `schema.graphql`.
pub fn sdl() -> String {
    schema::sdl(Features { sign_up: true, federation: false })
}

/// The same schema as a subgraph of a federation, as a gateway is composed from it.
pub fn subgraph_sdl() -> String {
    schema::subgraph_sdl(Features { sign_up: true, federation: true })
}

/// The mutations for callers who are signed out, and the field that says nothing about the caller.
const SIGNING_IN: [&str; 3] = ["signIn", "signUp", "__typename"];

/// The API over a service.
pub struct Api {
    service: Arc<Service>,
    limits: Limits,
    sdl: String,
    documents: Documents,
    persisted: Persisted,
    execution: Execution,
}

/// A GraphQL request.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The document; `None` if the request names one by its id or its hash.
    pub query: Option<String>,
    /// The id of a persisted document.
    pub document_id: Option<String>,
    /// The name of the operation; not needed if the document has only one.
    pub operation_name: Option<String>,
    /// The variables.
    pub variables: serde_json::Map<String, serde_json::Value>,
    /// The extensions. `cost: true` asks for the cost of the operation in the reply,
    /// `persistedQuery` has the hash of the document.
    pub extensions: serde_json::Map<String, serde_json::Value>,
}

/// The sender of a request.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The viewer; `None` when signed out.
    pub viewer: Option<Viewer>,
    /// The address of the client.
    pub address: Option<IpAddr>,
    /// The id of the request, as in the log.
    pub request_id: String,
}

/// A valid operation within the limits, ready to be executed.
pub struct Operation {
    executable: parsed::ExecutableDocument,
    findings: Findings,
    ty: OperationType,
    label: OperationLabel,
    only_signs_in: bool,
    /// Whether the reply has the cost.
    shows_cost: bool,
}

impl Operation {
    /// Whether it is a mutation.
    pub fn is_mutation(&self) -> bool {
        self.ty == OperationType::Mutation
    }

    /// Whether it is a subscription.
    pub fn is_subscription(&self) -> bool {
        self.ty == OperationType::Subscription
    }

    /// What the log says of it.
    pub const fn label(&self) -> &OperationLabel {
        &self.label
    }

    /// Whether it consists of `signIn` and `signUp`, and so is for a caller who is signed out.
    pub const fn only_signs_in(&self) -> bool {
        self.only_signs_in
    }
}

impl Api {
    /// The API over a service.
    pub fn new(service: Arc<Service>, limits: Limits) -> Self {
        let federation = service.is_federated();
        let features = Features { sign_up: service.sign_up_is_open(), federation };
        let validated = schema::sdl(features);
        let documents = Documents::new(&validated, limits);
        let sdl = if federation { schema::subgraph_sdl(features) } else { validated };
        let persisted = Persisted::new(DocumentRules::default(), limits);
        let execution = Execution {
            executable: schema::executable(&service, &sdl),
            limits,
            avatars: types::avatar::FOLDER.into(),
            projections: Some(Projections::default()),
        };
        Self { service, limits, sdl, documents, persisted, execution }
    }

    /// The same API with other rules for documents.
    #[must_use]
    pub fn with_documents(self, rules: DocumentRules) -> Self {
        Self { persisted: Persisted::new(rules, self.limits), ..self }
    }

    /// The same API behind a proxy that publishes the server below a path: those of drawn pictures
    /// begin with it.
    #[must_use]
    pub fn with_avatars_below(mut self, base_path: &str) -> Self {
        self.execution.avatars = [base_path, types::avatar::FOLDER].concat().into();
        self
    }

    /// The same API with messages that suggest no names of the schema ("Did you mean").
    #[must_use]
    pub fn without_suggestions(self) -> Self {
        Self { documents: self.documents.without_suggestions(), ..self }
    }

    /// The same API with projection switched off: the resolvers answer everything. Tests compare
    /// projected answers with it.
    #[must_use]
    pub fn without_projection(mut self) -> Self {
        self.execution.projections = None;
        self
    }

    /// The handle on the numbers of projections; both stay zero if projection is switched off.
    #[must_use]
    pub fn projections(&self) -> Projections {
        self.execution.projections.clone().unwrap_or_default()
    }

    /// The schema in the schema definition language, without the fields that this server does not
    /// offer.
    pub fn sdl(&self) -> &str {
        &self.sdl
    }

    /// Parses, validates, inspects and translates a request. Nothing is executed.
    ///
    /// # Errors
    /// The reply to a refused request.
    pub fn prepare(&self, request: Request) -> Result<Operation, Reply> {
        let found = self.persisted.find(&request)?;
        let document = self.documents.get(&found.text)?;
        self.persisted.register(&found);
        let admission = found.admission;
        let operations = &document.operations;
        let name = request.operation_name.as_deref();
        let operation = operations.get(name).map_err(|_| {
            let message = match name {
                Some(name) => format!("Unknown operation named \"{name}\"."),
                None if operations.is_empty() => "Must provide an operation.".to_owned(),
                None => {
                    "Must provide operation name if query contains multiple operations.".to_owned()
                }
            };
            Failure::new(Code::BadUserInput, message).with_argument("operationName")
        })?;

        let label = OperationLabel::new(operation);
        let rules = self.documents.rules();
        let schema = self.documents.schema();
        let inspect = || {
            let values = request.variables.into_iter();
            let values: JsonMap = values.map(|(name, value)| (name.into(), value.into())).collect();
            let variables = coercion::coerce(rules, &document, operation, &values)?;
            let variables = Variables(&variables);
            let mut findings =
                guard::inspect(schema, &document, operation, variables, &self.limits)?;
            if admission == Admission::Admins {
                findings.required = Some([Permission::Admin].into_iter().collect());
            }
            let executable = translation::translate(rules, &document, operation, variables);
            Ok((executable, findings))
        };
        let (executable, findings) = match inspect() {
            Ok(inspected) => inspected,
            Err(refusal) => return Err(Reply { operation: Some(label), ..refusal }),
        };

        let ty = operation.operation_type;
        let mut fields = operation.root_fields(&document).map(|field| field.name.as_str());
        let only_signs_in =
            operation.is_mutation() && fields.all(|name| SIGNING_IN.contains(&name));
        let shows_cost = request.extensions.get("cost") == Some(&serde_json::Value::Bool(true));
        let label = OperationLabel { cost: Some(findings.cost), ..label };
        Ok(Operation { executable, findings, ty, label, only_signs_in, shows_cost })
    }

    /// Executes an operation for a caller, within the time limit. Writes that have begun run to
    /// their end even if the limit is exceeded. A subscription is refused: see [`Api::subscribe`].
    pub async fn execute(&self, operation: Operation, caller: Caller) -> Reply {
        if operation.is_subscription() {
            return Failure::internal().into();
        }
        let cost = operation.findings.cost;
        let budget = match self.admit(&operation, &caller) {
            Ok(budget) => budget,
            Err(error) => return error.into(),
        };

        let mut request = async_graphql::Request::new("");
        request.set_parsed_query(operation.executable);
        let service = self.service.seen_by(caller.viewer.map(Arc::new));
        let context = self.execution.context(service, caller.address, budget).await;
        let execution = self.execution.executable.execute(request.data(context));
        match self.execution.bounded(&caller.request_id, execution).await {
            Ok(response) => {
                let cost = operation.shows_cost.then_some(cost);
                Reply::executed(response, &caller.request_id, cost)
            }
            Err(failure) => failure,
        }
    }

    /// Subscribes a caller. Without the argument `after` the subscription goes on after the cursor
    /// `last_received`, if there is one.
    ///
    /// # Errors
    /// The reply to a refused subscription.
    pub async fn subscribe(
        &self,
        operation: Operation,
        caller: Caller,
        last_received: Option<&str>,
    ) -> Result<Subscription, Reply> {
        self.admit(&operation, &caller)?;
        let Caller { viewer, address, request_id } = caller;
        let cost = operation.findings.cost.get().saturating_sub(guard::SUBSCRIPTION_COST);
        let plan = subscription::Plan {
            document: operation.executable,
            cost: NonZeroU32::new(cost).unwrap_or(NonZeroU32::MIN),
            shows_cost: operation.shows_cost,
            address,
            request_id,
        };
        let seen_by = self.service.seen_by(viewer.map(Arc::new));
        let parts = (Arc::clone(&self.service), self.execution.clone());
        Subscription::open(parts, seen_by, plan, last_received).await
    }

    /// Checks the permissions of a caller, and charges the operation.
    fn admit(&self, operation: &Operation, caller: &Caller) -> service::Result<Option<Budget>> {
        let Findings { required, cost } = operation.findings;
        let viewer = caller.viewer.as_ref();
        if let Some(required) = required {
            service::authorize(viewer, required)?;
        }
        self.service.charge(viewer, caller.address, cost)
    }
}
