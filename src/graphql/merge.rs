//! The root fields of a mutation, collected as the specification says (`CollectFields`, section
//! 6.3.2): those that share a response key are one field, and run once. The executor would run
//! each of them, and merge what came of it.

use std::collections::{HashMap, HashSet};

use async_graphql::{Name, Positioned, Variables, parser::types};

type Fragments = HashMap<Name, Positioned<types::FragmentDefinition>>;
type Selections = Vec<Positioned<types::Selection>>;

/// Leaves each mutation of the document with plain root fields, one for each response key.
pub(super) fn root_fields(document: &mut types::ExecutableDocument, variables: &Variables) {
    let operations: Vec<_> = match &mut document.operations {
        types::DocumentOperations::Single(operation) => vec![&mut operation.node],
        types::DocumentOperations::Multiple(named) => {
            named.values_mut().map(|operation| &mut operation.node).collect()
        }
    };
    for operation in operations {
        if operation.ty == types::OperationType::Mutation {
            let fragments = &document.fragments;
            let mut fields =
                Fields { fragments, variables, spread: HashSet::new(), collected: Vec::new() };
            let root = &mut operation.selection_set.node.items;
            fields.collect(std::mem::take(root));
            *root = fields.collected;
        }
    }
}

struct Fields<'a> {
    fragments: &'a Fragments,
    variables: &'a Variables,
    /// Fragments that were spread: spreading one again adds nothing.
    spread: HashSet<Name>,
    collected: Selections,
}

impl Fields<'_> {
    fn collect(&mut self, selections: Selections) {
        for selection in selections {
            if !self.is_included(selection.node.directives()) {
                continue;
            }
            match selection.node {
                types::Selection::Field(field) => self.add(field),
                types::Selection::InlineFragment(inline) => {
                    self.collect(inline.node.selection_set.node.items);
                }
                types::Selection::FragmentSpread(spread) => {
                    let name = spread.node.fragment_name.node;
                    let fragment = self.fragments.get(&name);
                    if let Some(fragment) = fragment.filter(|_| self.spread.insert(name)) {
                        self.collect(fragment.node.selection_set.node.items.clone());
                    }
                }
            }
        }
    }

    fn add(&mut self, mut field: Positioned<types::Field>) {
        let key = field.node.response_key().node.clone();
        let same = self.collected.iter_mut().find_map(|earlier| match &mut earlier.node {
            types::Selection::Field(earlier) if earlier.node.response_key().node == key => {
                Some(&mut earlier.node)
            }
            _ => None,
        });
        if let Some(earlier) = same {
            earlier.selection_set.node.items.append(&mut field.node.selection_set.node.items);
        } else {
            let pos = field.pos;
            field.node.directives.clear();
            self.collected.push(Positioned::new(types::Selection::Field(field), pos));
        }
    }

    /// Whether `@skip` and `@include` leave a selection in.
    fn is_included(&self, directives: &[Positioned<types::Directive>]) -> bool {
        directives.iter().all(|directive| {
            let condition = || {
                let value = directive.node.get_argument("if")?.node.clone();
                let given = |name| self.variables.get(&name).cloned().ok_or(());
                value.into_const_with(given).ok()
            };
            match directive.node.name.node.as_str() {
                "skip" => condition() != Some(true.into()),
                "include" => condition() != Some(false.into()),
                _ => true,
            }
        })
    }
}
