//! The guard: everything that can be said of an operation before any of it runs.
//!
//! It counts what the operation could cost, and reads every page size and cursor in it, with
//! variables filled in, wherever they stand: also below a mutation, so that a refused mutation has
//! changed nothing. A fragment is looked at once, however often it is spread, so the work is
//! linear in the size of the document.

mod arguments;
mod one_of;

use std::{collections::HashMap, num::NonZeroU32};

use apollo_compiler::{
    ExecutableDocument, Name, Schema,
    ast::Value,
    executable::{DirectiveList, Field, Operation, Selection, SelectionSet},
    introspection,
    response::JsonValue,
    validation::Valid,
};
use async_graphql::{Pos, ServerError};

use super::values::Variables;
use crate::{
    domain::{Limits, Permissions},
    graphql::{
        error::{Code, Failure, server_error},
        reply::Reply,
        types::viewer,
    },
};

/// What can be said of an operation that keeps the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Findings {
    /// The permissions that it needs; `None` when nobody needs to be signed in.
    pub(crate) required: Option<Permissions>,
    /// What it costs: the nodes that its page sizes multiply to, and the work beside them.
    pub(crate) cost: NonZeroU32,
}

/// Looks at a whole operation, with its variables.
///
/// # Errors
/// The reply to an operation that is refused.
pub(crate) fn inspect(
    schema: &Valid<Schema>,
    document: &Valid<ExecutableDocument>,
    operation: &Operation,
    variables: Variables<'_>,
    limits: &Limits,
) -> Result<Findings, Reply> {
    introspection::check_max_depth(document, operation).map_err(|error| {
        let error = server_error(Code::QueryTooDeep, &error.to_graphql_error(&document.sources));
        Reply::refused(Code::QueryTooDeep, &[error])
    })?;

    one_of::check(schema, operation, variables)?;
    let mut guard = Guard {
        schema,
        document,
        variables,
        limits,
        fragments: HashMap::new(),
        path: Vec::new(),
        required: None,
    };
    let size = guard.selections(&operation.selection_set)?;
    size.check(limits)?;
    let cost = u32::try_from(size.cost()).unwrap_or(u32::MAX);
    Ok(Findings {
        required: guard.required,
        cost: NonZeroU32::new(cost).unwrap_or(NonZeroU32::MIN),
    })
}

/// What a change costs: a transaction, and a password to check for some.
const WORK_OF_A_CHANGE: u64 = 10;
/// What counting users costs: it walks all of them.
const WORK_OF_A_COUNT: u64 = 1_000;

/// How large a selection is, once its fragments are spread.
#[derive(Clone, Copy, Default)]
struct Size {
    /// Fields directly in it.
    wide: u64,
    /// Aliases, all in all.
    aliases: u64,
    /// Fields on the longest way down.
    depth: usize,
    /// Nodes that it could return for one object.
    nodes: u64,
    /// What else it costs for each object.
    work: u64,
    /// What it costs once, however many objects there are.
    work_once: u64,
}

impl Size {
    /// Both selections side by side.
    fn and(self, other: Self) -> Self {
        Self {
            wide: self.wide.saturating_add(other.wide),
            aliases: self.aliases.saturating_add(other.aliases),
            depth: self.depth.max(other.depth),
            nodes: self.nodes.saturating_add(other.nodes),
            work: self.work.saturating_add(other.work),
            work_once: self.work_once.saturating_add(other.work_once),
        }
    }

    /// What the operation costs, all in all.
    fn cost(self) -> u64 {
        self.nodes.saturating_add(self.work).saturating_add(self.work_once)
    }

    fn check(self, limits: &Limits) -> Result<(), Failure> {
        if self.depth > limits.depth_max {
            let message = format!("the operation nests {} fields deep", self.depth);
            let message = format!("{message}, and at most {} may be", limits.depth_max);
            return Err(Failure::new(Code::QueryTooDeep, message));
        }
        if self.aliases > limits.aliases_max as u64 {
            let message = format!("the operation has more than {} aliases", limits.aliases_max);
            return Err(Failure::new(Code::QueryTooWide, message));
        }
        if self.wide > limits.root_fields_max as u64 {
            let most = limits.root_fields_max;
            let message = format!("the operation has more than {most} root fields");
            return Err(Failure::new(Code::QueryTooWide, message));
        }
        if self.nodes > limits.nodes_max {
            return Err(Failure::too_costly(self.nodes, limits.nodes_max));
        }
        Ok(())
    }
}

