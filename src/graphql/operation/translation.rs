//! An operation as the executor takes it, translated from the validated document.
//!
//! The executor's own parser accepts texts that the specification does not, and its handling of
//! variables and of fields with the same response key differs from the specification. So it gets
//! neither: selections excluded by `@skip` and `@include` are left out, variables are replaced by
//! their values, and fields are collected (section 6.3.2 of the specification): fragments are
//! spread, and fields with the same response key become one, with their selections merged.
//!
//! **Invariant:** a translated selection holds fields only, each response key once.
//!
//! **Invariant:** a fragment is spread only if its type condition holds for every object of the
//! selection. A condition that holds for some of them only is refused, since the translation does
//! not know the object yet. With one type of [`Node`](crate::graphql::types::user::Node), no
//! valid document has one.

use std::collections::{HashMap, HashSet};

use apollo_compiler::{
    ExecutableDocument, Name as DocumentName, Node, Schema,
    collections::HashMap as CompilerMap,
    executable::{self, Operation, OperationType, Selection, SelectionSet},
    response::{JsonValue, serde_json_bytes::ByteString},
    schema::Implementers,
    validation::Valid,
};
use async_graphql::{Name, Pos, Positioned, parser::types};
use async_graphql_value::Value;

use super::values::Variables;
use crate::graphql::error::Failure;

/// Which types implement which interface.
pub(crate) type InterfaceMap = CompilerMap<DocumentName, Implementers>;

/// Translates one operation of a document.
///
/// # Errors
/// `INTERNAL` when a type condition cannot be translated.
pub(crate) fn translate(
    schema: &Valid<Schema>,
    interfaces: &InterfaceMap,
    document: &ExecutableDocument,
    operation: &Operation,
    variables: Variables<'_>,
) -> Result<types::ExecutableDocument, Failure> {
    let translation = Translation { schema, interfaces, document, variables };
    let ty = match operation.operation_type {
        OperationType::Query => types::OperationType::Query,
        OperationType::Mutation => types::OperationType::Mutation,
        OperationType::Subscription => types::OperationType::Subscription,
    };
    let operation = types::OperationDefinition {
        ty,
        variable_definitions: Vec::new(),
        directives: Vec::new(),
        selection_set: nowhere(translation.selections(&[&operation.selection_set])?),
    };
    let operations = types::DocumentOperations::Single(nowhere(operation));
    Ok(types::ExecutableDocument { operations, fragments: HashMap::new() })
}

struct Translation<'a> {
    schema: &'a Valid<Schema>,
    interfaces: &'a InterfaceMap,
    document: &'a ExecutableDocument,
    variables: Variables<'a>,
}

/// The fields of a selection that share a response key, in the order of the document.
type Sharing<'a> = Vec<&'a Node<executable::Field>>;

