//! An operation as the executor takes it, out of the document that was validated.
//!
//! The executor has a parser of its own, which takes other texts than the specification says, and
//! ways of its own with variables and with fields that share a response key. So it is given none
//! of them: what `@skip` and `@include` leave out is left out here, variables are filled in, and
//! fields are collected (section 6.3.2 of the specification): fragments are spread, and those
//! that share a response key are one field, with their selections together. Texts can be left open,
//! to be filled in by each of many requests (see `prepared`).
//!
//! **Invariant:** a translated selection holds fields only, each response key once.
//!
//! Spreading looks at no type condition: the schema has no type that some objects of a selection
//! are of and others are not, since [`Node`](crate::graphql::types::user::Node) has one kind of object.

use std::collections::{HashMap, HashSet};

use apollo_compiler::{
    ExecutableDocument, Name as DocumentName, Node, ast,
    executable::{self, Operation, OperationType, Selection, SelectionSet},
    response::{JsonValue, serde_json_bytes::ByteString},
};
use async_graphql::{Name, Pos, Positioned, parser::types};
use async_graphql_value::Value;

use super::values::Variables;

/// Translates one operation of a document, but for those of its variables that are `texts`, if any
/// are to be left open. A text that is null is translated.
pub(crate) fn of_operation(
    document: &ExecutableDocument,
    operation: &Operation,
    variables: Variables<'_>,
    texts: Option<&HashSet<&DocumentName>>,
) -> Template {
    let translation = Translation { document, variables, texts };
    let ty = match operation.operation_type {
        OperationType::Query => types::OperationType::Query,
        OperationType::Mutation => types::OperationType::Mutation,
        OperationType::Subscription => types::OperationType::Subscription,
    };
    Template { ty, selections: translation.selections(&[&operation.selection_set]) }
}

/// An operation on its own, with variables where texts are left open.
#[derive(Clone)]
pub(crate) struct Template {
    ty: types::OperationType,
    selections: types::SelectionSet,
}

impl Template {
    /// The operation with the texts among some variables.
    pub(crate) fn fill_in(&self, variables: Variables<'_>) -> types::ExecutableDocument {
        let mut filled_in = self.clone();
        fill_in(&mut filled_in.selections, variables);
        filled_in.into_document()
    }

    /// The operation, where nothing is left open.
    pub(crate) fn into_document(self) -> types::ExecutableDocument {
        let operation = types::OperationDefinition {
            ty: self.ty,
            variable_definitions: Vec::new(),
            directives: Vec::new(),
            selection_set: nowhere(self.selections),
        };
        let operations = types::DocumentOperations::Single(nowhere(operation));
        types::ExecutableDocument { operations, fragments: HashMap::new() }
    }

    /// About how much memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        bytes_of(&self.selections)
    }
}

fn fill_in(selections: &mut types::SelectionSet, variables: Variables<'_>) {
    for selection in &mut selections.items {
        let types::Selection::Field(field) = &mut selection.node else { continue };
        for (_, value) in &mut field.node.arguments {
            fill_in_value(&mut value.node, variables);
        }
        fill_in(&mut field.node.selection_set.node, variables);
    }
}

fn fill_in_value(value: &mut Value, variables: Variables<'_>) {
    match value {
        Value::Variable(name) => {
            let text =
                variables.0.get(name.as_str()).expect("it was given, or no text is left open");
            *value = executable_value(text.clone());
        }
        Value::List(items) => items.iter_mut().for_each(|item| fill_in_value(item, variables)),
        Value::Object(fields) => {
            fields.values_mut().for_each(|field| fill_in_value(field, variables));
        }
        _ => {}
    }
}

fn bytes_of(selections: &types::SelectionSet) -> usize {
    let of_selection = |selection: &Positioned<types::Selection>| {
        let types::Selection::Field(field) = &selection.node else { return 0 };
        let field = &field.node;
        let alias = field.alias.as_ref().map_or(0, |alias| alias.node.len());
        let argument = |(name, value): &(Positioned<Name>, Positioned<Value>)| {
            name.node.len() + bytes_of_value(&value.node)
        };
        alias
            + field.name.node.len()
            + field.arguments.iter().map(argument).sum::<usize>()
            + bytes_of(&field.selection_set.node)
    };
    let items = &selections.items;
    size_of_val(items.as_slice()) + items.iter().map(of_selection).sum::<usize>()
}

fn bytes_of_value(value: &Value) -> usize {
    let inside = match value {
        Value::String(text) => text.len(),
        Value::List(items) => items.iter().map(bytes_of_value).sum(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| name.len() + bytes_of_value(value)).sum()
        }
        _ => 0,
    };
    size_of_val(value) + inside
}

struct Translation<'a> {
    document: &'a ExecutableDocument,
    variables: Variables<'a>,
    texts: Option<&'a HashSet<&'a DocumentName>>,
}

