//! The guard: inspects a whole operation before any of it is executed.
//!
//! It adds up the cost of the operation, and checks every page size, cursor and text in it, with
//! variables filled in. It also looks below mutations, so a refused mutation has changed nothing.
//! Each fragment is inspected once, however often it is spread, so the work is linear in the size
//! of the document.
//!
//! **Invariant:** what the guard has no rule for, it refuses: a connection that is not in `lists`,
//! any other list of objects, a text that is not in `texts`.

mod arguments;
pub(crate) mod texts;

use std::{collections::HashMap, num::NonZeroU32};

use apollo_compiler::{
    ExecutableDocument, Name, Schema,
    ast::Value,
    executable::{DirectiveList, Field, Operation, Selection, SelectionSet},
    introspection,
    response::{JsonMap, JsonValue},
    validation::Valid,
};
use async_graphql::{Pos, ServerError};

use super::values::Variables;
use crate::{
    domain::{Limits, Permission, Permissions},
    graphql::{
        error::{Code, Failure, server_error},
        lists::{List, OrderField, Source},
        permission,
        projection::fields::{self, Needs, UserRow},
        reply::Reply,
        types::user::FIELDS,
    },
};

/// The result of an inspection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Findings {
    /// The permissions that it needs; `None` if it needs no viewer.
    pub(crate) required: Option<Permissions>,
    /// The cost: the nodes that its page sizes multiply to, and the work besides.
    pub(crate) cost: NonZeroU32,
}

/// Inspects an operation with its variables.
///
/// # Errors
/// The reply to a refused operation.
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

    let mut guard = Guard {
        schema,
        document,
        is_mutation: operation.is_mutation(),
        variables,
        limits,
        fragments: HashMap::new(),
        path: Vec::new(),
        required: None,
    };
    let size = guard.selections(&operation.selection_set)?;
    size.check(limits)?;
    let cost = size.nodes.saturating_add(size.work).saturating_add(size.work_once);
    let cost = NonZeroU32::new(u32::try_from(cost).unwrap_or(u32::MAX)).unwrap_or(NonZeroU32::MIN);
    Ok(Findings { required: guard.required, cost })
}

/// The cost of a mutation: a transaction, and for some a password check.
const MUTATION_COST: u64 = 10;
/// The cost of a subscription: a registration and a first read. Each event costs its selection.
pub(crate) const SUBSCRIPTION_COST: u32 = 10;
/// The cost of the length of a list of follows, which is stored.
const FOLLOW_COUNT_COST: u64 = 1;
/// The cost of counting users, and of finding some by age: both read all who match.
const USER_COUNT_COST: u64 = 1_000;

/// The size of a selection with its fragments spread.
#[derive(Clone, Copy, Default)]
struct Size {
    /// Fields at its top level.
    wide: u64,
    /// Aliases at any level.
    aliases: u64,
    /// Fields on the longest path.
    depth: usize,
    /// Whether it reads the page, if it is on a connection.
    reads_page: bool,
    /// Nodes that it could return for each object.
    nodes: u64,
    /// Other cost for each object.
    work: u64,
    /// Other cost, independent of the number of objects.
    work_once: u64,
}