impl<'a> Translation<'a> {
    /// All selections on the same object, merged.
    fn selections(&self, sets: &[&'a SelectionSet]) -> Result<types::SelectionSet, Failure> {
        let (mut collected, mut spread) = (Vec::new(), HashSet::new());
        for set in sets {
            self.collect(set, &set.ty, &mut collected, &mut spread)?;
        }
        let items = collected.into_iter().map(|same: Sharing<'_>| self.field(&same));
        Ok(types::SelectionSet { items: items.collect::<Result<_, _>>()? })
    }

    /// Adds the fields of a selection on an object of type `ty`. The search for a response key is
    /// linear: the guard bounds aliases, so there are few.
    fn collect(
        &self,
        set: &'a SelectionSet,
        ty: &DocumentName,
        collected: &mut Vec<Sharing<'a>>,
        spread: &mut HashSet<&'a DocumentName>,
    ) -> Result<(), Failure> {
        self.check_condition(ty, &set.ty)?;
        for selection in &set.selections {
            if !self.variables.include(selection.directives()) {
                continue;
            }
            match selection {
                Selection::Field(field) => {
                    let key = field.response_key();
                    match collected.iter_mut().find(|same| same[0].response_key() == key) {
                        Some(same) => same.push(field),
                        None => collected.push(vec![field]),
                    }
                }
                Selection::InlineFragment(inline) => {
                    self.collect(&inline.selection_set, ty, collected, spread)?;
                }
                Selection::FragmentSpread(name) => {
                    // Spreading a fragment a second time adds nothing.
                    if let Some(fragment) = self.document.fragments.get(&name.fragment_name)
                        && spread.insert(&name.fragment_name)
                    {
                        self.collect(&fragment.selection_set, ty, collected, spread)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Refuses a type condition that may not hold for an object of type `ty`.
    fn check_condition(&self, ty: &DocumentName, condition: &DocumentName) -> Result<(), Failure> {
        let holds = |object: &DocumentName| {
            object == condition || self.schema.is_subtype(condition, object)
        };
        let implementers = || self.interfaces.get(ty);
        if holds(ty) || implementers().is_some_and(|types| types.objects.iter().all(holds)) {
            return Ok(());
        }
        tracing::error!(%ty, %condition, "a type condition that the translation does not know");
        Err(Failure::internal())
    }

    /// Fields with the same response key as one field. Validation ensures that they have the same
    /// name and arguments.
    fn field(
        &self,
        same: &[&'a Node<executable::Field>],
    ) -> Result<Positioned<types::Selection>, Failure> {
        let first = same[0];
        let arguments = first.arguments.iter().filter_map(|argument| {
            let value = executable_value(self.variables.fill_in(&argument.value)?);
            // The executor does not accept this null in introspection. It means the default.
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
            selection_set: nowhere(self.selections(&selections)?),
        };
        let pos = self.position(first);
        Ok(Positioned::new(types::Selection::Field(Positioned::new(field, pos)), pos))
    }

    /// The position of a field, for the errors of its resolver.
    fn position<T>(&self, node: &Node<T>) -> Pos {
        let place = node.location().and_then(|span| span.line_column(&self.document.sources));
        place.map_or_else(Pos::default, |place| Pos { line: place.line, column: place.column })
    }
}

/// A value as the executor takes it.
pub(super) fn executable_value(value: JsonValue) -> Value {
    match value {
        JsonValue::Null => Value::Null,
        JsonValue::Bool(flag) => Value::Boolean(flag),
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

/// A node that no error points at.
fn nowhere<T>(node: T) -> Positioned<T> {
    Positioned::new(node, Pos::default())
}

#[cfg(test)]
mod tests {
    use apollo_compiler::response::JsonMap;

    use super::*;
    use crate::graphql::schema;

    /// The response keys below `node`, in the product's schema with more types.
    fn keys(more_types: &str, selection: &str) -> Option<Vec<String>> {
        let schema = schema::typed(&format!("{} {more_types}", schema::sdl(true)));
        let fragment = if selection.contains("...F") { "fragment F on User { name }" } else { "" };
        let text = format!("{{ node(id: \"\") {{ {selection} }} }} {fragment}");
        let document = ExecutableDocument::parse_and_validate(&schema, text, "document.graphql");
        let document = document.expect("a valid document");
        let operation = document.operations.iter().next().expect("an operation");
        let (interfaces, variables) = (schema.implementers_map(), JsonMap::new());
        let translated =
            translate(&schema, &interfaces, &document, operation, Variables(&variables)).ok()?;
        let types::DocumentOperations::Single(operation) = translated.operations else {
            return None;
        };
        let fields = |set: &types::SelectionSet| -> Vec<types::Field> {
            let field = |selection: &Positioned<types::Selection>| match &selection.node {
                types::Selection::Field(field) => field.node.clone(),
                _ => panic!("a fragment is left"),
            };
            set.items.iter().map(field).collect()
        };
        let node = fields(&operation.node.selection_set.node).pop()?;
        Some(fields(&node.selection_set.node).iter().map(|f| f.name.node.to_string()).collect())
    }

    #[test]
    fn a_condition_that_holds_for_some_objects_is_refused() {
        let another = "type Post implements Node { id: ID! title: String }";
        for (selection, expected) in [
            ("... on User { name }", Some(vec!["name"])),
            ("id ...F", Some(vec!["id", "name"])),
            ("... on Node { id ... { __typename } }", Some(vec!["id", "__typename"])),
        ] {
            let expected = expected.map(|keys| keys.into_iter().map(str::to_owned).collect());
            assert_eq!(keys("", selection), expected, "{selection}");
        }
        for selection in ["... on User { name }", "id ...F", "... on Node { ... on Post { id } }"] {
            assert_eq!(keys(another, selection), None, "{selection}");
        }
        assert!(keys(another, "... on Node { id }").is_some());
    }
}
