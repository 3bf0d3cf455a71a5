//! The guard: everything that can be said of an operation before any of it runs.
//!
//! It counts what the operation could cost, and reads every page size and cursor in it, with
//! variables filled in, wherever they stand: also below a mutation, so that a refused mutation has
//! changed nothing. A fragment is looked at once, however often it is spread, so the work is
//! linear in the size of the document.

use std::collections::HashMap;

use apollo_compiler::{
    ExecutableDocument, Name, Schema,
    ast::{Type, Value},
    executable::{DirectiveList, Field, Operation, Selection, SelectionSet},
    introspection,
    response::{JsonMap, JsonValue, serde_json_bytes},
    validation::Valid,
};
use async_graphql::{Pos, ServerError};

use super::{
    Reply, avatar,
    document::server_error,
    error::{Code, Failure},
    page::PageArguments,
    schema::NESTING_MAX,
    viewer,
};
use crate::domain::{Direction, Limits, OrderDirection, Permissions, UserOrderField};

/// What an accepted operation needs, and what it could cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// The permissions that are needed; `None` when nobody needs to be signed in.
    pub required: Option<Permissions>,
    /// How many nodes it could return.
    pub nodes: u64,
}

/// Looks at a whole operation, with its variables.
///
/// # Errors
/// The reply to an operation that is refused.
pub(super) fn inspect(
    schema: &Valid<Schema>,
    document: &Valid<ExecutableDocument>,
    operation: &Operation,
    variables: &Valid<JsonMap>,
    limits: &Limits,
) -> Result<Facts, Reply> {
    introspection::check_max_depth(document, operation).map_err(|error| {
        let error = server_error(Code::QueryTooDeep, &error.to_graphql_error(&document.sources));
        Reply::refused(Code::QueryTooDeep, &[error])
    })?;

    let mut guard = Guard {
        schema,
        document,
        variables,
        limits,
        fragments: HashMap::new(),
        path: Vec::new(),
        required: None,
    };
    let size = guard.selections(&operation.selection_set, 0)?;
    size.check(limits)?;
    Ok(Facts { required: guard.required, nodes: size.nodes })
}

/// How large a selection is, once its fragments are spread.
#[derive(Clone, Copy, Default)]
struct Size {
    /// Fields, all in all.
    fields: u64,
    /// Fields directly in it.
    wide: u64,
    /// Aliases, all in all.
    aliases: u64,
    /// Fields on the longest way down.
    depth: usize,
    /// Selections on the longest way down, those of fragments too.
    nesting: usize,
    /// Nodes that it could return for one object.
    nodes: u64,
}

/// How many fields an operation may have for each token that its document may have. Only
/// fragments that are spread again and again come near it.
const FIELDS_PER_TOKEN: u64 = 5;

impl Size {
    /// Both selections side by side.
    fn and(self, other: Self) -> Self {
        Self {
            fields: self.fields.saturating_add(other.fields),
            wide: self.wide.saturating_add(other.wide),
            aliases: self.aliases.saturating_add(other.aliases),
            depth: self.depth.max(other.depth),
            nesting: self.nesting.max(other.nesting),
            nodes: self.nodes.saturating_add(other.nodes),
        }
    }

    fn check(self, limits: &Limits) -> Result<(), Failure> {
        let fields_max = FIELDS_PER_TOKEN * limits.tokens_max as u64;
        if self.fields > fields_max {
            let message = format!("the operation has more than {fields_max} fields");
            return Err(Failure::new(Code::QueryTooLarge, message));
        }
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

struct Guard<'a> {
    schema: &'a Valid<Schema>,
    document: &'a Valid<ExecutableDocument>,
    variables: &'a Valid<JsonMap>,
    limits: &'a Limits,
    /// Fragments that were looked at, with their sizes.
    fragments: HashMap<&'a Name, Size>,
    /// The response keys down to where the guard is.
    path: Vec<&'a str>,
    required: Option<Permissions>,
}

impl<'a> Guard<'a> {
    fn selections(&mut self, set: &'a SelectionSet, nesting: usize) -> Result<Size, Reply> {
        check_nesting(nesting)?;
        let mut size = Size::default();
        for selection in &set.selections {
            if self.is_included(selection.directives()) {
                size = size.and(self.selection(selection, nesting + 1)?);
            }
        }
        Ok(Size { nesting: size.nesting + 1, ..size })
    }

    fn selection(&mut self, selection: &'a Selection, nesting: usize) -> Result<Size, Reply> {
        let spread = match selection {
            Selection::Field(field) => return self.field(field, nesting),
            Selection::InlineFragment(inline) => {
                return self.selections(&inline.selection_set, nesting);
            }
            Selection::FragmentSpread(spread) => spread,
        };

        if let Some(size) = self.fragments.get(&spread.fragment_name) {
            check_nesting(nesting + size.nesting)?;
            return Ok(*size);
        }
        let Some(fragment) = spread.fragment_def(self.document) else {
            return Ok(Size::default());
        };
        let size = self.selections(&fragment.selection_set, nesting)?;
        self.fragments.insert(&spread.fragment_name, size);
        Ok(size)
    }

