//! An operation as the executor takes it, translated from the validated document.
//!
//! The executor's own parser accepts texts that the specification does not, and its handling of
//! variables and of fields with the same response key differs from the specification. So it gets
//! neither: selections excluded by `@skip` and `@include` are left out, variables are replaced by
//! their values, and fields are collected (section 6.3.2 of the specification): fragments are
//! spread, and fields with the same response key become one, with their selections merged. What
//! is selected of an interface or a union is collected for each of its types.
//!
//! **Invariant:** a translated selection of an object type holds fields only, each response key
//! once. That of an interface or a union holds one such selection for each of its types, as an
//! inline fragment.

use std::collections::{HashMap, HashSet};

use apollo_compiler::{
    ExecutableDocument, Name as DocumentName, Node,
    collections::HashMap as CompilerMap,
    executable::{self, Operation, OperationType, Selection, SelectionSet},
    response::{JsonValue, serde_json_bytes::ByteString},
    schema::Implementers,
};
use async_graphql::{Name, Pos, Positioned, parser::types};
use async_graphql_value::Value;

use super::{validation::Rules, values::Variables};

/// Which types implement which interface.
pub(crate) type InterfaceMap = CompilerMap<DocumentName, Implementers>;

/// Translates one operation of a document.
pub(crate) fn translate(
    rules: Rules<'_>,
    document: &ExecutableDocument,
    operation: &Operation,
    variables: Variables<'_>,
) -> types::ExecutableDocument {
    let translation = Translation { rules, document, variables };
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
    types::ExecutableDocument { operations, fragments: HashMap::new() }
}

struct Translation<'a> {
    rules: Rules<'a>,
    document: &'a ExecutableDocument,
    variables: Variables<'a>,
}

/// The fields of a selection that share a response key, in the order of the document.
type Sharing<'a> = Vec<&'a Node<executable::Field>>;

impl<'a> Translation<'a> {
    /// All selections of the same field, merged.
    fn selections(&self, sets: &[&'a SelectionSet]) -> types::SelectionSet {
        let ty = &sets[0].ty;
        let objects = self.rules.schema.types.get(ty).map(|ty| self.rules.possible_types(ty));
        let Some(objects) = objects.filter(|objects| !objects.is_empty()) else {
            return self.selections_on(ty, sets);
        };
        let fragment = |object: &DocumentName| {
            let fragment = types::InlineFragment {
                type_condition: Some(nowhere(types::TypeCondition {
                    on: nowhere(Name::new(object)),
                })),
                directives: Vec::new(),
                selection_set: nowhere(self.selections_on(object, sets)),
            };
            nowhere(types::Selection::InlineFragment(nowhere(fragment)))
        };
        types::SelectionSet { items: objects.into_iter().map(fragment).collect() }
    }

    /// What the selections ask of an object of type `ty`.
    fn selections_on(&self, ty: &DocumentName, sets: &[&'a SelectionSet]) -> types::SelectionSet {
        let (mut collected, mut spread) = (Vec::new(), HashSet::new());
        for set in sets {
            self.collect(set, ty, &mut collected, &mut spread);
        }
        types::SelectionSet { items: collected.iter().map(|same| self.field(same)).collect() }
    }

    /// Adds the fields of a selection on an object of type `ty`. The search for a response key is
    /// linear: the guard bounds aliases, so there are few.
    fn collect(
        &self,
        set: &'a SelectionSet,
        ty: &DocumentName,
        collected: &mut Vec<Sharing<'a>>,
        spread: &mut HashSet<&'a DocumentName>,
    ) {
        if *ty != set.ty && !self.rules.schema.is_subtype(&set.ty, ty) {
            return;
        }
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
                    self.collect(&inline.selection_set, ty, collected, spread);
                }
                Selection::FragmentSpread(name) => {
                    // Spreading a fragment a second time adds nothing.
                    if let Some(fragment) = self.document.fragments.get(&name.fragment_name)
                        && spread.insert(&name.fragment_name)
                    {
                        self.collect(&fragment.selection_set, ty, collected, spread);
                    }
                }
            }
        }
    }

    /// Fields with the same response key as one field. Validation ensures that they have the same
    /// name and arguments.
    fn field(&self, same: &[&'a Node<executable::Field>]) -> Positioned<types::Selection> {
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
            selection_set: nowhere(self.selections(&selections)),
        };
        let pos = self.position(first);
        Positioned::new(types::Selection::Field(Positioned::new(field, pos)), pos)
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
    use crate::graphql::schema::{self, Features};

    /// What is selected of each type of an abstract field, as `Type: key key`.
    fn selected(field: &str, selection: &str) -> Vec<String> {
        let schema = schema::typed(&schema::sdl(Features { sign_up: true, federation: true }));
        let fragment = if selection.contains("...F") { "fragment F on User { name }" } else { "" };
        let text = format!("{{ {field} {{ {selection} }} }} {fragment}");
        let document = ExecutableDocument::parse_and_validate(&schema, text, "document.graphql");
        let document = document.expect("a valid document");
        let operation = document.operations.iter().next().expect("an operation");
        let (interfaces, variables) = (schema.implementers_map(), JsonMap::new());
        let rules = Rules { schema: &schema, interfaces: &interfaces, has_suggestions: false };
        let translated = translate(rules, &document, operation, Variables(&variables));
        let types::DocumentOperations::Single(operation) = translated.operations else {
            panic!("there is one operation");
        };
        let node = fields(&operation.node.selection_set.node).remove(0);
        let of_type = |Positioned { node, .. }: &Positioned<types::Selection>| {
            let types::Selection::InlineFragment(fragment) = node else { panic!("a field") };
            let ty = fragment.node.type_condition.as_ref().expect("a type").node.on.node.as_str();
            let fields = fields(&fragment.node.selection_set.node);
            let keys: Vec<_> = fields.iter().map(|field| field.name.node.as_str()).collect();
            format!("{ty}: {}", keys.join(" "))
        };
        node.selection_set.node.items.iter().map(of_type).collect()
    }

    fn fields(set: &types::SelectionSet) -> Vec<types::Field> {
        let field = |selection: &Positioned<types::Selection>| match &selection.node {
            types::Selection::Field(field) => field.node.clone(),
            _ => panic!("a fragment is left"),
        };
        set.items.iter().map(field).collect()
    }

    #[test]
    fn a_selection_of_an_interface_is_one_of_each_type() {
        for (selection, user, viewer) in [
            ("id", "id", "id"),
            ("... on User { name }", "name", ""),
            ("id ...F", "id name", "id"),
            ("... on Node { id ... { __typename } }", "id __typename", "id __typename"),
            ("... on User { id } ... on Viewer { user { id } }", "id", "user"),
        ] {
            let mut selected = selected("node(id: \"\")", selection);
            selected.sort();
            assert_eq!(selected, [format!("User: {user}"), format!("Viewer: {viewer}")]);
        }
    }

    #[test]
    fn a_selection_of_a_union_is_one_of_each_type() {
        for (selection, keys) in [
            ("__typename", "__typename"),
            ("... on User { name } ...F ... on Node { id }", "name id"),
            ("... on Node { ... on Viewer { user { id } } } ... on User { name }", "name"),
        ] {
            let selected = selected("_entities(representations: [])", selection);
            assert_eq!(selected, [format!("User: {keys}")]);
        }
    }
}