/// What a field costs that no node stands for.
fn work(parent: &Name, field: &Field) -> u64 {
    match (parent.as_str(), field.name.as_str()) {
        ("Mutation", _) => WORK_OF_A_CHANGE,
        // The edges of one user are counted already; users with a prefix are not.
        ("UserConnection", "totalCount") => WORK_OF_A_COUNT,
        _ => 0,
    }
}

struct Guard<'a> {
    schema: &'a Valid<Schema>,
    document: &'a Valid<ExecutableDocument>,
    variables: Variables<'a>,
    limits: &'a Limits,
    /// Fragments that were looked at, with their sizes.
    fragments: HashMap<&'a Name, Size>,
    /// The response keys down to where the guard is.
    path: Vec<&'a str>,
    required: Option<Permissions>,
}

impl<'a> Guard<'a> {
    fn selections(&mut self, set: &'a SelectionSet) -> Result<Size, Reply> {
        let mut size = Size::default();
        for selection in &set.selections {
            check_conditions(selection.directives(), self.variables)?;
            if self.variables.include(selection.directives()) {
                size = size.and(self.selection(selection, &set.ty)?);
            }
        }
        Ok(size)
    }

    fn selection(&mut self, selection: &'a Selection, parent: &Name) -> Result<Size, Reply> {
        let spread = match selection {
            Selection::Field(field) => return self.field(field, parent),
            Selection::InlineFragment(inline) => return self.selections(&inline.selection_set),
            Selection::FragmentSpread(spread) => spread,
        };

        if let Some(size) = self.fragments.get(&spread.fragment_name) {
            return Ok(*size);
        }
        let Some(fragment) = spread.fragment_def(self.document) else {
            return Ok(Size::default());
        };
        let size = self.selections(&fragment.selection_set)?;
        self.fragments.insert(&spread.fragment_name, size);
        Ok(size)
    }

    fn field(&mut self, field: &'a Field, parent: &Name) -> Result<Size, Reply> {
        self.require(field);
        self.path.push(field.response_key());
        let arguments = self.arguments(field);
        let objects = self.objects(field, &arguments).map_err(|failure| self.at(field, failure))?;
        let below = self.selections(&field.selection_set)?;
        self.path.pop();

        let is_introspection = field.name.starts_with("__");
        let times = |per_object: u64| objects.map_or(per_object, |n| n.saturating_mul(per_object));
        Ok(Size {
            wide: 1,
            aliases: below.aliases.saturating_add(u64::from(field.alias.is_some())),
            depth: if is_introspection { 1 } else { below.depth + 1 },
            nodes: objects.unwrap_or_default().saturating_add(times(below.nodes)),
            work: times(below.work).saturating_add(below.work_once),
            work_once: work(parent, field),
        })
    }

    /// Takes down what the schema's `@hasPermission` asks for.
    fn require(&mut self, field: &Field) {
        let Some(directive) = field.definition.directives.get("hasPermission") else { return };
        let needed = directive
            .specified_argument_by_name("permissions")
            .and_then(|permissions| permissions.as_list())
            .unwrap_or_default();
        let names = needed.iter().filter_map(|name| name.as_enum());
        let needed = names.filter_map(|name| viewer::permission(name.as_str()));
        let known = self.required.unwrap_or_default();
        self.required = Some(known.iter().chain(needed).collect());
    }

    /// The reply to a field that is refused, with where it stands.
    fn at(&self, field: &Field, failure: Failure) -> Reply {
        let argument = failure.argument().map(|name| format!("{}.{name}", self.path.join(".")));
        let failure = match argument {
            Some(argument) => failure.with_argument(argument),
            None => failure,
        };
        let code = failure.code();
        let mut error = ServerError::from(failure);
        let position = field.name.line_column_range(&self.document.sources);
        error
            .locations
            .extend(position.map(|at| Pos { line: at.start.line, column: at.start.column }));
        Reply::refused(code, &[error])
    }
}

/// Refuses a null as the condition of `@skip` or `@include`. Only a variable that may be null
/// because it has a default can be one.
fn check_conditions(directives: &DirectiveList, variables: Variables<'_>) -> Result<(), Failure> {
    for directive in directives {
        let condition = directive.specified_argument_by_name("if");
        if let Some(Value::Variable(name)) = condition.map(|value| &**value)
            && variables.0.get(name.as_str()).is_some_and(JsonValue::is_null)
        {
            let reason = format!("must not be null for @{}", directive.name);
            return Err(Failure::bad_input(&format!("${name}"), reason));
        }
    }
    Ok(())
}