impl Size {
    /// Both selections side by side.
    fn and(self, other: Self) -> Self {
        Self {
            wide: self.wide.saturating_add(other.wide),
            aliases: self.aliases.saturating_add(other.aliases),
            depth: self.depth.max(other.depth),
            reads_page: self.reads_page || other.reads_page,
            nodes: self.nodes.saturating_add(other.nodes),
            work: self.work.saturating_add(other.work),
            work_once: self.work_once.saturating_add(other.work_once),
        }
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

/// The cost of a field for each object that has it, apart from its nodes. `reads_page` is whether
/// it reads its page, if it is a connection.
fn work(parent: &Name, field: &Field, reads_page: bool) -> u64 {
    let is_count =
        |row: &UserRow| row.name == field.name.as_str() && row.needs.include(Needs::COUNT);
    let reads_count = match List::find(parent, &field.name) {
        Some(list) => !reads_page && matches!(list.source, Source::Follows(_)),
        None => parent == "User" && FIELDS.iter().any(|field| is_count(field.row())),
    };
    if reads_count { FOLLOW_COUNT_COST } else { 0 }
}

/// The cost of a field, however many objects it returns.
fn work_once(parent: &Name, field: &Field, arguments: &JsonMap) -> u64 {
    match (parent.as_str(), field.name.as_str()) {
        ("Mutation", "upsertUsers") => {
            let users = arguments.get("input").and_then(|input| input.get("users"));
            let users = users.and_then(JsonValue::as_array).map_or(1, Vec::len);
            MUTATION_COST.saturating_mul(users as u64)
        }
        ("Mutation", _) => MUTATION_COST,
        ("Subscription", _) => SUBSCRIPTION_COST.into(),
        // The numbers of followers and followed users are stored; users have to be counted.
        ("UserConnection", "totalCount") => USER_COUNT_COST,
        ("Query", "users") if may_read_all(arguments) => USER_COUNT_COST,
        _ => 0,
    }
}

/// Whether `users` is searched for what only moderators see.
fn is_search_by_moderator(arguments: &JsonMap) -> bool {
    let is_given = |name: &str| arguments.get(name).is_some_and(|value| !value.is_null());
    let is_suspended = arguments.get("isSuspended").and_then(JsonValue::as_bool);
    is_given("role") || is_suspended == Some(true)
}

/// Whether `users` may read many more users than it shows: for a search in the order of age no index
/// has those who match, nor for a role or a standing in any order.
fn may_read_all(arguments: &JsonMap) -> bool {
    let order = arguments.get("orderBy").and_then(|order| order.get("field"));
    let is_by_age = order.and_then(JsonValue::as_str) == Some(OrderField::CreatedAt.name());
    let query = arguments.get("query").and_then(JsonValue::as_str);
    is_search_by_moderator(arguments)
        || is_by_age && query.is_some_and(|query| !query.trim().is_empty())
}

struct Guard<'a> {
    schema: &'a Valid<Schema>,
    document: &'a Valid<ExecutableDocument>,
    is_mutation: bool,
    variables: Variables<'a>,
    limits: &'a Limits,
    /// The sizes of fragments that were inspected.
    fragments: HashMap<&'a Name, Size>,
    /// The response keys down to the current field.
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
        let is_of_users = (parent.as_str(), field.name.as_str()) == ("Query", "users");
        if is_of_users && is_search_by_moderator(&arguments) {
            self.needs([Permission::Moderate]);
        }
        let objects = self
            .objects(parent, field, &arguments)
            .map_err(|failure| self.refused(field, failure))?;
        let below = self.selections(&field.selection_set)?;
        self.path.pop();

        let is_introspection = field.name.starts_with("__");
        let is_list = List::find(parent, &field.name).is_some();
        let objects = objects.filter(|_| below.reads_page || !is_list);
        let times = |per_object: u64| objects.map_or(per_object, |n| n.saturating_mul(per_object));
        Ok(Size {
            wide: 1,
            aliases: below.aliases.saturating_add(u64::from(field.alias.is_some())),
            depth: if is_introspection { 1 } else { below.depth + 1 },
            reads_page: !is_introspection && fields::reads_page(&field.name),
            nodes: objects.unwrap_or_default().saturating_add(times(below.nodes)),
            work: times(below.work).saturating_add(below.work_once).saturating_add(work(
                parent,
                field,
                below.reads_page,
            )),
            work_once: work_once(parent, field, &arguments),
        })
    }

    /// Adds the permissions that `@hasPermission` in the schema asks for.
    fn require(&mut self, field: &Field) {
        let Some(directive) = field.definition.directives.get("hasPermission") else { return };
        let needed = directive
            .specified_argument_by_name("permissions")
            .and_then(|permissions| permissions.as_list())
            .unwrap_or_default();
        let names = needed.iter().filter_map(|name| name.as_enum());
        self.needs(names.filter_map(|name| permission::parse(name.as_str())));
    }

    /// Adds permissions that the operation needs; without any, a viewer.
    fn needs(&mut self, permissions: impl IntoIterator<Item = Permission>) {
        let required = self.required.unwrap_or_default();
        self.required = Some(required.iter().chain(permissions).collect());
    }

    /// The reply for a refused field, with its position and path.
    fn refused(&self, field: &Field, failure: Failure) -> Reply {
        let failure = failure.below(Some(self.path.join(".")));
        let code = failure.code();
        let mut error = ServerError::from(failure);
        let position = field.name.line_column_range(&self.document.sources);
        error.locations.extend(
            position.map(|range| Pos { line: range.start.line, column: range.start.column }),
        );
        Reply::refused(code, &[error])
    }
}

/// Refuses a null as the condition of `@skip` or `@include`. Validation leaves only one way to it:
/// a variable that may be null because it has a default.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graphql::schema::{self, Features};

    /// The code with which an operation is refused in the product's schema with more fields.
    fn refused(query: &str) -> Option<Code> {
        let extension = "extend type User { blocked: FollowerConnection! friends: [User!]! }
                    extend type Query { search(text: String): User }";
        let schema = schema::typed(&format!(
            "{} {extension}",
            schema::sdl(Features { sign_up: true, federation: false })
        ));
        let document = ExecutableDocument::parse_and_validate(&schema, query, "document.graphql");
        let document = document.expect("a valid document");
        let operation = document.operations.iter().next().expect("an operation");
        let (variables, limits) = (JsonMap::new(), Limits::default());
        inspect(&schema, &document, operation, Variables(&variables), &limits).err()?.refused
    }

    #[test]
    fn what_the_guard_has_no_rule_for_is_refused() {
        for query in [
            "{ user(username: \"ann\") { blocked { totalCount } } }",
            "{ user(username: \"ann\") { friends { id } } }",
            "{ search(text: \"ann\") { id } }",
        ] {
            assert_eq!(refused(query), Some(Code::Internal), "{query}");
        }
        assert_eq!(refused("{ user(username: \"ann\") { followers { nodes { id } } } }"), None);
        assert_eq!(refused("{ __type(name: \"User\") { fields { name } } }"), None);
    }
}
