//! An operation as the executor takes it, out of the document that was validated.
//!
//! The executor has a parser of its own, which takes other texts than the specification says, and
//! ways of its own with variables. So it is given neither: what `@skip` and `@include` leave out
//! is left out here, and variables are filled in.

use std::collections::HashMap;

use apollo_compiler::{
    ExecutableDocument, Node, executable,
    executable::{Operation, OperationType, Selection, SelectionSet},
};
use async_graphql::{Name, Pos, Positioned, Value, parser::types};

use super::{merge, values::Variables};

/// One operation of a document, on its own, with the fragments that it spreads.
pub(super) fn of_operation(
    document: &ExecutableDocument,
    operation: &Operation,
    variables: Variables<'_>,
) -> types::ExecutableDocument {
    let mut translation = Translation { document, variables, fragments: HashMap::new() };
    let mut selection_set = translation.selections(&operation.selection_set);
    let fragments = translation.fragments;
    let ty = match operation.operation_type {
        OperationType::Query => types::OperationType::Query,
        OperationType::Mutation => types::OperationType::Mutation,
        OperationType::Subscription => types::OperationType::Subscription,
    };
    if ty == types::OperationType::Mutation {
        selection_set.items = merge::root_fields(selection_set.items, &fragments);
    }

    let operation = types::OperationDefinition {
        ty,
        variable_definitions: Vec::new(),
        directives: Vec::new(),
        selection_set: nowhere(selection_set),
    };
    let operations = types::DocumentOperations::Single(nowhere(operation));
    types::ExecutableDocument { operations, fragments }
}

struct Translation<'a> {
    document: &'a ExecutableDocument,
    variables: Variables<'a>,
    /// The fragments that were spread so far.
    fragments: merge::Fragments,
}

impl Translation<'_> {
    fn selections(&mut self, set: &SelectionSet) -> types::SelectionSet {
        let included = set.selections.iter().filter(|s| self.variables.include(s.directives()));
        let included: Vec<_> = included.collect();
        let items = included.into_iter().map(|selection| self.selection(selection));
        types::SelectionSet { items: items.collect() }
    }

    fn selection(&mut self, selection: &Selection) -> Positioned<types::Selection> {
        match selection {
            Selection::Field(field) => {
                let pos = self.position(field);
                let field = Positioned::new(self.field(field), pos);
                Positioned::new(types::Selection::Field(field), pos)
            }
            Selection::InlineFragment(inline) => {
                let type_condition = inline.type_condition.as_ref();
                let fragment = types::InlineFragment {
                    type_condition: type_condition.map(|on| nowhere(condition(on))),
                    directives: Vec::new(),
                    selection_set: nowhere(self.selections(&inline.selection_set)),
                };
                nowhere(types::Selection::InlineFragment(nowhere(fragment)))
            }
            Selection::FragmentSpread(spread) => {
                let name = Name::new(&spread.fragment_name);
                if let Some(fragment) = self.document.fragments.get(&spread.fragment_name)
                    && !self.fragments.contains_key(&name)
                {
                    let fragment = self.fragment(fragment);
                    self.fragments.insert(name.clone(), nowhere(fragment));
                }
                let fragment_name = nowhere(name);
                let spread = types::FragmentSpread { fragment_name, directives: Vec::new() };
                nowhere(types::Selection::FragmentSpread(nowhere(spread)))
            }
        }
    }

    fn field(&mut self, field: &executable::Field) -> types::Field {
        let arguments = field.arguments.iter().filter_map(|argument| {
            let value = self.variables.fill_in(&argument.value)?;
            // In introspection, null is as good as nothing. The executor does not take it there.
            if argument.name == "includeDeprecated" && value.is_null() {
                return None;
            }
            let value = serde_json::to_value(value).ok()?;
            let value = Value::from_json(value).ok()?.into_value();
            Some((nowhere(Name::new(&argument.name)), nowhere(value)))
        });
        types::Field {
            alias: field.alias.as_ref().map(|alias| nowhere(Name::new(alias))),
            name: nowhere(Name::new(&field.name)),
            arguments: arguments.collect(),
            directives: Vec::new(),
            selection_set: nowhere(self.selections(&field.selection_set)),
        }
    }

    fn fragment(&mut self, fragment: &executable::Fragment) -> types::FragmentDefinition {
        types::FragmentDefinition {
            type_condition: nowhere(condition(fragment.type_condition())),
            directives: Vec::new(),
            selection_set: nowhere(self.selections(&fragment.selection_set)),
        }
    }

    /// Where a field stands, for the errors of its resolver.
    fn position<T>(&self, node: &Node<T>) -> Pos {
        let place = node.location().and_then(|span| span.line_column(&self.document.sources));
        place.map_or_else(Pos::default, |at| Pos { line: at.line, column: at.column })
    }
}

fn condition(on: &apollo_compiler::Name) -> types::TypeCondition {
    types::TypeCondition { on: nowhere(Name::new(on)) }
}

/// What no error will ever point at.
fn nowhere<T>(node: T) -> Positioned<T> {
    Positioned::new(node, Pos::default())
}