/// The fields of a selection that share a response key, in the order of the document.
struct Collected<'a> {
    key: &'a DocumentName,
    fields: Vec<&'a Node<executable::Field>>,
}

impl<'a> Translation<'a> {
    /// All selections of one object together.
    fn selections(&self, sets: &[&'a SelectionSet]) -> types::SelectionSet {
        let (mut collected, mut spread) = (Vec::new(), HashSet::new());
        for set in sets {
            self.collect(set, &mut collected, &mut spread);
        }
        let items = collected.into_iter().map(|same| self.field(&same.fields));
        types::SelectionSet { items: items.collect() }
    }

    /// Adds the fields of a selection. Response keys are few, as the guard bounds aliases.
    fn collect(
        &self,
        set: &'a SelectionSet,
        collected: &mut Vec<Collected<'a>>,
        spread: &mut HashSet<&'a DocumentName>,
    ) {
        for selection in &set.selections {
            if !self.variables.include(selection.directives()) {
                continue;
            }
            match selection {
                Selection::Field(field) => {
                    let key = field.response_key();
                    match collected.iter_mut().find(|same| same.key == key) {
                        Some(same) => same.fields.push(field),
                        None => collected.push(Collected { key, fields: vec![field] }),
                    }
                }
                Selection::InlineFragment(inline) => {
                    self.collect(&inline.selection_set, collected, spread);
                }
                Selection::FragmentSpread(of) => {
                    // Spreading a fragment again adds nothing.
                    if let Some(fragment) = self.document.fragments.get(&of.fragment_name)
                        && spread.insert(&of.fragment_name)
                    {
                        self.collect(&fragment.selection_set, collected, spread);
                    }
                }
            }
        }
    }

    /// Fields of one response key as one field. They have the same name and arguments, or the
    /// document would not be valid.
    fn field(&self, same: &[&'a Node<executable::Field>]) -> Positioned<types::Selection> {
        let first = same[0];
        let arguments = first.arguments.iter().filter_map(|argument| {
            let value = self.value(&argument.value)?;
            // In introspection, null is as good as nothing. The executor does not take it there.
            if argument.name == "includeDeprecated" && value == Value::Null {
                return None;
            }
            Some((nowhere(Name::new(&argument.name)), nowhere(value)))
        });
        let selections: Vec<_> = same.iter().map(|field| &field.selection_set).collect();
        let field = types::Field {
            alias: first.alias.as_ref().map(|alias| nowhere(Name::new(alias))),
            name: nowhere(Name::new(&first.name)),
            arguments: arguments.collect(),
            directives: Vec::new(),
            selection_set: nowhere(self.selections(&selections)),
        };
        let pos = self.position(first);
        Positioned::new(types::Selection::Field(Positioned::new(field, pos)), pos)
    }

    /// A value; `None` for a variable that is not given. Where texts are left open, what is around
    /// them is read as [`Variables::fill_in`] reads it; `prepared` compares the two in tests.
    fn value(&self, value: &ast::Value) -> Option<Value> {
        let Some(texts) = self.texts else {
            return Some(executable_value(self.variables.fill_in(value)?));
        };
        Some(match value {
            ast::Value::Variable(name) if texts.contains(name) => {
                match self.variables.0.get(name.as_str())? {
                    JsonValue::Null => Value::Null,
                    _ => Value::Variable(Name::new(name)),
                }
            }
            ast::Value::List(items) => {
                Value::List(items.iter().map(|i| self.value(i).unwrap_or(Value::Null)).collect())
            }
            ast::Value::Object(fields) => {
                let field = |(name, value): &(DocumentName, Node<ast::Value>)| {
                    Some((Name::new(name), self.value(value)?))
                };
                Value::Object(fields.iter().filter_map(field).collect())
            }
            other => executable_value(self.variables.fill_in(other)?),
        })
    }

    /// Where a field stands, for the errors of its resolver.
    fn position<T>(&self, node: &Node<T>) -> Pos {
        let place = node.location().and_then(|span| span.line_column(&self.document.sources));
        place.map_or_else(Pos::default, |at| Pos { line: at.line, column: at.column })
    }
}

/// A value as the executor takes it.
fn executable_value(value: JsonValue) -> Value {
    match value {
        JsonValue::Null => Value::Null,
        JsonValue::Bool(truth) => Value::Boolean(truth),
        JsonValue::Number(number) => Value::Number(number),
        JsonValue::String(text) => Value::String(text.as_str().to_owned()),
        JsonValue::Array(items) => Value::List(items.into_iter().map(executable_value).collect()),
        JsonValue::Object(fields) => {
            let field = |(name, value): (ByteString, _)| {
                (Name::new(name.as_str()), executable_value(value))
            };
            Value::Object(fields.into_iter().map(field).collect())
        }
    }
}

/// What no error will ever point at.
fn nowhere<T>(node: T) -> Positioned<T> {
    Positioned::new(node, Pos::default())
}
