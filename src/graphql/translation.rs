//! An operation as the executor takes it, out of the document that was validated.
//!
//! The executor has a parser of its own, which takes other texts than the specification says, and
//! ways of its own with variables and with fields that share a response key. So it is given none
//! of them: what `@skip` and `@include` leave out is left out here, variables are filled in, and
//! fields are collected (section 6.3.2 of the specification): fragments are spread, and those
//! that share a response key are one field, with their selections together.
//!
//! **Invariant:** a translated selection holds fields only, each response key once.
//!
//! Spreading looks at no type condition: the schema has no type that some objects of a selection
//! are of and others are not, since [`Node`](super::user::Node) has one kind of object.

use std::collections::HashSet;

use apollo_compiler::{
    ExecutableDocument, Name as DocumentName, Node,
    executable::{self, Operation, OperationType, Selection, SelectionSet},
    response::{JsonValue, serde_json_bytes::ByteString},
};
use async_graphql::{Name, Pos, Positioned, Value, parser::types};

use super::values::Variables;

/// One operation of a document, on its own.
pub(super) fn of_operation(
    document: &ExecutableDocument,
    operation: &Operation,
    variables: Variables<'_>,
) -> types::ExecutableDocument {
    let translation = Translation { document, variables };
    let ty = match operation.operation_type {
        OperationType::Query => types::OperationType::Query,
        OperationType::Mutation => types::OperationType::Mutation,
        OperationType::Subscription => types::OperationType::Subscription,
    };
    let operation = types::OperationDefinition {
        ty,
        variable_definitions: Vec::new(),
        directives: Vec::new(),
        selection_set: nowhere(translation.selections(&[&operation.selection_set])),
    };
    let operations = types::DocumentOperations::Single(nowhere(operation));
    types::ExecutableDocument { operations, fragments: std::collections::HashMap::new() }
}

struct Translation<'a> {
    document: &'a ExecutableDocument,
    variables: Variables<'a>,
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
            let value = self.variables.fill_in(&argument.value)?;
            // In introspection, null is as good as nothing. The executor does not take it there.
            if argument.name == "includeDeprecated" && value.is_null() {
                return None;
            }
            Some((
                nowhere(Name::new(&argument.name)),
                nowhere(executable_value(value).into_value()),
            ))
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