    fn field(&mut self, field: &'a Field, nesting: usize) -> Result<Size, Reply> {
        self.require(field);
        self.path.push(field.response_key());
        let arguments = self.arguments(field);
        let objects = self.one_of(field).and_then(|()| self.objects(field, &arguments));
        let objects = objects.map_err(|failure| self.at(field, failure))?;
        let below = self.selections(&field.selection_set, nesting)?;
        self.path.pop();

        let is_introspection = field.name.starts_with("__");
        Ok(Size {
            fields: below.fields.saturating_add(1),
            wide: 1,
            aliases: below.aliases.saturating_add(u64::from(field.alias.is_some())),
            depth: if is_introspection { 1 } else { below.depth + 1 },
            nesting: below.nesting,
            nodes: match objects {
                Some(n) => n.saturating_add(n.saturating_mul(below.nodes)),
                None => below.nodes,
            },
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

    /// How many objects a field could return, if it returns a list of them, once everything that
    /// its arguments say is right.
    fn objects(&self, field: &Field, arguments: &JsonMap) -> Result<Option<u64>, Failure> {
        for (name, value) in arguments {
            if let Some(path) = nul_in(name.as_str(), value) {
                return Err(Failure::bad_input(&path, "must not contain a NUL character"));
            }
        }

        let page = || PageArguments {
            first: arguments.get("first").and_then(JsonValue::as_i64),
            last: arguments.get("last").and_then(JsonValue::as_i64),
            after: text(arguments, "after"),
            before: text(arguments, "before"),
        };
        let size_max = self.limits.page_size_max;
        let window = match (field.ty().inner_named_type().as_str(), field.name.as_str()) {
            ("FollowerConnection", _) => {
                let order = direction(arguments, OrderDirection::Desc);
                page().follows(Direction::Followers, order, size_max)?.window
            }
            ("FollowingConnection", _) => {
                let order = direction(arguments, OrderDirection::Desc);
                page().follows(Direction::Following, order, size_max)?.window
            }
            ("UserConnection", _) => {
                let order = direction(arguments, OrderDirection::Asc);
                page().users(user_order(arguments), order, size_max)?.window
            }
            ("Node", "nodes") => return self.ids(arguments).map(Some),
            ("URI", "avatarUrl") => return size_of_picture(arguments).map(|()| None),
            _ => return Ok(None),
        };
        Ok(Some(u64::from(window.size())))
    }

    /// Checks that each `@oneOf` input has exactly one field, which the validator does not know.
    fn one_of(&self, field: &Field) -> Result<(), Failure> {
        for argument in &field.arguments {
            let definition = field.definition.argument_by_name(&argument.name);
            let Some(definition) = definition else { continue };
            self.one_of_literal(&definition.ty, &argument.value).map_err(|code| {
                let reason = "must have exactly one field where the schema says @oneOf";
                Failure::new(code, format!("{} {reason}", argument.name))
                    .with_argument(argument.name.as_str())
            })?;
        }
        Ok(())
    }

    /// The same of a value that is written in the document, or the code of what is wrong.
    fn one_of_literal(&self, ty: &Type, value: &Value) -> Result<(), Code> {
        match value {
            Value::Variable(name) => match self.variables.get(name.as_str()) {
                Some(value) if !self.one_of_given(ty, value) => Err(Code::BadUserInput),
                _ => Ok(()),
            },
            Value::List(items) => {
                items.iter().try_for_each(|item| self.one_of_literal(ty.item_type(), item))
            }
            Value::Object(fields) => {
                let input = self.schema.get_input_object(ty.inner_named_type());
                let Some(input) = input else { return Ok(()) };
                if input.directives.has("oneOf") {
                    let [(_, only)] = &fields[..] else { return Err(Code::ValidationFailed) };
                    if self.value(only).is_none_or(|value| value.is_null()) {
                        let is_literal = only.as_variable().is_none();
                        return Err(if is_literal {
                            Code::ValidationFailed
                        } else {
                            Code::BadUserInput
                        });
                    }
                }
                fields.iter().try_for_each(|(name, value)| match input.fields.get(name) {
                    Some(field) => self.one_of_literal(&field.ty, value),
                    None => Ok(()),
                })
            }
            _ => Ok(()),
        }
    }

    /// Whether the same holds for a value that came as a variable.
    fn one_of_given(&self, ty: &Type, value: &JsonValue) -> bool {
        match value {
            JsonValue::Array(items) => items.iter().all(|i| self.one_of_given(ty.item_type(), i)),
            JsonValue::Object(fields) => {
                let input = self.schema.get_input_object(ty.inner_named_type());
                let Some(input) = input else { return true };
                let is_one = fields.len() == 1 && !fields.values().any(JsonValue::is_null);
                let field = |name: &str| input.fields.get(name);
                (is_one || !input.directives.has("oneOf"))
                    && fields.iter().all(|(name, value)| {
                        field(name.as_str()).is_none_or(|f| self.one_of_given(&f.ty, value))
                    })
            }
            _ => true,
        }
    }

    /// How many ids `nodes` is given.
    fn ids(&self, arguments: &JsonMap) -> Result<u64, Failure> {
        let ids = arguments.get("ids").and_then(JsonValue::as_array).map_or(1, Vec::len);
        let most = self.limits.page_size_max;
        if ids > most as usize {
            return Err(Failure::bad_input("ids", format!("must be at most {most}")));
        }
        Ok(ids as u64)
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

    /// The arguments of a field with variables filled in. What is left out, and what a variable
    /// leaves out, has its default.
    fn arguments(&self, field: &Field) -> JsonMap {
        let given = |name: &Name| field.specified_argument_by_name(name);
        let value = |value: &Value| self.value(value);
        let arguments = field.definition.arguments.iter().filter_map(|definition| {
            let given = given(&definition.name).and_then(|given| value(given));
            let default = || definition.default_value.as_ref().and_then(|default| value(default));
            Some((definition.name.as_str().into(), given.or_else(default)?))
        });
        arguments.collect()
    }

    /// A value as JSON; `None` for a variable that is not given.
    fn value(&self, value: &Value) -> Option<JsonValue> {
        Some(match value {
            Value::Null => JsonValue::Null,
            Value::Variable(name) => self.variables.get(name.as_str())?.clone(),
            Value::Enum(name) => JsonValue::String(name.as_str().into()),
            Value::String(text) => JsonValue::String(text.as_str().into()),
            Value::Boolean(truth) => JsonValue::Bool(*truth),
            Value::Int(number) => {
                number.as_str().parse::<i64>().map_or(JsonValue::Null, Into::into)
            }
            Value::Float(number) => number.try_to_f64().map_or(JsonValue::Null, Into::into),
            Value::List(items) => items.iter().filter_map(|item| self.value(item)).collect(),
            Value::Object(fields) => {
                let fields = fields.iter().filter_map(|(name, value)| {
                    Some((serde_json_bytes::ByteString::from(name.as_str()), self.value(value)?))
                });
                JsonValue::Object(fields.collect())
            }
        })
    }

    /// Whether `@skip` and `@include` leave a selection in.
    fn is_included(&self, directives: &DirectiveList) -> bool {
        let condition = |name| {
            let directive = directives.get(name)?;
            self.value(directive.specified_argument_by_name("if")?)?.as_bool()
        };
        condition("skip") != Some(true) && condition("include") != Some(false)
    }
}

fn check_nesting(nesting: usize) -> Result<(), Failure> {
    if nesting > NESTING_MAX {
        let message = format!("the operation nests deeper than {NESTING_MAX}");
        return Err(Failure::new(Code::QueryTooDeep, message));
    }
    Ok(())
}

fn text(arguments: &JsonMap, name: &str) -> Option<String> {
    arguments.get(name).and_then(JsonValue::as_str).map(str::to_owned)
}

fn direction(arguments: &JsonMap, default: OrderDirection) -> OrderDirection {
    let given = arguments.get("orderBy").and_then(|order| order.get("direction"));
    match given.and_then(JsonValue::as_str) {
        Some("ASC") => OrderDirection::Asc,
        Some("DESC") => OrderDirection::Desc,
        _ => default,
    }
}

fn user_order(arguments: &JsonMap) -> UserOrderField {
    let given = arguments.get("orderBy").and_then(|order| order.get("field"));
    match given.and_then(JsonValue::as_str) {
        Some("CREATED_AT") => UserOrderField::CreatedAt,
        _ => UserOrderField::Username,
    }
}

fn size_of_picture(arguments: &JsonMap) -> Result<(), Failure> {
    match arguments.get("size").and_then(JsonValue::as_i64) {
        Some(size) if !avatar::SIZES.contains(&size) => {
            let (low, high) = avatar::SIZES.into_inner();
            Err(Failure::bad_input("size", format!("must be from {low} to {high}")))
        }
        _ => Ok(()),
    }
}

/// The path of a text with a NUL character in it, which one of the databases would refuse.
fn nul_in(path: &str, value: &JsonValue) -> Option<String> {
    match value {
        JsonValue::String(text) => text.as_str().contains('\0').then(|| path.to_owned()),
        JsonValue::Array(items) => {
            items.iter().enumerate().find_map(|(i, item)| nul_in(&format!("{path}.{i}"), item))
        }
        JsonValue::Object(fields) => {
            fields.iter().find_map(|(name, v)| nul_in(&format!("{path}.{}", name.as_str()), v))
        }
        JsonValue::Null | JsonValue::Bool(_) | JsonValue::Number(_) => None,
    }
}
